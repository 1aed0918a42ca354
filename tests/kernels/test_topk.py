"""The compiled search for the best items against a stable sort, and its refusals.

The compiled loop does not check its bounds.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recinfluence.kernels.topk import top_k
from recinfluence.metrics.ranking import top_k as plain_top_k


def by_sorting(scores, seen, keep_users, keep_items, k):
    "Descending score, ties by ascending position, for each user; `seen` is a mask."
    out = np.full((len(scores), k), -1)
    for u in np.flatnonzero(keep_users):
        candidates = np.flatnonzero(keep_items & ~seen[u])
        best = candidates[np.argsort(-scores[u, candidates], kind='stable')][:k]
        out[u, : len(best)] = best
    return out


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 12),
    st.integers(1, 14),
    st.integers(0, 2**31),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
)
def test_it_is_a_stable_sort(n_users, n_items, k, seed, dtype, ties):
    rng = np.random.default_rng(seed)
    scores = (
        rng.choice([-np.inf, -1.0, 0.0, 1.0, np.inf], (n_users, n_items))
        if ties
        else rng.normal(size=(n_users, n_items))
    ).astype(dtype)
    seen, keep_users, keep_items = (
        rng.random((n_users, n_items)) < 0.3,
        rng.random(n_users) < 0.8,
        rng.random(n_items) < 0.8,
    )
    top = top_k(
        scores,
        np.concatenate([[0], np.cumsum(seen.sum(1))]),
        np.nonzero(seen)[1],
        keep_users,
        keep_items,
        k,
    )
    assert top.dtype == np.int32 and np.array_equal(
        top, by_sorting(scores, seen, keep_users, keep_items, k)
    )


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(1, 10),
    st.integers(0, 2**31),
    st.sampled_from([np.float32, np.float64]),
)
def test_it_is_the_plain_search(n_users, n_items, k, seed, dtype):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-2, 3, (n_users, n_items)).astype(dtype)  # many ties
    seen = rng.random((n_users, n_items)) < 0.3
    keep_items, keep_users = rng.random(n_items) < 0.8, rng.random(n_users) < 0.8
    plain = plain_top_k(scores, ~seen & keep_items & keep_users[:, None], k)
    indptr = np.concatenate([[0], np.cumsum(seen.sum(1))])
    assert np.array_equal(
        top_k(scores, indptr, np.nonzero(seen)[1], keep_users, keep_items, k), plain
    )


def test_any_layout_of_the_scores():
    scores = np.random.default_rng(0).normal(size=(5, 9))
    rest = [0] * 6, [], np.ones(5, bool), np.ones(9, bool), 3
    assert np.array_equal(top_k(np.asfortranarray(scores), *rest), top_k(scores, *rest))
    assert np.array_equal(top_k(np.repeat(scores, 2, 1)[:, ::2], *rest), top_k(scores, *rest))


GOOD = dict(
    scores=np.ones((2, 3)),
    seen_indptr=[0, 1, 2],
    seen_items=[0, 2],
    keep_users=[True] * 2,
    keep_items=[True] * 3,
    k=2,
)


def test_the_good_call():
    assert top_k(**GOOD).tolist() == [[1, 2], [0, 1]]


@pytest.mark.parametrize(
    'bad, message',
    [
        (dict(scores=np.array([[1.0, np.nan, 1.0]] * 2)), 'NaN'),
        (dict(k=0), 'at least one place'),
        (dict(keep_users=[True]), 'fit together'),
        (dict(keep_items=[True] * 2), 'fit together'),
        (dict(seen_indptr=[0, 2]), 'fit together'),
        (dict(seen_indptr=[0, 1, 3]), 'cut'),
        (dict(seen_indptr=[0, 2, 1]), 'cut'),
        (dict(seen_indptr=[-1, 1, 2]), 'cut'),
        (dict(seen_items=[0, 3]), 'outside'),
        (dict(seen_items=[-1, 2]), 'outside'),
    ],
)
def test_refusals(bad, message):
    with pytest.raises(ValueError, match=message):
        top_k(**{**GOOD, **bad})
