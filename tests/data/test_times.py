"""One order of time, whatever it was written in; or the row at fault."""

import datetime

import pandas as pd
import pytest

from recinfluence.data.interactions import DataError
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


