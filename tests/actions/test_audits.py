"""Traits, newcomers, popularity and groups, where the truth is planted."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from shared import random_lists

from recinfluence.actions.audits import (
    group_audit,
    newcomers,
    popularity_audit,
    seat_newcomers,
    trait_effects,
)
from recinfluence.data.interactions import Interactions
from recinfluence.data.splits import Split
from recinfluence.influence.influence import Influence


@pytest.mark.parametrize('seed', range(20))
def test_seated_is_the_plain_rule(seed):
    whole, chosen = random_lists(seed)
    k = 4
    for row, out in zip(whole.tolist(), seat_newcomers(whole, chosen & (seed % 4 > 0), k).tolist()):
        guests = [i for i in row if i >= 0 and chosen[i] and seed % 4 > 0]
        rest = [i for i in row if i != (guests + [None])[0]]
        assert out == (rest[: k - 1] + guests[:1] if guests else row[:k])


def test_traits_that_matter_are_found_and_used(halves):
    rng = np.random.default_rng(0)
    n = 200
    good = rng.random(n) < 0.5
    odd = rng.random(n) < 0.5
    table = pd.DataFrame(
        [(u, i, 3.0, u) for i in range(n) for u in rng.choice(40, 1 + i % 8, replace=False)],
        columns=['user', 'item', 'rating', 'timestamp'],
    )
    about = pd.DataFrame(
        {
            'title': [f't{i}' for i in range(n)],
            'genres': [('Noir' if g else 'Farce') + '|Long' * int(o) for g, o in zip(good, odd)],
        },
        index=range(n),
    )
    split = Split(table, table[:40], Interactions(table, items=about), {})
    frame = pd.DataFrame(
        {
            'id': range(n),
            'kind': 'item',
            'n_train': table['item'].value_counts().sort_index().to_numpy(),
            'estimate': good + rng.normal(0, 0.5, n),
        }
    ).sort_values('estimate', ascending=False)

    class Fake(Influence):
        metric, seeds, source, kind = 'ndcg', [0], 'made up', 'item'

    fake = object.__new__(Fake)
    object.__setattr__(fake, 'frame', frame)
    effects = trait_effects(fake, split)
    assert (
        effects.index[0] == 'Noir'
        and abs(effects.difference['Noir'] - 1) < 0.25
        and effects.q['Noir'] < 1e-6 < 1e-3 < effects.q['Long']
    )
    arrivals = newcomers(fake, split, 40)
    assert good[arrivals.doses.index].mean() > 0.95 and arrivals.size == 40
    other = frame.assign(estimate=rng.normal(size=n))
    object.__setattr__(fake, 'frame', other)
    assert (
        abs(other.set_index('id').estimate[newcomers(fake, split, 40).doses.index].mean()) < 0.6
    )  # nothing to learn, nothing learned


def test_audits_find_a_planted_group(users):
    by = pd.Series(
        np.where(np.arange(90) < 9, 'careless', np.where(np.arange(90) % 2, 'odd', 'even')),
        range(90),
        name='who',
    )
    groups = group_audit(users, by, served=pd.Series(1.0, range(90)))
    assert (
        groups.influence['careless'] < 0
        and groups.q.idxmin() == 'careless'
        and groups.q['careless'] < 0.001
        and groups.users.sum() == 90
        and (groups.served == 1).all()
    )
    assert groups.influence['odd'] == pytest.approx(
        users.frame.set_index('id').estimate[by.index[by == 'odd']].mean()
    )
    popular = popularity_audit(users)
    frame = users.frame
    assert (
        popular.value.iloc[0]
        == pytest.approx(stats.spearmanr(frame.estimate, frame.n_train).statistic)
        and (popular.low <= popular.value).all()
        and (popular.value <= popular.high).all()
    )


def test_traits_are_asked_of_the_split_that_the_influence_was_measured_on(items, halves):
    split = halves[0]
    kept = split.train['item'] != items.frame.id.iloc[0]
    other = Split(split.train[kept], split.test, split.interactions, {})
    message = f'have no train rows in this split, such as {items.frame.id.iloc[0]}. Give the split'
    for ask in (trait_effects, newcomers):
        with pytest.raises(ValueError, match=message):
            ask(items, other, few=90)
