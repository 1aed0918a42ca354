"""Times in words, and plans against Spearman and Brown."""

import numpy as np
import pytest

from recinfluence.decisions.planning import parse_duration, plan, retrainings
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.models.ncf import NCF
from recinfluence.sweep.run import deletion_sweep

SMALL = NCF(n_epochs=2, batch_size=32)


QUICK = dict(k=3, jobs=1, progress=False)


@pytest.mark.parametrize(
    'text, expected',
    [
        ('30min', 1800),
        ('2h', 7200),
        ('90s', 90),
        ('1h30min', 5400),
        ('1.5h', 5400),
        (12, 12),
        ('1h 5min 3s', 3903),
    ],
)
def test_times(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize('text', ['', 'soon', '30', '5 days'])
def test_times_that_are_none(text):
    with pytest.raises(ValueError, match='30min'):
        parse_duration(text)


def test_a_plan_is_spearman_and_brown(tiny):
    "By the formula written out; and back: that budget buys the reliability asked for."
    pilot = deletion_sweep(NCF(n_epochs=4, batch_size=32), tiny, replicates=6, **QUICK).influence(
        'ndcg'
    )
    rho = pilot.reliability.estimate
    n = 6 * len(pilot.frame)
    assert retrainings(pilot) == n and 0 < rho < 1
    row = plan(pilot, reliability=0.95, jobs=2).table.iloc[0]
    assert (
        row.retrainings == np.ceil(n * 0.95 / 0.05 * (1 - rho) / rho)
        and row['at least'] < row.retrainings < row['at most']
    )
    cost = pilot.estimator.snapshot.cost
    back = plan(pilot, budget=row.retrainings * cost / 2, jobs=2).table.iloc[0]
    assert (
        back.reliability == pytest.approx(0.95, abs=1e-3)
        and back['at least'] < 0.95 < back['at most']
    )


def test_the_cheapest_design_comes_first(tiny):
    singles = deletion_sweep(SMALL, tiny, replicates=3, **QUICK).influence('ndcg', 'training')
    groups = deletion_sweep(
        SMALL, tiny, RandomGroups(per_seed=16), replicates=4, **QUICK
    ).influence('ndcg')
    planned = plan(singles, groups, reliability=0.8)
    assert (
        retrainings(groups) == 64
        and planned.table.retrainings.is_monotonic_increasing
        and set(planned.table.index)
        == {'one user at a time, training part', 'random groups, keep 0.5, independent'}
    )


def test_plans_that_cannot_be_made(tiny):
    one = deletion_sweep(SMALL, tiny, ids=range(5), **QUICK).influence('map')
    for wrong, say in (
        (dict(reliability=0.8), 'one replicate'),
        (dict(), 'one of the two'),
        (dict(reliability=0.8, budget='1h'), 'one of the two'),
        (dict(reliability=1.2), 'between 0 and 1'),
    ):
        with pytest.raises(ValueError, match=say):
            plan(one, **wrong)
    with pytest.raises(ValueError, match='pilot'):
        plan(reliability=0.8)
