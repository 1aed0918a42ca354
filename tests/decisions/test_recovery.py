"""Planted truth: recovered where it must be, not found where it is not."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from recinfluence.core.random import stream
from recinfluence.data.interactions import Interactions, load_interactions
from recinfluence.data.simulated import low_rank_interactions, planted_interactions
from recinfluence.data.splits import chrono_split, make_split
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
    for n, p in ((30, 1), (200, 20), (50, 49)):
        truth = np.arange(n) < p
        s = pd.DataFrame(
            {'fine': rng.normal(size=n) + truth, 'rough': rng.integers(0, 4, n), 'same': np.ones(n)}
        )
        r = recovery(s, range(p), draws=20)
        for c in s:
            assert r.ap[c] == pytest.approx(average_precision_score(truth, s[c])) and r.auc[
                c
            ] == pytest.approx(roc_auc_score(truth, s[c]))


def test_draws_are_samples_with_replacement():
    "The same interval as from rows that are really drawn, and scored by scikit-learn."
    rng = np.random.default_rng(1)
    truth = np.arange(120) < 15
    s = rng.normal(size=120) + truth
    r = recovery(pd.DataFrame({'s': s}), range(15), draws=4000).loc['s']

    def drawn():
        at = np.concatenate(
            [rng.choice(np.flatnonzero(truth == t), (truth == t).sum()) for t in (True, False)]
        )
        return average_precision_score(truth[at], s[at]), roc_auc_score(truth[at], s[at])

    low, high = np.quantile([drawn() for _ in range(400)], [0.025, 0.975], axis=0)
    assert np.allclose([r.ap_low, r.auc_low], low, atol=0.04) and np.allclose(
        [r.ap_high, r.auc_high], high, atol=0.04
    )


def test_area_intervals_cover():
    "Normal scores one standard deviation apart: the true area is Phi(1/sqrt 2)."
    rng = np.random.default_rng(2)
    area = stats.norm.cdf(1 / np.sqrt(2))
    inside = 0
    for n in range(200):
        r = recovery(
            pd.DataFrame({'s': rng.normal(size=150) + (np.arange(150) < 40)}),
            range(40),
            draws=400,
            seed=n,
        ).loc['s']
        inside += r.auc_low <= area <= r.auc_high
    assert 0.90 <= inside / 200 <= 0.985


def test_lead_is_paired_and_over_the_best():
    rng = np.random.default_rng(3)
    s = pd.DataFrame({'a': rng.normal(size=300) + 2 * (np.arange(300) < 30)})
    s['weak'] = rng.normal(size=300)
    s['close'] = s.a + rng.normal(0, 0.01, 300)
    best, gap, low, high = compare_with_baselines(s, range(30), 'a', ['weak', 'close'])
    r = recovery(s, range(30))
    assert (
        best == 'close'
        and gap == pytest.approx(r.auc['a'] - r.auc['close'])
        and high - low < 0.1 * (r.auc_high['a'] - r.auc_low['a'])
    )
    assert compare_with_baselines(s, range(30), 'a', ['weak'])[2] > 0


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
    f = pd.DataFrame(
        [(1, 10, 5.0), (1, 11, 1.0), (2, 10, 3.0), (3, 10, 1.0), (3, 12, 4.0)],
        columns=['user', 'item', 'rating'],
    ).assign(timestamp=0)
    b = baselines(make_split(f, f[:1], Interactions(f)))
    assert list(b) == list(BASELINES) and b.index.tolist() == [1, 2, 3]
    assert np.allclose(
        b.to_numpy(), [[2, 2, 1, 1 / 3], [1, 3, 0, 0], [2, 2, 1, 1 / 3]]
    )  # item 10 has mean 3


def test_best_way_turns_and_leaves_scores():
    s = pd.DataFrame({'up': [3, 2, 1, 0], 'down': [0, 1, 2, 3]})
    t = orient_scores(s, [0])
    assert (
        t['up'].equals(s['up'])
        and t['down'].equals(-s['down'])
        and (recovery(t, [0], draws=5).auc >= 0.5).all()
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
    f = low_rank_interactions(100, 60, rows=20).frame
    agreed = f.assign(rating=1.0 + f['item'] % 5)
    p = plant(chrono_split(Interactions(agreed, 'agreed')), 'careless', n=8)
    i = deletion_sweep(Means(), p.split, jobs=1, progress=False).influence('mae', 'training')
    r = recovery(-i.frame.set_index('id')[['estimate']], p.users.index).loc['estimate']
    assert r.auc > 0.99 and r.ap > 0.95


def test_copies_are_found_by_random_groups():
    "Many copies of one profile turn the most popular items into that profile's."
    base = chrono_split(low_rank_interactions(80, 60, rows=20))
    p = plant(base, 'duplicates', n=12)
    i = deletion_sweep(
        Popularity(), p.split, RandomGroups(per_seed=64), replicates=24, jobs=1, progress=False
    ).influence('ndcg')
    assert recovery(-i.frame.set_index('id')[['estimate']], p.users.index).auc.item() > 0.9


def test_careless_and_informative_do_what_they_are_meant_to(simulated):
    "All at once, and one by one: careless raters behind real users, far behind informative ones."
    p = plant(simulated, ['careless', 'informative'], n=10)
    raters = SVD(n_factors=5, n_epochs=10)

    def run(*a, **k):
        return deletion_sweep(raters, p.split, *a, jobs=1, progress=False, **k).influence(
            'rmse', 'training'
        )

    whole = run([p.unit('careless'), p.unit('informative')], replicates=3, seed=50).frame
    assert whole.high['users all careless'] < 0 < whole.low['users all informative']
    e = run(replicates=1).frame.set_index('id')[['estimate']]
    careless, informative = (p.users.index[p.users.kind == k] for k in ('careless', 'informative'))
    assert (
        recovery(-e.drop(informative), careless).auc.item() > 0.7
        and recovery(-e.loc[p.users.index], careless).auc.item() > 0.8
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
        f = (
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
        named += (f.q < 0.05).any()
        small.append((f.p < 0.05).mean())
    assert stats.binomtest(int(named), runs, 0.05, alternative='greater').pvalue > 0.01
    assert (
        0.015 < np.mean(small) < 0.1
    )  # p-values speak as often as they say, so the promise is not kept by silence


def test_existing_users_pointed_at_by_lot_are_not_found(simulated):
    i = deletion_sweep(SVD(n_factors=5, n_epochs=10), simulated, jobs=1, progress=False).influence(
        'rmse', 'training'
    )
    s = -i.frame.set_index('id')[['estimate']]
    areas = [
        recovery(s, plant(simulated, 'nothing', n=20, seed=n).users.index, draws=1).auc.item()
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

    def levels(t, s):
        return np.sort(
            np.diff(np.sort(np.append(0, t[:, s])))
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
    s = rng.integers(0, 4, 60).astype(float)
    y = rng.random(60) < 0.3
    drawn = [y[np.lexsort((rng.random(60), -s))[:25]].mean() for _ in range(4000)]
    assert precision_at(s, y, 25) == pytest.approx(np.mean(drawn), abs=0.01)


def test_detection_agrees_with_doing_it_by_hand(simulated):
    raters = SVD(n_factors=4, n_epochs=5)
    d = detection(
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
    for s in (3, 4):
        p = plant(simulated, ['careless', 'reverse bandwagon'], 6, s)
        own = p.users.index[p.users.kind == 'careless']
        real = stream(s, 'real users').choice(simulated.users, 20, replace=False).tolist()
        f = (
            deletion_sweep(
                raters, p.split, ids=[*own, *real], seed=3 + 1000 * (s - 3), jobs=1, progress=False
            )
            .influence('rmse', 'training')
            .frame.set_index('id')
            .estimate
        )
        y = [u in set(own) for u in f.index]
        areas.append(roc_auc_score(y, -f))
        shares.append(np.mean([u in set(own) for u in f.nsmallest(6).index]))
    row = d.loc['careless', 'influence']
    assert (
        row.auc == pytest.approx(np.mean(areas))
        and row.precision == pytest.approx(np.mean(shares))
        and row['by chance'] == 6 / 26
    )
    best = d.loc['careless'].drop('influence').auc
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
