"""EASE against constrained least squares, its deletions against refits, and the sweep against
both.
"""

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit
from recinfluence.data.splits import chrono_split
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.designs.single import single_units
from recinfluence.influence.closed_form import closed_form, delete_exactly
from recinfluence.influence.from_groups import group_influence
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import METRICS
from recinfluence.models.conformance import conformance
from recinfluence.models.ease import EASE
from recinfluence.sweep.run import deletion_sweep

REFIT = dict(k=3, jobs=1, progress=False, engine='reference')


def rows(seed, n_users=20, n_items=12):
    rng = np.random.default_rng(seed)
    x = rng.random((n_users, n_items)) < 0.4
    x[:, 0] |= ~x.any(1)
    x[0] |= ~x.any(0)
    u, i = np.nonzero(x)
    return x.astype(float), pd.DataFrame({'user': u, 'item': i, 'rating': 1.0, 'timestamp': 0})


@pytest.mark.parametrize('l2', [0.5, 20.0])
def test_each_column_is_a_ridge_regression_on_the_others(l2):
    """The definition: every item predicted from the other items, one least-squares problem each,
    the penalty as extra rows.
    """
    x, frame = rows(0)
    weights = EASE(l2=l2).fit(frame).b_
    for j in range(x.shape[1]):
        others = np.delete(np.arange(x.shape[1]), j)
        stacked = np.vstack([x[:, others], np.sqrt(l2) * np.eye(len(others))])
        y = np.concatenate([x[:, j], np.zeros(len(others))])
        assert (
            np.abs(np.linalg.lstsq(stacked, y, rcond=None)[0] - weights[others, j]).max() < 1e-12
            and weights[j, j] == 0
        )


def test_scores_are_sums_of_weights_and_zero_where_nothing_is_known():
    x, frame = rows(1)
    model = EASE(l2=3).fit(frame)
    assert np.allclose(
        model.score(np.array([4, 2]), np.array([7, 0])),
        (x @ model.b_)[np.ix_([4, 2], [7, 0])],
        rtol=0,
        atol=1e-10,
    )
    assert (
        not model.score(np.array([999]), np.array([3])).any()
        and not model.score(np.array([3]), np.array([999])).any()
    )


@pytest.mark.parametrize(
    'unit',
    [
        Unit(users=(3,)),
        Unit(items=(5,)),
        Unit(users=(0, 7, 19)),
        Unit(items=(1, 2, 11)),
        Unit(users=(4, 5), items=(0, 9)),
        Unit(),
    ],
    ids=lambda u: u.key,
)
def test_the_solution_without_a_unit_is_a_refit(unit):
    for seed in range(5):
        _, frame = rows(seed)
        model = EASE(l2=2.0).fit(frame)
        refit, quick = EASE(l2=2.0).fit(frame[~unit.rows(frame)]), delete_exactly(model, unit)
        u, i = (
            np.isin(quick.user_ids_, refit.user_ids_),
            np.isin(quick.item_ids_, refit.item_ids_),
        )  # who has no row left is unknown to the refit
        assert (
            np.array_equal(refit.user_ids_, quick.user_ids_[u])
            and np.array_equal(refit.item_ids_, quick.item_ids_[i])
            and not quick.x_[~u].any()
            and not quick.x_[:, ~i].any()
        )
        assert (
            np.abs(refit.p_ - quick.p_[np.ix_(i, i)]).max() < 1e-11
            and np.abs(refit.b_ - quick.b_[np.ix_(i, i)]).max() < 1e-10
        )
        users, items = np.unique(frame.user), np.unique(frame['item'])
        assert np.array_equal(refit.score(users, items), quick.score(users, items))


@pytest.mark.parametrize('kind', ['users', 'items'])
def test_a_sweep_is_the_closed_form(kind, tiny):
    swept = deletion_sweep(EASE(l2=4), tiny, kind, **REFIT).frame()
    swept = swept[swept.unit != 'nothing'].set_index(['unit', 'metric'])
    exact = closed_form(EASE(l2=4), Evaluator(tiny, 3), single_units(tiny, kind)).set_index(
        ['unit', 'metric']
    )
    for column in ('full', 'held', 'without', 'influence', 'mechanical', 'training'):
        assert np.abs(swept[column] - exact[column].reindex(swept.index)).max() < 1e-8
    assert exact.training.abs().groupby('metric').max().reindex(list(METRICS)).min() > 1e-4


def test_groups_are_the_closed_form_where_users_act_alike(tiny):
    """A metric by which each user moves everybody else by the same amount in every group.

    Then the average over all groups is that amount, and the design has to return it, but for a
    remainder of second order. The metric is put in place of the model's own in the store; who
    was judged in which group is the sweep's.
    """
    eight = chrono_split(
        tiny.interactions.__class__(
            tiny.interactions.frame[tiny.interactions.frame.user < 8].reset_index(drop=True),
            'eight',
        )
    )
    design = RandomGroups(draw='every')
    sweep = deletion_sweep(EASE(l2=4), eight, design, replicates=3, **REFIT)
    truth, level = np.random.default_rng(0).normal(0, 0.01, 8), np.random.default_rng(1).random(8)
    judged = np.isin(eight.users, eight.test.user.unique())
    stay = ~design.deleted(np.bincount(eight.codes(eight.train)[0]), 0) & judged
    moves = (~design.deleted(np.bincount(eight.codes(eight.train)[0]), 0)) @ truth
    value = np.where(stay, level + moves[:, None], 0)
    with sweep.store.transaction():
        for seed in range(3):
            for group in np.flatnonzero(stay.any(1)):
                sweep.store.db.execute(
                    (
                        'UPDATE measures SET without = ? WHERE unit = ? AND seed = ? AND '
                        "metric = 'ndcg'"
                    ),
                    (float(value[group].sum() / stay[group].sum()), f'users group {group}', seed),
                )
            sweep.store.db.execute(
                "UPDATE own SET total = ? WHERE seed = ? AND metric = 'ndcg'",
                (value.sum(0).astype('<f8').tobytes(), seed),
            )
    assert (
        np.abs(group_influence(sweep, 'ndcg') - truth[:, None]).max() < 0.01 * np.abs(truth).max()
    )


def test_ease_keeps_the_contract(tmp_path):
    assert conformance(EASE(l2=5)).passed.all()
    with pytest.raises(ValueError, match='positive'):
        EASE(l2=0)
