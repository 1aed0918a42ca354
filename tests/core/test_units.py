"""What a unit deletes, and what it is called."""

import pickle

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit

FRAME = pd.DataFrame({'user': [1, 1, 2, 3], 'item': [7, 8, 7, 9]}, index=[4, 3, 2, 1])


@pytest.mark.parametrize(
    'unit, kind, key',
    [
        (Unit(), 'nothing', 'nothing'),
        (Unit(name='unnamed'), 'nothing', 'nothing'),
        (Unit(users=(2,)), 'user', 'user 2'),
        (Unit(items=('Up',)), 'item', 'item Up'),
        (Unit(users=(2,), name='ignored'), 'user', 'user 2'),
        (Unit(users=(1, 2), name='group 3'), 'users', 'users group 3 06752fd93a88'),
        (Unit(items=(1, 50)), 'items', 'items 20a5b3259403'),
        (Unit(users=(1,), items=(7,)), 'users and items', 'users and items 80002b2e0314'),
    ],
)
def test_names_are_those_in_stores(unit, kind, key):
    assert (unit.kind, unit.key) == (kind, key)


@pytest.mark.parametrize(
    'unit, gone',
    [
        (Unit(), []),
        (Unit(users=(1,)), [4, 3]),
        (Unit(items=(7,)), [4, 2]),
        (Unit(users=(3,), items=(7,)), [4, 2, 1]),
        (Unit(users=(1, 2, 3)), [4, 3, 2, 1]),
        (Unit(users=(99,)), []),
    ],
)
def test_rows_are_those_of_its_users_and_of_its_items(unit, gone):
    rows = unit.rows(FRAME)
    assert rows.dtype == bool and FRAME.index[rows].tolist() == gone
    assert unit.remaining(FRAME).index.tolist() == [i for i in FRAME.index if i not in gone]


def test_nothing_to_delete_copies_nothing():
    assert Unit().remaining(FRAME) is FRAME and Unit(users=(99,)).remaining(FRAME) is FRAME


def test_units_are_values():
    unit = Unit(users=(1, 2), name='pair')
    assert pickle.loads(pickle.dumps(unit)) == unit and len({unit, Unit((1, 2), (), 'pair')}) == 1
    with pytest.raises(AttributeError):
        unit.users = (3,)


def test_an_array_of_ids_deletes_the_same_rows():
    ids = tuple(np.array([1, 2]))
    assert np.array_equal(Unit(users=ids).rows(FRAME), Unit(users=(1, 2)).rows(FRAME))
