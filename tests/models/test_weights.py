"""Row weights: what they mean in each model, and that fast and reference agree about it."""

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit
from recinfluence.data.splits import Split
from recinfluence.engines.deletion import Replicate
from recinfluence.engines.fast_ncf import FastNCF
from recinfluence.engines.fast_svd import FastSVD
from recinfluence.engines.reference import ReferenceEngine
from recinfluence.engines.registry import find_engine
from recinfluence.engines.stacked_ncf import StackedNCF
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD, draw_factors

SMALL = dict(n_epochs=3, batch_size=32, dtype='float64')
MODELS = [
    NCF(**SMALL),
    NCF('gmf', n_factors=6, **SMALL),
    NCF('mlp', layer_sizes=(10, 7, 5), **SMALL),
    SVD(n_factors=9, n_epochs=4),
    SVD(n_factors=20, n_epochs=4, start='surprise'),
    SVD(n_factors=5, n_epochs=3, biased=False),
]
FAST = {NCF: FastNCF, SVD: FastSVD}


def reweigh(split, weights):
    return Split(split.train.assign(weight=weights), split.test, split.interactions, split.protocol)


def fractions(split, seed=0):
    "A fifth of the rows weigh 0, and so do all of user 4."
    rng = np.random.default_rng(seed)
    w = rng.gamma(1.5, 1, len(split.train))
    w[rng.random(len(w)) < 0.2] = 0
    w[split.train.user == 4] = 0
    return w


def scores(model, split):
    return model.score(split.users, split.items)


def fitted(model, split, weights, seed=3):
    return scores(model.fresh().fit(split.train.assign(weight=weights), seed), split)


# ---- what weights mean
@pytest.mark.parametrize('model', MODELS, ids=repr)
def test_ones_are_none_bit_for_bit(model, tiny):
    assert np.array_equal(fitted(model, tiny, 1.0), scores(model.fresh().fit(tiny.train, 3), tiny))


@pytest.mark.parametrize('start', ['keyed', 'surprise'])
def test_svd_a_weight_of_two_is_two_visits_when_steps_are_small(start, tiny):
    # scikit-surprise on doubled rows, one behind the other: the rest is of second order in the step
    model = SVD(n_factors=6, n_epochs=3, lr_all=1e-4, start=start)
    w = np.where(tiny.train.user % 3 == 0, 2.0, 1.0)
    doubled = tiny.train.loc[np.repeat(tiny.train.index, w.astype(int))]
    weighted, plain = fitted(model, tiny, w), scores(model.fresh().fit(tiny.train, 3), tiny)
    assert (
        np.abs(weighted - scores(model.fresh().fit(doubled, 3), tiny)).max()
        < 0.02 * np.abs(weighted - plain).max()
    )


@pytest.mark.parametrize('model', [m for m in MODELS if isinstance(m, SVD)], ids=repr)
def test_svd_a_row_of_weight_zero_is_absent_bit_for_bit(model, tiny):
    w = fractions(tiny)
    left = tiny.train[w > 0].assign(weight=w[w > 0])
    assert np.array_equal(fitted(model, tiny, w), scores(model.fresh().fit(left, 3), tiny))
    only = (w > 0).astype(float)
    assert (
        np.abs(
            fitted(model, tiny, only) - scores(model.fresh().fit(tiny.train[w > 0], 3), tiny)
        ).max()
        < 1e-12
    )  # ones and zeros: scikit-surprise on the rows that are left


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_ncf_a_user_of_weight_zero_is_deleted_bit_for_bit(dtype, tiny):
    model = NCF(n_epochs=3, batch_size=32, dtype=dtype)
    assert np.array_equal(
        fitted(model, tiny, np.where(tiny.train.user.isin([0, 9]), 0.0, 1.0)),
        scores(model.fresh().fit_without(tiny.train, Unit(users=(0, 9)), 3), tiny),
    )


def test_ncf_only_proportions_count(tiny):
    w = fractions(tiny)
    assert np.abs(fitted(NCF(**SMALL), tiny, w) - fitted(NCF(**SMALL), tiny, 8 * w)).max() < 1e-12


@pytest.mark.parametrize('n_neg', [1, 4, 30])  # 30: more than there are items left to draw
def test_ncf_negatives_weigh_what_their_rows_weigh(n_neg, tiny):
    w = fractions(tiny)
    draws = NCF(n_neg=n_neg, batch_size=1, n_epochs=1).draws(tiny.train.assign(weight=w), 0)
    u, y, got = (a[:, 0] for a in (draws.users, draws.labels, draws.weights))
    own = pd.Series(w).groupby(tiny.train.user).apply(sorted)
    for n, user in enumerate(tiny.users):
        assert sorted(got[(u == n) & (y == 1)]) == pytest.approx(own[user])
        negatives = pd.Series(got[(u == n) & (y == 0)]).value_counts()
        rows = pd.Series(own[user]).value_counts()
        times = negatives / rows
        assert set(negatives.index) <= set(rows.index) and (
            times.max() - times.min() <= 1
        )  # in turn: none is used more than once more than another


def plain_svd(train, weights, users, items, start, model):
    "Row by row with its own tables, keyed by id."
    p, q = (
        {i: row.copy() for i, row in zip(ids, table)} for ids, table in zip((users, items), start)
    )
    bu, bi = dict.fromkeys(users, 0.0), dict.fromkeys(items, 0.0)
    mean = (train.rating * weights).sum() / weights.sum()
    for _ in range(model.n_epochs):
        for u, i, rating, w in zip(train.user, train['item'], train.rating, weights):
            error = rating - (mean + bu[u] + bi[i] + (p[u] * q[i]).sum())
            step = w * model.lr_all
            bu[u], bi[i] = (
                bu[u] + step * (error - model.reg_all * bu[u]),
                bi[i] + step * (error - model.reg_all * bi[i]),
            )
            p[u], q[i] = (
                p[u] + step * (error * q[i] - model.reg_all * p[u]),
                q[i] + step * (error * p[u] - model.reg_all * q[i]),
            )
    return np.clip([[mean + bu[u] + bi[i] + p[u] @ q[i] for i in items] for u in users], 1, 5)


def test_svd_against_a_plain_loop(tiny):
    model, w = SVD(n_factors=6, n_epochs=4), np.random.default_rng(0).gamma(1.5, 1, len(tiny.train))
    order = tiny.train.user.argsort(kind='stable')
    start = [draw_factors(3, *table, 6) for table in (('pu', tiny.users), ('qi', tiny.items))]
    expected = plain_svd(tiny.train.iloc[order], w[order], tiny.users, tiny.items, start, model)
    assert np.abs(fitted(model, tiny, w) - expected).max() < 1e-12


# ---- engines
@pytest.mark.parametrize('model', MODELS, ids=repr)
def test_fast_is_reference(model, tiny):
    "Weighted trainings without a user, an item, nothing."
    rows, units = (
        reweigh(tiny, fractions(tiny)),
        [Unit(), Unit(users=(5,)), Unit(items=(7,)), Unit(users=(1, 8), items=(3,), name='some')],
    )
    evaluator = Evaluator(rows, 3)
    slow = Replicate(model, evaluator, 2)
    for make in (FAST[type(model)], StackedNCF) if type(model) is NCF else (FastSVD,):
        for fast in make(model, evaluator, 2).delete(units):
            wanted = slow.delete(fast.unit)
            for side in ('full', 'held', 'without'):
                assert getattr(fast, side) == {
                    m: pytest.approx(v, abs=1e-10) for m, v in getattr(wanted, side).items()
                }, (make.name, fast.unit.key, side)


@pytest.mark.parametrize('model', MODELS, ids=repr)
@pytest.mark.parametrize('weighted', [False, True])
def test_users_that_count_more_are_rows_that_weigh_more(model, weighted, tiny):
    "Of all engines, alone and beside each other, on rows with and without weights of their own."
    split = reweigh(tiny, fractions(tiny)) if weighted else tiny
    counts = np.random.default_rng(1).gamma(1, 1, (len(tiny.users), 3))
    counts[:5, 1] = 0
    counts[:, 2] = 1
    evaluator = Evaluator(split, 3)
    own = split.codes(split.train)[0]
    base = split.train['weight'] if weighted else 1.0
    expected = [
        evaluator.rank(model.fresh().fit(split.train.assign(weight=c[own] * base), 2), 2)
        for c in counts.T
    ]
    for make in (ReferenceEngine, FAST[type(model)]):
        for found, wanted in zip(make(model, evaluator, 2).reweighted(counts, 2), expected):
            assert (
                np.array_equal(found.top, wanted.top)
                and np.abs(found.predicted - wanted.predicted).max() < 1e-10
            )


# ---- what is refused, and who declares what
@pytest.mark.parametrize(
    'weight, message',
    [
        (-1.0, r'train row 1 has the weight -1'),
        (np.nan, 'weight nan'),
        (np.inf, 'weight inf'),
        (0.0, 'every train row has weight 0'),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weight, message, tiny):
    for model in (NCF(**SMALL), SVD(n_epochs=1)):
        with pytest.raises(ValueError, match=message):
            model.fit(tiny.train.assign(weight=weight))


def test_a_model_that_does_not_heed_weights_is_not_given_any(tiny):
    weighted = Evaluator(reweigh(tiny, fractions(tiny)))
    with pytest.raises(ValueError, match='weights, which Popularity does not heed'):
        find_engine(Popularity(), weighted)
    assert (
        find_engine(Popularity(), Evaluator(reweigh(tiny, 1.0))) is ReferenceEngine
        and find_engine(SVD(), weighted) is FastSVD
    )
