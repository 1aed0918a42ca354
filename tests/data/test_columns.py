"""One id for one user, whatever it came as; or the row at fault."""

import decimal

import numpy as np
import pandas as pd
import pytest

from recinfluence.data.columns import read_ids, read_numbers
from recinfluence.data.interactions import DataError, load_interactions


@pytest.mark.parametrize(
    'ids, read',
    [
        ([1, 2], [1, 2]),
        ([1.0, 2.0], [1, 2]),
        (['1', '2'], [1, 2]),
        (['1.0', '1', '2'], [1, 1, 2]),
        ([' 1', '2 '], [' 1', '2 ']),
        (['007', '7'], ['007', '7']),
        (['1', 'a'], ['1', 'a']),
        (pd.Categorical(['b', 'a']), ['b', 'a']),
        (pd.array([1, 2], dtype='Int64'), [1, 2]),
        (pd.array(['1', '2'], dtype='string'), [1, 2]),
        (np.array([3, 2**63], np.uint64), ['3', str(2**63)]),
        ([2**70, 1], [str(2**70), '1']),
        (['9223372036854775808', '1'], ['9223372036854775808', '1']),
        (np.array([1, 2], object), [1, 2]),
        (np.array([1, 2.0], object), [1, 2]),
        ([-0.0, 1.0], [0, 1]),
        (['-1', '0'], [-1, 0]),
    ],
)
def test_ids(ids, read):
    assert read_ids(pd.Series(ids), 'own.csv', 'user', []).tolist() == read


@pytest.mark.parametrize(
    'ids, words',
    [
        ([1.5, 2], 'not a whole number'),
        ([float('inf'), 2], 'not a whole number'),
        ([float('nan'), 2], 'is missing'),
        (['', 'a'], 'is missing'),
        ([' ', 'a'], 'is missing'),
        ([None, 'a'], 'is missing'),
        ([2.0**53, 1], 'too large to be exact'),
        ([2.0**63, 2.0**64], 'too large to be exact'),
        ([True, False], 'true/false'),
        ([1 + 1j, 2], 'complex'),
        (np.array([1, True], object), 'is a bool'),
        ([b'a', 'b'], 'is a bytes'),
        ([(1, 2), (3, 4)], 'is a tuple'),
        ([[1], [2]], 'is a list'),
        ([1, '1'], 'as a number and as a text'),
        (['u1', 'u1 '], 'differ only by blanks'),
        (['Zo\u00eb', 'Zoe\u0308'], 'how a letter is composed'),
    ],
)
def test_ids_that_cannot_be_told(ids, words):
    with pytest.raises(DataError, match=words):
        read_ids(pd.Series(ids), 'own.csv', 'user', [])


def test_a_file_and_a_frame_hold_the_same_users(tmp_path):
    (tmp_path / 'own.csv').write_text('user,item,rating,timestamp\n1.0,7,3,1\n1,8,4,2\n2,7,5,3\n')
    own = load_interactions(tmp_path / 'own.csv')
    assert own.hash == load_interactions(pd.read_csv(tmp_path / 'own.csv')).hash
    assert own.frame.user.nunique() == 2 and 'whole numbers' in own.notes[0]


@pytest.mark.parametrize(
    'column, read',
    [
        (['1', '2.5'], [1, 2.5]),
        ([decimal.Decimal('1.5'), 2], [1.5, 2]),
        (pd.array([1, 2], dtype='Int8'), [1, 2]),
        (np.array([0.5, 2], np.float16), [0.5, 2]),
        (['1e2', ' 3 '], [100, 3]),
        (['0.1', '0.7'], [0.1, 0.7]),
    ],
)
def test_ratings(column, read):
    assert read_numbers(pd.Series(column), 'own.csv', 'rating').tolist() == read


@pytest.mark.parametrize(
    'column, words',
    [
        (['3,5', '2'], 'decimal comma'),
        (['5 stars', '2'], "'5 stars', not a number"),
        (['1e400', '2'], 'infinite|not a number'),
        ([float('inf'), 2], 'infinite'),
        (['nan', '2'], 'not a number'),
        ([[5], [2]], 'not a number'),
        (pd.to_datetime(['2024-05-01']), 'dates, not numbers'),
    ],
)
def test_ratings_that_are_none(column, words):
    with pytest.raises(DataError, match=words):
        read_numbers(pd.Series(column), 'own.csv', 'rating')


@pytest.mark.parametrize('repeated, kept', [('first', 3), ('last', 5), ('mean', 4)])
def test_repeated_pairs(repeated, kept):
    frame = pd.DataFrame({'user': [1, 1, 2], 'item': [7, 7, 7], 'rating': [5, 3, 1.0]})
    with pytest.raises(DataError, match="repeated='first', 'last' or 'mean'"):
        load_interactions(frame.assign(timestamp=[20, 10, 0]))
    data = load_interactions(frame.assign(timestamp=[20, 10, 0]), repeated=repeated)
    assert data.frame.rating.tolist() == [kept, 1] and '1;' in data.notes[0]
