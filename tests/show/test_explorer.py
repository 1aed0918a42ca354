"""The explorer without a browser: its lists and computations against slower ways, its widgets driven by their values."""

import sys
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip('ipywidgets')

from recinfluence.core.units import Unit
from recinfluence.data.interactions import Interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import METRICS, RANKING, Metric
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.show.explorer import Explorer
from recinfluence.show.lists import (
    SORTS,
    filter_units,
    influence_on_users,
    last_value,
    retrain_without,
    search_texts,
    unit_lines,
)
from recinfluence.show.panels import table_html, who_html
from recinfluence.show.unit_plots import every_metric
from recinfluence.sweep.run import deletion_sweep

MODEL = NCF(n_epochs=4, batch_size=32)


@pytest.fixture(scope='module')
def split():
    items = pd.DataFrame(
        {
            'title': [f'Film {i} <b>&' if i == 3 else f'Film {i}' for i in range(24)],
            'genres': ['Drama' if i % 2 else 'Comedy|Crime' for i in range(24)],
            'date': pd.Timestamp('1995-03-04'),
        }
    )
    users = pd.DataFrame(
        {
            'age': range(20, 60),
            'occupation': ['Lawyer' if u % 4 == 0 else 'nurse' for u in range(40)],
        }
    )
    return chrono_split(Interactions(planted_interactions(), 'planted', users, items))


@pytest.fixture(scope='module')
def items(split):
    return deletion_sweep(
        MODEL, split, units='items', replicates=3, k=3, jobs=1, progress=False
    ).influence('ndcg')


@pytest.fixture
def explorer(items, split):
    return Explorer(items, MODEL, split)


def done(e):
    e.thread.join(60)
    assert not e.thread.is_alive()


def test_listed_is_what_a_loop_over_the_units_gives(items, split):
    f = items.frame.assign(q=np.linspace(0, 0.2, len(items.frame)))
    texts = search_texts(f, split)
    assert (
        set(filter_units(f, texts, 'CRIME comedy').id) == set(range(0, 24, 2))
        and filter_units(f, texts, '1995-03-04 film').shape == f.shape
        and filter_units(f, texts, 'film drama comedy').empty
    )
    for sort, (column, ascending) in SORTS.items():
        found = filter_units(f, texts, '', sort, at_least=15, at_most=20, clear=True)
        assert (
            set(found.index)
            == {k for k, r in f.iterrows() if 15 <= r.n_ratings <= 20 and r.q < 0.05}
            and len(found) > 1
            and found[column].tolist() == sorted(found[column], reverse=not ascending)
        )


def test_users_are_found_by_what_is_known_of_them(split):
    f = (
        deletion_sweep(Popularity(), split, ids=range(12), k=3, jobs=1, progress=False)
        .influence()
        .frame
    )
    assert (
        set(filter_units(f, search_texts(f, split), 'lawyer').id) == {0, 4, 8}
        and set(filter_units(f, search_texts(f), 'user 4').id) == {4}
        and len(filter_units(f, search_texts(f, split), '.')) == 0
    )  # no pattern, plain text


def test_lines_are_aligned_and_tell_the_numbers(items):
    text = unit_lines(items.frame)
    assert len({len(t) for t in text}) == 1 and not any(' ' in t for t in text)
    assert [float(t.split('\xa0±')[0].split('\xa0')[-1]) for t in text] == pytest.approx(
        items.frame.estimate.tolist(), abs=5e-5
    )
    assert '±' not in unit_lines(items.frame.assign(low=np.nan, high=np.nan))[0]


def test_for_whom_is_the_difference_of_two_reference_fits(split):
    unit, e, column = Unit(items=(5,)), Evaluator(split, 3), RANKING.index('recall')
    wanted = []
    for seed in (0, 1):
        full, without = (
            MODEL.fresh().fit(split.train, seed),
            MODEL.fresh().fit_without(split.train, unit, seed),
        )
        wanted.append(e(full).per_user[:, column] - e(without, unit).per_user[:, column])
    wanted = pd.Series(np.mean(wanted, 0), split.users).dropna()
    found = last_value(
        influence_on_users(MODEL, split, unit, (0, 1), 'recall', k=3, engine='reference')
    )
    pd.testing.assert_series_equal(found.estimate, wanted, check_names=False)
    assert wanted.abs().max() > 0


@pytest.mark.parametrize('user', [4, 9])
def test_the_mean_over_the_others_is_the_training_part(split, user):
    sweep = deletion_sweep(
        MODEL, split, ids=[user], replicates=3, seed=5, k=3, jobs=1, progress=False
    )
    f = sweep.frame()
    for metric in ('map', 'precision'):
        others = last_value(
            influence_on_users(MODEL, split, Unit(users=(user,)), range(5, 8), metric, k=3)
        )
        assert others.estimate.mean() == pytest.approx(
            f[f.metric == metric].training.mean(), abs=1e-12
        )


def test_retraining_seed_by_seed_is_the_sweep_of_all_seeds(split):
    unit = Unit(users=(1, 2, 30))
    steps = list(retrain_without(MODEL, split, unit, range(7, 10), k=3))
    assert [n for n, _ in steps] == [1, 2, 3] and steps[0][1] is None is steps[1][1]
    sweep = deletion_sweep(MODEL, split, [unit], replicates=3, seed=7, k=3, jobs=1, progress=False)
    for m in METRICS:
        f = sweep.influence(m).frame.iloc[0]
        assert steps[-1][1].loc[
            m, ['estimate', 'se', 'low', 'high', 'mechanical', 'training']
        ].tolist() == pytest.approx(
            f[['estimate', 'se', 'low', 'high', 'mechanical', 'training']].tolist(), rel=1e-12
        )


def test_filters_change_the_list_and_keep_what_is_picked_and_grouped(explorer, items):
    assert [k for _, k in explorer.list.options] == items.frame.index.tolist()
    explorer.list.value = ('item 2', 'item 5')
    assert explorer.picked == 'item 2' and '<h3>Film 2 (item 2)</h3>' in explorer.who.value
    explorer.add.click()
    explorer.search.value = 'drama'
    assert (
        explorer.list.value == ('item 5',)
        and len(explorer.list.options) == 12
        and explorer.group == ['item 2', 'item 5']
        and '12 of 24 items' in explorer.found.value
    )
    explorer.list.value = ('item 5', 'item 7')
    assert explorer.picked == 'item 7'  # the one that was added
    explorer.add.click()
    assert explorer.group == ['item 2', 'item 5', 'item 7']
    explorer.list.value = ('item 5',)
    explorer.remove.click()
    assert explorer.group == ['item 2', 'item 7'] and 'Film 2, Film 7' in explorer.members.value
    explorer.metric.value = 'mae'
    mae = every_metric(items).xs('mae', level='metric')
    assert [k for _, k in explorer.list.options] == [k for k in mae.index if mae.id[k] % 2]
    explorer.empty.click()
    assert explorer.group == [] and explorer.retrain.disabled


def test_a_group_is_retrained_on_fresh_seeds(explorer, split):
    assert explorer.retrain.disabled
    explorer.list.value = ('item 1', 'item 8')
    explorer.add.click()
    explorer.replicates.value = 2
    explorer.metric.value = 'recall'
    explorer.retrain.click()
    done(explorer)
    f = last_value(retrain_without(MODEL, split, Unit(items=(1, 8)), (3, 4), k=3))
    pd.testing.assert_frame_equal(explorer.result, f)
    assert (
        f'{f.full["recall"]:.6f} to {f.without["recall"]:.6f}' in explorer.outcome.value
        and 'seeds 3 to 4' in explorer.outcome.value
        and explorer.progress.value == ''
    )
    assert not explorer.retrain.disabled and explorer.stop.disabled


def test_it_works_from_another_thread(explorer):
    "JupyterLab may deliver events in a thread of their own, where no store can be read."
    errors = []

    def clicks():
        try:
            explorer.metric.value = 'map'
            explorer.list.value = ('item 4',)
            explorer.add.click()
            explorer.ask.click()
            explorer.thread.join()
        except Exception as e:
            errors.append(e)

    t = threading.Thread(target=clicks)
    t.start()
    t.join(60)
    assert (
        not errors
        and 'did not work' not in explorer.progress.value
        and explorer.affected is not None
        and 'item 4' in explorer.who.value
    )


def test_stop_ends_it_after_the_replicate(explorer, monkeypatch):
    import recinfluence.show.explorer as module

    reached = threading.Event()
    go = threading.Event()

    def slow(*args, **kw):
        yield 1, None
        reached.set()
        go.wait(20)
        yield 2, None
        raise AssertionError('went on')

    monkeypatch.setattr(module, 'retrain_without', slow)
    explorer.list.value = ('item 1',)
    explorer.add.click()
    explorer.retrain.click()
    assert reached.wait(20)
    assert (
        '1 of 4 replicates' in explorer.progress.value
        and explorer.retrain.disabled
        and explorer.ask.disabled
        and not explorer.stop.disabled
    )
    explorer.stop.click()
    go.set()
    done(explorer)
    assert (
        'Stopped after 2 of 4' in explorer.progress.value
        and explorer.result is None
        and not explorer.retrain.disabled
    )


def test_what_cannot_be_deleted_is_said(explorer):
    explorer.list.value = tuple(k for _, k in explorer.list.options)
    explorer.add.click()
    explorer.retrain.click()
    done(explorer)
    assert (
        'role="alert"' in explorer.progress.value
        and 'nothing is left to train on' in explorer.progress.value
        and explorer.result is None
    )


def test_without_model_or_split_it_says_how_to_have_more(items, split):
    e = Explorer(items)
    e.list.value = ('item 1',)
    e.add.click()
    assert (
        e.retrain.disabled
        and e.ask.disabled
        and all(
            'influence.explore(recommender, split)' in w.value
            for w in (e.who, e.changes, e.members)
        )
    )
    with pytest.raises(ValueError, match='give both'):
        Explorer(items, MODEL)
    with pytest.raises(ValueError, match='recommender differ'):
        Explorer(items, NCF(n_epochs=5, batch_size=32), split)
    with pytest.raises(ValueError, match='split_hash differ'):
        Explorer(items, MODEL, chrono_split(split.interactions, 0.5))


def test_titles_are_text_and_not_markup(explorer, items, split):
    explorer.list.value = ('item 3',)
    assert 'Film 3 &lt;b&gt;&amp;' in explorer.who.value and '<b>' not in explorer.who.value
    assert '<script>' not in table_html(
        '<script>', ['<script>'], [('<script>', '<script>')]
    ) and 'date: 04 March 1995' in who_html(items.frame.loc['item 3'], split)


def test_groups_named_units_and_random_groups_can_be_explored(split):
    sweep = deletion_sweep(
        Popularity(),
        split,
        [Unit(users=(1, 2), name='pair'), Unit(users=(3,))],
        replicates=2,
        k=3,
        jobs=1,
        progress=False,
    )
    e = Explorer(sweep.influence('map'), Popularity(), split)
    e.list.value = ('users pair', 'user 3')
    e.add.click()
    assert e._unit(e.group) == Unit(users=(1, 2, 3))
    e = Explorer(
        deletion_sweep(
            Popularity(),
            split,
            RandomGroups(per_seed=16),
            replicates=2,
            k=3,
            jobs=1,
            progress=False,
        ).influence('map'),
        Popularity(),
        split,
    )
    e.list.value = ('user 3',)
    assert [v for _, v in e.metric.options] == RANKING and 'Influence of user 3' in e.changes.value


def test_metrics_of_ones_own_can_be_explored_and_what_is_not_paired_says_so(split):
    class Loose(Popularity):
        paired = False

    first = Metric('first', 'First is right', +1, True, lambda r: r.hit[:, 0])
    run = lambda model, metrics: deletion_sweep(
        model,
        split,
        'items',
        ids=range(6),
        replicates=2,
        k=3,
        metrics=metrics,
        jobs=1,
        progress=False,
    )
    loose = run(Loose(), ['gini', 'popularity'])
    e = Explorer(loose.influence('gini'), Loose(), split)  # ready-made: known by name
    said = ' '.join(w.value for w in e.box.children if hasattr(w, 'value'))
    assert (
        'not paired' in said
        and 'Influence on Gini' in said
        and ('Gini', 'gini') in e.metric.options
    )
    e.list.value = ('item 2',)
    assert (
        'Gini' in e.changes.value and e.list.options[0][1] == loose.influence('gini').frame.index[0]
    )
    e.metric.value = 'popularity'
    assert e.list.value == ('item 2',)
    e.ask.click()
    done(e)
    assert e.whom.value.count('on the Popularity of single users') == 1
    wanted = pd.Series(0.0, split.users)
    judge = Evaluator(split, 3, metrics=['popularity'])
    unit = Unit(items=(2,))
    column = judge.ranking.index('popularity')
    for model, sign, without in (
        (Loose().fit(split.train), 1, None),
        (Loose().fit_without(split.train, unit, 0), -1, unit),
    ):
        wanted -= sign * judge(model, without).per_user[:, column]  # lower is better
    pd.testing.assert_series_equal(
        e.affected.estimate, wanted.reindex(e.affected.index), check_names=False
    )
    assert wanted.abs().max() > 0
    e.add.click()
    e.retrain.click()
    done(e)
    assert (
        list(e.result.index) == [*METRICS, 'gini', 'popularity']
        and 'Popularity goes from' in e.outcome.value
    )
    own = run(Popularity(), [first]).influence('first')
    with pytest.raises(ValueError, match="metric 'first' is the sweep's own"):
        own.explore(Popularity(), split)
    with pytest.raises(ValueError, match='metrics differ'):
        own.explore(Popularity(), split, [replace(first, function=lambda r: r.hit[:, 1])])
    e = own.explore(Popularity(), split, [first])
    e.list.value = ('item 1',)
    e.add.click()
    e.retrain.click()
    done(e)
    assert 'First is right goes from' in e.outcome.value and own.explore().retrain.disabled


def test_one_replicate_has_no_error_bars_and_says_so(split):
    e = Explorer(
        deletion_sweep(MODEL, split, ids=range(4), k=3, jobs=1, progress=False).influence('map'),
        MODEL,
        split,
    )
    e.list.value = ('user 2',)
    assert 'no error bar' in e.changes.value
    e.ask.click()
    done(e)
    assert 'no error bars' in e.whom.value


def test_a_missing_library_is_named(items, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ipywidgets', None)
    with pytest.raises(ImportError, match=r'recinfluence\[explore\]'):
        items.explore()
