"""A small planted data set with titles, and a sweep of its items."""

import pandas as pd
import pytest

from recinfluence.data.interactions import Interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.models.ncf import NCF
from recinfluence.sweep.run import deletion_sweep


@pytest.fixture(scope='session')
def model():
    return NCF(n_epochs=4, batch_size=32)


@pytest.fixture(scope='session')
def split():
    items = pd.DataFrame(
        {
            'title': [f'Film {i} <b>&' if i == 3 else f'Film {i}' for i in range(24)],
            'genres': ['Drama' if i % 2 else 'Comedy|Crime' for i in range(24)],
            'date': pd.Timestamp('1995-03-04'),
        }
    )
    users = pd.DataFrame(
        {
            'age': range(20, 60),
            'occupation': ['Lawyer' if u % 4 == 0 else 'nurse' for u in range(40)],
        }
    )
    return chrono_split(Interactions(planted_interactions(), 'planted', users, items))


@pytest.fixture(scope='session')
def items(split, model):
    return deletion_sweep(
        model, split, units='items', replicates=3, k=3, jobs=1, progress=False
    ).influence('ndcg')
