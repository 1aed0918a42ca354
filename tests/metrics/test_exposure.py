"""The four metrics of exposure: against plain loops, the peer library and hand computation."""

import math

import numpy as np
import pandas as pd
import pytest
from recommenders.evaluation import python_evaluation as peer
from shared import Table, random_problem

from recinfluence.core.units import Unit
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.exposure import EXPOSURE
from recinfluence.metrics.ranking import Ranked
from recinfluence.models.ncf import NCF
from recinfluence.sweep.run import deletion_sweep


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

    def over(function):
        return [
            sum(map(function, lists[u])) / len(lists[u]) for u in users if u in tested and lists[u]
        ]

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
    "Where all have test rows and full lists: the peer averages over lists, ours over judged users."
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
    n_users, n_items = judge.n_users, judge.n_items
    none = np.zeros(len(split.test))
    assert judge(Ranked(np.zeros((n_users, 1), np.int32), none))['gini'] == pytest.approx(
        (n_items - 1) / n_items
    )  # everybody the same item
    even = np.resize(np.arange(n_items, dtype=np.int32), (n_users, 1))
    share = np.bincount(even.ravel(), minlength=n_items)
    assert judge(Ranked(even, none))['gini'] == pytest.approx(
        1 - n_users / n_items
    )  # each user another item, once each
    assert share.max() == 1 and judge(Ranked(even, none))['coverage'] == n_users / n_items
    nobody = judge(Ranked(np.full((n_users, 1), -1, np.int32), none))
    assert nobody['coverage'] == 0 and math.isnan(nobody['gini'])


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
