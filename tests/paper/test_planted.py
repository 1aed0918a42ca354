"""The experiment with planted users, from end to end."""

import json

import pandas as pd
import pytest

from recinfluence.core.files import resource
from recinfluence.data.simulated import low_rank_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.decisions.planted import KINDS, plant

ADDED = [k for k in KINDS if k != 'nothing']


def test_the_experiment_runs_end_to_end(tmp_path):
    papermill = pytest.importorskip('papermill')
    quick = dict(
        data=['simulated'],
        models=['SVD'],
        n=5,
        simulated_users=60,
        simulated_items=90,
        simulated_replicates=2,
        whole_replicates=2,
        null_draws=20,
        jobs=1,
        out=str(tmp_path),
    )
    papermill.execute_notebook(
        str(resource('nbs/experiments', 'planted.ipynb')),
        str(tmp_path / 'planted.ipynb'),
        quick,
        kernel_name='python3',
        progress_bar=False,
    )
    made = json.loads((tmp_path / 'provenance/planted_simulated.json').read_text())
    split = plant(chrono_split(low_rank_interactions(60, 90)), ADDED, n=5).split
    assert (made['data_hash'], made['split_hash']) == (split.interactions.hash, split.hash)
    assert made['retrainings'] == 2 * (60 + 5 * len(ADDED)) + 2 * len(ADDED) + 64 * max(
        2, round(2 * (60 + 5 * len(ADDED)) / 64)
    )  # one at a time, all of a kind, as many in random groups
    found = pd.read_csv(tmp_path / 'tables' / 'recovery.csv')
    assert (
        found.auc.between(0, 1).all()
        and set(found.kind) == set(ADDED)
        and (tmp_path / 'figures' / 'recovery.png').exists()
    )
