"""Influence statistics against simulation, enumeration and planted truth."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.influence.estimates import Estimates, Part
from recinfluence.influence.every_metric import available_metrics, reliabilities
from recinfluence.influence.from_groups import group_influence
from recinfluence.influence.reliability import reliability, summarise, top_overlap
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store


# ---- reliability
def test_reliability_is_the_correlation_with_a_repetition():
    "The mean of the estimates is the planted value, and that is what repetitions correlate with."
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1, 400)

    def draw():
        return truth[:, None] + rng.normal(0, 3, (400, 6)) + rng.normal(0, 5, 6)

    estimates, correlations = zip(
        *[
            (reliability(draw()).estimate, np.corrcoef(draw().mean(1), draw().mean(1))[0, 1])
            for _ in range(40)
        ]
    )
    planted = truth.var() / (truth.var() + 9 / 6)
    assert np.mean(estimates) == pytest.approx(planted, abs=0.02) and np.mean(
        correlations
    ) == pytest.approx(planted, abs=0.03)


def test_reliability_is_the_corrected_mean_of_all_halves():
    "Cronbach's alpha, from covariances of split halves, enumerated."
    x = np.random.default_rng(1).normal(0, 1, (30, 6)) + np.random.default_rng(2).normal(
        0, 1, (30, 1)
    )
    alpha = [
        4
        * np.cov(x[:, list(h)].sum(1), x[:, [j for j in range(6) if j not in h]].sum(1))[0, 1]
        / x.sum(1).var(ddof=1)
        for h in itertools.combinations(range(6), 3)
    ]
    assert reliability(x).estimate == pytest.approx(np.mean(alpha), abs=1e-12)


@pytest.mark.parametrize('noise', [1.0, 4.0])
def test_reliability_intervals_cover(noise):
    rng = np.random.default_rng(3)
    inside = 0
    planted = 1 / (1 + noise**2 / 5)
    for _ in range(1500):
        found = reliability(rng.normal(0, 1, (60, 1)) + rng.normal(0, noise, (60, 5)))
        inside += found.low <= planted <= found.high
    assert 0.93 <= inside / 1500 <= 0.97


def test_spearman_and_brown():
    found = reliability(
        np.random.default_rng(4).normal(0, 1, (5000, 1))
        + np.random.default_rng(5).normal(0, 2, (5000, 4))
    )
    assert (
        found.project(4) == pytest.approx(found.estimate)
        and found.project(8) == pytest.approx(1 / (1 + 4 / 8), abs=0.03)
        and found.project(found.needed(0.8)) == pytest.approx(0.8)
    )


@pytest.mark.parametrize('table', [np.ones((5, 1)), np.ones((1, 5)), np.zeros((4, 3))])
def test_reliability_of_nothing_is_nan(table):
    assert np.isnan(reliability(table).estimate) and reliability(table).needed() == np.inf


def test_a_model_without_noise_is_perfectly_reliable(tiny):
    influence = deletion_sweep(
        Popularity(), tiny, replicates=3, k=3, jobs=1, progress=False
    ).influence('map')
    assert influence.reliability.estimate == 1 and 'would come out again' in influence.caution


# ---- intervals, discoveries, shrinkage
def test_intervals_cover_and_q_values_hold_back():
    rng = np.random.default_rng(6)
    truth = np.where(np.arange(4000) % 4 == 0, rng.normal(0, 3, 4000), 0)
    summary = summarise(truth[:, None] + rng.normal(0, 1, (4000, 4)))
    assert 0.93 <= ((summary.low <= truth) & (truth <= summary.high)).mean() <= 0.97
    found = summary.q < 0.05
    assert found.sum() > 100 and (truth[found] == 0).mean() <= 0.06


def test_nothing_is_found_where_nothing_is():
    rng = np.random.default_rng(7)
    wrong = sum((summarise(rng.normal(0, 1, (200, 4))).q < 0.05).any() for _ in range(400))
    assert wrong / 400 <= 0.08  # the chance of any discovery at all is at most 0.05


def test_shrunk_estimates_predict_better_than_raw_ones():
    rng = np.random.default_rng(8)
    truth = rng.normal(0, 1, 800)
    summary = summarise(truth[:, None] + rng.normal(0, 3, (800, 4)))
    assert ((summary.shrunk - truth) ** 2).mean() < 0.7 * ((summary.estimate - truth) ** 2).mean()
    assert np.polyfit(summary.shrunk, truth, 1)[0] == pytest.approx(
        1, abs=0.15
    )  # what a new experiment would find, on average


def of_table(influence, table):
    "The same influence, as if these had been the training parts of its replicates."
    values = table.to_numpy()
    frame = summarise(values).set_index(table.index)
    made = Estimates(frame, values.shape[1], reliability(values), np.nan, table)
    shown = frame.assign(id=range(len(table)))
    return replace(influence, frame=shown, part=Part.TRAINING, estimates=made)


def test_caution_says_what_the_reliability_allows(tiny):
    sweep = deletion_sweep(
        NCF(n_epochs=2, batch_size=32), tiny, replicates=3, k=3, jobs=1, progress=False
    )
    influence = sweep.influence('map')
    rng = np.random.default_rng(9)
    index = sweep.influence('map').frame.index

    def said(strength):
        table = strength * rng.normal(0, 1, (len(index), 1)) + rng.normal(0, 1, (len(index), 12))
        return of_table(influence, pd.DataFrame(table, index)).caution

    assert (
        'would come out again' in said(3)
        and 'partly noise' in said(0.4)
        and 'cannot be told from noise' in said(0)
    )


# ---- random groups
@pytest.fixture(scope='module')
def small():
    return chrono_split(load_interactions(planted_interactions(9, 10, seed=3), name='nine'))


@pytest.mark.slow
def test_random_groups_estimate_the_banzhaf_value(small):
    "Every group of nine users, enumerated: with and without the user, on the users judged in both."
    judge = Evaluator(small, 3)
    users = small.users.tolist()
    judged = set(small.test.user)
    score = {}
    for n in range(len(users)):
        for gone in itertools.combinations(users, n):
            if not judged - set(gone):
                continue
            unit = Unit(users=gone)
            score[frozenset(gone)] = judge(
                Popularity().fit_without(small.train, unit), unit
            ).per_user
    at = {u: n for n, u in enumerate(users)}
    exact = {}
    for user in users:
        out = []
        for gone in score:
            if user in gone or frozenset(gone | {user}) not in score:
                continue
            others = [at[u] for u in judged - gone - {user}]
            if others:
                out.append(np.mean(score[gone][others, 2] - score[gone | {user}][others, 2]))
        exact[user] = np.mean(out)
    sweep = deletion_sweep(
        Popularity(), small, RandomGroups(0.5, 64), replicates=200, k=3, jobs=1, progress=False
    )
    frame = sweep.influence('ndcg').frame.set_index('id')
    z = (frame.estimate[users] - pd.Series(exact)) / frame.se[users]
    assert (
        np.corrcoef(frame.estimate[users], pd.Series(exact))[0, 1] > 0.9 and (z.abs() < 8).all()
    )  # small groups: the weights of the others differ a little


def test_who_is_deleted_is_known_without_being_stored(small):
    activity = small.train.user.value_counts().sort_index().to_numpy()
    gone = RandomGroups(0.3, 500).deleted(activity, 4)
    assert (
        abs(gone.mean() - 0.7) < 0.03
        and np.array_equal(gone, RandomGroups(0.3, 500).deleted(activity, 4))
        and not np.array_equal(gone, RandomGroups(0.3, 500).deleted(activity, 5))
    )
    assert [set(u.users) for u in RandomGroups(0.3, 8).units(small, 4)] == [
        set(small.users[g]) for g in RandomGroups(0.3, 8).deleted(activity, 4)
    ]


def test_permuted_deletions_carry_nothing(small):
    "The same retrainings, credited to other deletions: reliability zero within its interval."
    sweep = deletion_sweep(
        Popularity(), small, RandomGroups(0.5, 64), replicates=48, k=3, jobs=1, progress=False
    )
    placebo = [reliability(group_influence(sweep, m, permute=1)) for m in ('map', 'ndcg', 'recall')]
    assert (
        all(r.low <= 0 for r in placebo) and reliability(group_influence(sweep, 'ndcg')).low > 0.5
    )


@pytest.mark.slow
def test_group_sweeps_are_the_same_however_they_run(tiny, tmp_path):
    model = NCF(n_epochs=2, batch_size=32, dtype='float64')
    design = RandomGroups(0.5, 32)

    def run(**kw):
        return deletion_sweep(
            model,
            tiny,
            design,
            **{**dict(replicates=6, k=3, jobs=1, progress=False, engine='fast'), **kw},
        )

    run(replicates=2, seed=1, store=tmp_path / 's.db')
    whole = run(store=tmp_path / 's.db').store
    assert whole.content_hash() == run().store.content_hash() == run(jobs=2).store.content_hash()
    fast, slow = group_influence(run(), 'ndcg'), group_influence(run(engine='reference'), 'ndcg')
    assert np.abs(fast - slow).max() < 1e-10 and '192 retrainings' in repr(run())
    assert np.array_equal(group_influence(Store(tmp_path / 's.db'), 'ndcg'), fast)
    with pytest.raises(ValueError, match='mean over users'):
        run().influence('mae')
    with pytest.raises(ValueError, match='at least two'):
        run(replicates=1).influence('ndcg')


@pytest.mark.parametrize(
    'wrong',
    [
        dict(keep=0),
        dict(keep=1),
        dict(per_seed=2),
        dict(draw='odd'),
        dict(draw='antithetic', keep=0.3),
        dict(draw='antithetic', per_seed=9),
        dict(draw='every', keep=0.9),
    ],
)
def test_impossible_designs_are_refused(wrong):
    with pytest.raises(ValueError):
        RandomGroups(**wrong)


# ---- designs
@pytest.mark.parametrize('draw', ['independent', 'balanced', 'antithetic', 'stratified', 'every'])
def test_however_groups_are_drawn_each_user_leaves_with_the_stated_probability(draw):
    activity = np.arange(12) ** 2 % 7 + 1
    keep = 0.5 if draw in ('antithetic', 'every') else 0.7
    design = RandomGroups(keep, 64, draw)
    gone = np.concatenate([design.deleted(activity, s) for s in range(40)])
    assert (
        gone.shape == (40 * design.size(12), 12) and np.abs(gone.mean(0) - (1 - keep)).max() < 0.04
    )
    one = design.deleted(activity, 7)
    assert np.array_equal(one, design.deleted(activity, 7))
    if draw == 'balanced':
        assert set(one.sum(0)) <= {19, 20}  # 0.3 * 64 = 19.2
    if draw == 'antithetic':
        assert (one[::2] == ~one[1::2]).all()
    if draw == 'every':
        assert len(np.unique(one, axis=0)) == 2**12
    if draw == 'stratified':
        assert set(one.sum(1)) <= {3, 4}  # 0.3 * 12 = 3.6


def test_stratified_groups_hold_active_and_less_active_users_alike():
    activity = np.random.default_rng(0).integers(1, 500, 200)
    active = np.argsort(activity)[100:]
    spread = {
        d: RandomGroups(0.5, 256, d).deleted(activity, 0)[:, active].sum(1).std()
        for d in ('independent', 'stratified')
    }
    assert spread['stratified'] < 0.3 * spread['independent']


@pytest.mark.parametrize('draw', ['balanced', 'antithetic', 'stratified'])
@pytest.mark.slow
def test_all_draws_estimate_the_same(small, draw):
    "Against all groups, each once."

    def run(design, n):
        return (
            deletion_sweep(Popularity(), small, design, replicates=n, k=3, jobs=1, progress=False)
            .influence('ndcg')
            .frame.set_index('id')
            .sort_index()
        )

    exact, drawn = run(RandomGroups(draw='every'), 2), run(RandomGroups(draw=draw), 48)
    assert (
        np.corrcoef(exact.estimate, drawn.estimate)[0, 1] > 0.9
    )  # nine users: groups of nearly equal size are not quite all groups


def test_a_store_of_other_groups_is_refused(small, monkeypatch):
    sweep = deletion_sweep(
        Popularity(), small, RandomGroups(0.5, 16), replicates=2, k=3, jobs=1, progress=False
    )
    honest = RandomGroups.deleted
    monkeypatch.setattr(RandomGroups, 'deleted', lambda *a: ~honest(*a))
    with pytest.raises(ValueError, match='other groups'):
        sweep.influence('ndcg')


# ---- two runs are one
def test_results_of_two_runs_add_up(tiny):
    def run(units, seed, n):
        return deletion_sweep(
            NCF(n_epochs=2, batch_size=32),
            tiny,
            units,
            replicates=n,
            seed=seed,
            k=3,
            jobs=1,
            progress=False,
        ).influence('ndcg')

    for units in ('users', RandomGroups(0.5, 16)):
        first, second, whole = run(units, 0, 2), run(units, 2, 4), run(units, 0, 6)
        assert (
            (first + second).frame.equals(whole.frame)
            and (first + second).seeds == whole.seeds == list(range(6))
            and (first + second).reliability == whole.reliability
        )
        with pytest.raises(ValueError, match='seed 1 is in both'):
            first + run(units, 1, 2)
    with pytest.raises(ValueError, match='design'):
        run('users', 0, 2) + run(RandomGroups(0.5, 16), 2, 2)
    with pytest.raises(ValueError, match='do not add up'):
        run('users', 0, 2) + deletion_sweep(
            NCF(n_epochs=2, batch_size=32), tiny, replicates=2, seed=2, k=3, jobs=1, progress=False
        ).influence('map')


# ---- ranks, overlap, placebo
def planted(strength, n=200, k=6, seed=0):
    rng = np.random.default_rng(seed)
    truth = strength * rng.normal(0, 1, n)
    return truth, truth[:, None] + rng.normal(0, 1, (n, k))


def test_every_metric_has_the_reliability_that_its_own_influence_has(tiny):
    sweep = deletion_sweep(Popularity(), tiny, replicates=2, k=3, jobs=1, progress=False)
    for part in Part:
        influence = sweep.influence('ndcg', part)
        for name in available_metrics(influence):
            assert reliabilities(influence, name) == {
                p: sweep.influence(name, p).reliability for p in Part
            }
    assert available_metrics(influence) == list(influence.metrics)


@pytest.mark.parametrize(
    'table, why',
    [
        (np.full((3, 2), np.nan), 'no unit has a number'),
        (np.arange(3.0)[:, None], 'one replicate'),
        (np.ones((1, 2)), 'one unit'),
        (np.ones((3, 2)), 'all alike'),
        (np.arange(6.0).reshape(3, 2), ''),
    ],
)
def test_where_there_is_no_reliability_it_says_why(table, why):
    assert reliability(table).missing == why


def test_rank_intervals_cover_the_true_rank(tiny):
    frame = deletion_sweep(Popularity(), tiny, replicates=2, k=3, jobs=1, progress=False).influence(
        'map'
    )
    covered = []
    for seed in range(20):
        truth, table = planted(1, seed=seed)
        ranks = of_table(frame, pd.DataFrame(table)).ranks()
        true = pd.Series(truth).rank(ascending=False)
        covered.append(((ranks.low <= true) & (true <= ranks.high)).mean())
    assert 0.92 <= np.mean(covered) <= 0.98
    truth, table = planted(0)
    none = of_table(frame, pd.DataFrame(table)).ranks()
    assert (none.high - none.low).mean() > 150  # noise alone: any rank


def test_overlap_is_what_two_halves_share():
    truth, table = planted(50)
    assert top_overlap(table, 10) > 0.9 and top_overlap(table, 10, best=False) > 0.9
    _, noise = planted(0)
    assert top_overlap(noise, 10) < 0.2
    first, second = noise[:, [0]], noise[:, [1]]

    def top(scores):
        return set(np.argsort(-scores[:, 0])[:20])

    assert top_overlap(noise[:, :2], 20, splits=5) == len(
        top(first) & top(second)
    ) / 20 and np.isnan(top_overlap(first))


@pytest.mark.slow
def test_the_placebo_band_holds_what_has_no_influence(tiny):
    """A model that learns nothing from whom it deletes.

    The training parts are noise, 95 % of them inside the band.
    """

    class Deaf(NCF):
        def fit_without(self, train, unit, seed):
            return super().fit_without(train, Unit(), seed + 1000 * sum(1 + u for u in unit.users))

    influence = deletion_sweep(
        Deaf(n_epochs=2, batch_size=32), tiny, replicates=12, k=3, jobs=1, progress=False
    ).influence('ndcg', 'training')
    inside = (
        influence.table.sub(influence.table.mean(), axis=1).mean(1).abs() <= influence.placebo
    ).mean()
    assert (
        inside >= 0.9
        and influence.reliability.low <= 0
        and 'cannot be told from noise' in influence.caution
    )
