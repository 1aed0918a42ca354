"""Splits against slow, plain versions of themselves."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recinfluence.data.interactions import DataError, load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import (
    chrono_split,
    k_core,
    leave_last_out,
    make_split,
    random_split,
)
from recinfluence.models.popularity import Popularity
from recinfluence.sweep.run import deletion_sweep

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
    times = [{r[3] for r in rows if r[0] == u} for u in {r[0] for r in rows}]
    rated_twice = len(times) < len(rows)
    if not train or (rated_twice and all(len(t) == 1 for t in times)):
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


def folds():
    data = load_interactions(planted_interactions(), name='planted')
    split = chrono_split(data)
    return split.train, split.test, data, split.hash


AS = {
    'text': lambda f: f.assign(user=f.user.astype(str), item=f['item'].astype(str)),
    'category': lambda f: f.astype({'user': 'category', 'item': 'string'}),
    'floats': lambda f: f.astype({'user': float, 'item': 'Int64'}),
    'bytes': lambda f: f.astype({'user': 'uint8', 'rating': 'float32'}),
    'another order of columns': lambda f: f[['rating', 'item', 'timestamp', 'user']],
    'an index of its own': lambda f: f.set_axis(['row'] * len(f)),
    'more columns': lambda f: f.assign(title='a title'),
    'no ratings, no times': lambda f: f[['user', 'item']],
}


@pytest.mark.parametrize('how', AS)
def test_folds_of_any_form_are_the_same_split(how):
    train, test, data, expected = folds()
    assert make_split(AS[how](train), AS[how](test), data).hash == expected
    if how != 'no ratings, no times':
        assert make_split(AS[how](train), AS[how](test)).hash == expected
        assert make_split(train, AS[how](test), data).hash == expected


def test_folds_give_what_the_split_gives():
    train, test, data, _ = folds()
    asked = dict(ids=range(5), jobs=1, progress=False, k=3)
    by_folds = deletion_sweep(Popularity(), make_split(AS['text'](train), test), **asked).frame()
    pd.testing.assert_frame_equal(
        by_folds, deletion_sweep(Popularity(), chrono_split(data), **asked).frame()
    )


def test_ids_that_look_whole_stay_text_where_others_are_not():
    rows = planted_interactions()
    data = load_interactions(rows.assign(user=rows.user.astype(str).replace('0', 'zero')))
    split = chrono_split(data)
    kept = split.test[split.test.user != 'zero']
    assert make_split(split.train, kept, data).test.user.tolist() == kept.user.tolist()


def named(fold):
    return fold.assign(user='u' + fold.user.astype(str))


WRONG = {
    'is in train and in test': lambda a, b, d: (a, pd.concat([b, a[:2]]), d),
    'has rated item': lambda a, b, d: (a, pd.concat([b, b[:2]]), d),
    'rated item .* before': lambda a, b, d: (pd.concat([a, a[:1]]), b, d),
    'whole numbers in test .* and text in train': lambda a, b, d: (named(a), b, d),
    'whole numbers in interactions': lambda a, b, d: (named(a), named(b), d),
    'among the interactions': lambda a, b, d: (a.assign(user=a.user + 100), b, d),
    'the rating is missing': lambda a, b, d: (a, b.assign(rating=np.nan), d),
    'the rating is infinite': lambda a, b, d: (a.assign(rating=np.inf), b, d),
    'the user id is missing': lambda a, b, d: (a, b.assign(user=None), d),
    'no interaction in it': lambda a, b, d: (a, b[:0], d),
    'a list is no fold': lambda a, b, d: (a.to_numpy().tolist(), b, d),
    "no column 'user'": lambda a, b, d: (a.rename(columns={'user': 'userId'}), b, d),
    "no column 'rating', which the other": lambda a, b, d: (a.drop(columns='rating'), b, d),
    "two columns 'user'": lambda a, b, d: (pd.concat([a, a[['user']]], axis=1), b, d),
    'the weight is nan': lambda a, b, d: (a.assign(weight=np.nan), b, d),
    'stands where the interactions should': lambda a, b, d: (a, b, a),
}


@pytest.mark.parametrize('message', WRONG)
def test_folds_that_cannot_be_right_are_refused(message):
    train, test, data, _ = folds()
    with pytest.raises(DataError, match=message) as caught:
        make_split(*WRONG[message](train, test, data))
    assert '\n' not in str(caught.value)


def test_weights_of_a_fold_are_kept_and_are_part_of_what_it_is():
    train, test, data, plain = folds()
    first, second = (make_split(train.assign(weight=w), test, data) for w in (1.0, 2.0))
    assert list(first.train) == [*train, 'weight'] and len({first.hash, second.hash, plain}) == 3


def test_without_times_nothing_is_earlier():
    data = replace(load_interactions(planted_interactions()), timed=False)
    for divide in (chrono_split, leave_last_out):
        with pytest.raises(DataError, match=r'no timestamps.*random_split'):
            divide(data)
    assert len(random_split(data).train) and not k_core(data, 2).timed
    assert len(chrono_split(replace(data, timed=True)).train)


@pytest.mark.parametrize('time', [lambda f: 7, lambda f: f.user])
def test_times_that_are_all_one_users_are_no_order(time):
    rows = planted_interactions()
    with pytest.raises(DataError, match='no user has two different timestamps'):
        chrono_split(load_interactions(rows.assign(timestamp=time(rows))))


def test_a_split_says_what_was_noticed_on_the_way_in():
    data = replace(load_interactions(planted_interactions()), notes=('The separator is ;.',))
    assert repr(random_split(data)).endswith('. The separator is ;')
