"""Data sets that tests of several chapters on decisions use."""

import pytest

from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import low_rank_interactions, planted_interactions
from recinfluence.data.splits import chrono_split


@pytest.fixture(scope='module')
def crowd():
    return chrono_split(load_interactions(planted_interactions(120, 60), name='planted'))


@pytest.fixture(scope='module')
def simulated():
    return chrono_split(low_rank_interactions(120, 80, rows=20))
