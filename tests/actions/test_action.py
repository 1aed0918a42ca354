"""What an action is: its doses, the same doses at random, and who is refused."""

import pytest
from shared import QUICK, noisy_mean

from recinfluence.actions.audits import (
    newcomers,
)
from recinfluence.actions.measured import measure
from recinfluence.actions.on_items import prune
from recinfluence.actions.on_users import (
    leave_out,
    segment,
    weigh,
)
from recinfluence.models.popularity import Popularity


def test_doses_at_random_are_the_same_doses(users):
    for action in (leave_out(users, 9, 0.3), weigh(users, 0.7), segment(users)):
        lots = action.at_random(5, seed=1)
        assert all(
            sorted(d) == sorted(action.doses)
            and d.index.is_unique
            and set(d.index) <= set(action.pool)
            for d in lots
        )
        assert len({tuple(d[sorted(d.index)]) + tuple(sorted(d.index)) for d in lots}) == 5 and all(
            x.equals(y) for x, y in zip(lots, action.at_random(5, seed=1))
        )


@pytest.mark.parametrize(
    'call, message',
    [
        (lambda u, i, s: leave_out(i, 3), 'influence is of items; this action needs one of users'),
        (lambda u, i, s: prune(u, 3), 'needs one of items'),
        (lambda u, i, s: leave_out(u, 90), '90 of 90 ranked'),
        (lambda u, i, s: leave_out(u, [777]), 'user 777 is not among the 90'),
        (lambda u, i, s: leave_out(u, []), 'no user is chosen'),
        (lambda u, i, s: measure(leave_out(u, 3), noisy_mean(), s, n_random=2), 'fewer than 3'),
        (
            lambda u, i, s: measure(leave_out(u, 3, 0.5), Popularity(), s, **QUICK),
            'Popularity does not heed weights',
        ),
        (lambda u, i, s: newcomers(i, s, few=1), 'at least 20 are needed'),
        (
            lambda u, i, s: measure(leave_out(u, 3), noisy_mean(), s, **QUICK).frame('the dead'),
            "judged='the dead'",
        ),
        (
            lambda u, i, s: measure(leave_out(u, 3), noisy_mean(), s, **QUICK).row('taste'),
            "metric='taste' is not measured",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(call, message, users, items, halves):
    with pytest.raises(ValueError, match=message):
        call(users, items, halves[1])
