"""Objectives are the metrics of their names, and have their derivatives."""

from types import SimpleNamespace

import numpy as np
import pytest

from recinfluence.core.arguments import ArgumentError
from recinfluence.metrics.metric import METRICS
from recinfluence.metrics.objective import OBJECTIVES, objective_of


def rows(seed, number=60):
    rng = np.random.default_rng(seed)
    rating = rng.integers(1, 6, number).astype(float)
    return rating, rating + rng.normal(0, 1, number), rng.integers(0, 7, number)


def metric(name, rating, predicted):
    return METRICS[name].function(SimpleNamespace(rating=rating, predicted=predicted))


@pytest.mark.parametrize('name', OBJECTIVES)
def test_value_is_the_metric_with_and_without_each_owner(name):
    rating, predicted, owner = rows(0)
    objective = OBJECTIVES[name]
    whole = objective.value(objective.terms(rating, predicted).sum(1), len(rating))
    assert whole == pytest.approx(metric(name, rating, predicted), rel=1e-12)
    found = objective.value(*objective.sums_without(rating, predicted, owner, 8))
    stays = [owner != one for one in range(8)]  # nobody owns rows under 7
    plain = [metric(name, rating[stay], predicted[stay]) for stay in stays]
    assert found == pytest.approx(plain, rel=1e-12) and found[7] == pytest.approx(whole)


@pytest.mark.parametrize('name', OBJECTIVES)
def test_derivative_is_that_of_small_changes(name):
    rating, predicted, owner = rows(1)
    objective, step = OBJECTIVES[name], 1e-6
    weights = objective.weights(*objective.sums_without(rating, predicted, owner, 7))
    slopes = objective.slopes(rating, predicted)
    assert len(weights) == len(slopes)
    for one in range(7):
        stay = owner != one
        for n in np.flatnonzero(stay)[::9]:
            moved = step * (np.arange(len(rating)) == n)
            up, down = (
                metric(name, rating[stay], (predicted + sign * moved)[stay]) for sign in (1, -1)
            )
            assert weights[:, one] @ slopes[:, n] == pytest.approx(
                (up - down) / (2 * step), rel=1e-5
            )


@pytest.mark.parametrize('rating', [0.7, 3.0, 0.0])
def test_equal_ratings_have_nothing_to_explain(rating):
    ratings, objective = np.full(1001, rating), OBJECTIVES['explained_variance']
    sums = objective.terms(ratings, np.linspace(0, 1, 1001)).sum(1)
    assert np.isnan(objective.value(sums, 1001)) and np.isnan(objective.weights(sums, 1001)).all()


def test_a_metric_without_derivative_is_refused():
    for name in ('ndcg', 'map', 'coverage', 'rsme'):
        with pytest.raises(ArgumentError, match=f"metric='{name}': no derivative of it is known"):
            objective_of(name)
