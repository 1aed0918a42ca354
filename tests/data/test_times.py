"""One order of time, whatever it was written in; or the row at fault."""

import datetime
import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recinfluence.data.interactions import DataError, load_interactions
from recinfluence.data.times import read_times

MOMENTS = ['2024-05-01T10:30:00+02:00', '2024-05-01T09:00:00Z', '1969-12-31T23:59:59Z']
SECONDS = [
    int(datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp())
    for text in MOMENTS
]


@pytest.mark.parametrize(
    'column',
    [
        pd.Series(MOMENTS),
        pd.Series(pd.to_datetime(MOMENTS, utc=True, format='ISO8601')),
        pd.Series(pd.to_datetime(MOMENTS, utc=True, format='ISO8601')).dt.tz_localize(None),
        pd.Series(pd.to_datetime(MOMENTS, utc=True, format='ISO8601')).dt.tz_convert('Asia/Tokyo'),
        pd.Series(SECONDS),
        pd.Series(map(str, SECONDS)),
        pd.Series(map(float, SECONDS)),
    ],
    ids=range(7),
)
def test_times_are_seconds_in_files_and_frames(column):
    "Against the standard library."
    assert read_times(column, 'own.csv').tolist() == SECONDS


@pytest.mark.parametrize(
    'column, words',
    [
        (['2024-05-01', 'noon'], "'noon', neither a number nor an ISO date"),
        (['5', '2024-05-01'], 'not a number'),
        ([None, 5], 'is missing'),
        ([1j, 2], 'complex'),
    ],
)
def test_times_that_cannot_be_told(column, words):
    with pytest.raises(DataError, match=words):
        read_times(pd.Series(column), 'own.csv')


UNITS = ['s', 'ms', 'us', 'ns']
WHEN = [datetime.datetime(2024, 5, 1, 10, 30), datetime.datetime(1969, 12, 31, 23, 59, 59)]
COUNTED = [int(moment.replace(tzinfo=datetime.timezone.utc).timestamp()) for moment in WHEN]


def as_frame(times):
    rows = range(1, len(times) + 1)
    return pd.DataFrame({'user': rows, 'item': rows, 'rating': 1.0, 'timestamp': times})


@pytest.mark.parametrize('unit', UNITS)
@pytest.mark.parametrize('zone', [None, 'UTC', 'Asia/Tokyo'])
@pytest.mark.parametrize('form', ['numpy', 'arrow', 'categories', 'parquet'])
def test_dates_of_every_unit_and_zone_are_seconds(tmp_path, unit, zone, form):
    "Against the standard library; as numpy, pandas, Arrow and a file keep them."
    moments = [m.replace(tzinfo=datetime.timezone.utc) if zone else m for m in WHEN]
    kept = pa.array(moments, pa.timestamp(unit, tz=zone))
    column = pd.Series(pd.arrays.ArrowExtensionArray(kept))
    if form in ('numpy', 'categories'):
        column = kept.to_pandas()
        column = column.astype('category') if form == 'categories' else column
    data = as_frame(column)
    if form == 'parquet':
        table = pa.table({'user': [1, 2], 'item': [1, 2], 'rating': [1.0, 1.0], 'timestamp': kept})
        pq.write_table(table, tmp_path / 'own.parquet')
        data = tmp_path / 'own.parquet'
    data = load_interactions(data)
    assert data.frame.timestamp.tolist() == COUNTED and data.frame.timestamp.dtype == 'int64'
    assert data.hash == load_interactions(as_frame(COUNTED)).hash and data.notes == ()


@pytest.mark.parametrize(
    'values',
    [
        [datetime.date(2024, 5, 1), datetime.date(2024, 5, 2)],
        pd.arrays.ArrowExtensionArray(pa.array([19844, 19845], pa.date32())),
        pd.arrays.ArrowExtensionArray(pa.array([datetime.date(2024, 5, n) for n in (1, 2)])),
        ['2024-05-01', ' 2024-05-02 '],
        [pd.Timestamp('2024-05-01'), '2024-05-02'],
        [np.datetime64('2024-05-01', 's'), np.datetime64('2024-05-02', 'ms')],
    ],
    ids=range(6),
)
def test_days_are_seconds(values):
    days = [(datetime.date(2024, 5, n) - datetime.date(1970, 1, 1)).days for n in (1, 2)]
    column = pd.Series(values, dtype=object if isinstance(values, list) else None)
    assert read_times(column, 'own.csv').tolist() == [86_400 * day for day in days]


@pytest.mark.parametrize('unit', ['s', 'ms', 'us'])
@pytest.mark.parametrize('zone', [None, 'UTC'])
def test_years_far_away_are_seconds(unit, zone):
    "Which nanoseconds of 64 bits cannot count; against the standard library."
    far = [datetime.datetime(9999, 12, 31), datetime.datetime(1500, 1, 1)]
    column = pd.Series(np.array(far, f'M8[{unit}]')).dt.tz_localize(zone)
    zero = datetime.datetime(1970, 1, 1)
    assert read_times(column, 'own.csv').tolist() == [(one - zero).total_seconds() for one in far]


@pytest.mark.parametrize('word', ['today', 'now', ' now', 'now ', 'Today', 'yesterday', 'NaT', '-'])
@pytest.mark.parametrize('others', [[], ['2024-05-01'], ['2024-05-01T10:00Z', '2024-05-02T10:00Z']])
def test_words_are_no_times(tmp_path, word, others):
    column = pd.Series([*others, word])
    for data in (as_frame(column), tmp_path / 'own.csv'):
        as_frame(column).to_csv(tmp_path / 'own.csv', index=False)
        with pytest.raises(DataError, match=f'data row {len(column)}: the timestamp is'):
            load_interactions(data)


@pytest.mark.parametrize(
    'times',
    [
        ['2024-05-01T10:00:00Z', '2024-05-01T09:30:00'],
        ['2024-05-01T10:00:00', '2024-05-01T09:30:00+02:00'],
        ['2024-05-01T10:00:00', '2024-05-01T09:30:00-02:00'],
        ['2024-05-01T10', '2024-05-01T09-05'],
        ['2024-05-01', '2024-05-01T09:30:00Z'],
        ['20240501T1000', '20240501T0930+0200'],
        [WHEN[0], WHEN[1].replace(tzinfo=datetime.timezone.utc)],
    ],
    ids=range(7),
)
def test_times_with_and_without_a_zone_have_no_order(times):
    with pytest.raises(DataError, match='data row 2: the timestamp is .* and that of row 1'):
        read_times(pd.Series(times, dtype=object), 'own.csv')


@pytest.mark.parametrize('zone', ['', 'Z', '+02:00', '-0530', '+01'])
def test_fractions_of_seconds_are_kept(zone):
    "Against the standard library's microseconds, which a float holds nearly."
    texts = [f'2024-05-01T10:00:{second}{zone}' for second in ('00.25', '00.5', '01', '01.123456')]
    from_iso = pd.Series(texts).str.replace('.25', '.250', regex=False)
    found = read_times(from_iso, 'own.csv')
    start = read_times(pd.Series([f'2024-05-01T10:00:00{zone}']), 'own.csv')[0]
    assert (found - start).tolist() == pytest.approx([0.25, 0.5, 1, 1.123456], abs=3e-7)
    assert found[0] == start + 0.25 and found.dtype == 'float64'


def test_what_no_float_can_tell_apart_is_said():
    said = []
    nanoseconds = ['2024-05-01T10:00:00.123456789', '2024-05-01T10:00:00.123456788']
    assert read_times(pd.Series(nanoseconds), 'own.csv', said).nunique() == 1
    assert said == ['some timestamps differ by less than a microsecond, and count as one']


def test_fractions_are_part_of_the_content_and_whole_seconds_are_hashed_as_before():
    "Against the bytes of the four columns, as they were hashed before fractions counted."
    found = {
        load_interactions(as_frame(pd.Series([1, 2]).astype(kind))).hash
        for kind in ('int64', 'int32', 'float64', 'float32', 'Int64', 'string', 'int64[pyarrow]')
    }
    digest = hashlib.sha256()
    for values, kind in (([1, 2], 'i8'), ([1, 2], 'i8'), ([1.0, 1.0], 'f8'), ([1, 2], 'i8')):
        digest.update(np.array(values, kind).tobytes())
    assert found == {digest.hexdigest()}
    fractions = [[1.25, 2.5], [1.5, 2.5], [1.25, 2.75], [1, 2.5], [1, 2]]
    assert len({load_interactions(as_frame(times)).hash for times in fractions}) == 5


@pytest.mark.parametrize(
    'times, words',
    [
        ([1_714_559_400_000, 1_714_559_400_500], 'look like milliseconds since 1970'),
        ([1_714_559_400_000_000, 1_714_559_400_500_000], 'look like microseconds since 1970'),
        ([1_714_559_400_000_000_001, 1_714_559_400_000_000_000], 'look like nanoseconds'),
        (['1714559400000', '1714559400500'], 'look like milliseconds since 1970'),
        ([45_413.4375, 45_414.5], 'may be days as Excel counts them'),
        ([45_413, 45_414], 'may be days as Excel counts them'),
        ([20_240_501, 20_240_502], 'may be dates such as 20240501'),
        ([20_240_501_103_000, 20_240_501_103_001], 'may be dates such as 20240501103000'),
        (['2024', '2025'], 'may be years'),
    ],
    ids=range(9),
)
def test_numbers_that_do_not_look_like_seconds_are_kept_and_said(times, words):
    data = load_interactions(as_frame(times))
    assert data.frame.timestamp.tolist() == [float(t) if '.' in str(t) else int(t) for t in times]
    assert words in data.notes[0] and 'kept as they are' in data.notes[0]


@pytest.mark.parametrize('times', [[1, 2], [0, 0], [-5, 10], [1_714_559_400, 3]])
def test_seconds_and_orders_are_nothing_to_speak_of(times):
    assert load_interactions(as_frame(times)).notes == ()


@pytest.mark.parametrize(
    'times',
    [
        [1_714_559_400, 1_714_559_400_500],
        [1_714_559_400_500, 1_714_559_400, 1_714_559_401],
        [1_714_559_400_500, 1_714_559_400_500_000],
        [1_714_559_400.5, 1_714_559_400_500.0],
        ['1714559400', '1714559400500000000'],
    ],
    ids=range(5),
)
def test_two_units_in_one_column_have_no_order(times):
    with pytest.raises(DataError, match='looks like .*seconds, where others are like .*seconds'):
        read_times(pd.Series(times), 'own.csv')


@pytest.mark.parametrize(
    'column',
    [
        np.array([1_714_559_400, 1_714_559_401], np.float32),
        np.array([2**63 + 3, 1], np.uint64),
        np.array([1.7e18, 1.7e18]),
        np.array([1e300, 1]),
        np.array([3000, 1], np.float16),
        [10**25, 1],
        ['1e300', '1'],
    ],
    ids=range(7),
)
def test_times_too_large_to_be_exact(column):
    with pytest.raises(DataError, match='data row 1.*too large to be exact'):
        read_times(pd.Series(column), 'own.csv')


@pytest.mark.parametrize(
    'column',
    [
        pd.to_timedelta([1, 2], 's'),
        pd.period_range('2024', periods=2),
        [datetime.time(10), datetime.time(11)],
        [pd.Timestamp('2024-05-01'), 5],
        ['05/01/2024', '05/02/2024'],
        ['1.5.2024', '2.5.2024'],
        ['10:30', '11:30'],
        ['2024-02-30', '2024-03-01'],
        ['1500-01-01', '2024-01-01'],
        ['2024-05-01 10:00 EST', '2024-05-01 10:00 PST'],
        ['2024-05-01', '\ud800'],
    ],
    ids=range(11),
)
def test_columns_that_are_no_times(column):
    with pytest.raises(DataError, match='own.csv.*timestamp'):
        read_times(pd.Series(column), 'own.csv')
