"""What a unit deletes, and what it is called."""

import hashlib
import pickle

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit, UnitError, plain_ids

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


SAME = [
    [1, 2, 3],
    (3, 2, 1),
    [1, 1, 2, 3, 3],
    {3, 1, 2},
    frozenset({1, 2, 3}),
    range(1, 4),
    np.array([3, 1, 2]),
    np.array([3, 1, 2], np.uint8),
    np.array([1.0, 2.0, 3.0]),
    [np.int64(1), 2, 3.0],
    pd.Series([2, 3, 1], index=[9, 8, 7]),
    pd.Series([2, 3, 1], dtype='Int64'),
    pd.Index([1, 2, 3]),
    dict.fromkeys([1, 2, 3]).keys(),
]


@pytest.mark.parametrize('ids', [*SAME, (n for n in (2, 1, 3))], ids=range(len(SAME) + 1))
def test_the_same_members_are_the_same_unit(ids):
    unit = Unit(users=ids)
    assert unit == Unit(users=(1, 2, 3)) and hash(unit) == hash(Unit(users=(1, 2, 3)))
    written = hashlib.blake2b(b'((1, 2, 3), ())', digest_size=6).hexdigest()  # as ever in stores
    assert unit.key == f'users {written}' and unit.users == (1, 2, 3)
    assert set(map(type, unit.users)) == {int}


@pytest.mark.parametrize(
    'ids, members',
    [
        (5, (5,)),
        (np.int64(5), (5,)),
        (5.0, (5,)),
        ('Ana', ('Ana',)),
        (np.str_('Ana'), ('Ana',)),
        (['b', 'a', 'b'], ('a', 'b')),
        (np.array(['b', 'a']), ('a', 'b')),
        (np.array(['b', 'a'], object), ('a', 'b')),
        (pd.Series(['b', 'a'], dtype='string'), ('a', 'b')),
        (pd.Categorical(['b', 'a']), ('a', 'b')),
        ([], ()),
        (np.array([], int), ()),
        ([2**63 - 1, -5, 0], (-5, 0, 2**63 - 1)),
    ],
)
def test_ids_become_plain(ids, members):
    unit = Unit(items=ids)
    assert unit.items == members and set(map(type, members)) <= {int, str}
    assert type(unit.items) is tuple and set(map(type, unit.items)) <= {int, str}


@pytest.mark.parametrize(
    'wrong, say',
    [
        ([True], 'True (bool)'),
        ([1.5], '1.5 (float)'),
        ([None], 'None (missing)'),
        ([float('nan')], 'nan (missing)'),
        ([np.nan, 1], 'nan (missing)'),
        ([pd.NA], '<NA> (missing)'),
        ([pd.NaT], 'NaT (missing)'),
        ([float('inf')], 'inf (float)'),
        ([1e300], '1e+300 (float)'),
        ([(1, 2)], '(1, 2) (tuple)'),
        ([b'Ana'], "b'Ana' (bytes)"),
        (np.array([[1, 2]]), '[1, 2] (list)'),
        ({'user': 1}, 'users=dict'),
        (None, 'users=NoneType'),
        (pd.DataFrame({'user': [1]}), 'users=DataFrame'),
        (np.bool_(True), '(bool) is no id'),
        (True, 'True (bool)'),
    ],
)
def test_what_is_no_id_is_refused(wrong, say):
    with pytest.raises(UnitError) as refused:
        Unit(users=wrong)
    assert say in str(refused.value) and '\n' not in str(refused.value)


def test_ids_that_are_asked_for_keep_their_order():
    assert plain_ids([3, 1, 3.0, np.int64(2)]) == [3, 1, 2]


def test_members_are_the_key_of_a_group_and_its_name_is_what_is_shown():
    one, same, other = (Unit(users=ids, name='group') for ids in ([1, 2], [2, 1, 1], [1, 3]))
    assert one.key == same.key != other.key
    assert one.label == other.label == 'group'
    assert Unit(users=[1, 2]).key != one.key != Unit(items=[1, 2], name='group').key


@pytest.mark.parametrize(
    'name', ['user 2', 'nothing', "o'hara", 'a"b', 'two\nlines', 'Übung 組', ' ']
)
def test_names_of_any_kind_are_told_apart_from_other_keys(name):
    group = Unit(users=[1, 2], name=name)
    assert group.label == name and group.key not in ('user 2', 'nothing', Unit(users=[1, 2]).key)
    assert group.key.startswith(f'users {name} ') and len({group, Unit(users=[1, 2])}) == 2
