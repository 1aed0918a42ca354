"""Splits against slow, plain versions of themselves."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recinfluence.data.interactions import DataError, load_interactions
from recinfluence.data.splits import chrono_split, k_core, leave_last_out, make_split

ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 8), st.integers(1, 5), st.integers(0, 4)),
    min_size=4,
    max_size=60,
    unique_by=lambda r: r[:2],
)


def data(rows):
    return load_interactions(pd.DataFrame(rows, columns=['user', 'item', 'rating', 'timestamp']))


@settings(max_examples=80, deadline=None)
@given(ROWS, st.sampled_from([0.3, 0.5, 0.75]))
def test_chrono_split_is_what_its_sentence_says(rows, share):
    train, test = [], []
    for user in sorted({r[0] for r in rows}):
        own = [
            r for _, r in sorted(((r[3], n), r) for n, r in enumerate(rows) if r[0] == user)
        ]  # by time, ties in file order
        n = round(share * len(own))  # Python rounds half to even
        train += own[:n]
        test += own[n:]
    if not train:
        with pytest.raises(DataError):
            chrono_split(data(rows), share)
        return
    made = chrono_split(data(rows), share)
    users, items = {r[0] for r in train}, {r[1] for r in train}
    kept = [r for r in test if r[0] in users and r[1] in items]
    assert [tuple(r) for r in made.train.astype(int).to_numpy()] == train and [
        tuple(r) for r in made.test.astype(int).to_numpy()
    ] == kept
    assert made.dropped == len(test) - len(kept)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(1, 3))
def test_k_core_is_the_largest_dense_part(rows, k):
    left = list(rows)
    while True:  # drop one offender at a time, in an order of its own
        bad = [
            r
            for r in reversed(left)
            if sum(q[0] == r[0] for q in left) < k or sum(q[1] == r[1] for q in left) < k
        ]
        if not bad:
            break
        left.remove(bad[0])
    if not left:
        with pytest.raises(DataError, match='core is empty'):
            k_core(data(rows), k)
    else:
        assert [tuple(r) for r in k_core(data(rows), k).frame.astype(int).to_numpy()] == left


def test_leave_last_out_takes_the_last_of_each(tiny):
    split = leave_last_out(tiny.interactions)
    frame = tiny.interactions.frame
    expected = frame.loc[frame.groupby('user').timestamp.idxmax()]
    expected = expected[expected['item'].isin(frame.drop(expected.index)['item'])]
    assert set(map(tuple, split.test[['user', 'item']].to_numpy())) == set(
        map(tuple, expected[['user', 'item']].to_numpy())
    )


def test_random_split_is_scikit_learns_in_its_order(ml_random, movielens):
    rng = np.random.RandomState(42)
    order = rng.permutation(100_000)  # what ShuffleSplit does: test first, then train
    assert np.array_equal(
        ml_random.train[['user', 'item']].to_numpy(),
        movielens.frame[['user', 'item']].to_numpy()[order[25_000:]],
    )
    assert (len(ml_random.test), ml_random.test.user.nunique(), ml_random.dropped) == (
        24_953,
        942,
        47,
    )


def test_chrono_split_of_movielens(ml_chrono):
    assert (len(ml_chrono.train), len(ml_chrono.test), len(ml_chrono.items)) == (
        74_992,
        24_891,
        1_597,
    )


def test_hash_sees_what_is_where(tiny):
    swapped = make_split(tiny.train, tiny.test.iloc[::-1], tiny.interactions)
    assert (
        swapped.hash != tiny.hash
        and make_split(tiny.train, tiny.test, tiny.interactions).hash == tiny.hash
    )


@pytest.mark.parametrize('share', [0, 1, 1.5])
def test_a_share_outside_0_and_1_is_refused(tiny, share):
    with pytest.raises(ValueError, match='between 0 and 1'):
        chrono_split(tiny.interactions, share)


def test_halves_of_the_test_rows_are_disjoint_and_complete(ml_chrono):
    first, second = ml_chrono.halve_test(3)
    both = pd.concat([first.test, second.test])
    assert (
        len(both) == len(ml_chrono.test)
        and not both.duplicated(['user', 'item']).any()
        and first.train is second.train is ml_chrono.train
    )
    counts = [
        s.test.user.value_counts().reindex(ml_chrono.users, fill_value=0) for s in (first, second)
    ]
    assert (counts[0] - counts[1]).abs().max() == 1 and abs(
        len(first.test) - len(second.test)
    ) < 60  # the odd row goes to either
    assert (
        first.hash != second.hash
        and first.hash == ml_chrono.halve_test(3)[0].hash != ml_chrono.halve_test(4)[0].hash
    )
    assert first.protocol['test_half'] == 0 and second.protocol['test_half'] == 1
