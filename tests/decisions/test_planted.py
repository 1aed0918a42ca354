"""Planted users: each kind is what it says, and nothing else is touched."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recinfluence.data.interactions import Interactions, load_interactions
from recinfluence.data.splits import chrono_split, make_split
from recinfluence.decisions.planted import KINDS, plant


def text_ids(split):
    def named(frame):
        return frame.assign(user='u' + frame.user.astype(str), item='i' + frame['item'].astype(str))

    return make_split(
        named(split.train),
        named(split.test),
        Interactions(named(split.interactions.frame), 'named'),
    )


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('ids', ['numbers', 'text'])
def test_only_train_rows_are_added(simulated, kind, ids):
    split = simulated if ids == 'numbers' else text_ids(simulated)
    before = split.hash
    planting = plant(split, kind, n=7, seed=3)
    new = planting.split.train.iloc[len(split.train) :]
    assert (
        split.hash == before
        and planting.split.test.equals(split.test)
        and planting.split.train.iloc[: len(split.train)].equals(split.train)
    )
    assert planting.split.interactions.frame.iloc[: len(split.interactions)].equals(
        split.interactions.frame
    )
    assert (
        (planting.split.items == split.items).all()
        and planting.split.train.dtypes.equals(split.train.dtypes)
        and len(planting.users) == 7
        and planting.users.index.is_unique
    )
    assert (
        not planting.split.train.duplicated(['user', 'item']).any()
        and new.rating.isin(split.train.rating.unique()).all()
    )
    if kind == 'nothing':
        assert (
            planting.split is split
            and planting.users.index.isin(split.users).all()
            and (planting.users.effect == 0).all()
        )
    else:
        assert (
            set(new.user) == set(planting.users.index)
            and not planting.users.index.isin(split.interactions.frame.user).any()
        )
        assert (
            new.user.value_counts().reindex(planting.users.index) == planting.users.rows
        ).all() and planting.split.hash != before


def test_planting_follows_its_seed_and_not_the_other_kinds(simulated):
    same, other = (
        plant(simulated, 'careless', n=5, seed=1),
        plant(simulated, 'careless', n=5, seed=2),
    )
    assert (
        plant(simulated, 'careless', n=5, seed=1).split.hash == same.split.hash != other.split.hash
    )
    joint = plant(simulated, ['average', 'careless'], n=5, seed=1)

    def rows(planting):
        return planting.split.train[
            planting.split.train.user.isin(planting.users.index[planting.users.kind == 'careless'])
        ][['item', 'rating']].reset_index(drop=True)

    assert (
        rows(joint).equals(rows(same))
        and joint.split.hash == plant(simulated, ['average', 'careless'], n=5, seed=1).split.hash
    )


def test_planted_ids_that_are_taken_are_refused(simulated):
    taken = simulated.interactions.frame.assign(
        user=lambda f: np.where(f.user == 3, 'planted 0001', 'u' + f.user.astype(str))
    )
    with pytest.raises(ValueError, match="'planted 0001' is in .* already"):
        plant(chrono_split(load_interactions(taken)), 'careless', n=2)


@pytest.mark.parametrize(
    'kinds, n, message',
    [
        ('bots', 3, "kind='bots': choose from"),
        ('careless', 0, 'n=0: at least 1'),
        ('careless', 10**6, 'at most as many'),
    ],
)
def test_what_cannot_be_planted_is_refused(simulated, kinds, n, message):
    with pytest.raises(ValueError, match=message):
        plant(simulated, kinds, n)


def profiles(planting):
    return [
        f
        for _, f in planting.split.train[
            planting.split.train.user.isin(planting.users.index)
        ].groupby('user')
    ]


def test_duplicates_are_one_existing_profile(simulated):
    def pairs(frame):
        return frozenset(zip(frame['item'], frame.rating))

    copies = {pairs(f) for f in profiles(plant(simulated, 'duplicates', n=6))}
    assert len(copies) == 1 and copies <= {pairs(f) for _, f in simulated.train.groupby('user')}


@pytest.mark.parametrize('kind', ['average', 'bandwagon'])
def test_attacks_push_one_item_and_look_like_raters_elsewhere(simulated, kind):
    fs = profiles(plant(simulated, kind, n=40))
    count = simulated.train['item'].value_counts()
    mean = simulated.train.groupby('item').rating.mean()
    pushed = set.intersection(*({*f['item'][f.rating == 5]} for f in fs))
    popular = set(count.sort_values(ascending=False, kind='stable').index[:12])
    target = pushed - popular
    assert (
        len(target) == 1
        and count[target.pop()] <= count.median()
        and len(pushed) == (1 if kind == 'average' else 6)
    )
    fill = pd.concat(fs)
    fill = fill[~fill['item'].isin(pushed)].groupby('item').rating.mean()
    follows = np.corrcoef(fill, mean.reindex(fill.index))[0, 1]
    assert follows > 0.4 if kind == 'average' else abs(follows) < 0.3


def test_careless_raters_take_popular_items_and_rate_by_lot(simulated):
    rows = pd.concat(profiles(plant(simulated, 'careless', n=100)))
    count = simulated.train['item'].value_counts()
    assert (
        stats.chisquare(rows.rating.value_counts()).pvalue > 1e-3
        and rows['item'].map(count).mean() > 1.1 * count.mean()
    )


def test_informative_users_bring_test_rows_of_cold_items(simulated):
    count = simulated.train['item'].value_counts()
    future = set(simulated.test[['user', 'item', 'rating']].itertuples(index=False, name=None))
    for profile in profiles(plant(simulated, 'informative', n=10)):
        own = simulated.train.merge(
            profile, on=['item', 'rating']
        ).user_x.value_counts()  # whose past it is
        fan = max(
            own.index[:20],
            key=lambda u: sum((u, i, r) in future for i, r in zip(profile['item'], profile.rating)),
        )
        brought = [i for i, r in zip(profile['item'], profile.rating) if (fan, i, r) in future]
        mine = simulated.test['item'][simulated.test.user == fan]
        assert (
            len(brought) == max(1, len(mine) // 2)
            and sorted(count[brought]) == sorted(count[mine])[: len(brought)]
        )


@pytest.mark.parametrize(
    'kind', ['random', 'segment', 'random nuke', 'average nuke', 'reverse bandwagon']
)
def test_every_attack_has_one_target_at_its_end_of_the_scale(simulated, kind):
    fs = profiles(plant(simulated, kind, n=40))
    train = simulated.train
    count, mean = train['item'].value_counts(), train.groupby('item').rating.mean()
    end = 5 if kind in ('random', 'segment') else 1
    shared = set.intersection(*({*f['item'][f.rating == end]} for f in fs))
    fill = pd.concat(fs)
    fill = fill[~fill['item'].isin(shared)]
    if kind == 'random':
        assert len(shared) == 1 and count[shared.pop()] <= count.median()
    if kind in ('random nuke', 'average nuke'):
        assert len(shared) == 1 and count[shared.pop()] >= count.median()
    if kind == 'reverse bandwagon':
        assert (
            len(shared) in (5, 6)
            and mean[list(shared)].nsmallest(5).max() <= mean.quantile(0.2)
            and count[list(shared)].max() >= count.median()
        )
    if kind == 'segment':
        fans = [
            u
            for u, f in train.groupby('user')
            if len(shared - set(f['item'][f.rating >= f.rating.median()])) <= 1
        ]
        assert len(shared) > 3 and fans and set(fill.rating) == {train.rating.min()}
    else:
        follows = np.corrcoef(
            fill.groupby('item').rating.mean(), mean.reindex(sorted(fill['item'].unique()))
        )[0, 1]
        assert follows > 0.4 if kind == 'average nuke' else abs(follows) < 0.3


def test_a_segment_nuke_hates_one_popular_item_among_what_one_user_likes(simulated):
    train = simulated.train
    count = train['item'].value_counts()
    for seed in range(6):
        fs = profiles(plant(simulated, 'segment nuke', n=40, seed=seed))
        hated, loved = (
            set.intersection(*({*f['item'][f.rating == r]} for f in fs)) for r in (1, 5)
        )
        assert (
            len(hated) == 1
            and count[list(hated)[0]] >= count.median()
            and len(loved) > 3
            and all({*f['item'][f.rating == 5]} == loved and set(f.rating) == {1, 5} for f in fs)
        )
        likes = [set(f['item'][f.rating >= f.rating.median()]) for _, f in train.groupby('user')]
        assert any(liked - hated == loved for liked in likes)
        assert len({frozenset(f['item'][f.rating == 1]) for f in fs}) > 1 and all(
            1 < (f.rating == 1).sum() <= 2 + len(loved) for f in fs
        )  # fillers at random, at most as many as favourites


def test_every_push_has_its_nuke(simulated):
    "Each has one target: the highest rating from the less popular half, or the other way round."
    count = simulated.train['item'].value_counts()
    for push, nuke in (
        ('random', 'random nuke'),
        ('average', 'average nuke'),
        ('bandwagon', 'reverse bandwagon'),
        ('segment', 'segment nuke'),
    ):
        assert KINDS[push] == KINDS[nuke] == -1
        for kind, end, place in ((push, 5, np.less_equal), (nuke, 1, np.greater_equal)):
            fs = profiles(plant(simulated, kind, n=40, seed=1))
            shared = set.intersection(*({*f['item'][f.rating == end]} for f in fs))
            assert any(place(count[i], count.median()) for i in shared), kind
