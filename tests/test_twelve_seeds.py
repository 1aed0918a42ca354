"""Twelve seeds of NCF on MovieLens 100K: the distribution published implementations have, and the one the fast engine has."""
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest
import torch

from recinfluence.metrics import Evaluator
from recinfluence.ncf import NCF
from recinfluence.sweep import deletion_sweep


def _fit(split, seed):
    model = NCF().fit(split.train, seed)
    return model.losses_, Evaluator(split)(model).metrics


@pytest.fixture(scope='module')
def twelve_fits(ml_chrono):
    "Epoch losses (12, 10) and metrics (a row a seed) of the reference NCF, seeds 700 to 711; trained in two processes."
    with ProcessPoolExecutor(2, get_context('spawn'), torch.set_num_threads, (1,)) as pool: fits = list(pool.map(_fit, [ml_chrono] * 12, range(700, 712)))
    return np.array([losses for losses, _ in fits]), pd.DataFrame([metrics for _, metrics in fits])


def test_ncf_agrees_with_the_published_implementations_distribution(twelve_fits):
    "Twelve seeds here, nine there: MAP 0.0468 (sd 0.0022), each epoch's loss near its mean, by Welch's t below 3 and 4."
    losses, metrics = twelve_fits; maps = metrics['map']
    assert abs(maps.mean() - .0468) < 3 * np.sqrt(.0022 ** 2 / 9 + maps.var() / 12)
    expected = np.array([.386, .324, .305, .293, .284, .277, .272, .268, .265, .262])
    assert (np.abs(losses.mean(0) - expected) < 4 * losses.std(0, ddof=1) * np.sqrt(1 / 9 + 1 / 12)).all()
    assert .001 < maps.std() < .005


def test_single_precision_agrees_on_average_over_twelve_seeds(ml_chrono, twelve_fits):
    "Seven metrics of the full model, reference against lanes: each mean difference below three standard errors."
    a, b = twelve_fits[1], deletion_sweep(NCF(), ml_chrono, [], replicates=12, seed=700, engine='fast', jobs=2, progress=False).full()
    assert ((a.mean() - b.mean()).abs() < 3 * np.sqrt((a.var() + b.var()) / 12)).all()
