"""Which column is which, in every form that a frame can have; or a question with a remedy."""

import numpy as np
import pandas as pd
import pytest

from recinfluence.data.interactions import DataError, load_interactions

ORDER = ['user', 'item', 'rating']
BASE = pd.DataFrame({'user': [1, 1, 2], 'item': [1, 2, 2], 'rating': [1.0, 2.0, 3.0]})
ROWS = [tuple(row) for row in BASE.to_numpy().tolist()]


def several(*names):
    return pd.MultiIndex.from_tuples([('a', name) for name in names])


@pytest.mark.parametrize(
    'frame, columns',
    [
        (BASE, None),
        (BASE, {}),
        (BASE, ORDER),
        (BASE, tuple(ORDER)),
        (BASE.set_axis([0, 1, 2], axis=1), ORDER),
        (BASE.set_axis([0, 1, 2], axis=1), {'user': 0, 'item': 1, 'rating': 2}),
        (BASE.set_axis([2, 0, 1], axis=1), {'user': 2, 'item': 0, 'rating': 1}),
        (BASE.set_axis(['user', 'user', 'user'], axis=1), ORDER),
        (BASE.set_axis(several(*ORDER), axis=1), ORDER),
        (BASE.set_axis(pd.CategoricalIndex(ORDER), axis=1), None),
        (BASE.set_index(pd.Index([5, 5, 5])), None),
        (BASE.set_index('user', drop=False), None),
        (BASE.set_index(pd.Index([3, 2, 1], name='timestamp')), None),
        (BASE[['rating', 'item', 'user']], None),
        (BASE.rename(columns={'user': 'User ID', 'item': 'movieId', 'rating': 'Stars'}), None),
    ],
    ids=range(15),
)
def test_the_same_rows_come_out_of_every_frame(frame, columns):
    data = load_interactions(frame, columns)
    assert list(data.frame[ORDER].itertuples(index=False, name=None)) == ROWS
    assert not data.timed and data.frame.index.tolist() == [0, 1, 2]


def test_a_frame_of_one_row_is_data():
    assert len(load_interactions(BASE[:1])) == 1


@pytest.mark.parametrize(
    'frame, columns, words',
    [
        (BASE[:0], None, 'there is no interaction in it'),
        (BASE[:0], ORDER[:2], 'names 2 columns, and the table has 3'),
        (pd.DataFrame(), None, "no column 'user' among"),
        (BASE.set_index('user'), None, 'it is in the index. Give frame.reset_index'),
        (BASE.set_index(['user', 'item']), None, 'it is in the index'),
        (BASE.set_index('user'), {'user': 'user'}, 'it is in the index'),
        (BASE.set_index(pd.Index([1, 2, 3], name='who')), {'user': 'who'}, 'it is in the index'),
        (BASE.set_axis([0, 1, 2], axis=1), None, "no column 'user' among .0, 1, 2."),
        (BASE.set_axis(several(*ORDER), axis=1), None, 'several levels'),
        (BASE.set_axis(['user', 'item', 'item'], axis=1), None, 'more than once'),
        (
            BASE.set_axis(['user', 'item', 'userId'], axis=1),
            {'item': 'user'},
            "no column 'rating'",
        ),
        (BASE.set_axis(['user', 'item', np.nan], axis=1), None, "no column 'rating'"),
        (BASE.assign(uid=1, userid=1).drop(columns='user'), None, "may be 'uid' or 'userid'"),
        (BASE, ORDER[:2], 'names 2 columns, and the table has 3'),
        (BASE, [], 'names 0 columns'),
        (BASE, ['user', 'user', 'rating'], 'names 2 columns'),
        (BASE, [['user'], 'item', 'rating'], 'names in order'),
        (BASE, {'user': ['user']}, 'names in order'),
        (BASE, {'user': None}, 'cannot be absent'),
        (BASE, {'usr': 'user'}, 'knows'),
        (BASE, {'user': 'nobody'}, "no column 'nobody'"),
    ],
    ids=range(21),
)
def test_frames_that_are_a_question(frame, columns, words):
    with pytest.raises(DataError, match=words) as error:
        load_interactions(frame, columns)
    assert '\n' not in str(error.value)
