"""Which units are meant: ids of any kind become the data's own, units of one's own are checked."""

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.designs.single import OneAtATime, as_design, single_units
from recinfluence.models.popularity import Popularity
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store


@pytest.fixture(scope='module')
def named():
    "Five users and four items whose ids are texts."
    rows = [(f'u{u}', f'i{(u + i) % 4}', 1.0 + i, i) for u in range(5) for i in range(4)]
    frame = pd.DataFrame(rows, columns=['user', 'item', 'rating', 'timestamp'])
    return chrono_split(load_interactions(frame, name='named'))


def sweep(split, units='users', **asked):
    return deletion_sweep(Popularity(), split, units, k=3, jobs=1, progress=False, **asked)


@pytest.mark.parametrize(
    'ids',
    [
        [1, 2],
        [1.0, 2.0],
        [1, 1, 2],
        [np.int64(1), np.float64(2)],
        (1, 2),
        dict.fromkeys([1, 2]).keys(),
        np.array([1, 2, 1]),
        pd.Series([1.0, np.nan, 2.0]).dropna(),
        pd.Index([1, 2]),
        range(1, 3),
    ],
    ids=repr,
)
def test_ids_of_any_kind_are_the_datas_own(ids, tiny, tmp_path):
    plain = sweep(tiny, ids=[1, 2], store=tmp_path / 'kept.db')
    asked = sweep(tiny, ids=ids, store=tmp_path / 'kept.db')
    assert asked.units == plain.units == ['user 1', 'user 2']
    assert '2 of 2' in asked.headline
    assert set(Store(tmp_path / 'kept.db').units_table().index) == {'nothing', 'user 1', 'user 2'}


def test_a_generator_and_one_alone(tiny):
    assert sweep(tiny, ids=(n for n in (1, 2))).units == ['user 1', 'user 2']
    assert sweep(tiny, ids=5).units == ['user 5'] == sweep(tiny, ids=np.float64(5)).units


def test_text_ids(named):
    assert sweep(named, ids='u3').units == ['user u3']
    assert sweep(named, ids=np.array(['u3', 'u1', 'u3'])).units == ['user u3', 'user u1']
    assert sweep(named, 'items', ids=['i2']).units == ['item i2']


@pytest.mark.parametrize(
    'ids, say',
    [
        (['1'], "user '1' is not in planted.*ids of this data are whole numbers"),
        ([400], 'user 400 is not in planted'),
        ([1.5], '1.5 .float. is no id'),
        ([True], 'True .bool. is no id'),
        ([None], 'None .missing. is no id'),
        ([1, np.nan], 'nan .missing. is no id'),
        ({'a': 1}, 'ids=dict'),
        (pd.DataFrame({'user': [1]}), 'ids=DataFrame'),
    ],
)
def test_ids_that_are_none_are_refused_by_name(ids, say, tiny):
    with pytest.raises(ValueError, match=f'(?i){say}'):
        sweep(tiny, ids=ids)


def test_numbers_where_ids_are_texts_are_refused(named):
    with pytest.raises(ValueError, match='user 3 is not in named.*Ids of this data are texts'):
        sweep(named, ids=[3])
    with pytest.raises(ValueError, match='Ids of this data are texts'):
        sweep(named, [Unit(users=[3, 4])])


@pytest.mark.parametrize(
    'units, ids, say',
    [
        ([1, 2], None, 'number 1 is 1 .int., not a Unit'),
        ([Unit(users=1), 'users'], None, "number 2 is 'users' .str."),
        (5, None, "units=5: choose 'users' or 'items'"),
        ({'a': Unit(users=1)}, None, 'give a list of Unit'),
        ('user', None, "choose 'users' or 'items'"),
        ([Unit(users=1)], [1], 'Leave ids out'),
        (RandomGroups(per_seed=4), [1], 'Leave ids out'),
        ([Unit(users=999)], None, 'user 999 is not in planted'),
        ([Unit(users=[1, 999])], None, 'user 999 is not in planted'),
        ([Unit(name='cluster 7')], None, "'cluster 7' has no members"),
        ([Unit(users=1), Unit()], None, 'has no members'),
        ([Unit(users=range(40), name='all')], None, "'all': nothing is left to train on"),
    ],
)
def test_units_that_cannot_be_meant_are_refused(units, ids, say, tiny):
    with pytest.raises(ValueError, match=say):
        sweep(tiny, units, ids=ids)


def test_one_unit_is_a_list_of_one(tiny):
    assert as_design(Unit(users=3)) == OneAtATime(listed=(Unit(users=3),))
    assert sweep(tiny, Unit(users=np.array([3, 4]), name='pair')).units == [
        Unit(users=[3, 4], name='pair').key
    ]


def single(split, unit, metric='ndcg'):
    "Influence of one group by itself, from a sweep of its own."
    return sweep(split, [unit]).influence(metric).frame.iloc[0]


def test_two_groups_of_one_name_are_two_groups(tiny):
    one, two = Unit(users=[1, 2], name='cluster'), Unit(users=[3, 4, 5], name='cluster')
    frame = sweep(tiny, [one, two]).influence('ndcg').frame
    assert len(frame) == 2 and frame.label.is_unique and frame.label.str.startswith('cluster').all()
    for unit in (one, two):
        alone = single(tiny, unit)
        rows = tiny.interactions.frame.user.isin(unit.users).sum()
        assert frame.estimate[unit.key] == alone.estimate and frame.n_ratings[unit.key] == rows
        assert alone.label == 'cluster'


def test_groups_made_again_under_the_same_name_are_retrained(tiny, tmp_path):
    path = tmp_path / 'kept.db'
    before = sweep(tiny, [Unit(users=[1, 2], name='cluster')], store=path)
    again = Unit(users=[1, 3], name='cluster')
    after = sweep(tiny, [again], store=path)
    assert before.units != after.units == [again.key]
    assert after.influence('ndcg').frame.estimate.iloc[0] == single(tiny, again).estimate


@pytest.mark.parametrize('ids', [[2, 1], [1, 2, 2, 1], np.array([2, 1]), {1, 2}, [1.0, 2]])
def test_the_same_members_are_not_retrained(ids, tiny, tmp_path):
    path = tmp_path / 'kept.db'
    content = sweep(tiny, [Unit(users=[1, 2], name='c')], store=path).store.content_hash()
    again = sweep(tiny, [Unit(users=ids, name='c')] * 2, store=path)
    assert again.store.content_hash() == content and '1 of 1' in again.headline


@pytest.mark.parametrize('name', ['user 2', 'o\'hara "x"', 'two\nlines', 'Übung 組', '$x_{', '<b>'])
def test_groups_are_shown_by_their_names(name, tiny, tmp_path):
    group = Unit(users=[1, 3], name=name)
    both = sweep(tiny, [group, Unit(users=[2])], store=tmp_path / 'kept.db')
    frame = both.influence('ndcg').frame
    assert frame.label[group.key] == name and frame.label['user 2'] == 'user 2'
    assert frame.estimate[group.key] == single(tiny, group).estimate
    assert frame.estimate['user 2'] == sweep(tiny, ids=[2]).influence('ndcg').frame.estimate.iloc[0]
    assert both.influence('ndcg')._repr_html_() and repr(both.influence('ndcg'))


def test_units_of_a_split_are_its_ids(tiny):
    frame = tiny.interactions.frame
    assert [u.users[0] for u in single_units(tiny, 'users')] == sorted(set(frame.user))
