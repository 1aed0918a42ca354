"""The explorer without a browser: its widgets driven by their values."""

import sys
import threading
from dataclasses import replace

import pandas as pd
import pytest

pytest.importorskip('ipywidgets')

from recinfluence.core.units import Unit
from recinfluence.data.splits import chrono_split
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import METRICS, RANKING, Metric
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.show.explorer import Explorer
from recinfluence.show.html import table_html
from recinfluence.show.on_demand import last_value, retrain_without
from recinfluence.show.panels import who_html
from recinfluence.show.unit_plots import every_metric
from recinfluence.sweep.run import deletion_sweep


@pytest.fixture
def explorer(items, split, model):
    return Explorer(items, model, split)


def done(explorer):
    explorer.background.thread.join(60)
    assert not explorer.background.thread.is_alive()


def test_filters_change_the_list_and_keep_what_is_picked_and_grouped(explorer, items):
    assert [k for _, k in explorer.finder.list.options] == items.frame.index.tolist()
    explorer.finder.list.value = ('item 2', 'item 5')
    assert explorer.picked == 'item 2' and '<h3>Film 2 (item 2)</h3>' in explorer.look.who.value
    explorer.finder.add.click()
    explorer.finder.search.value = 'drama'
    assert (
        explorer.finder.list.value == ('item 5',)
        and len(explorer.finder.list.options) == 12
        and explorer.group == ['item 2', 'item 5']
        and '12 of 24 items' in explorer.finder.found.value
    )
    explorer.finder.list.value = ('item 5', 'item 7')
    assert explorer.picked == 'item 7'  # the one that was added
    explorer.finder.add.click()
    assert explorer.group == ['item 2', 'item 5', 'item 7']
    explorer.finder.list.value = ('item 5',)
    explorer.finder.remove.click()
    assert (
        explorer.group == ['item 2', 'item 7']
        and 'Film 2, Film 7' in explorer.grouping.members.value
    )
    explorer.finder.metric.value = 'mae'
    mae = every_metric(items).xs('mae', level='metric')
    assert [k for _, k in explorer.finder.list.options] == [k for k in mae.index if mae.id[k] % 2]
    explorer.grouping.empty.click()
    assert explorer.group == [] and explorer.grouping.retrain.disabled


def test_a_group_is_retrained_on_fresh_seeds(explorer, split, model):
    assert explorer.grouping.retrain.disabled
    explorer.finder.list.value = ('item 1', 'item 8')
    explorer.finder.add.click()
    explorer.grouping.replicates.value = 2
    explorer.finder.metric.value = 'recall'
    explorer.grouping.retrain.click()
    done(explorer)
    result = last_value(retrain_without(model, split, Unit(items=(1, 8)), (3, 4), k=3))
    pd.testing.assert_frame_equal(explorer.result, result)
    assert (
        f'{result.full["recall"]:.6f} to {result.without["recall"]:.6f}'
        in explorer.grouping.outcome.value
        and 'seeds 3 to 4' in explorer.grouping.outcome.value
        and explorer.grouping.progress.value == ''
    )
    assert not explorer.grouping.retrain.disabled and explorer.grouping.stop.disabled


def test_it_works_from_another_thread(explorer):
    "JupyterLab may deliver events in a thread of their own, where no store can be read."
    errors = []

    def clicks():
        try:
            explorer.finder.metric.value = 'map'
            explorer.finder.list.value = ('item 4',)
            explorer.finder.add.click()
            explorer.look.ask.click()
            explorer.background.thread.join()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=clicks)
    thread.start()
    thread.join(60)
    assert (
        not errors
        and 'did not work' not in explorer.grouping.progress.value
        and explorer.affected is not None
        and 'item 4' in explorer.look.who.value
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
    explorer.finder.list.value = ('item 1',)
    explorer.finder.add.click()
    explorer.grouping.retrain.click()
    assert reached.wait(20)
    assert (
        '1 of 4 replicates' in explorer.grouping.progress.value
        and explorer.grouping.retrain.disabled
        and explorer.look.ask.disabled
        and not explorer.grouping.stop.disabled
    )
    explorer.grouping.stop.click()
    go.set()
    done(explorer)
    assert (
        'Stopped after 2 of 4' in explorer.grouping.progress.value
        and explorer.result is None
        and not explorer.grouping.retrain.disabled
    )


def test_what_cannot_be_deleted_is_said(explorer):
    explorer.finder.list.value = tuple(k for _, k in explorer.finder.list.options)
    explorer.finder.add.click()
    explorer.grouping.retrain.click()
    done(explorer)
    assert (
        'role="alert"' in explorer.grouping.progress.value
        and 'nothing is left to train on' in explorer.grouping.progress.value
        and explorer.result is None
    )


def test_without_model_or_split_it_says_how_to_have_more(items, split, model):
    made = Explorer(items)
    made.finder.list.value = ('item 1',)
    made.finder.add.click()
    assert (
        made.grouping.retrain.disabled
        and made.look.ask.disabled
        and all(
            'influence.explore(recommender, split)' in w.value
            for w in (made.look.who, made.look.changes, made.grouping.members)
        )
    )
    with pytest.raises(ValueError, match='give both'):
        Explorer(items, model)
    with pytest.raises(ValueError, match='recommender differ'):
        Explorer(items, NCF(n_epochs=5, batch_size=32), split)
    with pytest.raises(ValueError, match='split_hash differ'):
        Explorer(items, model, chrono_split(split.interactions, 0.5))


def test_titles_are_text_and_not_markup(explorer, items, split):
    explorer.finder.list.value = ('item 3',)
    assert (
        'Film 3 &lt;b&gt;&amp;' in explorer.look.who.value and '<b>' not in explorer.look.who.value
    )
    script = pd.Index(['<script>'], name='<script>')
    table = table_html(pd.DataFrame({'<script>': ['<script>']}, script), caption='<script>')
    assert '<script>' not in table and 'date: 04 March 1995' in who_html(
        items.frame.loc['item 3'], split
    )


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
    made = Explorer(sweep.influence('map'), Popularity(), split)
    made.finder.list.value = (Unit(users=(1, 2), name='pair').key, 'user 3')
    made.finder.add.click()
    assert made.subject.unit(made.group) == Unit(users=(1, 2, 3))
    made = Explorer(
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
    made.finder.list.value = ('user 3',)
    assert [
        v for _, v in made.finder.metric.options
    ] == RANKING and 'Influence of user 3' in made.look.changes.value


def test_metrics_of_ones_own_can_be_explored_and_what_is_not_paired_says_so(split):
    class Loose(Popularity):
        paired = False

    first = Metric('first', 'First is right', +1, True, lambda r: r.hit[:, 0])

    def run(model, metrics):
        settings = {'replicates': 2, 'k': 3, 'metrics': metrics, 'jobs': 1, 'progress': False}
        return deletion_sweep(model, split, 'items', ids=range(6), **settings)

    loose = run(Loose(), ['gini', 'popularity'])
    made = Explorer(loose.influence('gini'), Loose(), split)  # ready-made: known by name
    said = ' '.join(w.value for w in made.box.children if hasattr(w, 'value'))
    assert (
        'not paired' in said
        and 'Influence on Gini' in said
        and ('Gini', 'gini') in made.finder.metric.options
    )
    made.finder.list.value = ('item 2',)
    assert (
        'Gini' in made.look.changes.value
        and made.finder.list.options[0][1] == loose.influence('gini').frame.index[0]
    )
    made.finder.metric.value = 'popularity'
    assert made.finder.list.value == ('item 2',)
    made.look.ask.click()
    done(made)
    assert made.look.whom.value.count('on the Popularity of single users') == 1
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
        made.affected.estimate, wanted.reindex(made.affected.index), check_names=False
    )
    assert wanted.abs().max() > 0
    made.finder.add.click()
    made.grouping.retrain.click()
    done(made)
    assert (
        list(made.result.index) == [*METRICS, 'gini', 'popularity']
        and 'Popularity goes from' in made.grouping.outcome.value
    )
    own = run(Popularity(), [first]).influence('first')
    with pytest.raises(ValueError, match="metric 'first' is the sweep's own"):
        own.explore(Popularity(), split)
    with pytest.raises(ValueError, match='metrics differ'):
        own.explore(Popularity(), split, [replace(first, function=lambda r: r.hit[:, 1])])
    made = own.explore(Popularity(), split, [first])
    made.finder.list.value = ('item 1',)
    made.finder.add.click()
    made.grouping.retrain.click()
    done(made)
    assert (
        'First is right goes from' in made.grouping.outcome.value
        and own.explore().grouping.retrain.disabled
    )


def test_one_replicate_has_no_error_bars_and_says_so(split, model):
    made = Explorer(
        deletion_sweep(model, split, ids=range(4), k=3, jobs=1, progress=False).influence('map'),
        model,
        split,
    )
    made.finder.list.value = ('user 2',)
    assert 'no error bar' in made.look.changes.value
    made.look.ask.click()
    done(made)
    assert 'no error bars' in made.look.whom.value


def test_a_missing_library_is_named(items, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ipywidgets', None)
    with pytest.raises(ImportError, match=r'recinfluence\[explore\]'):
        items.explore()
