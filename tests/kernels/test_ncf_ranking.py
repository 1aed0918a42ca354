"""Ranking with the compiled NCF kernel against plain numpy."""

import numpy as np
import pytest
from plain_ncf import (
    F32,
    F64,
    N_ITEMS,
    N_USERS,
    SHAPES,
    fast_train,
    numpy_logits,
    random_weights,
    samples,
    start_values,
)

from recinfluence.kernels import ncf, simd


def numpy_top(logits, candidates, k):
    candidates = np.flatnonzero(candidates)
    best = candidates[np.argsort(-logits[candidates], kind='stable')][:k]
    return np.pad(best, (0, k - len(best)), constant_values=-1)


@pytest.mark.parametrize('dtype', (F32, F64))
@pytest.mark.parametrize(
    'shape', [SHAPES[name] for name in ('neumf', 'gmf', 'linear')], ids=('neumf', 'gmf', 'linear')
)
def test_rank_equals_numpy(shape, dtype):
    "Parameters are small integers: sums are exact, and ties frequent."
    lanes, k, rng = simd.width(dtype) + 1, 6, np.random.default_rng(3)
    params = {
        name: rng.integers(-2, 3, (*value.shape, lanes)).astype(dtype)
        for name, value in start_values(shape).items()
    }
    seen = (
        rng.random((N_USERS, N_ITEMS)) < np.linspace(0, 1, N_USERS)[:, None]
    )  # from no item to every item
    indptr, seen_items = np.r_[0, np.cumsum(seen.sum(1))], np.nonzero(seen)[1]
    keep_items, keep_users = rng.random((N_ITEMS, lanes)) < 0.7, rng.random((N_USERS, lanes)) < 0.8
    test_users, test_items = rng.integers(0, N_USERS, 50), rng.integers(0, N_ITEMS, 50)
    given = shape, params, (indptr, seen_items), (test_users, test_items), keep_items, k
    top, pred = ncf.rank(*given, keep_users)
    everyone, _ = ncf.rank(*given)
    assert top.dtype == np.int32 and pred.dtype == np.float64
    ties = 0
    for lane in range(lanes):
        with np.errstate(over='ignore'):
            assert np.allclose(
                pred[lane],
                1 / (1 + np.exp(-numpy_logits(shape, params, lane, test_users, test_items))),
                1e-14,
                1e-300,
            )
        for user in range(N_USERS):
            logits = numpy_logits(shape, params, lane, np.full(N_ITEMS, user), np.arange(N_ITEMS))
            expected = numpy_top(logits, keep_items[:, lane] & ~seen[user], k)
            assert np.array_equal(everyone[lane, user], expected)
            assert np.array_equal(
                top[lane, user], expected if keep_users[user, lane] else np.full(k, -1)
            )
            ties += len(np.unique(logits[expected[expected >= 0]])) < (expected >= 0).sum()
    assert ties > 10 and (everyone == -1).any()


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(pairs=([N_USERS], [0])), 'test users out of range'),
        (dict(pairs=([0], [-1])), 'test items out of range'),
        (dict(pairs=([0, 1], [0])), 'do not fit together'),
        (dict(seen=(np.r_[np.zeros(N_USERS, int), 1], [N_ITEMS])), 'seen items out of range'),
        (dict(seen=(np.zeros(N_USERS, int), [])), 'do not fit together'),
        (dict(keep_items=np.ones((N_ITEMS, 2), bool)), 'wrong shape'),
    ],
)
def test_rank_refuses_what_does_not_fit(change, message):
    shape = SHAPES['gmf']
    params = {name: value[..., None] for name, value in start_values(shape).items()}
    given = dict(seen=(np.zeros(N_USERS + 1, int), []), pairs=([0], [0]))
    given |= dict(keep_items=np.ones((N_ITEMS, 1), bool), k=3)
    ncf.rank(shape, params, **given)
    with pytest.raises(ValueError, match=message):
        ncf.rank(shape, params, **(given | change))


@pytest.mark.slow
def test_rank_of_trained_models():
    "Real-valued scores of a deep model: the scores of the items chosen are the highest ones."
    shape, lanes, k = SHAPES['deep'], 2, 5
    params = fast_train(shape, samples(50, 16), start_values(shape), random_weights(lanes))
    test_users, test_items = np.arange(N_USERS), np.arange(N_USERS)
    nothing_seen = np.zeros(N_USERS + 1), np.zeros(0)
    everything = np.ones((N_ITEMS, lanes), bool)
    top, pred = ncf.rank(shape, params, nothing_seen, (test_users, test_items), everything, k)
    for lane in range(lanes):
        assert np.allclose(
            pred[lane],
            1 / (1 + np.exp(-numpy_logits(shape, params, lane, test_users, test_items))),
            1e-12,
        )
        for user in range(N_USERS):
            logits = numpy_logits(shape, params, lane, np.full(N_ITEMS, user), np.arange(N_ITEMS))
            assert np.allclose(logits[top[lane, user]], np.sort(logits)[::-1][:k], rtol=1e-12)
