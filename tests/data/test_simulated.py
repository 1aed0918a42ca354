"""Small worlds are what they say: who is careless, who likes what."""

import numpy as np
import pytest

from recinfluence.data.simulated import careless_interactions, low_rank_interactions


def test_careless_users_turn_the_scale_round():
    ratings = careless_interactions(30, 20, careless=4, rows=8, more=3)
    assert ratings.groupby('user').size().tolist() == [8 + user % 3 for user in range(30)]
    assert not ratings.duplicated(['user', 'item']).any() and ratings.rating.between(1, 5).all()
    honest = careless_interactions(30, 20, careless=0, rows=8, more=3)
    turned = ratings.user < 4
    assert np.allclose(ratings.rating[turned], 6 - honest.rating[turned])
    assert ratings[~turned].equals(honest[~turned])


def test_hidden_tastes_need_room():
    assert (
        low_rank_interactions(30, 60, rows=20).hash == low_rank_interactions(30, 60, rows=20).hash
    )
    for rows in (10, 30):
        with pytest.raises(ValueError, match='more than 10 and fewer than half of the 60 items'):
            low_rank_interactions(30, 60, rows=rows)
