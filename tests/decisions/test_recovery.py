"""Planted truth: recovered where it must be, not found where it is not."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from recinfluence.core.random import stream
from recinfluence.data.interactions import Interactions, load_interactions
from recinfluence.data.simulated import low_rank_interactions, planted_interactions
from recinfluence.data.splits import Split, chrono_split
from recinfluence.decisions.planted import plant
from recinfluence.decisions.recovery import (
    BASELINES,
    baselines,
    compare_with_baselines,
    detection,
    orient_scores,
    permuted_deletions,
    precision_at,
    recovery,
)
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.influence.reliability import summarise
from recinfluence.models.base import Recommender
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep


def test_recovery_is_scikit_learns_also_under_ties():
    rng = np.random.default_rng(0)
    for n, positives in ((30, 1), (200, 20), (50, 49)):
        truth = np.arange(n) < positives
        scores = pd.DataFrame(
            {'fine': rng.normal(size=n) + truth, 'rough': rng.integers(0, 4, n), 'same': np.ones(n)}
        )
        found = recovery(scores, range(positives), draws=20)
        for column in scores:
            assert found.ap[column] == pytest.approx(
                average_precision_score(truth, scores[column])
            ) and found.auc[column] == pytest.approx(roc_auc_score(truth, scores[column]))


def test_draws_are_samples_with_replacement():
    "The same interval as from rows that are really drawn, and scored by scikit-learn."
    rng = np.random.default_rng(1)
    truth = np.arange(120) < 15
    scores = rng.normal(size=120) + truth
    found = recovery(pd.DataFrame({'s': scores}), range(15), draws=4000).loc['s']

    def drawn():
        at = np.concatenate(
            [rng.choice(np.flatnonzero(truth == t), (truth == t).sum()) for t in (True, False)]
        )
        return average_precision_score(truth[at], scores[at]), roc_auc_score(truth[at], scores[at])

    low, high = np.quantile([drawn() for _ in range(400)], [0.025, 0.975], axis=0)
    assert np.allclose([found.ap_low, found.auc_low], low, atol=0.04) and np.allclose(
        [found.ap_high, found.auc_high], high, atol=0.04
    )


def test_area_intervals_cover():
    "Normal scores one standard deviation apart: the true area is Phi(1/sqrt 2)."
    rng = np.random.default_rng(2)
    area = stats.norm.cdf(1 / np.sqrt(2))
    inside = 0
    for n in range(200):
        found = recovery(
            pd.DataFrame({'s': rng.normal(size=150) + (np.arange(150) < 40)}),
            range(40),
            draws=400,
            seed=n,
        ).loc['s']
        inside += found.auc_low <= area <= found.auc_high
    assert 0.90 <= inside / 200 <= 0.985


def test_lead_is_paired_and_over_the_best():
    rng = np.random.default_rng(3)
    scores = pd.DataFrame({'a': rng.normal(size=300) + 2 * (np.arange(300) < 30)})
    scores['weak'] = rng.normal(size=300)
    scores['close'] = scores.a + rng.normal(0, 0.01, 300)
    best, gap, low, high = compare_with_baselines(scores, range(30), 'a', ['weak', 'close'])
    found = recovery(scores, range(30))
    assert (
        best == 'close'
        and gap == pytest.approx(found.auc['a'] - found.auc['close'])
        and high - low < 0.1 * (found.auc_high['a'] - found.auc_low['a'])
    )
    assert compare_with_baselines(scores, range(30), 'a', ['weak'])[2] > 0


@pytest.mark.parametrize(
    'scores, planted, message',
    [
        ([1, np.nan, 2], [0], 'missing or infinite'),
        ([1, 2, 3], [7], 'planted user 7 has no score'),
        ([1, 2, 3], [0, 1, 2], '3 of 3 users are planted'),
    ],
)
def test_scores_that_cannot_be_judged_are_refused(scores, planted, message):
    with pytest.raises(ValueError, match=message):
        recovery(pd.DataFrame({'s': scores}), planted)


def test_baselines_by_hand():
    frame = pd.DataFrame(
        [(1, 10, 5.0), (1, 11, 1.0), (2, 10, 3.0), (3, 10, 1.0), (3, 12, 4.0)],
        columns=['user', 'item', 'rating'],
    ).assign(timestamp=0)
    found = baselines(Split(frame, frame[:0], Interactions(frame), {}))
    assert list(found) == list(BASELINES) and found.index.tolist() == [1, 2, 3]
    assert np.allclose(
        found.to_numpy(), [[2, 2, 1, 1 / 3], [1, 3, 0, 0], [2, 2, 1, 1 / 3]]
    )  # item 10 has mean 3


def test_best_way_turns_and_leaves_scores():
    scores = pd.DataFrame({'up': [3, 2, 1, 0], 'down': [0, 1, 2, 3]})
    turned = orient_scores(scores, [0])
    assert (
        turned['up'].equals(scores['up'])
        and turned['down'].equals(-scores['down'])
        and (recovery(turned, [0], draws=5).auc >= 0.5).all()
    )


class Means(Recommender):
    "Predicts the mean rating of the item: no luck at all, and every rater counts alike."

    paired = True

    def fit(self, train, seed=0):
        self.mean_, self.all_ = train.groupby('item').rating.mean(), train.rating.mean()
        return self

    def score(self, users, items):
        return np.tile(self.mean_.reindex(items).fillna(self.all_).to_numpy(float), (len(users), 1))


def test_raters_by_lot_are_found_where_taste_is_shared():
    "Everybody agrees on every item but for the careless: they are the only harm there is."
    frame = low_rank_interactions(100, 60, rows=20).frame
    agreed = frame.assign(rating=1.0 + frame['item'] % 5)
    planting = plant(chrono_split(Interactions(agreed, 'agreed')), 'careless', n=8)
    influence = deletion_sweep(Means(), planting.split, jobs=1, progress=False).influence(
        'mae', 'training'
    )
    found = recovery(-influence.frame.set_index('id')[['estimate']], planting.users.index).loc[
        'estimate'
    ]
    assert found.auc > 0.99 and found.ap > 0.95


def test_copies_are_found_by_random_groups():
    "Many copies of one profile turn the most popular items into that profile's."
    base = chrono_split(low_rank_interactions(80, 60, rows=20))
    planting = plant(base, 'duplicates', n=12)
    influence = deletion_sweep(
        Popularity(),
        planting.split,
        RandomGroups(per_seed=64),
        replicates=24,
        jobs=1,
        progress=False,
    ).influence('ndcg')
    assert (
        recovery(-influence.frame.set_index('id')[['estimate']], planting.users.index).auc.item()
        > 0.9
    )


def test_careless_and_informative_do_what_they_are_meant_to(simulated):
    "All at once, and one by one: careless raters behind real users, far behind informative ones."
    planting = plant(simulated, ['careless', 'informative'], n=10)
    raters = SVD(n_factors=5, n_epochs=10)

    def run(*args, **settings):
        return deletion_sweep(
            raters, planting.split, *args, jobs=1, progress=False, **settings
        ).influence('rmse', 'training')

    whole = run(
        [planting.unit('careless'), planting.unit('informative')], replicates=3, seed=50
    ).frame
    keys = [planting.unit(kind).key for kind in ('careless', 'informative')]
    assert whole.high[keys[0]] < 0 < whole.low[keys[1]]
    estimates = run(replicates=1).frame.set_index('id')[['estimate']]
    careless, informative = (
        planting.users.index[planting.users.kind == k] for k in ('careless', 'informative')
    )
    assert (
        recovery(-estimates.drop(informative), careless).auc.item() > 0.7
        and recovery(-estimates.loc[planting.users.index], careless).auc.item() > 0.8
    )


class Lottery(Recommender):
    "Scores drawn at random, others for other rows: every influence is luck."

    def fit(self, train, seed=0):
        self.lot_ = int(pd.util.hash_pandas_object(train, index=False).sum() >> 1), seed
        return self

    def score(self, users, items):
        return stream(self.lot_[1], 'lottery', self.lot_[0]).random((len(users), len(items)))


@pytest.mark.parametrize(
    'units, ids, replicates, runs',
    [
        pytest.param('users', range(8), 5, 40, marks=pytest.mark.slow),
        (RandomGroups(per_seed=16), None, 6, 40),
    ],
)
@pytest.mark.slow
def test_the_false_discovery_rate_holds_in_whole_sweeps(units, ids, replicates, runs):
    split = chrono_split(load_interactions(planted_interactions(16, 24), name='nothing planted'))
    named, small = 0, []
    for n in range(runs):
        frame = (
            deletion_sweep(
                Lottery(),
                split,
                units,
                ids,
                replicates=replicates,
                seed=100 * n,
                jobs=1,
                progress=False,
            )
            .influence('ndcg', 'training')
            .frame
        )
        named += (frame.q < 0.05).any()
        small.append((frame.p < 0.05).mean())
    assert stats.binomtest(int(named), runs, 0.05, alternative='greater').pvalue > 0.01
    assert (
        0.015 < np.mean(small) < 0.1
    )  # p-values speak as often as they say, so the promise is not kept by silence


def test_existing_users_pointed_at_by_lot_are_not_found(simulated):
    influence = deletion_sweep(
        SVD(n_factors=5, n_epochs=10), simulated, jobs=1, progress=False
    ).influence('rmse', 'training')
    scores = -influence.frame.set_index('id')[['estimate']]
    areas = [
        recovery(scores, plant(simulated, 'nothing', n=20, seed=n).users.index, draws=1).auc.item()
        for n in range(60)
    ]
    assert abs(np.mean(areas) - 0.5) < 4 * np.std(areas) / np.sqrt(60)


def test_permuted_deletions_keep_the_trainings_and_lose_the_units():
    class Sweep:
        "Forty units over six seeds with real influence and a full model that has had luck."

        rng = np.random.default_rng(4)
        x = rng.normal(0, 3, (40, 1)) + rng.normal(size=(40, 6)) + rng.normal(size=6)

        def frame(self):
            return pd.DataFrame(
                [(f'user {u:02d}', s, 'map', self.x[u, s]) for u in range(40) for s in range(6)],
                columns=['unit', 'seed', 'metric', 'training'],
            )

    tables = [permuted_deletions(Sweep(), 'map', n) for n in range(300)]
    assert (summarise(Sweep.x).q < 0.05).sum() > 10

    def levels(table, seeds):
        return np.sort(
            np.diff(np.sort(np.append(0, table[:, seeds])))
        )  # the same trainings, another one called full

    assert (
        np.allclose(levels(tables[0], 2), levels(Sweep.x, 2))
        and not np.allclose(tables[0], tables[1])
        and np.array_equal(tables[1], permuted_deletions(Sweep(), 'map', 1))
    )
    assert (
        stats.binomtest(
            sum((summarise(t).q < 0.05).any() for t in tables), 300, 0.05, alternative='greater'
        ).pvalue
        > 0.001
    )


def test_precision_at_k_counts_and_shares_ties():
    y = np.array([1, 0, 1, 0, 0], bool)
    assert (
        precision_at(np.array([5, 4, 3, 2, 1.0]), y, 2) == 0.5
        and precision_at(np.array([1, 2, 3, 4, 5.0]), y, 2) == 0
        and precision_at(np.ones(5), y, 2) == pytest.approx(0.4)
    )
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, 60).astype(float)
    y = rng.random(60) < 0.3
    drawn = [y[np.lexsort((rng.random(60), -scores))[:25]].mean() for _ in range(4000)]
    assert precision_at(scores, y, 25) == pytest.approx(np.mean(drawn), abs=0.01)


def test_detection_agrees_with_doing_it_by_hand(simulated):
    raters = SVD(n_factors=4, n_epochs=5)
    found = detection(
        raters,
        simulated,
        ['careless', 'reverse bandwagon'],
        n=6,
        sample=20,
        plantings=2,
        seed=3,
        jobs=1,
    )
    areas, shares = [], []
    for seed in (3, 4):
        planting = plant(simulated, ['careless', 'reverse bandwagon'], 6, seed)
        own = planting.users.index[planting.users.kind == 'careless']
        real = stream(seed, 'real users').choice(simulated.users, 20, replace=False).tolist()
        frame = (
            deletion_sweep(
                raters,
                planting.split,
                ids=[*own, *real],
                seed=3 + 1000 * (seed - 3),
                jobs=1,
                progress=False,
            )
            .influence('rmse', 'training')
            .frame.set_index('id')
            .estimate
        )
        y = [u in set(own) for u in frame.index]
        areas.append(roc_auc_score(y, -frame))
        shares.append(np.mean([u in set(own) for u in frame.nsmallest(6).index]))
    row = found.loc['careless', 'influence']
    assert (
        row.auc == pytest.approx(np.mean(areas))
        and row.precision == pytest.approx(np.mean(shares))
        and row['by chance'] == 6 / 26
    )
    best = found.loc['careless'].drop('influence').auc
    assert (
        row['best baseline'] == best.idxmax()
        and row.ahead == pytest.approx(row.auc - best.max())
        and row.verdict in ('influence', 'baseline', 'neither')
    )
    for bad, message in (
        (dict(kinds=['nothing']), "kind='nothing'"),
        (dict(kinds=['careless'], plantings=1), 'at least two'),
    ):
        with pytest.raises(ValueError, match=message):
            detection(raters, simulated, **bad)
