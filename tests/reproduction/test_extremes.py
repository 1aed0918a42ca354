"""Ten at once, beside ten at random."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recinfluence.metrics.metric import PAPER
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD
from recinfluence.reproduction import extremes
from recinfluence.reproduction.extremes import (
    count_changed,
    extreme_groups,
    extreme_groups_by_seed,
    extreme_groups_table,
    percent_changes,
)
from recinfluence.reproduction.verdicts import VerdictKind
from recinfluence.sweep.run import deletion_sweep


def test_tens_judge_against_random_tens(tiny, monkeypatch):
    "Without noise: `beyond random` is the change of the ten less the random groups' mean."

    def run(units, **kw):
        return deletion_sweep(Popularity(), tiny, units, k=3, jobs=1, progress=False, **kw)

    influence = run('users').influence('map')
    groups = extreme_groups(influence, n_random=5, size=4)
    assert (
        list(groups)[:2] == ['most', 'least']
        and set(groups['most'].users) == set(influence.frame.id[:4])
        and set(groups['least'].users) == set(influence.frame.id[-4:])
    )
    fresh = run(list(groups.values()), seed=9, replicates=2)
    table = extreme_groups_table(
        5, groups, 'most', percent_changes(run([groups['most']]), groups['most']), fresh
    )
    own = fresh.frame().query('metric == "map"').groupby('unit')[['full', 'without']].first()
    change = 100 * (own.without - own['full']) / own['full']
    assert table['fresh seeds']['MAP'] == pytest.approx(change[groups['most'].key]) and table[
        'ten at random'
    ]['MAP'] == pytest.approx(
        np.mean([change[u.key] for n, u in groups.items() if n.startswith('random')])
    )
    assert (
        table['beyond random']['MAP']
        == pytest.approx(table['fresh seeds']['MAP'] - table['ten at random']['MAP'])
        and table['beyond random']['MAP'] < 0
        and (percent_changes(fresh, groups['most']).std() == 0).all()
    )
    assert (
        table['as the paper did']['MAP'] == pytest.approx(change[groups['most'].key])
        and (table['sd over seeds'] == 0).all()
        and str(table.verdict['MAP']) == 'not reproducible, and no reason is known'
    )
    alone = extreme_groups_table(
        5,
        groups,
        'most',
        percent_changes(run([groups['most']]), groups['most']),
        run(list(groups.values()), seed=9),
    )
    assert (
        alone['sd over seeds'].isna().all()
        and str(alone.verdict['MAP']) == 'not reproducible, because one seed alone was run here'
    )
    rng = np.random.default_rng(0)
    own, many = (
        pd.DataFrame(rng.normal(5, s, (n, 7)), columns=PAPER) for s, n in ((2.0, 3), (1.0, 9))
    )
    pooled = np.sqrt((2 * own.var() + 8 * many.var()) / 10)
    monkeypatch.setattr(extremes, 'percent_changes', lambda sweep, unit, side='without': many)
    table = extreme_groups_table(5, groups, 'most', own, None)
    assert np.allclose(table['sd over seeds'], pooled) and all(
        (v.kind is VerdictKind.WITHIN_NOISE)
        == (abs(float(p.rstrip('%')) - m) <= stats.t.ppf(0.975, 10) * s * np.sqrt(4 / 3))
        for v, p, m, s in zip(table.verdict, table.paper, own.mean(), pooled)
    )


def test_each_seed_names_its_own_ten(tiny):
    sweep = deletion_sweep(
        SVD(n_factors=4, n_epochs=5), tiny, 'items', replicates=3, k=3, jobs=1, progress=False
    )
    own = extreme_groups_by_seed(sweep, 'rmse', 4)
    frame = (
        sweep.frame()
        .query('metric == "rmse"')
        .pivot(index='unit', columns='seed', values='influence')
    )
    assert list(own) == [0, 1, 2]
    for seed, ends in own.items():

        def by(unit):
            return frame.loc[[f'item {i}' for i in unit.items], seed]

        rest = frame[seed].drop(by(ends['most']).index)
        assert (
            len(ends['most'].items) == len(ends['least'].items) == 4
            and by(ends['most']).min() >= rest.max()
            and by(ends['least']).max() <= frame[seed].drop(by(ends['least']).index).min()
        )


def test_moved_counts_what_is_beyond_its_noise():
    table = pd.DataFrame(
        {'beyond random': [1.0, -1, 0.1, 3, 0, 1, -1], 'se': [0.1] * 7}
    )  # the last, MAE, is better when lower
    assert count_changed(table) == (4, 1)
