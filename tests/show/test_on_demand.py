"""What is retrained on demand, against reference fits and sweeps."""

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import METRICS, RANKING
from recinfluence.show.on_demand import influence_on_users, last_value, retrain_without
from recinfluence.sweep.run import deletion_sweep


def test_for_whom_is_the_difference_of_two_reference_fits(split, model):
    unit, evaluator, column = Unit(items=(5,)), Evaluator(split, 3), RANKING.index('recall')
    wanted = []
    for seed in (0, 1):
        full, without = (
            model.fresh().fit(split.train, seed),
            model.fresh().fit_without(split.train, unit, seed),
        )
        wanted.append(
            evaluator(full).per_user[:, column] - evaluator(without, unit).per_user[:, column]
        )
    wanted = pd.Series(np.mean(wanted, 0), split.users).dropna()
    found = last_value(
        influence_on_users(model, split, unit, (0, 1), 'recall', k=3, engine='reference')
    )
    pd.testing.assert_series_equal(found.estimate, wanted, check_names=False)
    assert wanted.abs().max() > 0


@pytest.mark.parametrize('user', [4, 9])
def test_the_mean_over_the_others_is_the_training_part(split, user, model):
    sweep = deletion_sweep(
        model, split, ids=[user], replicates=3, seed=5, k=3, jobs=1, progress=False
    )
    frame = sweep.frame()
    for metric in ('map', 'precision'):
        others = last_value(
            influence_on_users(model, split, Unit(users=(user,)), range(5, 8), metric, k=3)
        )
        assert others.estimate.mean() == pytest.approx(
            frame[frame.metric == metric].training.mean(), abs=1e-12
        )


def test_retraining_seed_by_seed_is_the_sweep_of_all_seeds(split, model):
    unit = Unit(users=(1, 2, 30))
    steps = list(retrain_without(model, split, unit, range(7, 10), k=3))
    assert [n for n, _ in steps] == [1, 2, 3] and steps[0][1] is None is steps[1][1]
    sweep = deletion_sweep(model, split, [unit], replicates=3, seed=7, k=3, jobs=1, progress=False)
    for metric in METRICS:
        row = sweep.influence(metric).frame.iloc[0]
        assert steps[-1][1].loc[
            metric, ['estimate', 'se', 'low', 'high', 'mechanical', 'training']
        ].tolist() == pytest.approx(
            row[['estimate', 'se', 'low', 'high', 'mechanical', 'training']].tolist(), rel=1e-12
        )
