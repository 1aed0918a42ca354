"""What the tests share: MovieLens 100K by the package's own loader, and a small planted data set."""
import os

for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'): os.environ.setdefault(name, '1')

import numpy as np
import pandas as pd
import pytest
from loky import ProcessPoolExecutor

from recinfluence.datasets import DataError, load_interactions, load_movielens
from recinfluence.metrics import Evaluator
from recinfluence.ncf import NCF
from recinfluence.recommenders import planted_interactions
from recinfluence.splits import chrono_split, random_split


@pytest.fixture(scope='session')
def movielens():
    try: return load_movielens('100k')
    except DataError as e: pytest.skip(f'MovieLens 100K cannot be had here, real-data tests are skipped: {e}')


@pytest.fixture(scope='session')
def ml_chrono(movielens): return chrono_split(movielens)


@pytest.fixture(scope='session')
def ml_random(movielens): return random_split(movielens)


@pytest.fixture(scope='session')
def tiny(): return chrono_split(load_interactions(planted_interactions(), name='planted'))


def _fit(split, seed):
    model = NCF().fit(split.train, seed)
    return model.losses_, Evaluator(split)(model).metrics


@pytest.fixture(scope='session')
def twelve_fits(ml_chrono):
    "Epoch losses (12, 10) and metrics (a row a seed) of the reference NCF, seeds 700 to 711; trained in two processes, for more than one test."
    with ProcessPoolExecutor(2, env={'OMP_NUM_THREADS': '1'}) as pool: fits = list(pool.map(_fit, [ml_chrono] * 12, range(700, 712)))
    return np.array([losses for losses, _ in fits]), pd.DataFrame([metrics for _, metrics in fits])
