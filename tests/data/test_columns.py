"""One id for one user, whatever it came as; or the row at fault."""

import datetime
import decimal
import fractions

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from recinfluence.data.columns import read_ids, read_numbers, read_ratings
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


def shorten(ids, kind):
    return pd.Series(np.array(ids, kind))


@pytest.mark.parametrize(
    'column, first',
    [
        (shorten([5, 2**24, 2**24 + 1], np.float32), 2),
        (shorten([2**24 + 1, 2**24], np.float32), 1),
        (shorten([-(2**25), 1], np.float32), 1),
        (shorten([2049, 2048], np.float16), 1),
        (shorten([1, 2**53 + 1], np.float64), 2),
        (pd.Series(pd.array([1, 2**24 + 1], dtype='Float32')), 2),
        (pd.Series([1, 2**24], dtype='float[pyarrow]'), 2),
        (pd.Series([1, np.float32(2**24 + 1)], dtype=object), 2),
        (pd.Series(['a', np.float32(2**24 + 1)], dtype=object), 2),
        (shorten([2**24 + 1, 1], np.float32).astype('category'), 1),
    ],
    ids=range(10),
)
def test_floats_that_may_be_two_ids(column, first):
    "From the number on where a type holds no longer every whole number."
    with pytest.raises(DataError, match=f'own.csv, data row {first}.*too large to be exact'):
        read_ids(column, 'own.csv', 'user', [])


@pytest.mark.parametrize('kind', [np.float16, np.float32, np.float64, 'Float32', 'float[pyarrow]'])
def test_floats_that_hold_every_whole_number(kind):
    ids = [0, 1, 2047, 3]
    assert read_ids(pd.Series(ids).astype(kind), 'own.csv', 'user', []).tolist() == ids


@pytest.mark.parametrize('kind', ['Int64', 'UInt64', 'int64[pyarrow]', 'uint64[pyarrow]', 'object'])
def test_whole_numbers_of_64_bits_are_exact(kind):
    ids = [2**63 - 1, 2**63 - 2, 7]
    assert read_ids(pd.Series(ids, dtype=kind), 'own.csv', 'user', []).tolist() == ids


def mixed(*values):
    column = pd.Series([None] * len(values), dtype=object)
    for n, value in enumerate(values):
        column.iat[n] = value
    return column


@pytest.mark.parametrize(
    'ids, both',
    [
        ([1.0, '1'], '1'),
        ([1, '1.0'], '1'),
        (['x', '1', np.float32(1)], '1'),
        ([0, '-0'], '0'),
        ([7, '+7', 'x'], '7'),
        ([np.int8(3), '3.000'], '3'),
    ],
)
def test_a_number_beside_its_text(ids, both):
    with pytest.raises(DataError, match=f'user id {both} is there as a number and as a text'):
        read_ids(mixed(*ids), 'own.csv', 'user', [])


@pytest.mark.parametrize(
    'ids, read, types',
    [
        ([1.0, 'a', 1], ['1', 'a', '1'], 'float, int, str'),
        ([1, '2'], [1, 2], 'int, str'),
        ([1, '01'], ['1', '01'], 'int, str'),
        ([np.str_('b'), 2], ['b', '2'], 'int, str_'),
        ([datetime.date(2024, 5, 1), 'a'], ['2024-05-01', 'a'], 'date, str'),
    ],
)
def test_ids_of_several_types_are_said(ids, read, types):
    said = []
    found = read_ids(mixed(*ids), 'own.csv', 'user', said).tolist()
    assert found == read and all(type(one) in (int, str) for one in found)
    assert said == [f'user ids are of several types ({types}), and are read as one type']


@pytest.mark.parametrize(
    'value',
    [[1], {'a': 1}, {1}, np.array([1, 2]), np.array(1), pd.Series([1]), pd.DataFrame(), (1,), b'a']
    + [1 + 2j, True, np.True_, object(), decimal.Decimal(1), fractions.Fraction(1, 2), slice(1)]
    + [
        datetime.timedelta(1),
        np.timedelta64(5, 's'),
        pd.Interval(0, 1),
        pd.Period('2024'),
        float('inf'),
        0.5,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize('others', [('a', 'b'), (7, 8)])
def test_values_that_are_no_ids_are_refused_by_row(value, others):
    frame = pd.DataFrame({'user': mixed(*others, value), 'item': [1, 2, 3], 'rating': [1.0] * 3})
    with pytest.raises(DataError) as error:
        load_interactions(frame)
    told = str(error.value)
    assert told.startswith('the frame, data row 3: the user id') and '\n' not in told
    assert 'Give ids as' in told


def test_ids_in_columns_of_arrow_are_refused_by_row():
    for values in ([['a'], ['b']], [{'a': 1}, {'a': 2}]):
        column = pd.Series(pd.arrays.ArrowExtensionArray(pa.array(values)))
        with pytest.raises(DataError, match='data row 1 .*Give ids as whole numbers'):
            read_ids(column, 'own.csv', 'user', [])


@pytest.mark.parametrize(
    'ids, words',
    [
        (['1.0', '1', 'a'], 'how a whole number is written'),
        (['+1', '1'], 'how a whole number is written'),
        (['-0', '0'], 'how a whole number is written'),
        (['2,0', '2', 'a'], 'how a whole number is written'),
        (['a\u200b', 'a'], 'signs that are not shown'),
        (['\ufeffa', 'a'], 'signs that are not shown'),
        (['a\xa0', 'a'], 'blanks at the ends'),
        (['a\x00b', 'a'], 'holds a sign that is no letter'),
        (['a', 'b\ud800'], 'holds a sign that is no letter'),
    ],
)
def test_texts_that_may_be_one_id(ids, words):
    with pytest.raises(DataError, match=words):
        read_ids(pd.Series(ids), 'own.csv', 'user', [])


def test_what_may_not_be_meant_as_an_id_is_said():
    said = []
    ids = ['nan', 'None', '1.23457E+12', 'a']
    assert read_ids(pd.Series(ids), 'own.csv', 'user', said).tolist() == ids
    assert len(said) == 2 and "'nan' may stand for none" in said[0] and '1.23457E+12' in said[1]
    digits = ['\uff11', '1\uff11', '11']  # of another script, which are no numbers here
    assert read_ids(pd.Series(digits), 'own.csv', 'user', []).tolist() == digits


KINDS = ['Int64', 'UInt8', 'Float64', 'Float32', 'string', 'category', 'Sparse[float64]', 'object']
KINDS += ['int64[pyarrow]', 'double[pyarrow]', 'string[pyarrow]', 'uint8', 'float16', 'longdouble']


@pytest.mark.parametrize('kind', KINDS)
def test_every_type_of_column_gives_the_same_rows(kind):
    "Against the same numbers as Python has them."
    values = [3, 1, 2, 3]
    frame = pd.DataFrame({name: pd.Series(values).astype(kind) for name in ('user', 'rating')})
    frame = frame.assign(item=[7, 8, 9, 10], timestamp=frame.user)
    plain = pd.DataFrame({'user': values, 'item': [7, 8, 9, 10], 'rating': values})
    data, same = load_interactions(frame), load_interactions(plain.assign(timestamp=values))
    assert data.hash == same.hash and data.notes == same.notes == ()
    assert list(data.frame.dtypes.astype(str)) == ['int64', 'int64', 'float64', 'int64']
    if kind not in ('uint8', 'float16', 'longdouble', 'Sparse[float64]'):
        gap = pd.Series(values).astype(kind).mask([False, True, False, False])
        for column in ('user', 'rating', 'timestamp'):
            with pytest.raises(DataError, match='data row 2: the .* is missing'):
                load_interactions(frame.assign(**{column: gap}))


@pytest.mark.parametrize('kind', ['bool', 'boolean', 'bool[pyarrow]', 'category', 'object'])
@pytest.mark.parametrize('column', ['user', 'item', 'rating', 'timestamp'])
def test_true_and_false_are_refused(kind, column):
    truths = pd.Series([True, False]).astype(kind)
    frame = pd.DataFrame({'user': [1, 2], 'item': [1, 2], 'rating': [1, 2], 'timestamp': [1, 2]})
    with pytest.raises(DataError, match='true/false|is True, n|is a bool'):
        load_interactions(frame.assign(**{column: truths}))


@pytest.mark.parametrize(
    'column, read',
    [
        ([fractions.Fraction(7, 10), 1], [0.7, 1]),
        ([decimal.Decimal('0.7'), fractions.Fraction(1, 3)], [0.7, 1 / 3]),
        (pd.arrays.ArrowExtensionArray(pa.array([decimal.Decimal('0.7')])), [0.7]),
        ([np.float32(0.5), np.int8(2), '3'], [0.5, 2, 3]),
        (np.array([0.5, 2], np.longdouble), [0.5, 2]),
    ],
    ids=range(5),
)
def test_ratings_of_any_kind_of_number(column, read):
    assert read_numbers(pd.Series(column), 'own.csv', 'rating').tolist() == read


@pytest.mark.parametrize(
    'value, words',
    [
        (10**400, 'infinite'),
        (fractions.Fraction(10**400), 'infinite'),
        (decimal.Decimal('Infinity'), 'infinite'),
        (decimal.Decimal('NaN'), 'missing'),
        (np.datetime64('2024'), 'not a number'),
        (datetime.datetime(2024, 5, 1), 'not a number'),
        (np.timedelta64(5, 's'), 'not a number'),
        (1 + 0j, 'not a number'),
        (b'5', 'not a number'),
        (np.array(5), 'not a number'),
        ([5], 'not a number'),
        ('1_0', 'not a number'),
        ('0x10', 'not a number'),
        ('1,000', 'not a number'),
        (2**53 + 1, 'too large to be exact'),
    ],
    ids=range(15),
)
def test_values_that_are_no_ratings_are_refused_by_row(value, words):
    with pytest.raises(DataError, match=f'own.csv, data row 2: the rating.*({words})'):
        read_ratings(mixed(3, value, 4), 'own.csv', [])


@pytest.mark.parametrize(
    'column, words',
    [
        (pd.period_range('2024', periods=2), 'spans of time'),
        (pd.interval_range(0, 2), 'intervals'),
        (pd.to_timedelta([1, 2], 's'), 'spans of time'),
        (pd.to_datetime(['2024-05-01'] * 2), 'dates'),
        (np.array([1j, 2]), 'complex'),
        (pd.arrays.ArrowExtensionArray(pa.array([datetime.date(2024, 5, 1)] * 2)), 'not a number'),
    ],
    ids=range(6),
)
def test_columns_that_hold_no_ratings(column, words):
    with pytest.raises(DataError, match=words):
        read_ratings(pd.Series(column), 'own.csv', [])


def test_what_may_be_thousands_is_said():
    for ratings, said in ((['1.000', '352.698', '7'], 1), (['0.125', '1.125'], 0), (['1.5'], 0)):
        notes = []
        column = read_ratings(pd.Series(ratings), 'own.csv', notes)
        assert column.tolist() == [*map(float, ratings)] and len(notes) == said


def test_short_floats_are_said():
    said = []
    ratings = read_ratings(pd.Series([0.5, 0.7], dtype='float32'), 'own.csv', said)
    assert ratings.tolist() == [0.5, float(np.float32(0.7))] and '32 bits, in which 0.7' in said[0]
    said = []
    read_ratings(pd.Series([0.5, 3.5], dtype='float32'), 'own.csv', said)
    assert said == []


@pytest.mark.parametrize(
    'ratings',
    [[0.7] * 3, [0.1] * 10, [0.3] * 7, [1 / 3] * 11, [3.5, 4.0], [0.1, 0.2, 0.3]],
    ids=range(6),
)
def test_the_mean_of_repeated_pairs(ratings):
    "Against exact fractions; equal ratings keep their value to the last bit."
    frame = pd.DataFrame({'user': 1, 'item': 7, 'rating': ratings})
    frame = pd.concat([frame, pd.DataFrame({'user': [2], 'item': [7], 'rating': [5.0]})])
    mean = load_interactions(frame, repeated='mean').frame.rating[0]
    exact = float(sum(map(fractions.Fraction, ratings)) / len(ratings))
    assert mean == exact if len(set(ratings)) == 1 else mean == pytest.approx(exact, rel=1e-15)
    assert min(ratings) <= mean <= max(ratings)


def test_a_mean_that_no_number_can_hold():
    frame = pd.DataFrame({'user': 1, 'item': 7, 'rating': [1e308, 1e308]})
    with pytest.raises(DataError, match='too large for a mean'):
        load_interactions(frame, repeated='mean')
