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
    a = leave_out(users, 9, weight)
    assert set(a.doses.index) == set(range(9)) and (a.doses == weight).all()
    m = measure(a, noisy_mean(), halves[1], k=3, **QUICK)
    for judged in ('everyone', 'the others') if weight == 0 else ('the others',):
        r = m.row('mae', judged)
        assert (
            r['verdict'] == 'helps; better than chance'
            and r['random_low'] < 0 < r['random_high'] < r['effect']
        )
    wrong = measure(leave_out(users, range(30, 39), weight), noisy_mean(), halves[1], k=3, **QUICK)
    assert 'better' not in wrong.row('mae', 'the others')['verdict']


def test_weighing_by_influence_helps_and_the_same_weights_at_random_do_not(users, halves):
    a = weigh(users, 1.0)
    m = measure(a, noisy_mean(), halves[1], k=3, **QUICK)
    r = m.row('mae')
    assert r['verdict'] == 'helps; better than chance' and m.judged == ['everyone']
    assert a.doses[users.frame.id.iloc[0]] > 1 > a.doses[users.frame.id.iloc[-1]] and a.size == 90


def test_segments_are_served_by_their_own_half(users, halves):
    split, e = halves[1], Evaluator(halves[1], 3)
    a = segment(users)
    upper = set(a.doses.index[a.doses > 0])
    for model in (noisy_mean(), SVD(n_factors=4, n_epochs=3)):
        (ranked,) = a.do(Trial(model, e, 5), [a.doses])
        for side in (True, False):
            own = [u for u in split.users if (u in upper) == side]
            at = np.searchsorted(split.users, own)
            plain = model.fresh().fit(split.train[split.train.user.isin(own)], 5)
            r = e.rank(plain)
            assert np.array_equal(ranked.top[at, :3], r.top[at])
            mine = split.test.user.isin(own).to_numpy()
            assert np.allclose(ranked.predicted[mine], r.predicted[mine])


def test_enrichment_trains_on_the_rows_of_the_chosen_and_no_others(users, halves):
    a, b = halves
    act = enrich(users, a, a.test, users=10, rows=2)
    split = with_reserve(b, act.reserve)
    e = Evaluator(split, 3)
    trial = Trial(SVD(n_factors=4, n_epochs=3), e, 5)
    assert len(split.train) == len(b.train) + len(a.test) and np.array_equal(split.users, b.users)
    plain = SVD(n_factors=4, n_epochs=3).fit(b.train, 5)
    assert np.allclose(
        trial.full.predicted, e.rank(plain).predicted
    )  # before: as if the reserve were not there
    chosen = act.reserve[act.reserve.user.isin(act.doses.index)].groupby('user').head(2)
    more = SVD(n_factors=4, n_epochs=3).fit(pd.concat([b.train, chosen]), 5)
    (ranked,) = act.do(trial, [act.doses])
    assert np.allclose(ranked.predicted, e.rank(more).predicted) and np.array_equal(
        ranked.top[:, :3], e.rank(more).top
    )
    with pytest.raises(ValueError, match='rows of train or of test'):
        with_reserve(b, b.test)


def test_gaps_by_hand():
    f = pd.DataFrame(
        [(0, 10), (0, 11), (1, 10), (1, 12), (1, 13)], columns=['user', 'item']
    ).assign(rating=4.0, timestamp=range(5))
    about = pd.DataFrame(
        {'title': list('abcd'), 'genres': ['Drama', 'Drama|War', 'War', 'Comedy']},
        index=[10, 11, 12, 13],
    )
    split = Split(f, f[:0], Interactions(f, items=about), {})
    g = genre_gaps(split, [0])
    share = np.array([2.5, 1.5, 1]) / 5
    own = np.array([1.5, 0.5, 0]) / 2
    lack = dict(zip(('Drama', 'War', 'Comedy'), np.maximum(0, share - own)))  # drama, war, comedy
    assert np.allclose(
        g.loc[0],
        [
            lack['Drama'] * np.log(3),
            (lack['Drama'] + lack['War']) / 2 * np.log(2),
            lack['War'] * np.log(2),
            lack['Comedy'] * np.log(2),
        ],
    )


def test_targets_lack_what_they_are_offered(users, halves):
    t = enrichment_targets(users, halves[0], users=5, n=3)
    have = set(zip(halves[0].train.user, halves[0].train['item']))
    assert (
        (t.groupby('user').size() == 3).all()
        and set(t.user) == set(leave_out(users, 5).doses.index)
        and not have & set(zip(t.user, t['item']))
    )
