"""Which metrics can see the model: against brute force and against what probes find."""

import itertools

import numpy as np
import pandas as pd
import pytest
from shared import Table

from recinfluence.data.interactions import load_interactions
from recinfluence.data.splits import make_split
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import RANKING, Metric
from recinfluence.models.popularity import Popularity
from recinfluence.sweep.run import deletion_sweep


@pytest.mark.parametrize('candidates', ['catalogue', 'test'])
@pytest.mark.parametrize('k', [1, 2, 3, 5])
def test_sees_model_agrees_with_brute_force(k, candidates):
    "Over all orders of four items: a metric sees the model if two orders give two values."
    worlds = [
        ([(0, 0), (1, 1), (1, 2), (1, 3)], [(0, 1), (0, 2)]),
        ([(0, 0), (1, 1), (1, 2), (1, 3), (0, 1)], [(0, 2), (0, 3)]),
        ([(0, 0), (0, 1), (0, 2), (1, 3)], [(0, 3)]),
        ([(0, 0), (1, 1), (1, 2), (1, 3)], [(0, 1)]),
    ]
    for train, test in worlds:

        def frame(rows):
            return pd.DataFrame(
                [(u, i, float(2 + (u + i) % 3), 0) for u, i in rows],
                columns=['user', 'item', 'rating', 'timestamp'],
            )

        split = make_split(frame(train), frame(test), load_interactions(frame(train + test)))
        evaluator = Evaluator(split, k, candidates)
        values = [
            evaluator(Table(split, np.tile(np.array(p, float), (2, 1)))).metrics
            for p in itertools.permutations(range(4))
        ]
        for metric in RANKING:
            assert evaluator.sees_model[metric] == (
                len({round(v[metric], 12) for v in values}) > 1
            ), (metric, train, test)


def test_a_metric_that_cannot_see_the_model_is_found_out(tiny):
    size = Metric('size', 'Size', +1, False, lambda r: r.present.sum())
    assert (
        Evaluator(tiny, 3, metrics=[size, 'coverage']).sees_model['size'] is False
        and Evaluator(tiny, 3, metrics=['coverage']).sees_model['coverage'] is True
    )
    blind = Evaluator(
        tiny, 20, 'test', ['coverage', 'popularity']
    )  # every test item is listed, whatever the model says
    assert not blind.sees_model['coverage'] and not blind.sees_model['popularity']
    influence = deletion_sweep(
        Popularity(),
        tiny,
        'users',
        ids=[1, 2],
        replicates=2,
        k=3,
        metrics=[size],
        jobs=1,
        progress=False,
    ).influence('size')
    assert influence.blind and influence.caution.startswith('Size cannot see the model')
