"""What ships in data/shipped is what the code computes: a sample of every file, computed again."""

import json
from dataclasses import replace

import numpy as np
import pytest

from recinfluence.core.machine import processor
from recinfluence.core.units import Unit
from recinfluence.data.splits import chrono_split, random_split
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.influence.saved import load_results, shipped_results
from recinfluence.metrics.metric import RANKING
from recinfluence.models.ncf import NCF
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep


def agree(saved, made):
    "Single precision on a processor of the same kind; elsewhere errors have to cover it."
    ours, theirs = saved.frame.loc[made.frame.index], made.frame
    if saved.estimator.about['processor'].split(', ')[1] == processor().split(', ')[1]:
        np.testing.assert_allclose(
            ours[['estimate', 'se', 'training']],
            theirs[['estimate', 'se', 'training']],
            rtol=1e-5,
            atol=1e-9,
        )
    else:
        assert (np.abs(ours.estimate - theirs.estimate) < 5 * np.hypot(ours.se, theirs.se)).all()


def svd_of(saved):
    "The model of a file, which says what was cut, or is from before anybody could choose."
    settings = dict(saved.experiment.recommender)
    assert settings.pop('recommender') == 'SVD'
    return SVD(**{'clip': 'scores', **settings})


@pytest.mark.parametrize('model', [pytest.param('ncf', marks=pytest.mark.slow), 'svd'])
def test_single_deletions(model, movielens):
    saved = {kind: load_results(f'{model}_{kind}', 'map') for kind in ('users', 'items')}
    seeds = saved['users'].seeds
    assert [len(s.frame) for s in saved.values()] == [943, 1682] and seeds == saved['items'].seeds
    some = {
        kind: s.frame.sort_values('n_train', ascending=False).iloc[[0, 3, 300, 900]].id.tolist()
        for kind, s in saved.items()
    }
    units = [Unit(users=(u,)) for u in some['users']] + [Unit(items=(i,)) for i in some['items']]
    recommender, split = (
        (NCF(), chrono_split(movielens, train=0.75))
        if model == 'ncf'
        else (svd_of(saved['users']), random_split(movielens))
    )
    sweep = deletion_sweep(
        recommender, split, units, replicates=len(seeds), seed=seeds[0], jobs=1, progress=False
    )
    assert sweep.experiment == saved['users'].experiment
    for metric in ('map', 'mae'):
        made = sweep.influence(metric)
        for kind in saved:
            part = load_results(f'{model}_{kind}', metric)
            agree(
                part,
                replace(made, frame=made.frame[made.frame.kind == kind[:-1]]),
            )


@pytest.mark.slow
def test_random_groups(movielens):
    saved = load_results('ncf_users_random_groups', 'ndcg')
    first = saved.seeds[0]
    to_rank, _ = chrono_split(movielens).halve_test()
    sweep = deletion_sweep(
        NCF(), to_rank, RandomGroups(), replicates=1, seed=first, jobs=1, progress=False
    )
    assert (
        sweep.experiment == saved.experiment
        and list(saved.estimator.about['metrics']) == RANKING
        and saved.reliability.low > 0.8
    )
    for metric in RANKING:
        assert np.nanmean(sweep.groups(metric, [first]).scores) == pytest.approx(
            saved.estimator.about['first seed'][metric],
            rel=1e-9
            if saved.estimator.about['processor'].split(', ')[1] == processor().split(', ')[1]
            else 0.02,
        )


def test_no_row_of_the_data_ships(movielens):
    "Ids, counts and estimates: no rating, no title, no time."
    import pyarrow.parquet as pq

    from recinfluence.core.files import resource

    folder = resource('data/shipped', 'README.md').parent
    assert (
        len(shipped_results()) == len(list(folder.glob('*.parquet'))) == 5
        and sum(p.stat().st_size for p in folder.glob('*.parquet')) < 1_000_000
    )
    for path in folder.glob('*.parquet'):
        assert pq.read_table(path).column_names == [
            'unit',
            'kind',
            'id',
            'metric',
            'estimate',
            'se',
            'training',
            'se_training',
            'n_ratings',
            'n_train',
        ]
        assert (
            json.loads(pq.read_schema(path).metadata[b'recinfluence'])['identity']['data_hash']
            == movielens.hash
            and shipped_results().loc[path.stem, 'command']
        )
