"""A file of one's own, and one of reviews."""

import pytest

from recinfluence.data.simulated import planted_interactions
from recinfluence.data.stand_in import simulate_interactions


@pytest.fixture
def own(tmp_path):
    planted_interactions().to_csv(tmp_path / 'own.csv', index=False)
    return tmp_path / 'own.csv'


@pytest.fixture
def reviews(tmp_path):
    "A file of ratings as published in 2014, of which all are in the 10-core."
    frame = simulate_interactions(60, 40, 1200, (10, 30), (10, 50)).frame.sort_values('timestamp')
    frame.assign(
        user=[f'A{u:013d}' for u in frame.user], item=[f'B{i:09d}' for i in frame['item']]
    )[['user', 'item', 'rating', 'timestamp']].to_csv(
        tmp_path / 'ratings.csv', header=False, index=False
    )
    return tmp_path / 'ratings.csv'
