"""Deletion: exact zeros, parts that add up, and what may not be asked."""

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit
from recinfluence.data.interactions import DataError, load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split, make_split
from recinfluence.designs.single import check_unit, single_units
from recinfluence.engines.deletion import Replicate, deletions
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import METRICS
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep

MODELS = [
    Popularity(),
    NCF(n_epochs=2, batch_size=32, dtype='float64'),
    SVD(n_factors=6, n_epochs=4),
    SVD(n_factors=6, n_epochs=4, start='surprise'),
]


@pytest.mark.parametrize('model', MODELS, ids=repr)
@pytest.mark.parametrize('candidates', ['catalogue', 'test'])
def test_deleting_nothing_is_exactly_zero(model, candidates, tiny):
    deletion = Replicate(model, Evaluator(tiny, 3, candidates), 4).delete(Unit())
    assert all(
        deletion.influence(m) == 0.0
        and deletion.mechanical(m) == 0.0
        and deletion.training(m) == 0.0
        for m in METRICS
    )


@pytest.mark.parametrize('model', MODELS[:3], ids=repr)
@pytest.mark.parametrize(
    'unit',
    [
        Unit(users=(3,)),
        Unit(items=(5,)),
        Unit(users=(1, 8, 30), name='three'),
        Unit(items=(2, 3)),
        Unit(users=(4,), items=(9,)),
    ],
    ids=lambda u: u.key,
)
def test_a_deletion_is_a_fit_on_what_remains_judged_on_what_remains(model, unit, tiny):
    """Two independent routes to `without` and `held`.

    Fit, then evaluate on the split from which the unit is gone altogether.
    """
    deletion = Replicate(model, Evaluator(tiny, 3), 4).delete(unit)
    small = make_split(unit.remaining(tiny.train), unit.remaining(tiny.test), tiny.interactions)

    def route(model):
        return Evaluator(small, 3)(model).metrics

    assert deletion.without == {
        m: pytest.approx(v, abs=1e-12)
        for m, v in route(model.fresh().fit_without(tiny.train, unit, 4)).items()
    }
    assert deletion.held == {
        m: pytest.approx(v, abs=1e-12) for m, v in route(model.fresh().fit(tiny.train, 4)).items()
    }
    for metric in METRICS:
        sign = -1 if metric in ('mae', 'rmse') else 1
        assert deletion.influence(metric) == pytest.approx(
            sign * (deletion.full[metric] - deletion.without[metric]), abs=1e-15
        ) and deletion.mechanical(metric) + deletion.training(metric) == pytest.approx(
            deletion.influence(metric), abs=1e-12
        )
    assert any(deletion.influence(m) != 0 for m in METRICS)


def test_a_harmful_and_a_helpful_user_get_their_signs():
    """Popularity: a user who votes for what nobody tests hurts, one who votes for what everybody
    tests helps.
    """
    import pandas as pd

    from recinfluence.data.interactions import load_interactions

    train = [(u, 0) for u in range(6)] + [(u, 1) for u in range(2)] + [(20, 8), (21, 9)]
    train += (
        [(30, 2), (31, 2), (32, 2)] + [(30, 3), (31, 3)] + [(33, 2), (33, 3)]
    )  # 33 helps item 2 and 3 alike
    test = [(u, 2) for u in range(6)]

    def frame(rows):
        return pd.DataFrame(
            [(u, i, 4.0, 0) for u, i in rows], columns=['user', 'item', 'rating', 'timestamp']
        )

    crowd = [(40 + n, 7) for n in range(4)] + [(50, 7)]  # item 7 beats item 2 by one vote
    split = make_split(
        frame(train + crowd), frame(test), load_interactions(frame(train + crowd + test))
    )
    effect = {
        d.unit.users[0]: d.influence('map')
        for d in deletions(
            Popularity(), Evaluator(split, k=1), single_units(split, 'users', [50, 30, 20])
        )
    }
    assert effect[50] < 0 and effect[30] == 0.0 and effect[20] == 0.0
    assert (
        Replicate(Popularity(), Evaluator(split, k=1)).delete(Unit(users=(50, 40))).influence('map')
        < 0
    )


def test_one_retraining_less_for_units_without_train_rows(tiny):
    class Counting(Popularity):
        fits = 0

        def fit(self, train, seed=0):
            Counting.fits += 1
            return super().fit(train, seed)

    train = tiny.train[tiny.train['item'] != 5]
    split = make_split(train, tiny.test, tiny.interactions)
    replicate = Replicate(Counting(), Evaluator(split, 3))
    deletion = replicate.delete(Unit(items=(5,)))
    assert Counting.fits == 1 and all(deletion.influence(m) == 0.0 for m in METRICS)


@pytest.mark.parametrize(
    'unit, words',
    [
        (Unit(users=(999,)), 'user 999 is not in planted'),
        (Unit(items=('x',)), "item 'x' is not in planted"),
        (Unit(users=tuple(range(40))), 'nothing is left to train'),
    ],
)
def test_impossible_units_are_refused(tiny, unit, words):
    with pytest.raises(ValueError, match=words):
        check_unit(unit, tiny)


def test_unit_keys_tell_units_apart():
    keys = [
        u.key
        for u in (
            Unit(),
            Unit(users=(1,)),
            Unit(items=(1,)),
            Unit(users=(1, 2)),
            Unit(users=(1, 3)),
            Unit(items=(1, 2)),
            Unit(users=(1,), items=(2,)),
            Unit(users=('1',), items=(2,)),
        )
    ]
    assert len(set(keys)) == len(keys) and keys[:3] == ['nothing', 'user 1', 'item 1']


def test_ids_may_be_numpys(tiny, tmp_path):
    "As pandas and numpy hand them out."
    from recinfluence.sweep.run import deletion_sweep

    def run(ids):
        return deletion_sweep(
            Popularity(), tiny, 'items', ids=ids, k=3, jobs=1, progress=False
        ).store.content_hash()

    assert run(np.array([1, 2, 3])) == run(pd.Series([1, 2, 3])) == run([1, 2, 3])


def centre(train):
    train['rating'] -= train.rating.mean()


def overwrite(train):
    train['user'].to_numpy()[:] = 0


def sort(train):
    train.sort_values('item', inplace=True, ignore_index=True)


def drop(train):
    train.drop(train.index[::2], inplace=True)


def weigh(train):
    train['weight'] = 0.0


def rename(train):
    train.rename(columns={'rating': 'stars'}, inplace=True)


HARM = [centre, overwrite, sort, drop, weigh, rename]


class Harmful(Popularity):
    "The count of ratings, which then does something to the rows and the ids it was given."

    def __init__(self, harm):
        self.harm = harm

    def config(self):
        return {'recommender': 'Harmful', 'harm': self.harm.__name__}

    def fit(self, train, seed=0):
        super().fit(train, seed)
        self.harm(train)
        return self

    def score(self, users, items):
        scores = super().score(users, items)
        users[:], items[:] = 0, items[::-1].copy()
        return scores


@pytest.mark.parametrize('harm', HARM)
def test_a_fit_that_changes_its_rows_harms_nobody(harm):
    split = chrono_split(load_interactions(planted_interactions(), name='planted'))
    asked = dict(replicates=2, jobs=1, progress=False, k=3)
    expected = deletion_sweep(Popularity(), split, **asked).frame()
    pd.testing.assert_frame_equal(deletion_sweep(Harmful(harm), split, **asked).frame(), expected)
    split.check_unchanged()
    units, judge = single_units(split, 'items', [3, 4]), Evaluator(split, 3)
    by_hand = [d.influence('ndcg') for d in deletions(Harmful(harm), judge, units)]
    assert by_hand == [d.influence('ndcg') for d in deletions(Popularity(), judge, units)]
    split.check_unchanged()


@pytest.mark.parametrize('harm', HARM)
def test_a_split_that_was_changed_by_hand_is_noticed(harm):
    split = chrono_split(load_interactions(planted_interactions(), name='planted'))
    judge, plain = Evaluator(split, 3), Popularity().fit(split.copy_of_train())
    expected = judge(plain).metrics
    Harmful(harm).fit(split.train)
    assert judge(plain).metrics == expected  # what was prepared before is not hurt
    for use in (
        lambda: Evaluator(split),
        lambda: deletion_sweep(Popularity(), split, jobs=1, progress=False),
        lambda: Replicate(Popularity(), judge),
        split.halve_test,
    ):
        with pytest.raises(DataError, match='have been changed since it was made'):
            use()
