"""One table and one page."""

import pytest
from shared import QUICK, noisy_mean

from recinfluence.actions import overview
from recinfluence.actions.measured import measure
from recinfluence.actions.on_items import prune
from recinfluence.actions.on_users import (
    leave_out,
)
from recinfluence.actions.overview import action_page, actions_table


def test_a_table_and_three_pages(users, items, halves):
    made = [
        (measure(a, noisy_mean(), halves[1], k=3, **QUICK), m, j)
        for a, m, j in (
            (leave_out(users, 9), 'mae', 'the others'),
            (leave_out(users, range(30, 39)), 'mae', 'the others'),
            (prune(items, 4), 'ndcg', 'everyone'),
        )
    ]
    table = actions_table(made)
    assert (
        len(table) == 3
        and table.verdict.iloc[0] == 'helps; better than chance'
        and {'effect', 'low', 'high', 'random', 'random_low', 'random_high', 'q', 'size'}
        <= set(table)
    )
    for audience in overview.AUDIENCES:
        page = action_page(audience, table, users, ['A further sentence.'])
        assert (
            audience in page
            and 'leave out the worst' in page
            and users.caution in page
            and 'A further sentence.' in page
            and len(page.split()) < 450
        )
    with pytest.raises(ValueError, match="audience='everybody': choose one of"):
        action_page('everybody', table, users)
