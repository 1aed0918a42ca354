"""Matched and random groups: as near as they can be, the same whenever asked."""

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.random import stream
from recinfluence.core.units import Unit
from recinfluence.designs.controls import matched_controls, random_controls


@pytest.mark.parametrize('kind', ['users', 'items'])
def test_matched_groups_match(skewed, kind):
    rows = skewed.train[kind[:-1]].value_counts()
    size = 40 if kind == 'users' else 8
    ids = tuple(
        stream(3, kind)
        .choice(rows.index.to_numpy(), size, replace=False, p=rows / rows.sum())
        .tolist()
    )
    group = Unit(**{kind: ids})
    units = matched_controls(group, skewed, 12, seed=1)
    wanted = np.sort(rows[list(ids)].to_numpy())
    assert len({u.key for u in units}) == 12
    for own in (getattr(u, kind) for u in units):
        assert len(set(own)) == size and not set(own) & set(ids)
        assert np.median(np.abs(np.sort(rows[list(own)].to_numpy()) - wanted) / wanted) < (
            0.1 if kind == 'users' else 0.4
        )

    def off(units):
        return np.mean(
            [abs(rows[list(getattr(u, kind))].mean() - rows[list(ids)].mean()) for u in units]
        )

    assert off(units) < 0.4 * off(random_controls(kind, size, skewed, 12))


def test_one_alone_gets_its_nearest_neighbours_each_once(skewed):
    rows = skewed.train.user.value_counts()
    user = int(rows.index[200])
    units = matched_controls(Unit(users=(user,)), skewed, 12)
    gaps = np.sort(np.abs(rows.drop(user) - rows[user]).to_numpy())[:12]
    assert (
        sorted(abs(rows[u.users[0]] - rows[user]) for u in units) == gaps.tolist()
        and len({u.users for u in units}) == 12
    )


def test_matched_groups_are_the_same_whenever_asked(skewed):
    group = Unit(users=(5, 9, 31))
    assert (
        matched_controls(group, skewed, 5, seed=4)
        == matched_controls(Unit(users=(5, 9, 31)), skewed, 5, seed=4)
        != matched_controls(group, skewed, 5, seed=5)
    )


def test_groups_share_no_more_members_than_they_must(skewed):
    group = Unit(users=tuple(range(0, 400, 4)))
    count = pd.Series(
        [u for g in matched_controls(group, skewed, 12) for u in g.users]
    ).value_counts()
    assert (
        count.max() <= 8 and count.sum() == 1200 and count.size > 250
    )  # 300 others, each needed four times


def test_groups_that_cannot_be_matched_are_refused(skewed):
    with pytest.raises(ValueError, match='twice as many'):
        matched_controls(Unit(users=tuple(range(200))), skewed)
    with pytest.raises(ValueError, match='of users or of items'):
        matched_controls(Unit(users=(1,), items=(2,)), skewed)
    with pytest.raises(ValueError, match='no train row'):
        matched_controls(Unit(users=(1, 4000)), skewed)
