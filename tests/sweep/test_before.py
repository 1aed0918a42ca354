"""What the version before the rooms wrote and computed comes out again.

`before/` holds three stores that version 0.1.0 wrote, and what it computed on the planted table.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recinfluence.adapters.surprise import Surprise
from recinfluence.core.units import Unit
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.influence.influence import Influence
from recinfluence.models.ease import EASE
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD
from recinfluence.sweep import run
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store

BEFORE = Path(__file__).with_name('before')
EXPECTED = json.loads((BEFORE / 'expected.json').read_text())
HASHES = EXPECTED['hashes']
TEAM = [Unit(users=(1, 2, 3), name='team'), Unit(users=(4,), items=(2,)), Unit(items=(5,))]
CALLS = {
    'units': (EASE(), dict(ids=range(6), replicates=2, metrics=['coverage', 'gini'])),
    'groups': (EASE(), dict(units=RandomGroups(per_seed=8), replicates=3, seed=5)),
    'mixed': (Popularity(), dict(units=TEAM)),
}
MODELS = {
    'ncf': NCF(n_epochs=2, dtype='float64'),
    # scores on a scale of 1 to 5 whatever the data, cut before they are ranked: as it was then
    'svd': SVD(n_factors=5, n_epochs=3, rating_scale=(1, 5), clip='scores'),
    'surprise': Surprise('KNNBasic', rating_scale=(1, 5), clip='scores'),
}


@pytest.mark.parametrize('name', CALLS)
def test_a_store_of_the_version_before_opens_and_is_what_it_was(name):
    store = Store(BEFORE / f'{name}.sqlite')
    assert store.content_hash() == HASHES[name]
    assert store.experiment.data == 'planted' and store.done()


@pytest.mark.parametrize('name', CALLS)
def test_a_store_of_the_version_before_is_continued_with_nothing_to_do(
    name, tiny, tmp_path, monkeypatch
):
    path = shutil.copy(BEFORE / f'{name}.sqlite', tmp_path / 'kept.db')
    model, asked = CALLS[name]

    def nothing_may_run(*args):
        raise AssertionError('something was retrained')

    monkeypatch.setattr(run, 'carry_out', nothing_may_run)
    sweep = deletion_sweep(model, tiny, store=path, jobs=1, progress=False, **asked)
    assert sweep.store.content_hash() == HASHES[name]


@pytest.mark.parametrize('name', ['units', 'mixed'])
def test_the_same_call_measures_the_same(name, tiny):
    model, asked = CALLS[name]
    sweep = deletion_sweep(model, tiny, jobs=1, progress=False, **asked)
    before = Store(BEFORE / f'{name}.sqlite').frame()
    before = before.replace({'unit': {'users team': TEAM[0].key}})  # known by its members since
    pd.testing.assert_frame_equal(sweep.store.frame(), before, rtol=1e-9, atol=1e-12)


def test_random_groups_measure_the_same(tiny):
    model, asked = CALLS['groups']
    sweep = deletion_sweep(model, tiny, jobs=1, progress=False, **asked)
    now, before = sweep.groups('ndcg'), Store(BEFORE / 'groups.sqlite').groups('ndcg')
    for name, values in vars(before).items():
        np.testing.assert_allclose(getattr(now, name), values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('kind', ['users', 'groups'])
def test_the_same_models_give_the_same_content(name, kind, tiny):
    asked = {'ids': range(4)} if kind == 'users' else {'units': RandomGroups(per_seed=4)}
    sweep = deletion_sweep(MODELS[name], tiny, replicates=2, jobs=1, progress=False, **asked)
    assert sweep.store.content_hash() == HASHES[f'{name} {kind}']


@pytest.mark.parametrize('name', ['users', 'groups'])
def test_influence_read_off_a_store_of_the_version_before(name):
    store = Store(BEFORE / f'{"units" if name == "users" else name}.sqlite')
    influence = Influence.of(store, 'ndcg')
    expected = pd.Series(EXPECTED['influence'][name])
    assert influence.frame.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(influence.frame.estimate, expected, rtol=1e-9, atol=1e-12)
    assert influence.caution == EXPECTED['influence'][f'caution {name}']
