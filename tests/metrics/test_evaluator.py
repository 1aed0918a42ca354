"""Metrics against the public reference implementation, and against brute force."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommenders.evaluation import python_evaluation as peer
from shared import Table, random_problem

from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.splits import make_split
from recinfluence.metrics.evaluator import Evaluator, on_half
from recinfluence.metrics.metric import METRICS, RANKING
from recinfluence.metrics.ranking import top_k


def by_peer(split, scores, k, candidates):
    "The same metrics by the peer, from long frames."
    kw = dict(col_user='user', col_item='item', col_rating='rating', col_prediction='prediction')
    long = pd.DataFrame(
        {
            'user': np.repeat(split.users, len(split.items)),
            'item': np.tile(split.items, len(split.users)),
            'prediction': scores.ravel(),
        }
    )
    scored = split.test.merge(long, on=['user', 'item'])
    if candidates == 'test':
        long = long.merge(split.test[['user', 'item']])
    else:
        long = (
            long.merge(split.train[['user', 'item']].assign(seen=1), how='left')
            .query('seen.isna()')
            .drop(columns='seen')
        )

    def rank(f):
        return f(split.test, long, k=k, **kw)

    both = dict(rating_true=split.test, rating_pred=scored[['user', 'item', 'prediction']])
    return {
        'map': rank(peer.map),
        'map_at_k': rank(peer.map_at_k),
        'ndcg': rank(peer.ndcg_at_k),
        'precision': rank(peer.precision_at_k),
        'recall': rank(peer.recall_at_k),
        'explained_variance': peer.exp_var(**both, **kw),
        'mae': peer.mae(**both, **kw),
        'rmse': peer.rmse(**both, **kw),
    }


@pytest.mark.parametrize('candidates', ['catalogue', 'test'])
@pytest.mark.parametrize('seed, k', [(0, 10), (1, 1), (2, 3), (3, 25)])
def test_equal_to_the_peer_on_random_frames(seed, k, candidates):
    split, scores = random_problem(seed)
    ours, theirs = (
        Evaluator(split, k, candidates)(Table(split, scores)).metrics,
        by_peer(split, scores, k, candidates),
    )
    assert {m: pytest.approx(theirs[m], abs=1e-12) for m in METRICS} == ours


@pytest.mark.parametrize('candidates', ['catalogue', 'test'])
def test_equal_to_the_peer_on_movielens(ml_chrono, candidates):
    scores = (
        np.random.default_rng(0)
        .permutation(len(ml_chrono.users) * len(ml_chrono.items))
        .reshape(len(ml_chrono.users), -1)
        / 1e5
    )
    ours, theirs = (
        Evaluator(ml_chrono, 10, candidates)(Table(ml_chrono, scores)).metrics,
        by_peer(ml_chrono, scores, 10, candidates),
    )
    assert {m: pytest.approx(theirs[m], abs=1e-12) for m in METRICS} == ours


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.0, -1.5]), min_size=6, max_size=6),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 8),
    st.integers(0, 2**30 - 1),
)
def test_top_k_is_a_plain_sort_with_ties_by_position(rows, k, bits):
    scores = np.array(rows)
    mask = ((bits >> np.arange(scores.size)) & 1).astype(bool).reshape(scores.shape)
    plain = [
        sorted(np.flatnonzero(m).tolist(), key=lambda i: (-s[i], i))[:k]
        for s, m in zip(scores, mask)
    ]
    assert [[i for i in r if i >= 0] for r in top_k(scores, mask, k).tolist()] == plain and top_k(
        scores, mask, k
    ).shape == (len(rows), k)


def test_nan_scores_are_refused(tiny):
    with pytest.raises(ValueError, match='NaN'):
        Evaluator(tiny)(Table(tiny, np.full((len(tiny.users), len(tiny.items)), np.nan)))


@pytest.mark.parametrize('candidates', ['catalogue', 'test'])
@pytest.mark.parametrize('k', [1, 2, 3, 5])
def test_sees_model_agrees_with_brute_force(k, candidates):
    "Over all orders of four items: a metric sees the model if two orders give two values."
    worlds = [
        ([(0, 0), (1, 1), (1, 2), (1, 3)], [(0, 1), (0, 2)]),
        ([(0, 0), (1, 1), (1, 2), (1, 3), (0, 1)], [(0, 2), (0, 3)]),
        ([(0, 0), (0, 1), (0, 2), (1, 3)], [(0, 3)]),
        ([(0, 0), (1, 1), (1, 2), (1, 3)], [(0, 1)]),
    ]
    for train, test in worlds:

        def f(rows):
            return pd.DataFrame(
                [(u, i, float(2 + (u + i) % 3), 0) for u, i in rows],
                columns=['user', 'item', 'rating', 'timestamp'],
            )

        split = make_split(f(train), f(test), load_interactions(f(train + test)))
        e = Evaluator(split, k, candidates)
        values = [
            e(Table(split, np.tile(np.array(p, float), (2, 1)))).metrics
            for p in itertools.permutations(range(4))
        ]
        for m in RANKING:
            assert e.sees_model[m] == (len({round(v[m], 12) for v in values}) > 1), (m, train, test)


def reduced(split, unit):
    "The split with the unit's rows gone and, for an item, its column: an independent way to the mechanical part."
    return make_split(unit.remaining(split.train), unit.remaining(split.test), split.interactions)


@pytest.mark.parametrize(
    'unit',
    [
        Unit(users=(8,)),
        Unit(items=(6,)),
        Unit(users=(1, 15, 22)),
        Unit(items=(0, 9, 12, 60)),
        Unit(users=(8,), items=(6, 9)),
    ],
)
@pytest.mark.parametrize('candidates', ['catalogue', 'test'])
def test_without_is_evaluating_on_the_reduced_split(unit, candidates):
    split, scores = random_problem(5)
    small = reduced(split, unit)
    kept = scores[np.ix_(np.isin(split.users, small.users), np.isin(split.items, small.items))]
    ours = Evaluator(split, 5, candidates)(Table(split, scores), without=unit).metrics
    assert ours == {
        m: pytest.approx(v, abs=1e-12)
        for m, v in Evaluator(small, 5, candidates)(Table(small, kept)).metrics.items()
    }
    assert ours != Evaluator(split, 5, candidates)(Table(split, scores)).metrics


def test_blocks_of_users_make_no_difference():
    split, scores = random_problem(6)
    e = Evaluator(split)
    whole, parts = e.rank(Table(split, scores)), e.rank(Table(split, scores), block=7)
    assert np.array_equal(whole.top, parts.top) and np.array_equal(whole.predicted, parts.predicted)


@pytest.mark.parametrize('wrong', [dict(k=0), dict(candidates='all'), dict(k=1.5)])
def test_wrong_settings_are_refused(tiny, wrong):
    with pytest.raises(ValueError):
        Evaluator(tiny, **wrong)


@pytest.mark.parametrize('seed', range(3))
def test_on_half_is_what_the_halved_split_says(seed):
    "Whoever is deleted, by all five metrics, for both halves."
    split, scores = random_problem(seed)
    model, k = Table(split, scores), 5
    for unit in (
        None,
        Unit(users=tuple(split.users[:3].tolist())),
        Unit(items=tuple(split.items[:9].tolist())),
        Unit(users=tuple(split.users[5:7].tolist()), items=tuple(split.items[-4:].tolist())),
    ):
        judge = Evaluator(
            split, k, metrics=[on_half(split, m, half, seed) for m in RANKING for half in (0, 1)]
        )(model, unit)
        for half, part in enumerate(split.halve_test(seed)):
            apart = Evaluator(part, k)(model, unit)
            assert {m: judge[f'{m}_half_{half}'] for m in RANKING} == pytest.approx(
                {m: apart[m] for m in RANKING}, abs=1e-15
            )
