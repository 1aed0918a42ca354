"""Tables with gaps: against a planted truth, a plain least-squares fit, and the full table."""

import numpy as np
import pytest

from recinfluence.influence.reliability import (
    additive_spread,
    reliability,
    summarise,
    summarise_unequal,
    top_overlap,
    unequal_reliability,
)

MASKS = {  # which of 40 units have which of 6 replicates
    'some go on': lambda there: there.__setitem__((slice(10, None), slice(2, None)), False),
    'half have one': lambda there: there.__setitem__((slice(None, None, 2), slice(1, None)), False),
    'two machines': lambda there: (
        there.__setitem__((slice(None, 20), slice(3, None)), False),
        there.__setitem__((slice(20, None), slice(None, 3)), False),
    ),
}


def gaps(name):
    there = np.ones((40, 6), bool)
    MASKS[name](there)
    return there


@pytest.mark.parametrize('name', MASKS)
@pytest.mark.parametrize('level', [0.0, 2.0])
def test_intervals_cover_the_planted_reliability(name, level):
    "One less the variance of a mean's noise, planted, over the variance of the means."
    rng, there, inside, estimates = np.random.default_rng(0), gaps(name), 0, []
    count = there.sum(1)
    shared = (there / count[:, None]).var(0, ddof=1).sum()
    planted = 1 / (1 + 1.5**2 * (1 / count).mean() + level**2 * shared)
    for _ in range(300):
        values = rng.normal(0, 1, (40, 1)) + rng.normal(0, 1.5, (40, 6)) + rng.normal(0, level, 6)
        found = reliability(np.where(there, values, np.nan))
        inside += found.low <= planted <= found.high
        estimates.append(found.estimate)
    assert 0.9 <= inside / 300 <= 0.99
    assert np.median(estimates) == pytest.approx(planted, abs=0.05)


def test_units_with_few_replicates_have_intervals_that_cover():
    rng, inside = np.random.default_rng(1), []
    for _ in range(100):
        truth = rng.normal(0, 1, 40)
        values = truth[:, None] + rng.normal(0, 1.5, (40, 6))
        rows = summarise(np.where(gaps('half have one'), values, np.nan))
        inside.append((rows.low <= truth) & (truth <= rows.high))
    one, six = np.array(inside)[:, ::2].mean(), np.array(inside)[:, 1::2].mean()
    assert 0.94 <= one <= 0.995 and 0.93 <= six <= 0.97  # one: few degrees of freedom are assumed


def test_each_unit_has_the_mean_and_the_error_of_its_own_replicates():
    values = np.where(gaps('some go on'), np.random.default_rng(2).normal(0, 1, (40, 6)), np.nan)
    rows = summarise(values)
    for row, own in zip(rows.itertuples(), values):
        own = own[np.isfinite(own)]
        assert row.estimate == pytest.approx(own.mean(), abs=1e-12)
        assert row.se == pytest.approx(own.std(ddof=1) / len(own) ** 0.5, abs=1e-12)


def test_the_fit_is_plain_least_squares():
    "Against numpy on the table written out, with a column for each unit and each replicate."
    there = np.random.default_rng(3).random((9, 5)) < 0.6
    there[:, 0] = there[0] = True
    values = np.where(there, np.random.default_rng(4).normal(0, 1, (9, 5)), np.nan)
    units, seeds = np.nonzero(there)
    columns = np.concatenate([np.eye(9)[units], np.eye(5)[seeds]], 1)
    effects, _, rank, _ = np.linalg.lstsq(columns, values[there], rcond=None)
    left = values[there] - columns @ effects
    spread = additive_spread(values)
    assert spread.noise_freedom == there.sum() - rank
    assert spread.noise == pytest.approx((left**2).sum() / (there.sum() - rank))


def test_without_gaps_the_formulas_are_those_of_a_full_table():
    values = np.random.default_rng(5).normal(0, 1, (20, 1)) + np.random.default_rng(6).normal(
        0, 1, (20, 5)
    )
    full, general = reliability(values), unequal_reliability(values)
    assert np.allclose(
        [full.estimate, full.low, full.high], [general.estimate, general.low, general.high]
    )
    assert np.allclose(summarise(values), summarise_unequal(values))


def test_overlap_is_that_of_those_who_have_two_halves():
    values = np.random.default_rng(7).normal(0, 1, (30, 1)) + np.zeros((30, 4))
    values[5, 1:] = np.nan
    assert top_overlap(values, 5) == 1


@pytest.mark.parametrize('share', [0.0, 1.0])
def test_one_replicate_each_says_nothing_of_noise(share):
    "Disjoint units on disjoint seeds."
    values = np.where(np.eye(6, dtype=bool), share, np.nan)
    assert np.isnan(reliability(values).estimate) and summarise(values).se.isna().all()
