"""Streams of random numbers are named, separate and the same everywhere."""

import numpy as np
import pytest

from recinfluence.core.random import Streams, stream


def test_streams_are_separate_and_repeatable():
    names = [(0, 'a'), (0, 'b'), (1, 'a'), (0, 'a', 1), (0, 'a', '1'), (0, 'a1'), (0, 'a', 1, 'b')]
    values = [stream(*name).random() for name in names]
    assert len(set(values)) == len(names)
    assert values == [stream(*name).random() for name in names]


@pytest.mark.parametrize('seed', [np.int64(3), np.int32(3), np.uint8(3)])
def test_an_integer_of_any_width_is_the_same_name(seed):
    assert stream(seed, 'a', seed).random() == stream(3, 'a', 3).random()


def test_the_numbers_are_those_of_every_version():
    "Stored results depend on them."
    assert stream(0, 'start', 'user', 7).random(3).tolist() == [
        0.9291919869533087,
        0.9324740062682196,
        0.02236609673797152,
    ]
    assert stream(12, 'negatives').integers(0, 1000, 4).tolist() == [712, 923, 127, 635]


def test_many_streams_from_one_generator_are_the_same():
    "Also where a stream was left in the middle of its buffer."
    many = Streams()
    for n in range(1, 30):
        assert np.array_equal(many(n, 'x').normal(size=n), stream(n, 'x').normal(size=n))
        whole = many(n, 'y').integers(0, 5, n, dtype=np.uint8)
        assert np.array_equal(whole, stream(n, 'y').integers(0, 5, n, dtype=np.uint8))


def test_the_parts_of_a_name_are_kept_apart():
    assert stream(0, 'ab', 'c').random() != stream(0, 'a', 'bc').random()
