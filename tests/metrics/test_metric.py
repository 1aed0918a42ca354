"""Metrics of one's own and the four of exposure: against plain loops, the peer library, the built-in metrics, and hand computation."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from recommenders.evaluation import python_evaluation as peer
from shared import Table, random_problem

from recinfluence.core.units import Unit
from recinfluence.decisions.planning import plan
from recinfluence.decisions.validation import validate
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.engines.deletion import Replicate, deletions
from recinfluence.influence.from_groups import group_influence
from recinfluence.influence.influence import Influence
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.exposure import EXPOSURE
from recinfluence.metrics.metric import METRICS, RANKING, Metric
from recinfluence.metrics.ranking import Ranked
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store, StoreError


def recall(r):
    return r.hit.sum(1) / np.maximum(r.relevant, 1)


def mae(r):
    return np.abs(r.rating - r.predicted).mean()


AGAIN = [
    Metric('own_recall', 'Own recall', +1, True, recall),
    Metric('own_mae', 'Own MAE', -1, False, mae),
]  # two of the eight, written anew


def slowly(split, scores, k, candidates, unit=Unit()):
    "The four by plain loops over dictionaries."
    users, items = (
        [u for u in split.users.tolist() if u not in unit.users],
        [i for i in split.items.tolist() if i not in unit.items],
    )
    at = {i: n for n, i in enumerate(split.items.tolist())}
    row = {u: n for n, u in enumerate(split.users.tolist())}
    trained, tested, count = {}, {}, {}
    for u, i in zip(split.train.user.tolist(), split.train['item'].tolist()):
        trained.setdefault(u, set()).add(i)
        count[i] = count.get(i, 0) + 1
    for u, i in zip(split.test.user.tolist(), split.test['item'].tolist()):
        if u in users and i in items:
            tested.setdefault(u, set()).add(i)
    lists = {}
    for u in users:
        pool = [
            i
            for i in items
            if (i not in trained[u] if candidates == 'catalogue' else i in tested.get(u, ()))
        ]
        lists[u] = sorted(pool, key=lambda i: (-scores[row[u], at[i]], at[i]))[:k]
    shown = [sum(i in l for l in lists.values()) for i in items]
    n, total = len(items), sum(shown)

    def over(f):
        return [sum(map(f, lists[u])) / len(lists[u]) for u in users if u in tested and lists[u]]

    return {
        'coverage': sum(s > 0 for s in shown) / n,
        'gini': sum(abs(a - b) for a in shown for b in shown) / (2 * n * total),
        'novelty': np.mean(over(lambda i: -math.log2(count[i] / len(split.train)))),
        'popularity': np.mean(over(count.__getitem__)),
    }


@pytest.mark.parametrize('candidates', ['catalogue', 'test'])
@pytest.mark.parametrize('seed, k', [(0, 10), (1, 1), (2, 3)])
def test_exposure_equals_plain_loops(seed, k, candidates):
    split, scores = random_problem(seed)
    judge = Evaluator(split, k, candidates, EXPOSURE)
    some = split.users.tolist(), split.items.tolist()
    for unit in (
        Unit(),
        Unit(users=(some[0][3],)),
        Unit(items=tuple(some[1][:4])),
        Unit(users=tuple(some[0][5:8]), items=(some[1][9],)),
    ):
        ours = judge(Table(split, scores), unit).metrics
        assert {m: ours[m] for m in EXPOSURE} == pytest.approx(
            slowly(split, scores, k, candidates, unit), rel=1e-12
        )


def test_coverage_and_novelty_equal_the_peer(ml_chrono):
    "Where every user has test rows and a full list: the peer averages over recommendations, ours over judged users."
    scores = (
        np.random.default_rng(0).random((len(ml_chrono.users), len(ml_chrono.items))) ** 3
        * ml_chrono.train['item'].value_counts().reindex(ml_chrono.items).to_numpy()
    )
    judge = Evaluator(ml_chrono, 10, metrics=EXPOSURE)
    ranked = judge.rank(Table(ml_chrono, scores))
    ours = judge(ranked)
    assert len(np.unique(ml_chrono.test.user)) == len(ml_chrono.users) and (ranked.top >= 0).all()
    shown = pd.DataFrame(
        {'user': np.repeat(ml_chrono.users, 10), 'item': ml_chrono.items[ranked.top.ravel()]}
    )
    names = dict(col_user='user', col_item='item')
    assert ours['coverage'] == pytest.approx(
        peer.catalog_coverage(ml_chrono.train[['user', 'item']], shown, **names)
    )
    assert ours['novelty'] == pytest.approx(
        peer.novelty(ml_chrono.train[['user', 'item']], shown, **names)
    )


def test_gini_at_its_ends():
    split, _ = random_problem(4)
    judge = Evaluator(split, 1, metrics=['gini', 'coverage'])
    n, m = judge.n_users, judge.n_items
    none = np.zeros(len(split.test))
    assert judge(Ranked(np.zeros((n, 1), np.int32), none))['gini'] == pytest.approx(
        (m - 1) / m
    )  # everybody the same item
    even = np.resize(np.arange(m, dtype=np.int32), (n, 1))
    share = np.bincount(even.ravel(), minlength=m)
    assert judge(Ranked(even, none))['gini'] == pytest.approx(1 - n / m)  # n of m items, once each
    assert share.max() == 1 and judge(Ranked(even, none))['coverage'] == n / m
    nobody = judge(Ranked(np.full((n, 1), -1, np.int32), none))
    assert nobody['coverage'] == 0 and math.isnan(nobody['gini'])


@pytest.mark.parametrize('engine', ['reference', 'fast', 'stacked'])
def test_a_copy_of_a_built_in_metric_has_its_influence(tiny, engine):
    model = NCF(n_epochs=2, batch_size=32)
    for units in (
        dict(units='users', ids=range(6)),
        dict(units='items', ids=range(4)),
        dict(units=RandomGroups(per_seed=24)),
    ):
        sweep = deletion_sweep(
            model,
            tiny,
            **units,
            replicates=3,
            k=3,
            metrics=AGAIN,
            engine=engine,
            jobs=1,
            progress=False,
        )
        for own, built_in in [('own_recall', 'recall')] + (
            [] if 'ids' not in units else [('own_mae', 'mae')]
        ):
            a, b = sweep.influence(own), sweep.influence(built_in)
            columns = ['estimate', 'se', 'q', 'mechanical', 'training']
            assert (
                np.allclose(
                    a.frame.loc[b.frame.index, columns],
                    b.frame[columns],
                    atol=1e-12,
                    equal_nan=True,
                )
                and a.frame.estimate.abs().max() > 0
            )
    assert np.allclose(
        group_influence(sweep, 'own_recall'), group_influence(sweep, 'recall'), atol=1e-12
    )
    with pytest.raises(ValueError, match='a mean over users.*own_recall'):
        sweep.influence('own_mae')


def test_fast_equals_reference_in_exposure(tiny):
    made = [
        deletion_sweep(
            NCF(n_epochs=2, batch_size=32),
            tiny,
            'users',
            ids=range(8),
            replicates=2,
            k=3,
            metrics=EXPOSURE,
            engine=e,
            jobs=1,
            progress=False,
        ).frame()
        for e in ('reference', 'fast', 'stacked')
    ]
    for other in made[1:]:
        assert np.allclose(made[0].without, other.without, atol=2e-5) and np.allclose(
            made[0].held, other.held, atol=2e-5
        )


def test_mechanical_part_by_hand(tiny):
    "Coverage and hit rate when a user goes, popularity when the most recommended item goes: the full model's lists, nothing retrained."
    hit_rate = Metric('hit_rate', 'Hit rate', +1, True, lambda r: r.hit.any(1))
    judge = Evaluator(tiny, 2, metrics=[hit_rate, 'coverage', 'popularity'])
    replicate = Replicate(Popularity(), judge)
    top = judge.rank(replicate.model, longer=1).top
    rows = judge.train_rows
    tests = {
        u: set(np.searchsorted(tiny.items, g).tolist())
        for u, g in tiny.test.groupby('user')['item']
    }
    hits = [
        bool(set(t[:2].tolist()) & tests[u]) for u, t in zip(tiny.users.tolist(), top)
    ]  # everybody has test rows here
    for user in (2, 17):
        d = replicate.delete(Unit(users=(int(tiny.users[user]),)))
        rest = np.delete(np.arange(len(top)), user)
        assert d.mechanical('hit_rate') == pytest.approx(
            np.mean(hits) - np.mean(np.delete(hits, user)), abs=1e-15
        )
        assert d.mechanical('coverage') == pytest.approx(
            (len(np.unique(top[:, :2])) - len(np.unique(top[rest, :2]))) / len(tiny.items),
            abs=1e-15,
        )
        assert d.mechanical('hit_rate') + d.training('hit_rate') == pytest.approx(
            d.influence('hit_rate'), abs=1e-15
        )
    item = int(np.bincount(top[:, 0]).argmax())
    d = replicate.delete(Unit(items=(int(tiny.items[item]),)))
    without = np.stack([t[t != item][:2] for t in top])
    judged = [bool(tests[u] - {item}) for u in tiny.users.tolist()]
    assert d.mechanical('popularity') == pytest.approx(
        -(rows[top[:, :2]].mean() - rows[without][judged].mean())
    )  # lower is better


def test_deleting_nothing_is_nothing_and_direction_is_kept(tiny):
    up, down = (
        EXPOSURE['popularity'],
        replace(EXPOSURE['popularity'], name='likes_popular', direction=+1),
    )
    judge = Evaluator(tiny, 3, metrics=[up, down, 'gini'])
    nothing, someone = deletions(NCF(n_epochs=1, batch_size=32), judge, [Unit(), Unit(users=(5,))])
    assert all(nothing.influence(m) == nothing.training(m) == 0 for m in judge.metrics)
    assert someone.influence('popularity') == -someone.influence(
        'likes_popular'
    ) != 0 and 'Popularity' in repr(someone)


def test_the_eight_stay_as_they_are_and_processes_agree(tiny):
    def run(**kw):
        return deletion_sweep(
            NCF(n_epochs=1, batch_size=32), tiny, 'users', ids=range(6), k=3, progress=False, **kw
        )

    plain, more, split_up = (
        run(jobs=1),
        run(jobs=1, metrics=[*EXPOSURE, *AGAIN]),
        run(jobs=2, metrics=[*EXPOSURE, *AGAIN]),
    )
    f = more.frame()
    assert (
        plain.frame().equals(f[f.metric.isin(METRICS)].reset_index(drop=True))
        and 'metrics' not in plain.experiment.to_dict()
    )
    assert (
        list(more.full()) == [*METRICS, *sorted([*EXPOSURE, 'own_recall', 'own_mae'])]
        and more.store.content_hash() == split_up.store.content_hash()
    )


def test_a_store_knows_its_metrics(tiny, tmp_path):
    def run(metrics):
        return deletion_sweep(
            Popularity(),
            tiny,
            'users',
            ids=[1, 2],
            k=3,
            metrics=metrics,
            jobs=1,
            progress=False,
            store=tmp_path / 's.db',
        )

    def best(n):
        return Metric('best', 'Best place', +1, True, lambda r: r.hit[:, :n].any(1))

    first = run([best(1)]).store.content_hash()
    assert run([best(1)]).store.content_hash() == first
    for other in (
        [best(2)],
        [],
        [replace(best(1), direction=-1)],
        [best(1), 'gini'],
    ):  # same name, other function: seen by what it says of the probes
        with pytest.raises(StoreError, match='its metrics has'):
            run(other)
    opened = Influence.of(Store(tmp_path / 's.db'), 'best')
    assert opened.label == 'Best place' and 'Best place' in repr(opened)  # without the function
    assert 'Best place' in opened.plot().get_xlabel()


def test_a_metric_that_cannot_see_the_model_is_found_out(tiny):
    size = Metric('size', 'Size', +1, False, lambda r: r.present.sum())
    assert (
        Evaluator(tiny, 3, metrics=[size, 'coverage']).sees_model['size'] is False
        and Evaluator(tiny, 3, metrics=['coverage']).sees_model['coverage'] is True
    )
    blind = Evaluator(
        tiny, 20, 'test', ['coverage', 'popularity']
    )  # every test item is listed, whatever the model says
    assert not blind.sees_model['coverage'] and not blind.sees_model['popularity']
    influence = deletion_sweep(
        Popularity(),
        tiny,
        'users',
        ids=[1, 2],
        replicates=2,
        k=3,
        metrics=[size],
        jobs=1,
        progress=False,
    ).influence('size')
    assert influence.blind and influence.caution.startswith('Size cannot see the model')


@pytest.mark.parametrize(
    'metrics, words',
    [
        (['variety'], 'not ready-made'),
        ([Metric('map', 'Mine', 1, True, recall)], 'taken'),
        (['gini', 'gini'], 'taken'),
        ([Metric('m', 'M', 0, True, recall)], 'direction'),
        ([METRICS['map']], 'taken'),
        ([Metric('m', 'M', 1, True)], 'needs a function'),
        ([Metric('m', 'M', 1, False, recall)], 'it is one number'),
        ([Metric('m', 'M', 1, True, mae)], 'one number for each of the 40 users'),
    ],
)
def test_wrong_metrics_are_refused(tiny, metrics, words):
    with pytest.raises(ValueError, match=words):
        Evaluator(tiny, 3, metrics=metrics)(Popularity().fit(tiny.train))


def test_users_a_metric_passes_over_do_not_count(tiny):
    odd = Metric('odd', 'Odd', +1, True, lambda r: np.where(r.users % 2, r.hit.any(1), np.nan))
    judge = Evaluator(tiny, 3, metrics=[odd])
    e = judge(Popularity().fit(tiny.train))
    own = e.per_user[:, judge.ranking.index('odd')]
    precision = e.per_user[:, RANKING.index('precision')]
    assert np.isnan(own[::2]).all() and e['odd'] == (precision[1::2] > 0).mean()


def test_groups_are_validated_by_a_metric_of_ones_own(tiny):
    "The copy of recall is validated as recall is, and a plan can be made from it."
    ranked = deletion_sweep(
        Popularity(), tiny, 'users', replicates=2, k=3, metrics=AGAIN, jobs=1, progress=False
    ).influence('own_recall')
    v = validate(
        Popularity(),
        tiny,
        ranked,
        sizes=(2,),
        n_random=3,
        replicates=2,
        k=3,
        metrics=AGAIN,
        jobs=1,
        progress=False,
    )
    assert (
        np.allclose(v.table(), v.table('recall'), atol=1e-12)
        and 'Own recall' in repr(v)
        and 'Own recall' in v.conclusion()
    )
    assert 'Own recall' in repr(plan(ranked, reliability=0.8))
