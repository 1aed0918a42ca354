"""Leaving out, weighing, segments and enrichment, where the truth is planted."""

import numpy as np
import pandas as pd
import pytest
from shared import QUICK, noisy_mean

from recinfluence.actions.action import Trial
from recinfluence.actions.measured import measure, with_reserve
from recinfluence.actions.on_users import (
    enrich,
    enrichment_targets,
    genre_gaps,
    leave_out,
    segment,
    weigh,
)
from recinfluence.data.interactions import Interactions
from recinfluence.data.splits import Split
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.models.svd import SVD


@pytest.mark.parametrize('weight', [0, 0.3])
def test_leaving_out_the_harmful_helps_and_others_do_not(weight, users, halves):
    action = leave_out(users, 9, weight)
    assert set(action.doses.index) == set(range(9)) and (action.doses == weight).all()
    measured = measure(action, noisy_mean(), halves[1], k=3, **QUICK)
    for judged in ('everyone', 'the others') if weight == 0 else ('the others',):
        row = measured.row('mae', judged)
        assert (
            row['verdict'] == 'helps; better than chance'
            and row['random_low'] < 0 < row['random_high'] < row['effect']
        )
    wrong = measure(leave_out(users, range(30, 39), weight), noisy_mean(), halves[1], k=3, **QUICK)
    assert 'better' not in wrong.row('mae', 'the others')['verdict']


def test_weighing_by_influence_helps_and_the_same_weights_at_random_do_not(users, halves):
    action = weigh(users, 1.0)
    measured = measure(action, noisy_mean(), halves[1], k=3, **QUICK)
    row = measured.row('mae')
    assert row['verdict'] == 'helps; better than chance' and measured.judged == ['everyone']
    assert (
        action.doses[users.frame.id.iloc[0]] > 1 > action.doses[users.frame.id.iloc[-1]]
        and action.size == 90
    )


def test_segments_are_served_by_their_own_half(users, halves):
    split, evaluator = halves[1], Evaluator(halves[1], 3)
    action = segment(users)
    upper = set(action.doses.index[action.doses > 0])
    for model in (noisy_mean(), SVD(n_factors=4, n_epochs=3)):
        (ranked,) = action.do(Trial(model, evaluator, 5), [action.doses])
        for side in (True, False):
            own = [u for u in split.users if (u in upper) == side]
            at = np.searchsorted(split.users, own)
            plain = model.fresh().fit(split.train[split.train.user.isin(own)], 5)
            lists = evaluator.rank(plain)
            assert np.array_equal(ranked.top[at, :3], lists.top[at])
            mine = split.test.user.isin(own).to_numpy()
            assert np.allclose(ranked.predicted[mine], lists.predicted[mine])


def test_enrichment_trains_on_the_rows_of_the_chosen_and_no_others(users, halves):
    first, second = halves
    act = enrich(users, first, first.test, users=10, rows=2)
    split = with_reserve(second, act.reserve)
    evaluator = Evaluator(split, 3)
    trial = Trial(SVD(n_factors=4, n_epochs=3), evaluator, 5)
    assert len(split.train) == len(second.train) + len(first.test) and np.array_equal(
        split.users, second.users
    )
    plain = SVD(n_factors=4, n_epochs=3).fit(second.train, 5)
    assert np.allclose(
        trial.full.predicted, evaluator.rank(plain).predicted
    )  # before: as if the reserve were not there
    chosen = act.reserve[act.reserve.user.isin(act.doses.index)].groupby('user').head(2)
    more = SVD(n_factors=4, n_epochs=3).fit(pd.concat([second.train, chosen]), 5)
    (ranked,) = act.do(trial, [act.doses])
    assert np.allclose(ranked.predicted, evaluator.rank(more).predicted) and np.array_equal(
        ranked.top[:, :3], evaluator.rank(more).top
    )
    with pytest.raises(ValueError, match='rows of train or of test'):
        with_reserve(second, second.test)


def test_gaps_by_hand():
    frame = pd.DataFrame(
        [(0, 10), (0, 11), (1, 10), (1, 12), (1, 13)], columns=['user', 'item']
    ).assign(rating=4.0, timestamp=range(5))
    about = pd.DataFrame(
        {'title': list('abcd'), 'genres': ['Drama', 'Drama|War', 'War', 'Comedy']},
        index=[10, 11, 12, 13],
    )
    split = Split(frame, frame[:0], Interactions(frame, items=about), {})
    gaps = genre_gaps(split, [0])
    share = np.array([2.5, 1.5, 1]) / 5
    own = np.array([1.5, 0.5, 0]) / 2
    lack = dict(zip(('Drama', 'War', 'Comedy'), np.maximum(0, share - own)))  # drama, war, comedy
    assert np.allclose(
        gaps.loc[0],
        [
            lack['Drama'] * np.log(3),
            (lack['Drama'] + lack['War']) / 2 * np.log(2),
            lack['War'] * np.log(2),
            lack['Comedy'] * np.log(2),
        ],
    )


def test_targets_lack_what_they_are_offered(users, halves):
    targets = enrichment_targets(users, halves[0], users=5, n=3)
    have = set(zip(halves[0].train.user, halves[0].train['item']))
    assert (
        (targets.groupby('user').size() == 3).all()
        and set(targets.user) == set(leave_out(users, 5).doses.index)
        and not have & set(zip(targets.user, targets['item']))
    )
