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
    influence = made[metric]
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
    scale = influence.frame.estimate.abs().max()
    for column in columns:
        np.testing.assert_allclose(
            again.frame[column],
            influence.frame.loc[again.frame.index, column].astype(float),
            rtol=1e-4,
            atol=1e-6 * scale,
            err_msg=column,
        )
    assert (
        again.caution == influence.caution
        and again.reliability == influence.reliability
        and again.seeds == influence.seeds
        and again.experiment == influence.experiment
        and again.placebo == influence.placebo
    )
    later, before = again.without_mechanical, influence.without_mechanical
    np.testing.assert_allclose(
        later.frame.se, before.frame.se.loc[later.frame.index], rtol=1e-4, atol=1e-6 * scale
    )
    assert (
        later.caution == before.caution
        and later.estimand == before.estimand
        and again.agreement() == influence.agreement()
    )
    if metric != 'map':
        assert (
            again.ranks()['rank'].sort_index() == influence.ranks()['rank'].sort_index()
        ).all()  # single precision ties what is equal to eight digits, as MAP on few items is
    assert again.plot(3).get_title() == influence.plot(3).get_title()


def test_what_was_not_saved_is_refused(made, tmp_path, tiny):
    path = save_results(made.values(), tmp_path / 'x.parquet', 'make x')
    influence = load_results(path, 'map')
    with pytest.raises(ValueError, match='make x'):
        influence.overlap(3)
    with pytest.raises(ValueError, match='make x'):
        influence + influence
    with pytest.raises(ValueError, match='there are'):
        load_results(path, 'novelty')
    from dataclasses import replace

    other = replace(tiny.interactions, frame=tiny.interactions.frame.iloc[1:])
    with pytest.raises(ValueError, match='is not the data'):
        load_results(path, 'map', other)
    pd.DataFrame({'a': [1]}).to_parquet(tmp_path / 'y.parquet')
    with pytest.raises(ValueError, match='was not written by'):
        load_results(tmp_path / 'y.parquet')
    assert influence.frame.label.tolist() == influence.frame.index.tolist()  # no data, no names
