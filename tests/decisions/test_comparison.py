"""A group against others: against simulation, and in closed form."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recinfluence.core.units import Unit
from recinfluence.decisions.comparison import compare_with_controls, control_spread, mean_interval
from recinfluence.designs.controls import matched_controls


def cases(n, effect=0.0, between=0.0, noise=1.0, groups=12, seeds=24):
    "A group beside others that differ by sd `between`, under a level that all share in a seed."
    rng = np.random.default_rng(1)
    for _ in range(n):
        x = (
            rng.normal(0, between, (groups + 1, 1))
            + rng.normal(0, noise, (groups + 1, seeds))
            + rng.normal(0, 10, seeds)
        )
        yield compare_with_controls(x[0] + effect, x[1:])


@pytest.mark.parametrize('groups, seeds', [(12, 24), (4, 6)])
def test_without_any_effect_five_in_a_hundred(groups, seeds):
    found = pd.DataFrame(cases(4000, groups=groups, seeds=seeds))
    for test in ('p', 'chance'):
        assert (
            0.041 < (found[test] < 0.05).mean() < 0.059
            and stats.kstest(found[test], 'uniform').pvalue > 0.001
        )


def test_groups_that_differ_are_luck_of_the_draw_and_more_than_noise():
    found = pd.DataFrame(cases(3000, between=1.0))
    assert 0.039 < (found.chance < 0.05).mean() < 0.061 and (found.p < 0.05).mean() > 0.5


def test_a_planted_effect_is_found():
    "Power of a t test with 11 degrees of freedom, from the noncentral t distribution."
    scale = np.sqrt((1 + 1 / 24) * (1 + 1 / 12))
    t = stats.t.ppf(0.975, 11)
    found = pd.DataFrame(cases(3000, effect=3 * scale, between=1.0))
    power = stats.nct.sf(t, 11, 3) + stats.nct.cdf(-t, 11, 3)
    assert (found.chance < 0.05).mean() == pytest.approx(
        power, abs=0.03
    ) and found.difference.mean() == pytest.approx(3 * scale, abs=0.1)


def test_the_band_holds_95_in_a_hundred():
    found = pd.DataFrame(cases(3000, between=0.5))
    assert 0.939 < ((found.low <= found.estimate) & (found.estimate <= found.high)).mean() < 0.961


def test_matched_groups_that_share_members_are_made_up_for(skewed):
    "The group is drawn blindly: matched groups, drawn from few, must not make it look special."
    rng = np.random.default_rng(2)
    users = skewed.users
    wrong, plain = [], []
    for n in range(60):
        group = Unit(users=tuple(sorted(rng.choice(users, 100, replace=False).tolist())))
        others = matched_controls(group, skewed, 12, seed=n)
        member = np.stack([np.isin(users, g.users) for g in (group, *others)]).astype(float)
        spread = control_spread(member[0], member[1:])
        for _ in range(30):
            x = (member @ rng.normal(0, 1, len(users)))[:, None] + rng.normal(0, 1, (13, 6))
            wrong.append(compare_with_controls(x[0], x[1:], spread)['chance'] < 0.05)
            plain.append(compare_with_controls(x[0], x[1:])['chance'] < 0.05)
    assert 0.03 < np.mean(wrong) < 0.07 and np.mean(plain) > np.mean(wrong)


def test_spread_of_disjoint_groups_is_one_plus_one_over_n():
    member = np.eye(13).repeat(4, 1)
    assert control_spread(member[0], member[1:]) == pytest.approx(1 + 1 / 12)


def test_a_single_seed_and_a_model_without_noise():
    one = compare_with_controls(np.array([1.0]), np.array([[0.0], [0.1], [-0.1]]))
    assert np.isnan(one['p']) and 0 < one['chance'] < 0.05
    still = compare_with_controls(np.ones(5), np.zeros((3, 5)))
    assert (
        still['p'] == 0
        and still['chance'] == 1 / 4
        and compare_with_controls(np.zeros(5), np.zeros((3, 5)))['chance'] == 1
    )


def test_a_chance_is_never_zero():
    "Eight dealings that move nothing: the chosen one is one of nine, if it moves anything."
    others = np.ones((8, 4))
    assert (
        compare_with_controls(np.full(4, 2.0), others)['chance'] == 1 / 9
        and compare_with_controls(np.ones(4), others)['chance'] == 1
    )


def test_a_mean_has_the_interval_that_scipy_gives_it():
    values = np.random.default_rng(3).normal(2, 1, 7)
    ends = stats.t.interval(0.95, 6, values.mean(), stats.sem(values))
    for given in (values, pd.Series(values), iter(values)):
        assert tuple(mean_interval(given)) == pytest.approx((values.mean(), *ends), rel=1e-12)
    alone, nothing = mean_interval([3]), mean_interval([])
    assert alone.value == 3 and np.isnan(alone[1:]).all() and np.isnan(nothing).all()
