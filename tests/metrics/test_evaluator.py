"""Metrics against the public reference implementation, and on reduced splits."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from recommenders.evaluation import python_evaluation as peer
from shared import Table, random_problem

from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import make_split, random_split
from recinfluence.metrics.evaluator import Evaluator, on_half
from recinfluence.metrics.metric import METRICS, RANKING
from recinfluence.metrics.recommended import Metric
from recinfluence.models.popularity import ItemMean, Popularity
from recinfluence.sweep.run import deletion_sweep


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

    def rank(frame):
        return frame(split.test, long, k=k, **kw)

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


@pytest.mark.parametrize('candidates', [pytest.param('catalogue', marks=pytest.mark.slow), 'test'])
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


def reduced(split, unit):
    "The split without the unit's rows and items: an independent way to the mechanical part."
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
    evaluator = Evaluator(split)
    whole, parts = (
        evaluator.rank(Table(split, scores)),
        evaluator.rank(Table(split, scores), block=7),
    )
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


@pytest.mark.parametrize('value', [0.7, 0.1, 1 / 3, 1e-9, 1e9 + 0.1, 0.0, -0.7, 1e-300])
def test_equal_ratings_have_no_variance_to_explain(value, tiny):
    "Also where the computed variance is some 1e-32: 0.7 is no binary number."
    rows = tiny.interactions.frame
    split = random_split(load_interactions(rows.assign(rating=value)))
    evaluation = Evaluator(split)(ItemMean().fit(split.train))
    assert np.isnan(evaluation['explained_variance'])
    assert not evaluation.sees_model['explained_variance']
    assert evaluation['mae'] == pytest.approx(0, abs=1e-15 * max(1, abs(value)))


def test_ratings_that_are_equal_after_a_deletion():
    rows = planted_interactions()
    varied = np.where(rows.user == 3, rows.rating / 10, 0.7)
    split = random_split(load_interactions(rows.assign(rating=varied)))
    sweep = deletion_sweep(ItemMean(), split, ids=[3, 4], replicates=2, jobs=1, progress=False)
    table = sweep.frame().query("metric == 'explained_variance'").set_index('unit')
    assert table.influence.loc['user 3'].isna().all() and table.full.notna().all()
    assert (table.influence.loc['user 4'].abs() < 1).all()


def test_a_metric_that_changes_what_it_is_given_hurts_nobody(tiny):
    def greedy(seen):
        for field in fields(seen):
            getattr(seen, field.name)[:] = 0
        return 0.0

    def calm(seen):
        return seen.hit.mean() + seen.train_rows.mean() + seen.rating.mean()

    both = [Metric('greedy', 'Greedy', 1, False, greedy), Metric('calm', 'Calm', 1, False, calm)]
    asked = dict(ids=range(5), jobs=1, progress=False, k=3)
    hurt = deletion_sweep(Popularity(), tiny, metrics=both, **asked).frame()
    alone = deletion_sweep(Popularity(), tiny, metrics=both[1:], **asked).frame()
    left = hurt[hurt.metric != 'greedy'].reset_index(drop=True)
    pd.testing.assert_frame_equal(left, alone)
