"""Which statements stand."""

from dataclasses import replace

import numpy as np
import pandas as pd

from recinfluence.influence.estimates import Part
from recinfluence.influence.reliability import reliability, summarise
from recinfluence.models.popularity import Popularity
from recinfluence.reproduction.statements import compare_rank, reliability_by_metric
from recinfluence.sweep.run import deletion_sweep


def test_a_statement_about_a_rank_stands_falls_or_cannot_be_told(tiny):
    sweep = deletion_sweep(Popularity(), tiny, replicates=2, k=3, jobs=1, progress=False)
    influence = sweep.influence('map')

    def said(noise, id, end='best', n=40):
        table = np.arange(n)[::-1, None] + np.random.default_rng(0).normal(0, noise, (n, 4))
        frame = summarise(table).assign(id=range(n))  # id 0 helps most, the last one least
        sure = reliability(table)
        estimates = replace(
            influence.estimates,
            frame=frame,
            replicates=4,
            reliability=sure,
            single=pd.DataFrame(table),
        )
        made = replace(influence, frame=frame, estimates=estimates, part=Part.TRAINING)
        answer = compare_rank(made, id, end)
        return {**answer, 'verdict': str(answer['verdict'])}

    assert (
        said(0.1, 0) == {'here': 'rank 1 (1 to 1) of 40', 'verdict': 'stands'}
        and said(0.1, 39, 'worst')['verdict'] == 'stands'
    )
    assert (
        said(0.1, 20)['verdict']
        == said(0.1, 20, 'worst')['verdict']
        == said(0.1, 0, 'worst')['verdict']
        == 'does not stand'
    )
    assert (
        said(5, 0)['verdict'] == 'cannot be told from the others'
        and said(1000, 20)['verdict'] == 'cannot be told: the order is noise'
    )
    table = reliability_by_metric({'users': sweep})
    assert (
        table.loc['MAP', 'users, whole'] == str(influence.reliability)
        and table.loc['MAP', 'users, training part']
        == str(influence.without_mechanical.reliability)
        and len(table) == 8
    )
