"""Downdated deletions against refits, one at a time: scores, lists, metrics, groups, stores; and
nearest neighbours against a plain count.
"""

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.designs.single import single_units
from recinfluence.engines.downdating import DowndatedEASE, DowndatedItemKNN
from recinfluence.engines.reference import ReferenceEngine
from recinfluence.engines.registry import find_engine
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.exposure import EXPOSURE
from recinfluence.models.ease import EASE
from recinfluence.models.item_knn import ItemKNN
from recinfluence.sweep.run import deletion_sweep


def drawn(seed, users=30, items=18):
    "Rows of a random table, dense enough that everybody stays in train."
    rng = np.random.default_rng(seed)
    u, i = np.nonzero(rng.random((users, items)) < 0.5)
    time = rng.permutation(len(u))
    frame = pd.DataFrame(
        {'user': u, 'item': i, 'rating': rng.integers(1, 6, len(u)), 'timestamp': time}
    )
    return chrono_split(load_interactions(frame, name='drawn'))


def differences(split, units, model, k=4):
    "The largest difference of any metric on any side of a deletion."
    judge = Evaluator(split, k, metrics=EXPOSURE)
    quick = find_engine(model, judge)
    assert quick in (DowndatedEASE, DowndatedItemKNN)
    both = [make(model, judge, 0).delete(units) for make in (ReferenceEngine, quick)]
    sides = [[(d.full, d.held, d.without) for d in one] for one in both]
    values = np.array([[[list(s.values()) for s in d] for d in one] for one in sides])
    assert np.isfinite(values).all() and np.ptp(values[0], axis=0).max() > 1e-3
    return np.abs(values[0] - values[1]).max()


MODELS = [EASE(0.5), EASE(5.0), EASE(200.0), ItemKNN(2), ItemKNN(6), ItemKNN(500)]


@pytest.mark.parametrize('model', MODELS, ids=repr)
@pytest.mark.parametrize('seed', range(2))
def test_every_user_and_item_and_groups_of_both(seed, model):
    split = drawn(seed)
    rng = np.random.default_rng(seed)
    users, items = split.users.tolist(), split.items.tolist()
    groups = [
        Unit(users=rng.choice(users, n, replace=False), items=rng.choice(items, m, replace=False))
        for n, m in ((2, 0), (0, 3), (4, 2), (15, 0), (0, 9), (12, 5))
    ]
    units = [*single_units(split, 'users'), *single_units(split, 'items'), *groups, Unit()]
    assert differences(split, units, model) < 1e-9


@pytest.mark.parametrize('model', [EASE(2), ItemKNN(5)], ids=repr)
def test_scores_of_everybody_are_those_of_a_refit(model):
    split = drawn(7)
    engine = find_engine(model, Evaluator(split, 4))(model, Evaluator(split, 4), 0)
    for unit in (Unit(users=(3, 9)), Unit(items=(0, 5)), Unit(users=(1,), items=(2,)), Unit()):
        refit = model.fresh().fit(split.train[~unit.rows(split.train)])
        gap = engine.scores_without(unit) - refit.score(split.users, split.items)
        assert np.abs(gap).max() < 1e-9


def test_a_sweep_takes_it_and_gives_the_reference_its_numbers(tiny):
    for units in ('users', 'items', RandomGroups(per_seed=6)):
        frames = [
            deletion_sweep(EASE(4), tiny, units, k=3, jobs=1, progress=False, engine=engine).frame()
            for engine in ('reference', 'auto')
        ]
        pd.testing.assert_frame_equal(*frames, rtol=0, atol=1e-9)
    assert find_engine(EASE(), Evaluator(tiny)) is DowndatedEASE
    assert find_engine(EASE(), Evaluator(tiny, candidates='test')) is ReferenceEngine


def test_users_that_count_nothing_are_judged_without_their_rows(tiny):
    judge = Evaluator(tiny, 3)
    counts = (np.random.default_rng(0).random((len(tiny.users), 3)) < 0.7).astype(float)
    both = [make(EASE(4), judge, 0).reweighted(counts) for make in (ReferenceEngine, DowndatedEASE)]
    for plain, quick in zip(*both):
        assert np.array_equal(plain.top, quick.top)
        assert np.abs(plain.predicted - quick.predicted).max() < 1e-9
    with pytest.raises(ValueError, match='EASE does not heed weights'):
        DowndatedEASE(EASE(4), judge, 0).reweighted(counts * 0.5)


@pytest.mark.parametrize('neighbors', [1, 3, 50])
def test_neighbours_are_those_of_a_plain_count(neighbors):
    train = drawn(3).train
    by_item = {i: set(rows.user) for i, rows in train.groupby('item')}
    alike = {
        (i, j): len(by_item[i] & by_item[j]) / (len(by_item[i]) * len(by_item[j])) ** 0.5
        for i in by_item
        for j in by_item
        if i != j
    }
    items = sorted(by_item)
    score = ItemKNN(neighbors).fit(train).score(np.arange(30), np.array(items))
    for user, row in enumerate(score):
        rated = {i for i in items if user in by_item[i]}
        for j, found in zip(items, row):
            order = sorted((i for i in items if i != j), key=lambda i: (-alike[i, j], i))
            assert found == pytest.approx(
                sum(alike[i, j] for i in order[:neighbors] if i in rated), abs=1e-9
            )


@pytest.mark.slow
@pytest.mark.parametrize('model', [EASE(), ItemKNN()], ids=repr)
def test_on_movielens(ml_chrono, model):
    units = [u for kind in ('users', 'items') for u in single_units(ml_chrono, kind)[::120]]
    assert differences(ml_chrono, units, model, k=10) < 1e-9
