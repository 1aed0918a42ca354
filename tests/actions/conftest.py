"""A world with careless users, and what deleting each user and each item does in it."""

import pytest
from shared import noisy_mean

from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import careless_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.sweep.run import deletion_sweep

CARELESS = careless_interactions(90, 30, careless=9, rows=16, more=6)


@pytest.fixture(scope='session')
def halves():
    return chrono_split(load_interactions(CARELESS, name='planted')).halve_test()


@pytest.fixture(scope='session')
def users(halves):
    return deletion_sweep(
        noisy_mean(), halves[0], replicates=2, k=3, jobs=1, progress=False
    ).influence('mae', 'training')


@pytest.fixture(scope='session')
def items(halves):
    return deletion_sweep(
        noisy_mean(), halves[0], 'items', replicates=2, k=3, jobs=1, progress=False
    ).influence('ndcg')
