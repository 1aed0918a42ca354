"""Prices and stages: what a quote promises adds up."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recinfluence.decisions.price import FRESH, Asked, Price, lay_out, measure_price
from recinfluence.models.popularity import Popularity
from recinfluence.sweep.run import deletion_sweep

QUICK = dict(k=3, jobs=1, progress=False)


PRICES = st.builds(
    Price,
    retraining=st.floats(1e-4, 10),
    replicate=st.floats(0, 100),
    memory=st.none(),
    engine=st.just('fast'),
    jobs=st.integers(1, 8),
    lanes=st.sampled_from([1, 8, 16]),
)
QUESTIONS = st.builds(
    Asked,
    units=st.sampled_from(['users', 'items']),
    budget=st.floats(1, 1e5),
    metric=st.sampled_from(['ndcg', 'rmse']),
    sample=st.sampled_from([None, 'random']),
)


@given(price=PRICES, asked=QUESTIONS, total=st.integers(2, 3000))
@settings(max_examples=300, deadline=None)
def test_a_quote_keeps_to_its_budget_and_adds_up(price, asked, total):
    budget = asked.budget
    try:
        table = lay_out(price, asked, total)
    except ValueError as error:
        assert 'too short' in str(error)
        return
    spent = table.minutes.iloc[1:].sum() * 60
    assert spent <= budget * (1 + 1e-9)
    groups = table.design.str.contains('groups')
    assert (table.retrainings == table.seeds * table.units.where(~groups, 64)).all() and (
        table.retrainings.iloc[1:] * price.retraining
    ).sum() <= budget * price.jobs * (1 + 1e-9)
    assert (table.units <= total).all() and np.allclose(table['share'], table.units / total)
    if 'everything' in table.index:
        assert len(table) == 2 and table.seeds['everything'] >= 4
    else:
        assert (
            table.seeds['refining'] in FRESH
            and 2 <= table.units['refining'] <= table.units['screening'] / 2
            and groups['screening']
            == ((asked.units, asked.metric, asked.sample) == ('users', 'ndcg', None))
        )


def test_a_cost_is_what_was_measured(crowd):
    "Against the same deletions by hand: within a factor of three, for timings wander."
    from time import process_time

    price = measure_price(Popularity(), crowd, 'items', **QUICK)
    assert price.engine == 'reference' and price.lanes == price.jobs == 1 and price.memory is None
    start = process_time()
    n = len(deletion_sweep(Popularity(), crowd, 'items', **QUICK).units)
    by_hand = (process_time() - start) / n
    assert by_hand / 3 < price.retraining < by_hand * 3


def test_replicates_are_paid_for_by_whoever_prepares_them():
    "Against the sum over what each process does: sixteen lanes, two processes, one seed and seven."
    price = Price(1.0, 10.0, None, 'fast', 2, 16)
    assert [price.cost(n, 1) for n in (15, 16, 31, 32)] == [
        16 + 10,
        32 + 20,
        32 + 20,
        48 + 20,
    ] and price.cost(40, 7) == 7 * 48 + 8 * 10  # the last replicate is shared
