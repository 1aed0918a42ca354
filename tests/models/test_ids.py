"""Random numbers and positions that belong to ids."""

import numpy as np
import pytest

from recinfluence.core.random import stream
from recinfluence.models.ids import KeyedGenerator, KeyedState, draw_rows, positions


def test_streams_are_separate_and_repeatable():
    names = [(0, 'a'), (0, 'b'), (1, 'a'), (0, 'a', 1), (0, 'a', '1'), (0, 'a1')]
    values = [stream(*n).random() for n in names]
    assert (
        len(set(values)) == len(names)
        and values == [stream(*n).random() for n in names]
        and stream(np.int64(0), 'a').random() == values[0]
    )


@pytest.mark.parametrize('ids', [np.array([3, 7, 8]), np.array(['b', 'ü'], dtype=object)])
def test_ids_that_train_never_saw_stand_one_past_the_end(ids):
    assert positions(ids, ids[::-1]).tolist() == list(range(len(ids)))[::-1]
    unseen = np.array([ids[0], 99 if ids.dtype.kind == 'i' else 'x'], dtype=ids.dtype)
    assert positions(ids, unseen).tolist() == [0, len(ids)]


@pytest.mark.parametrize('make', [KeyedState, KeyedGenerator])
def test_tables_of_a_library_have_the_rows_of_their_ids(make):
    ids, drawn = [4, 2, 9], make(3, [('user', [4, 2, 9]), ('item', [5])])
    wanted = draw_rows(3, 'user', ids, lambda stream: stream.standard_normal(6))
    given = (drawn.normal if make is KeyedState else drawn.standard_normal)(size=(3, 6))
    assert np.array_equal(given, wanted)
    assert np.array_equal(given[1], stream(3, 'user', 2).standard_normal(6))
