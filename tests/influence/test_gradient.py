"""The gradient of training against central differences of real trainings, and against deletions."""

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.splits import make_split, random_split
from recinfluence.designs.samples import sample_units
from recinfluence.designs.single import single_units
from recinfluence.engines.svd_gradient import SVDGradient
from recinfluence.influence.gradient import (
    all_of,
    as_asked,
    deal,
    every_interaction,
    these,
    training_parts,
)
from recinfluence.kernels.svd_gradient import walk_back
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import METRICS
from recinfluence.metrics.objective import OBJECTIVES
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep

FAST = dict(n_factors=6, n_epochs=12, lr_all=0.02)
STARTS = ['keyed', 'surprise']
BIASED = [True, False]


def rows_of(users, items, per_user, seed):
    "Ratings with a taste: users and items have levels and two hidden factors."
    rng = np.random.default_rng(seed)
    p, q = rng.normal(0, 1, (users, 2)), rng.normal(0, 1, (items, 2))
    level = rng.normal(0, 0.4, users)[:, None] + rng.normal(0, 0.6, items)
    ratings = np.clip(np.round(3.4 + level + p @ q.T + rng.normal(0, 0.4, (users, items))), 1, 5)
    share = 1 / (1 + np.arange(items)) ** 0.5
    chosen = [rng.choice(items, per_user, False, share / share.sum()) for _ in range(users)]
    pairs = [
        (u * 3 + 1, int(i) * 2 + 5, ratings[u, i]) for u, row in enumerate(chosen) for i in row
    ]
    return pd.DataFrame(pairs, columns=['user', 'item', 'rating']).assign(timestamp=0)


@pytest.fixture(scope='module')
def split():
    return random_split(load_interactions(rows_of(24, 30, 12, 0), name='made up'))


@pytest.fixture(scope='module')
def larger():
    return random_split(load_interactions(rows_of(120, 80, 25, 1), name='made up, larger'))


def engine_of(split, **settings):
    return SVDGradient(SVD(**FAST | settings), Evaluator(split, k=3), seed=3)


def metric_after(split, model, weight, name, gone=None):
    "Of `SVD.fit` itself, with row weights; the unit's test rows left out."
    model = model.for_split(split).fresh().fit(split.train.assign(weight=weight), seed=3)
    return Evaluator(split, k=3)(model, gone)[name]


def by_differences(split, model, name, unit, step=1e-4):
    "The derivative of the metric of the others by the weight of the unit's rows."
    mine = unit.rows(split.train)
    up, down = (np.where(mine, 1 + sign * step, 1.0) for sign in (1, -1))
    held = [metric_after(split, model, weight, name, unit) for weight in (up, down)]
    return (held[0] - held[1]) / (2 * step)


@pytest.mark.parametrize('name', OBJECTIVES)
@pytest.mark.parametrize('start', STARTS)
@pytest.mark.parametrize('biased', BIASED)
def test_units_of_ones_own_have_the_derivative_of_real_trainings(split, name, start, biased):
    "Trained by the model's own code, judged by the evaluator, to 1e-5 of the largest."
    units = [Unit(users=(4,)), Unit(items=(5, 9), name='two'), Unit(users=(1, 7), items=(11,))]
    engine = engine_of(split, start=start, biased=biased)
    asked, rating = these(units, engine), split.test.rating.to_numpy(float)
    trajectory = engine.train()
    chosen = np.ones(len(units), bool)
    found = asked.derivatives(OBJECTIVES[name], rating, trajectory, chosen)
    plain = [by_differences(split, engine.recommender, name, unit) for unit in units]
    assert np.abs(found - plain).max() < 1e-5 * np.abs(plain).max()


@pytest.mark.parametrize('name', OBJECTIVES)
@pytest.mark.parametrize('start', STARTS)
@pytest.mark.parametrize('biased', BIASED)
def test_every_interaction_has_the_derivative_of_real_trainings(split, name, start, biased):
    engine = engine_of(split, start=start, biased=biased, n_epochs=4)
    asked, rating = every_interaction(engine), split.test.rating.to_numpy(float)
    chosen = np.ones(len(asked.table), bool)
    found = asked.derivatives(OBJECTIVES[name], rating, engine.train(), chosen)
    found = dict(zip(asked.table.index, found))
    train = split.train.reset_index(drop=True)
    for n in range(0, len(train), 29):
        weights = np.where(np.arange(len(train)) == n, [[1.0001], [0.9999]], 1.0)
        up, down = (metric_after(split, engine.recommender, w, name) for w in weights)
        key = f'user {train.user[n]}, item {train["item"][n]}'
        scale = max(map(abs, found.values()))
        assert found[key] == pytest.approx((up - down) / 2e-4, abs=1e-5 * scale)


@pytest.mark.parametrize('start', STARTS)
@pytest.mark.parametrize('biased', BIASED)
def test_trajectory_is_the_models_own(split, start, biased):
    engine = engine_of(split, start=start, biased=biased)
    model = engine.recommender.fresh().fit(split.train, seed=3)
    plain = engine.evaluator.rank(model).predicted
    assert np.abs(engine.train().predicted - plain).max() < 1e-12
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.4, 1.6, len(split.train))
    by_pair = dict(zip(zip(split.train.user, split.train['item']), weight))
    pairs = zip(split.users[engine.users].tolist(), split.items[engine.items].tolist())
    shares = np.array([by_pair[pair] for pair in pairs])
    model = engine.recommender.fresh().fit(split.train.assign(weight=weight), seed=3)
    plain = engine.evaluator.rank(model).predicted
    assert np.abs(engine.train(shares).predicted - plain).max() < 1e-12


def test_scores_that_are_cut_do_not_move(split):
    "Ratings far beyond a narrow scale: every prediction is cut, and nobody influences anything."
    rows = split.interactions.frame.assign(rating=split.interactions.frame.rating * 10)
    wide = random_split(load_interactions(rows, name='wide'))
    judge = Evaluator(wide, k=3)
    for clip in ('ratings', 'scores'):
        model = SVD(**FAST | {'lr_all': 0.001}, rating_scale=(1, 50), clip=clip)
        engine = SVDGradient(model, judge, seed=0)
        engine.recommender.rating_scale = (49, 50)
        trajectory = engine.train()
        assert set(trajectory.predicted) == {49.0}
        assert not trajectory.walk_back(np.ones(len(trajectory.predicted))).rows.any()


def test_weights_of_the_train_rows_are_heeded(split):
    "A row that weighs twice as much owes twice as much to its share; one of weight 0 is not there."
    rng = np.random.default_rng(5)
    weight = rng.choice([0.0, 0.5, 1.0, 2.0], len(split.train))
    weighted = make_split(split.train.assign(weight=weight), split.test, name='weighted')
    engine = engine_of(weighted)
    assert len(engine.users) == (weight > 0).sum()
    judge, rating = engine.evaluator, weighted.test.rating.to_numpy(float)
    model = engine.recommender.fresh().fit(weighted.train, seed=3)
    assert np.abs(engine.train().predicted - judge.rank(model).predicted).max() < 1e-12
    unit = Unit(users=(10,))
    found = these([unit], engine).derivatives(
        OBJECTIVES['rmse'], rating, engine.train(), np.array([True])
    )
    mine, held = unit.rows(weighted.train), []
    for share in (1.0001, 0.9999):
        rows = weighted.train.assign(weight=np.where(mine, share, 1.0) * weight)
        held.append(judge(engine.recommender.fresh().fit(rows, seed=3), unit)['rmse'])
    assert found[0] == pytest.approx((held[0] - held[1]) / 2e-4, rel=1e-5)


@pytest.mark.parametrize('name', OBJECTIVES)
@pytest.mark.parametrize('kind', ['users', 'items'])
def test_all_at_once_is_nearly_one_walk_each(larger, kind, name):
    "The second derivative leaves out what goes by other units and comes back: a small part."
    engine = engine_of(larger)
    rating, trajectory = larger.test.rating.to_numpy(float), engine.train()
    together, apart = all_of(kind, engine), these(single_units(larger, kind), engine)
    assert together.table.index.equals(apart.table.index)
    asked = OBJECTIVES[name], rating
    assert np.allclose(*(one.held(*asked, trajectory.predicted) for one in (together, apart)))
    chosen = np.ones(len(together.table), bool)
    quick, each = (one.derivatives(*asked, trajectory, chosen) for one in (together, apart))
    assert np.corrcoef(quick, each)[0, 1] > 0.99
    assert np.sqrt(np.mean((quick - each) ** 2)) < 0.1 * each.std()


def test_sums_over_users_items_and_interactions_agree(split):
    "Before own test rows are taken out, all of them add up the same rows."
    engine = engine_of(split)
    slopes = np.random.default_rng(0).normal(0, 1, len(split.test))
    trajectory = engine.train()
    by_row = trajectory.walk_back(slopes).rows
    for own in ('users', 'items'):
        found = trajectory.walk_back(slopes, own)
        assert np.allclose(found.rows, by_row, rtol=0, atol=1e-12 * np.abs(by_row).max())
    users, items, pairs = (as_asked(kind, engine) for kind in ('users', 'items', 'interactions'))
    sums = {n: np.bincount(a.rows, by_row) for n, a in enumerate((users, items, pairs))}
    assert np.allclose([one.sum() for one in sums.values()], by_row.sum(), rtol=1e-9)
    owner = pairs.table.users.str.strip('[]').astype(int)
    of_user = pd.Series(sums[2]).groupby(owner.to_numpy()).sum()
    ids = users.table.users.str.strip('[]').astype(int)
    assert np.allclose(of_user.reindex(ids, fill_value=0), sums[0], rtol=1e-9, atol=1e-15)


def test_derivatives_are_linear_in_the_slopes(split):
    trajectory = engine_of(split).train()
    one, two = np.random.default_rng(1).normal(0, 1, (2, len(split.test)))
    both = trajectory.walk_back(one - 3 * two, 'users')
    apart = [trajectory.walk_back(slopes, 'users') for slopes in (one, two)]
    for part in ('rows', 'own'):
        first, second = (getattr(found, part) for found in apart)
        assert np.allclose(getattr(both, part), first - 3 * second, rtol=0, atol=1e-12)


def test_units_without_train_rows_have_no_influence():
    "A user who is in test alone, and items whose only row is not in the split."
    rows = rows_of(20, 12, 8, 3)
    rare = pd.DataFrame({'user': 1, 'item': range(900, 930), 'rating': 3.0, 'timestamp': 0})
    halves = random_split(load_interactions(pd.concat([rows, rare]), name='rare items'))
    assert len(halves.items) < halves.interactions.frame['item'].nunique()
    stray = pd.DataFrame({'user': [97], 'item': [5], 'rating': [3.0], 'timestamp': 0})
    strays = make_split(halves.train, pd.concat([halves.test, stray]), name='a user to be tested')
    for split, kind in ((halves, 'items'), (strays, 'users')):
        engine = engine_of(split)
        asked = all_of(kind, engine)
        found = training_parts(asked, OBJECTIVES['rmse'], engine, 3, engine.train())
        without = (asked.table.n_train == 0).to_numpy()
        assert without.any() and not found[without].any() and found[~without].all()


def test_parts_are_dealt_evenly_and_always_the_same():
    part = deal(103, 8, seed=1)
    assert np.array_equal(part, deal(103, 8, seed=1)) and not np.array_equal(part, deal(103, 8, 2))
    assert sorted(np.bincount(part)) == [12] + [13] * 7


def test_one_unit_a_part_is_the_midpoint_rule_alone(split):
    "By hand: each unit alone at half weight."
    engine, rmse = engine_of(split), OBJECTIVES['rmse']
    units = [Unit(users=(4,)), Unit(users=(7,))]
    asked, rating = these(units, engine), split.test.rating.to_numpy(float)
    found = training_parts(asked, rmse, engine, 2, engine.train())
    for n, unit in enumerate(units):
        shares = np.where(np.isin(split.users[engine.users], unit.users), 0.5, 1.0)
        only = np.arange(2) == n
        plain = asked.derivatives(rmse, rating, engine.train(shares), only)[n]
        assert found[n] == pytest.approx(plain, rel=1e-12)
    more = training_parts(asked, rmse, engine, 5, engine.train())
    assert more == pytest.approx(found, rel=1e-12)


# measured: users .958 to .962, in 16 parts .988 to .992; items .910 to .966, in 16 parts .990
BOUNDS = {('users', 1): 0.95, ('users', 16): 0.98, ('items', 1): 0.9, ('items', 16): 0.98}


@pytest.mark.parametrize('kind', ['users', 'items'])
@pytest.mark.parametrize('name', OBJECTIVES)
def test_order_is_that_of_exact_deletions(larger, kind, name):
    model = SVD(**FAST | {'lr_all': 0.01})
    sweep = deletion_sweep(model, larger, kind, seed=3, k=3, jobs=1, progress=False)
    exact = sweep.influence(name, part='training').frame.estimate
    engine = SVDGradient(model, Evaluator(larger, k=3), seed=3)
    asked = all_of(kind, engine)
    for parts in (1, 16):
        found = METRICS[name].direction * training_parts(
            asked, OBJECTIVES[name], engine, parts, engine.train()
        )
        found = pd.Series(found, asked.table.index)
        alike = found.corr(exact, method='spearman')
        assert alike > BOUNDS[kind, parts]


@pytest.mark.parametrize('start', STARTS)
@pytest.mark.slow
def test_movielens_comes_back_to_its_start(ml_random, start):
    "2,250,000 steps undone one by one."
    engine = SVDGradient(SVD(start=start), Evaluator(ml_random), seed=0)
    trajectory = engine.train()
    learned = trajectory.of_learned(np.ones(len(trajectory.predicted)))
    visits = engine.users, engine.items, engine.weights
    way = trajectory.learned, trajectory.errors, learned, engine.settings
    back = walk_back(visits, *way).start
    users, items = engine.trained_on
    gaps = back.pu - engine.start[0], back.qi - engine.start[1]
    assert max(np.abs(g[on]).max() for g, on in zip(gaps, (users, items))) < 1e-10
    assert max(np.abs(back.bu).max(), np.abs(back.bi).max()) < 1e-10


@pytest.mark.parametrize('kind, at_full, at_half', [('users', 0.8, 0.95), ('items', 0.8, 0.94)])
@pytest.mark.slow
def test_movielens_order_is_that_of_exact_deletions(ml_random, kind, at_full, at_half):
    "Of 120 units; over all of them .888 and .968 (users), .869 and .952 (items)."
    units = sample_units(ml_random, kind, 120, 'random')
    sweep = deletion_sweep(SVD(), ml_random, units, jobs=1, progress=False)
    exact = sweep.influence('rmse', part='training').frame.estimate
    engine = SVDGradient(SVD(), Evaluator(ml_random), seed=0)
    asked, rmse, full = all_of(kind, engine), OBJECTIVES['rmse'], engine.train()
    for parts, least in ((1, at_full), (4, at_half)):
        found = pd.Series(-training_parts(asked, rmse, engine, parts, full), asked.table.index)
        assert found.corr(exact, method='spearman') > least
