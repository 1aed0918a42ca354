"""What people put, by mistake, where something else belongs."""

import datetime
import decimal
import enum
import fractions
import math
import pathlib

import numpy as np
import pandas as pd
from surface.world import world

import recinfluence as ri


class Unshowable:
    "Cannot even be printed, compared or asked whether it is true."

    def __repr__(self):
        raise RuntimeError('not printable')

    def __eq__(self, other):
        raise RuntimeError('not comparable')

    def __bool__(self):
        raise RuntimeError('neither true nor false')

    __hash__ = None


class Word(str):
    "A text of a class of one's own."


class Colour(enum.Enum):
    "Words of one's own."

    RED = 'users'


def within_itself() -> list:
    "A list that holds itself."
    found = []
    found.append(found)
    return found


PLAIN = [
    None, True, False, 0, 1, -1, 3, 2.5, -0.5, 10**30, -(10**30), 1e300, 1j,
    math.nan, math.inf, -math.inf, 'text', '', ' ', '12', 'a\x00b', '$x_{1}$', 'ü' * 300,
    b'', b'x', bytearray(b'x'), (), (1,), (2, 1), ('a', 'b'), (1, 'a'), frozenset(), range(3),
    object, int, len, math, ..., NotImplemented, Colour.RED, Word('users'), ValueError('text'),
    decimal.Decimal('1.5'), fractions.Fraction(1, 2), datetime.date(2020, 1, 2),
    pathlib.Path('nowhere'), pd.NA, pd.NaT, pd.Timestamp('2020-01-02'), ri.ItemMean, ri.Unit,
]  # fmt: skip
MAKERS = {  # what has to be new each time
    '[]': list,
    '[1, [2]]': lambda: [1, [2]],
    '[None]': lambda: [None],
    "[1, 'a']": lambda: [1, 'a'],
    '[nan]': lambda: [math.nan],
    '[99999]': lambda: [99_999],
    '[1, 1]': lambda: [1, 1],
    'a list within itself': within_itself,
    '{}': dict,
    "{'a': 1}": lambda: {'a': 1},
    '{1: [2]}': lambda: {1: [2]},
    'set()': set,
    "{1, 'a'}": lambda: {1, 'a'},
    'a generator': lambda: (n for n in range(2)),
    'an iterator': lambda: iter([]),
    'object()': object,
    'Unshowable()': Unshowable,
    'a lambda': lambda: lambda: 0,
    'int64': lambda: np.int64(3),
    'uint8': lambda: np.uint8(3),
    'float32': lambda: np.float32(2.5),
    'float64 nan': lambda: np.float64('nan'),
    'bool_': lambda: np.bool_(True),
    'str_': lambda: np.str_('users'),
    'datetime64': lambda: np.datetime64('2020-01-02'),
    'array()': lambda: np.array(3),
    'array of none': lambda: np.array([]),
    'array of 2': lambda: np.array([1, 2]),
    'array 2 x 3': lambda: np.zeros((2, 3)),
    'array 0 x 3': lambda: np.zeros((0, 3)),
    'array 2 x 2 x 2': lambda: np.zeros((2, 2, 2)),
    'array of objects': lambda: np.array([None, 'a', [1]], dtype=object),
    'array of texts': lambda: np.array(['a', 'b']),
    'array not finite': lambda: np.array([[math.nan, math.inf], [1, 2]]),
    'array of records': lambda: np.zeros(2, [('a', int), ('b', float)]),
    'empty frame': pd.DataFrame,
    'wrong frame': lambda: pd.DataFrame({'a': [1, 2]}),
    'frame of no rows': lambda: world().rows[:0],
    'frame with gaps': lambda: world().rows.assign(rating=math.nan),
    'frame of texts': lambda: world().rows.astype(str),
    'frame with lists': lambda: world().rows.assign(user=[[1]] * len(world().rows)),
    'frame twice': lambda: pd.concat([world().rows, world().rows]),
    'frame of an odd index': lambda: world().rows.set_index(['user', 'item'], drop=False),
    'two columns user': lambda: world().rows.iloc[:, [0, 0, 1, 2, 3]],
    'empty series': lambda: pd.Series(dtype=float),
    'series of 2': lambda: pd.Series([1, 2]),
    'series of texts': lambda: pd.Series(['a', None]),
    'series of twins': lambda: pd.Series([1.0, 2.0], [3, 3]),
    'index': lambda: pd.Index(['a']),
    'Unit()': ri.Unit,
    'Unit of strangers': lambda: ri.Unit(users=(10**6,)),
    'Unit of all': lambda: ri.Unit(users=tuple(range(12))),
    'a model': ri.Popularity,
    'interactions': lambda: world().data,
    'a split': lambda: world().split,
    'another influence': lambda: world().by_items,
    'a sweep': lambda: world().of_items,
    'a sweep of groups': lambda: world().of_groups,
    'a sweep and another': lambda: [world().users, world().of_items],
    'an action': lambda: world().on_items,
    'an evaluator': lambda: world().evaluator,
    'a metric': lambda: ri.METRICS['map'],
}


def nasty_values() -> dict:
    "A maker of each, by what it is called."
    plain = {f'{n}: {type(value).__name__}': lambda v=value: v for n, value in enumerate(PLAIN)}
    return plain | MAKERS
