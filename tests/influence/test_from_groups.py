"""The estimator of random groups against loops that follow its definition, and against planted
influences.
"""

from dataclasses import replace

import numpy as np
import pytest

from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.designs.single import single_units
from recinfluence.influence.from_groups import GroupReader, estimate_blocks, group_influence
from recinfluence.influence.reliability import reliability, summarise
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import RANKING
from recinfluence.models.ncf import NCF
from recinfluence.sweep.experiment import Experiment
from recinfluence.sweep.results import Retraining, UserTotals
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store, describe_units

TINY = chrono_split(load_interactions(planted_interactions(), name='planted'))
ACTIVITY = np.bincount(TINY.codes(TINY.train)[0])
USERS = len(TINY.users)


def by_definition(values, stay, blocks):
    """Influence from each user's own metric in each retraining.

    Values (seeds, groups, users), NaN where not judged.
    """
    seeds, groups, users = values.shape

    def response(values):  # mean over those who stayed, of each less their own mean over the seed
        own = [
            np.mean([values[r, u] for r in range(groups) if judged[r, u]])
            if judged[:, u].any()
            else 0
            for u in range(users)
        ]
        return np.array(
            [
                np.mean([values[r, u] - own[u] for u in range(users) if judged[r, u]])
                for r in range(groups)
            ]
        )

    def solve(known):
        top, bottom, spread = np.zeros((seeds, users)), np.zeros((seeds, users)), np.zeros(seeds)
        for seed in range(seeds):
            y = ys[seed] - sum(effects[seed][v] * known[v, seed % blocks] for v in range(users))
            spread[seed] = np.var(y)
            for user in range(users):
                for group in range(groups):
                    x = stay[seed, group, user] - np.mean(stay[seed, :, user])
                    top[seed, user] += x * y[group]
                    bottom[seed, user] += x * effects[seed][user][group]
        w = 1 / (8 * np.median(spread) + groups * spread)
        return np.array(
            [
                [
                    [
                        sum(w[s] * a[s, v] for s in range(seeds) if s % blocks == b)
                        for b in range(blocks)
                    ]
                    for v in range(users)
                ]
                for a in (top, bottom)
            ]
        )

    ys, effects = [], []
    for seed in range(seeds):
        judged = np.isfinite(values[seed])
        ys.append(response(values[seed]))
        effects.append(
            [response(np.repeat(1.0 * stay[seed, :, [v]].T, users, 1)) for v in range(users)]
        )  # user v moves everybody by one
    top, bottom = solve(np.zeros((users, blocks)))
    known = np.zeros((users, blocks))
    for block in range(blocks):
        rest = [c for c in range(blocks) if c != block]
        estimates = top[:, rest].sum(1) / bottom[:, rest].sum(1)
        known[:, block] = estimates.mean() + max(
            0, reliability((top / bottom)[:, rest]).estimate
        ) * (estimates - estimates.mean())
    top, bottom = solve(known)
    return known + top / bottom


def test_definition():
    design, model, judge = (
        RandomGroups(per_seed=8),
        NCF(n_epochs=2, batch_size=32),
        Evaluator(TINY, k=3),
    )
    sweep = deletion_sweep(
        model, TINY, design, replicates=8, k=3, jobs=1, engine='reference', progress=False
    )
    stay = ~np.stack([design.deleted(ACTIVITY, s) for s in range(8)])
    values = np.full((*stay.shape, len(RANKING)), np.nan)
    for seed in range(8):
        for group in range(8):
            without = Unit(users=tuple(TINY.users[~stay[seed, group]].tolist()))
            values[seed, group] = judge(
                model.fresh().fit_without(TINY.train, without, seed), without
            ).per_user
    for metric in ('ndcg', 'map'):
        assert np.allclose(
            group_influence(sweep, metric, blocks=4),
            by_definition(values[..., RANKING.index(metric)], stay, 4),
            rtol=0,
            atol=1e-12,
        )


def planted(seeds, first, influence, design, noise=0.02):
    """A store of made-up retrainings.

    Each user's metric is their level, the seed's, the influence of all who stayed, and noise.
    """
    evaluator = Evaluator(TINY, k=3)
    kept = Store(None, Experiment.of(NCF(), evaluator, 'reference', design))
    kept.add_units(describe_units(TINY, single_units(TINY, 'users', TINY.users.tolist())))
    levels = np.random.default_rng(0).normal(0.3, 0.2, USERS)
    for seed in range(first, first + seeds):
        rng = np.random.default_rng(seed)
        stay = ~design.deleted(ACTIVITY, seed)
        scale = noise * np.exp(rng.normal(0, 0.5))
        values = (
            levels
            + rng.normal(0, 0.05, USERS)
            + (stay @ influence + rng.normal(0, scale, len(stay)))[:, None]
            + rng.normal(0, 0.03, stay.shape)
        )
        results = [
            Retraining(design.key_of(r), seed, {'ndcg': (None, values[r, stay[r]].mean())})
            for r in range(len(stay))
        ]
        totals = UserTotals(seed, 'ndcg', np.where(stay, values, 0).sum(0), stay.sum(0))
        kept.add(results, [totals])
    return kept


def ndcg_of(store, permute=0):
    "Influence by the one metric that the made-up store holds."
    units, design = store.units_table(), store.experiment.design
    reader = GroupReader(design, units.n_train.to_numpy(), store.groups('ndcg'), permute)
    return estimate_blocks(reader, 16)


def test_planted_influence_is_found_without_bias_and_intervals_cover():
    truth = np.random.default_rng(1).normal(0, 0.004, USERS)
    hits, found = [], []
    for n in range(12):
        table = summarise(ndcg_of(planted(32, 1000 * n, truth, RandomGroups(per_seed=16))))
        hits.append((table.low < truth) & (truth < table.high))
        found.append(table.estimate)
    slope = np.polyfit(truth, np.mean(found, 0), 1)[0]
    assert abs(slope - 1) < 0.05 and abs(np.mean(found, 0) - truth).mean() < 0.4 * np.std(truth)
    assert 0.92 < np.mean(hits) < 0.98


@pytest.mark.parametrize('draw', ['independent', 'balanced', 'antithetic', 'stratified'])
def test_an_effect_without_noise_is_exact(draw):
    truth = np.random.default_rng(2).normal(0, 0.004, USERS)
    store = planted(32, 0, truth, RandomGroups(per_seed=32, draw=draw), noise=0.0)
    assert reliability(ndcg_of(store)).low > 0.9
    assert abs(reliability(ndcg_of(store, permute=1)).estimate) < 0.75


def test_other_groups_are_refused():
    store = planted(4, 0, np.zeros(USERS), RandomGroups(per_seed=8))
    other = RandomGroups(keep=0.4, per_seed=8).config()
    store.experiment = replace(store.experiment, design_config=other)
    with pytest.raises(ValueError, match='other groups'):
        ndcg_of(store)
