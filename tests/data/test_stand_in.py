"""Table 10 contradicts itself; margins of the stand-in are exact and its tastes can be learned."""

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recinfluence.data.interactions import summary
from recinfluence.data.splits import chrono_split
from recinfluence.data.stand_in import implied_ratings, simulate_interactions, table_with_margins
from recinfluence.kernels.swaps import swap
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity

ROOT = Path(__file__).resolve().parents[2]


def paper(number):
    return pd.read_csv(
        ROOT / f'data/paper/table_{number:02d}.csv', index_col='metric', dtype=str
    ).value


def test_table_10_contradicts_itself_and_table_2_nearly_does_not():
    implied = implied_ratings(paper(10))
    names = ['# Ratings', 'Density', 'Average # ratings/item', 'Average # ratings/user']
    assert (
        all(set(implied.contradicts[n].split(', ')) >= set(names) - {n} for n in names)
        and implied.contradicts['Min and max # ratings/user'] == 'Density'
    )
    assert implied.loc['Average # ratings/user', ['at least', 'at most']].tolist() == [
        266_778,
        266_932,
    ]  # 15,551 × 17.155 and × 17.165
    two = implied_ratings(paper(2)).contradicts
    assert (
        '# Ratings' in two['Average # ratings/user']
        and two['Density'] == two['Average # ratings/item'] == ''
    )  # 106.05 is 106.04


def test_the_defaults_are_table_10():
    text = paper(10).str.replace(',', '')
    size = inspect.signature(simulate_interactions).parameters
    assert size['n_users'].default == int(text['# Users']) and size['n_items'].default == int(
        text['# Items']
    )
    assert size['n_rows'].default == round(
        int(text['# Users']) * float(text['Average # ratings/user'])
    )
    table = summary(simulate_interactions())
    assert (
        all(
            table[n] == int(text[n])
            for n in text.index
            if n.startswith(('Min', 'Max')) or n in ('# Users', '# Items')
        )
        and round(table['Average # ratings/user'], 2) == float(text['Average # ratings/user'])
        and table['Average rating'] == 1
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_margins_are_exact_where_a_table_has_them(data):
    users, items = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))

    def limits(n, others):
        return st.tuples(st.integers(1, others), st.integers(1, others)).map(
            lambda x: tuple(sorted(x))
        )

    of_users, of_items = data.draw(limits(users, items)), data.draw(limits(items, users))
    least, most = (
        max((users - 1) * of_users[0] + of_users[1], (items - 1) * of_items[0] + of_items[1]),
        min((users - 1) * of_users[1] + of_users[0], (items - 1) * of_items[1] + of_items[0]),
    )
    assume(least <= most)
    rows = data.draw(st.integers(least, most))
    try:
        frame = simulate_interactions(
            users, items, rows, of_users, of_items, seed=data.draw(st.integers(0, 9))
        ).frame
    except ValueError as error:
        assert 'no table of' in str(error)
        assume(False)
    per_user, per_item = frame.user.value_counts(), frame['item'].value_counts()
    assert (len(frame), len(per_user), len(per_item)) == (
        rows,
        users,
        items,
    ) and not frame.duplicated(['user', 'item']).any()
    assert (
        (per_user.min(), per_user.max(), per_item.min(), per_item.max()) == (*of_users, *of_items)
        and set(frame.rating) == {1.0}
        and sorted(frame.timestamp) == list(range(rows))
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
    st.integers(1, 8),
)
def test_a_table_is_found_whenever_gale_and_ryser_say_there_is_one(users, random, n_items):
    users = np.array(sorted(users, reverse=True))
    items = np.unique([random.randrange(n_items) for _ in range(users.sum())], return_counts=True)[
        1
    ]
    items = -np.sort(-items)
    exists = all(users[:k].sum() <= np.minimum(items, k).sum() for k in range(1, len(users) + 1))
    found = table_with_margins(users, items)
    assert (found is not None) == exists
    if exists:
        assert np.array_equal(np.bincount(found, minlength=len(items)), items) and all(
            len(set(p)) == n for p, n in zip(np.split(found, np.cumsum(users)[:-1]), users)
        )


@pytest.mark.parametrize(
    'options, words',
    [
        (dict(n_rows=10), 'from .* are possible'),
        (dict(per_item=(10, 999)), 'no table of'),
        (dict(per_user=(0, 20)), 'impossible'),
    ],
)
def test_impossible_margins_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        simulate_interactions(**{**dict(n_users=100, n_items=50, n_rows=1500), **options})


@pytest.mark.parametrize(
    'size', [(50, 30, 400), (10, 60, 200), (200, 100, 3_000), (500, 4_000, 50_000)]
)
def test_any_size_by_name_seed_and_label(size):
    one, same, other = (simulate_interactions(*size, seed=s) for s in (0, 0, 1))
    assert (
        one.hash == same.hash != other.hash
        and one.name.startswith('simulated')
        and 'seed 1' in other.source
    )
    assert (one.frame.user.nunique(), one.frame['item'].nunique(), len(one)) == size


def test_without_tastes_every_table_is_as_likely():
    "All 3 × 3 tables with two in each row and column: there are six."
    seen = pd.Series(
        [
            tuple(sorted(zip(f.user, f['item'])))
            for f in (
                simulate_interactions(3, 3, 6, (2, 2), (2, 2), taste=0, seed=s).frame
                for s in range(600)
            )
        ]
    ).value_counts()
    assert (
        len(seen) == 6 and ((seen - 100) ** 2 / 100).sum() < 20.5
    )  # chi square, 5 degrees of freedom: 0.001


def test_exchanges_follow_the_tastes():
    "The share of the tables is as the exponential of their fit, on a chain long enough to count."

    rng = np.random.default_rng(0)
    user, item, start = np.array([0, 1]), np.array([0, 1]), np.array([0, 1, 2])
    likes, has = np.array([[1.0], [0.0]]), np.array([[0.0], [0.7]])
    straight = 0
    for _ in range(20_000):
        swap(user, item, start, likes, has, np.array([[0, 1]]), rng.standard_exponential(1))
        straight += item[0] == 0
    assert abs(straight / 20_000 - 1 / (1 + np.exp(0.7))) < 0.02  # fits 0 and 0.7


@pytest.mark.slow  # the chapter itself shows it on another size
def test_tastes_can_be_learned_and_their_shuffled_null_cannot():
    def map_of(model, data):
        split = chrono_split(data)
        return Evaluator(split)(model.fit(split.train, 0))['map']

    tastes = simulate_interactions(600, 200, 12_000, per_user=(10, 100), per_item=(10, 150))
    null = simulate_interactions(
        600, 200, 12_000, per_user=(10, 100), per_item=(10, 150), taste=0
    )  # the same margins, and nothing else
    assert sorted(tastes.frame.user.value_counts()) == sorted(
        null.frame.user.value_counts()
    ) and sorted(tastes.frame['item'].value_counts()) == sorted(null.frame['item'].value_counts())
    gain = {
        name: map_of(NCF(), d) / map_of(Popularity(), d)
        for name, d in (('tastes', tastes), ('null', null))
    }
    assert gain['tastes'] > 1.5 and gain['null'] < 1.1, gain
