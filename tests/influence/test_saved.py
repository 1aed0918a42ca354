"""Influence tables in files.

What was saved comes back, and what ships is what the code computes.
"""

import numpy as np
import pandas as pd
import pytest

from recinfluence.influence.saved import load_results, save_results
from recinfluence.metrics.metric import METRICS
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep


@pytest.fixture(scope='module')
def made(tiny):
    sweep = deletion_sweep(
        SVD(n_factors=4, n_epochs=5), tiny, replicates=5, k=3, jobs=1, progress=False
    )
    return {m: sweep.influence(m) for m in METRICS}


@pytest.mark.parametrize('metric', ['map', 'mae', 'rmse'])
def test_what_was_saved_comes_back(made, metric, tmp_path, tiny):
    i = made[metric]
    again = load_results(
        save_results(made.values(), tmp_path / 'x.parquet', 'make x'), metric, tiny.interactions
    )
    columns = [
        'estimate',
        'se',
        'low',
        'high',
        'q',
        'shrunk',
        'mechanical',
        'training',
        'n_ratings',
        'n_train',
        'mean_rating',
    ]
    scale = i.frame.estimate.abs().max()
    for c in columns:
        np.testing.assert_allclose(
            again.frame[c],
            i.frame.loc[again.frame.index, c].astype(float),
            rtol=1e-4,
            atol=1e-6 * scale,
            err_msg=c,
        )
    assert (
        again.caution == i.caution
        and again.reliability == i.reliability
        and again.seeds == i.seeds
        and again.experiment == i.experiment
        and again.placebo == i.placebo
    )
    a, b = again.without_mechanical, i.without_mechanical
    np.testing.assert_allclose(
        a.frame.se, b.frame.se.loc[a.frame.index], rtol=1e-4, atol=1e-6 * scale
    )
    assert (
        a.caution == b.caution and a.estimand == b.estimand and again.agreement() == i.agreement()
    )
    if metric != 'map':
        assert (
            again.ranks()['rank'].sort_index() == i.ranks()['rank'].sort_index()
        ).all()  # single precision ties what is equal to eight digits, as MAP on few items is
    assert again.plot(3).get_title() == i.plot(3).get_title()


def test_what_was_not_saved_is_refused(made, tmp_path, tiny):
    path = save_results(made.values(), tmp_path / 'x.parquet', 'make x')
    i = load_results(path, 'map')
    with pytest.raises(ValueError, match='make x'):
        i.overlap(3)
    with pytest.raises(ValueError, match='make x'):
        i + i
    with pytest.raises(ValueError, match='there are'):
        load_results(path, 'novelty')
    from dataclasses import replace

    other = replace(tiny.interactions, frame=tiny.interactions.frame.iloc[1:])
    with pytest.raises(ValueError, match='is not the data'):
        load_results(path, 'map', other)
    pd.DataFrame({'a': [1]}).to_parquet(tmp_path / 'y.parquet')
    with pytest.raises(ValueError, match='was not written by'):
        load_results(tmp_path / 'y.parquet')
    assert i.frame.label.tolist() == i.frame.index.tolist()  # no data, no names
