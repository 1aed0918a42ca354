"""Actions against planted truth, and each piece against a slower, plainer one."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recinfluence.actions import measured, overview
from recinfluence.actions.action import Trial
from recinfluence.actions.audits import (
    group_audit,
    newcomers,
    popularity_audit,
    seat_newcomers,
    trait_effects,
)
from recinfluence.actions.exposure_shift import exposure_shift
from recinfluence.actions.measured import measure, with_reserve
from recinfluence.actions.on_items import limit, limit_in_lists, promote, promote_in_lists, prune
from recinfluence.actions.on_users import (
    enrich,
    enrichment_targets,
    genre_gaps,
    leave_out,
    segment,
    weigh,
)
from recinfluence.actions.overview import action_page, actions_table
from recinfluence.core.random import stream
from recinfluence.data.interactions import Interactions, load_interactions
from recinfluence.data.simulated import careless_interactions
from recinfluence.data.splits import Split, chrono_split
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.exposure import EXPOSURE
from recinfluence.metrics.metric import METRICS, Metric
from recinfluence.metrics.ranking import Ranked
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import ItemMean, Popularity
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep

QUICK = dict(replicates=4, n_random=6)
CARELESS = careless_interactions(90, 30, careless=9, rows=16, more=6)


def noisy_mean():
    "Weighted mean rating of the item, and a little noise that the seed decides."
    return ItemMean(noise=0.02)


@pytest.fixture(scope='module')
def halves():
    return chrono_split(load_interactions(CARELESS, name='planted')).halve_test()


@pytest.fixture(scope='module')
def users(halves):
    return deletion_sweep(
        noisy_mean(), halves[0], replicates=2, k=3, jobs=1, progress=False
    ).influence('mae', 'training')


@pytest.fixture(scope='module')
def items(halves):
    return deletion_sweep(
        noisy_mean(), halves[0], 'items', replicates=2, k=3, jobs=1, progress=False
    ).influence('ndcg')


# ---- planted truth
@pytest.mark.parametrize('weight', [0, 0.3])
def test_leaving_out_the_harmful_helps_and_others_do_not(weight, users, halves):
    a = leave_out(users, 9, weight)
    assert set(a.doses.index) == set(range(9)) and (a.doses == weight).all()
    m = measure(a, noisy_mean(), halves[1], k=3, **QUICK)
    for judged in ('everyone', 'the others') if weight == 0 else ('the others',):
        r = m.row('mae', judged)
        assert (
            r['verdict'] == 'helps; better than by lot'
            and r['random_low'] < 0 < r['random_high'] < r['effect']
        )
    wrong = measure(leave_out(users, range(30, 39), weight), noisy_mean(), halves[1], k=3, **QUICK)
    assert 'better' not in wrong.row('mae', 'the others')['verdict']


def test_the_effect_is_what_plain_fitting_gives(users, halves):
    "Weights by hand, plain pandas, no engine and no evaluator."
    a, split = leave_out(users, 9), halves[1]
    m = measure(a, noisy_mean(), split, k=3, **QUICK)
    t = split.test

    def mae(train, seed, judged):
        model = noisy_mean().fit(train, seed)
        return np.mean(
            [
                abs(r - model.score([u], [i])[0, 0])
                for u, i, r in t[judged][['user', 'item', 'rating']].itertuples(index=False)
            ]
        )

    for name, judged in (
        ('everyone', t.user >= 0),
        ('the others', t.user >= 9),
        ('the chosen', t.user < 9),
    ):
        by_hand = np.mean(
            [
                mae(split.train, s, judged) - mae(split.train[split.train.user >= 9], s, judged)
                for s in m.seeds
            ]
        )
        assert m.row('mae', name)['effect'] == pytest.approx(by_hand, abs=1e-9)


def test_weighing_by_influence_helps_and_the_same_weights_by_lot_do_not(users, halves):
    a = weigh(users, 1.0)
    m = measure(a, noisy_mean(), halves[1], k=3, **QUICK)
    r = m.row('mae')
    assert r['verdict'] == 'helps; better than by lot' and m.judged == ['everyone']
    assert a.doses[users.frame.id.iloc[0]] > 1 > a.doses[users.frame.id.iloc[-1]] and a.size == 90


def test_doses_by_lot_are_the_same_doses(users):
    for a in (leave_out(users, 9, 0.3), weigh(users, 0.7), segment(users)):
        lots = a.at_random(5, seed=1)
        assert all(
            sorted(d) == sorted(a.doses) and d.index.is_unique and set(d.index) <= set(a.pool)
            for d in lots
        )
        assert len({tuple(d[sorted(d.index)]) + tuple(sorted(d.index)) for d in lots}) == 5 and all(
            x.equals(y) for x, y in zip(lots, a.at_random(5, seed=1))
        )


def test_an_idle_action_has_no_effect_at_all(users, halves):
    for model in (noisy_mean(), SVD(n_factors=4, n_epochs=3), NCF(n_epochs=1, batch_size=64)):
        f = measure(leave_out(users, 9, weight=1.0), model, halves[1], k=3, **QUICK).frame()
        assert (f.effect == 0).all() and set(f.verdict) == {'moves nothing'}


@pytest.mark.slow
def test_under_chance_the_verdict_is_right_nineteen_times_in_twenty(users, halves):
    "Users drawn by lot instead of chosen."
    split, better = halves[1], 0
    for n in range(60):
        who = stream(n, 'who').choice(90, 9, replace=False).tolist()
        better += (
            measure(
                leave_out(users, who),
                noisy_mean(),
                split,
                replicates=1,
                n_random=6,
                seed=100 + n,
                k=3,
            )
            .frame('the others')
            .set_index('metric')
            .chance['mae']
            < 0.05
        )
    assert stats.binomtest(int(better), 60, 0.05).pvalue > 0.01


# ---- what chose must not judge
def test_seeds_that_chose_are_refused_and_fresh_ones_are_used(users, halves, monkeypatch):
    used = []
    monkeypatch.setattr(
        measured,
        'Trial',
        type(
            'Spy',
            (Trial,),
            {
                '__init__': lambda self, r, e, seed, engine: (
                    used.append(seed),
                    Trial.__init__(self, r, e, seed, engine),
                )[1]
            },
        ),
    )
    m = measure(leave_out(users, 9), noisy_mean(), halves[1], k=3, **QUICK)
    assert used == list(m.seeds) and not set(used) & set(users.seeds)
    for seed in (0, 1, -1):
        with pytest.raises(ValueError, match='has a part in the choice'):
            measure(leave_out(users, 9), noisy_mean(), halves[1], seed=seed, k=3, **QUICK)


def test_it_says_whether_the_test_rows_are_unseen(users, halves):
    unseen = [measure(leave_out(users, 9), noisy_mean(), s, k=3, **QUICK) for s in halves]
    assert (
        [m.unseen for m in unseen] == [False, True]
        and 'never saw either' in unseen[1].conclusion()
        and 'not shown' in unseen[0].conclusion()
    )


# ---- segments and enrichment
def test_segments_are_served_by_their_own_half(users, halves):
    split, e = halves[1], Evaluator(halves[1], 3)
    a = segment(users)
    upper = set(a.doses.index[a.doses > 0])
    for model in (noisy_mean(), SVD(n_factors=4, n_epochs=3)):
        (ranked,) = a.do(Trial(model, e, 5), [a.doses])
        for side in (True, False):
            own = [u for u in split.users if (u in upper) == side]
            at = np.searchsorted(split.users, own)
            plain = model.fresh().fit(split.train[split.train.user.isin(own)], 5)
            r = e.rank(plain)
            assert np.array_equal(ranked.top[at, :3], r.top[at])
            mine = split.test.user.isin(own).to_numpy()
            assert np.allclose(ranked.predicted[mine], r.predicted[mine])


def test_enrichment_trains_on_the_rows_of_the_chosen_and_no_others(users, halves):
    a, b = halves
    act = enrich(users, a, a.test, users=10, rows=2)
    split = with_reserve(b, act.reserve)
    e = Evaluator(split, 3)
    trial = Trial(SVD(n_factors=4, n_epochs=3), e, 5)
    assert len(split.train) == len(b.train) + len(a.test) and np.array_equal(split.users, b.users)
    plain = SVD(n_factors=4, n_epochs=3).fit(b.train, 5)
    assert np.allclose(
        trial.full.predicted, e.rank(plain).predicted
    )  # before: as if the reserve were not there
    chosen = act.reserve[act.reserve.user.isin(act.doses.index)].groupby('user').head(2)
    more = SVD(n_factors=4, n_epochs=3).fit(pd.concat([b.train, chosen]), 5)
    (ranked,) = act.do(trial, [act.doses])
    assert np.allclose(ranked.predicted, e.rank(more).predicted) and np.array_equal(
        ranked.top[:, :3], e.rank(more).top
    )
    with pytest.raises(ValueError, match='rows of train or of test'):
        with_reserve(b, b.test)


def test_gaps_by_hand():
    f = pd.DataFrame(
        [(0, 10), (0, 11), (1, 10), (1, 12), (1, 13)], columns=['user', 'item']
    ).assign(rating=4.0, timestamp=range(5))
    about = pd.DataFrame(
        {'title': list('abcd'), 'genres': ['Drama', 'Drama|War', 'War', 'Comedy']},
        index=[10, 11, 12, 13],
    )
    split = Split(f, f[:0], Interactions(f, items=about), {})
    g = genre_gaps(split, [0])
    share = np.array([2.5, 1.5, 1]) / 5
    own = np.array([1.5, 0.5, 0]) / 2
    lack = dict(zip(('Drama', 'War', 'Comedy'), np.maximum(0, share - own)))  # drama, war, comedy
    assert np.allclose(
        g.loc[0],
        [
            lack['Drama'] * np.log(3),
            (lack['Drama'] + lack['War']) / 2 * np.log(2),
            lack['War'] * np.log(2),
            lack['Comedy'] * np.log(2),
        ],
    )


def test_targets_lack_what_they_are_offered(users, halves):
    t = enrichment_targets(users, halves[0], users=5, n=3)
    have = set(zip(halves[0].train.user, halves[0].train['item']))
    assert (
        (t.groupby('user').size() == 3).all()
        and set(t.user) == set(leave_out(users, 5).doses.index)
        and not have & set(zip(t.user, t['item']))
    )


# ---- lists
def lists(seed, users=25, items=14, length=9):
    rng = np.random.default_rng(seed)
    top = np.argsort(-rng.gumbel(size=(users, items)) - rng.normal(0, 2, items), axis=1)[:, :length]
    for row in top:
        row[length - rng.integers(0, 4) :] = -1
    return top, rng.random(items) < rng.choice([0.3, 1])


@pytest.mark.parametrize('seed', range(30))
def test_limited_is_the_plain_greedy_rule(seed):
    top, chosen = lists(seed)
    most = 1 + seed % 7
    keep = {(u, p): True for u, p in np.ndindex(*top.shape)}
    for i in np.flatnonzero(chosen):
        for u, p in sorted(
            ((u, p) for u, p in np.ndindex(*top.shape) if top[u, p] == i),
            key=lambda x: (x[1], x[0]),
        )[most:]:
            keep[u, p] = False
    plain = [
        [i for p, i in enumerate(row) if i >= 0 and keep[u, p]]
        for u, row in enumerate(top.tolist())
    ]
    assert [
        [i for i in row if i >= 0] for row in limit_in_lists(top, chosen, most).tolist()
    ] == plain


@pytest.mark.parametrize('seed', range(30))
def test_limiting_everybody_lowers_gini_by_construction(seed):
    top, _ = lists(seed)
    most = 3 + seed % 9

    def count(t):
        return np.bincount(t[:, :4][t[:, :4] >= 0], minlength=14)

    before, after = count(top), count(limit_in_lists(top, np.ones(14, bool), most))
    assert after.max() <= most and (after >= np.minimum(before, most)).all()

    def gini(x):
        return np.abs(x[:, None] - x).mean() / 2 / x.mean()

    if after.sum() == before.sum():
        assert gini(after) <= gini(before) + 1e-12 and (
            gini(after) < gini(before) or before.max() <= most
        )


@pytest.mark.parametrize('seed', range(20))
def test_promoted_is_the_plain_rule(seed):
    top, chosen = lists(seed)
    places = seed % 5
    for row, out in zip(top.tolist(), promote_in_lists(top, chosen, places).tolist()):
        real = [i for i in row if i >= 0]
        assert [i for i in out if i >= 0] == [
            i for _, i in sorted((p - (places + 0.5) * chosen[i], i) for p, i in enumerate(real))
        ] and sorted(out) == sorted(row)


@pytest.mark.parametrize('seed', range(20))
def test_seated_is_the_plain_rule(seed):
    whole, chosen = lists(seed)
    k = 4
    for row, out in zip(whole.tolist(), seat_newcomers(whole, chosen & (seed % 4 > 0), k).tolist()):
        guests = [i for i in row if i >= 0 and chosen[i] and seed % 4 > 0]
        rest = [i for i in row if i != (guests + [None])[0]]
        assert out == (rest[: k - 1] + guests[:1] if guests else row[:k])


def test_what_is_measured_are_the_metrics_of_chapter_02(items, halves):
    """The eight, exposure, and one of one's own, of plain fits and plain lists.

    The item that most lists show is limited to one list.
    """
    split = halves[1]
    own = Metric('first', 'First is right', +1, True, lambda r: r.hit[:, 0])
    e = Evaluator(split, 3, metrics=[*EXPOSURE, own])

    def top(s):
        return e.rank(noisy_mean().fit(split.train, s), 27)

    item = split.items[np.bincount(top(70_000).top[:, :3].ravel()).argmax()]
    m = measure(
        limit(items, [item], 1 / 30), noisy_mean(), split, k=3, metrics=[*EXPOSURE, own], **QUICK
    )
    f = m.frame().set_index('metric')
    assert (
        list(f.index) == list(e.metrics) == [*METRICS, *EXPOSURE, 'first']
        and f.label.tolist() == [x.label for x in e.metrics.values()]
        and m.row('first')['metric'] == 'First is right'
    )
    before, after = [], []
    for s in m.seeds:
        full = top(s)
        where = {
            u: t.index(i)
            for u, t in enumerate(full.top.tolist())
            for i in [int(np.searchsorted(split.items, item))]
            if i in t
        }
        keeps = min(where, key=lambda u: (where[u], u))
        limited_top = np.array(
            [
                t if u == keeps else [i for i in t if split.items[i] != item or i < 0][:3]
                for u, t in enumerate([r[:4] for r in full.top.tolist()])
                for t in [t[:3] if u == keeps else t]
            ]
        )
        before.append(e(full).metrics)
        after.append(e(Ranked(limited_top, full.predicted)).metrics)
    for name, x in e.metrics.items():
        b, a = np.mean([v[name] for v in before]), np.mean([v[name] for v in after])
        assert (f.before[name], f.effect[name]) == (
            pytest.approx(b),
            pytest.approx(x.direction * (a - b), abs=1e-12),
        )
    assert f.effect['gini'] > 0 and measure(
        limit(items, [item]), noisy_mean(), split, k=3, replicates=1, n_random=3
    ).frame().metric.tolist() == [*METRICS, *EXPOSURE]


def test_a_choice_by_a_metric_that_is_not_measured_is_judged_by_the_first_that_is(halves):
    own = Metric('first', 'First is right', +1, True, lambda r: r.hit[:, 0])
    ranked = deletion_sweep(
        noisy_mean(), halves[0], ids=range(20), k=3, metrics=[own], jobs=1, progress=False
    ).influence('first')
    a = leave_out(ranked, 4)
    assert 'by First is right' in repr(a)

    def run(**kw):
        return measure(a, noisy_mean(), halves[1], k=3, **QUICK, **kw)

    assert (
        ', MAP among everyone:' in run().conclusion()
        and ', First is right among everyone:' in run(metrics=[own]).conclusion()
    )


def test_item_actions_do_what_they_say_to_the_lists(items, halves):
    split = halves[1]
    e = Evaluator(split, 3)
    trial = Trial(noisy_mean(), e, 5)
    full = e.rank(noisy_mean().fit(split.train, 5), len(split.items))
    worst = items.frame.id.iloc[-4:].tolist()
    best = items.frame.id.iloc[:4].tolist()
    gone = np.isin(split.items, worst)
    for a in (prune(items, 4), prune(items, 4, retrain=True)):
        (r,) = a.do(trial, [a.doses])
        assert set(a.doses.index) == set(worst) and np.array_equal(
            r.top[:, :3], full.drop(gone).top[:, :3]
        )  # this model's items do not know of each other
    (r,) = (p := promote(items, 4, 2)).do(trial, [p.doses])

    def count(t):
        return np.isin(t[:, :3], np.searchsorted(split.items, best)).sum()

    assert set(p.doses.index) == set(best) and count(r.top) > count(full.top)
    (r,) = (q := limit(items, split.items.tolist())).do(trial, [q.doses])
    shown = r.top[:, :3]
    assert np.bincount(shown[shown >= 0]).max() <= np.ceil(90 * 3 / 30)
    m = measure(q, noisy_mean(), split, k=3, **QUICK).frame().set_index('metric')
    assert m.effect['gini'] > 0 and m.effect['coverage'] > 0


def test_pruned_items_stay_in_the_test_as_misses(items, halves):
    split = halves[1]
    e = Evaluator(split, 3)
    a = prune(items, 4, retrain=True)
    m = measure(a, noisy_mean(), split, k=3, **QUICK).frame().set_index('metric')
    expected = []
    for s in range(70_000, 70_004):
        r = e.rank(noisy_mean().fit(split.train, s), 30)
        expected.append(
            e(r.drop(np.isin(split.items, a.doses.index))).metrics['recall']
            - e(r).metrics['recall']
        )
    assert m.effect['recall'] == pytest.approx(np.mean(expected))


# ---- cold start
def test_traits_that_matter_are_found_and_used(halves):
    rng = np.random.default_rng(0)
    n = 200
    good = rng.random(n) < 0.5
    odd = rng.random(n) < 0.5
    f = pd.DataFrame(
        [(u, i, 3.0, u) for i in range(n) for u in rng.choice(40, 1 + i % 8, replace=False)],
        columns=['user', 'item', 'rating', 'timestamp'],
    )
    about = pd.DataFrame(
        {
            'title': [f't{i}' for i in range(n)],
            'genres': [('Noir' if g else 'Farce') + '|Long' * int(o) for g, o in zip(good, odd)],
        },
        index=range(n),
    )
    split = Split(f, f[:40], Interactions(f, items=about), {})
    frame = pd.DataFrame(
        {
            'id': range(n),
            'kind': 'item',
            'n_train': f['item'].value_counts().sort_index().to_numpy(),
            'estimate': good + rng.normal(0, 0.5, n),
        }
    ).sort_values('estimate', ascending=False)

    class Fake:
        metric, seeds, source = 'ndcg', [0], 'made up'

    fake = Fake()
    fake.frame = frame
    t = trait_effects(fake, split)
    assert (
        t.index[0] == 'Noir'
        and abs(t.difference['Noir'] - 1) < 0.25
        and t.q['Noir'] < 1e-6 < 1e-3 < t.q['Long']
    )
    a = newcomers(fake, split, 40)
    assert good[a.doses.index].mean() > 0.95 and a.size == 40
    other = frame.assign(estimate=rng.normal(size=n))
    fake.frame = other
    assert (
        abs(other.set_index('id').estimate[newcomers(fake, split, 40).doses.index].mean()) < 0.6
    )  # nothing to learn, nothing learned


# ---- audits and pages
def test_audits_find_a_planted_group(users):
    by = pd.Series(
        np.where(np.arange(90) < 9, 'careless', np.where(np.arange(90) % 2, 'odd', 'even')),
        range(90),
        name='who',
    )
    g = group_audit(users, by, served=pd.Series(1.0, range(90)))
    assert (
        g.influence['careless'] < 0
        and g.q.idxmin() == 'careless'
        and g.q['careless'] < 0.001
        and g.users.sum() == 90
        and (g.served == 1).all()
    )
    assert g.influence['odd'] == pytest.approx(
        users.frame.set_index('id').estimate[by.index[by == 'odd']].mean()
    )
    p = popularity_audit(users)
    f = users.frame
    assert (
        p.value.iloc[0] == pytest.approx(stats.spearmanr(f.estimate, f.n_train).statistic)
        and (p.low <= p.value).all()
        and (p.value <= p.high).all()
    )


@pytest.mark.parametrize('retrain', [True, False])
def test_heirs_are_those_of_plain_fits_counted_by_hand(retrain, items, halves):
    """Places counted one by one.

    Errors by the formula written out; classes by walking down the items until each has its rows.
    """
    split = halves[1]
    gone = split.train['item'].value_counts().index[:2].tolist()
    h = exposure_shift(prune(items, gone, retrain), noisy_mean(), split, replicates=3, parts=3, k=4)
    own = split.train.groupby('user')['item'].agg(set)
    changes = {i: [] for i in split.items}
    shares = []
    for seed in (70_000, 70_001, 70_002):
        for absent in (set(), set(gone)):
            m = noisy_mean().fit(
                split.train[~split.train['item'].isin(absent)] if retrain else split.train, seed
            )
            score = dict(zip(split.items.tolist(), m.score([0], split.items)[0]))
            count = dict.fromkeys(split.items.tolist(), 0)
            for u in split.users:
                for i in sorted(
                    (i for i in score if i not in own[u] and i not in absent),
                    key=lambda i: -score[i],
                )[:4]:
                    count[i] += 1
            shares.append({i: c / sum(count.values()) for i, c in count.items()})
        for i in split.items:
            changes[i].append(shares[-1][i] - shares[-2][i])
    rows = split.train['item'].value_counts()
    rest = sorted((i for i in split.items if i not in gone), key=lambda i: (-rows[i], i))
    total, walked, where = sum(rows[i] for i in rest), 0, {i: 'the chosen' for i in gone}
    for i in rest:
        middle = walked + rows[i] / 2
        where[i] = ['1 of 3, most rated', '2 of 3', '3 of 3, least rated'][
            next(p for p in range(3) if middle < total * (p + 1) / 3)
        ]
        walked += rows[i]
    f, top = h.frame(), h.top(len(split.items))
    assert h.items['class'].astype(str).to_dict() == where and f.index.tolist() == [
        'the chosen',
        '1 of 3, most rated',
        '2 of 3',
        '3 of 3, least rated',
    ]

    def told(r, d):
        half = stats.t.ppf(0.975, 2) * np.sqrt(sum((x - np.mean(d)) ** 2 for x in d) / 2 / 3)
        assert [r.change, r.low, r.high] == pytest.approx(
            [np.mean(d), np.mean(d) - half, np.mean(d) + half], abs=1e-12
        )

    for name, r in f.iterrows():
        inside = [i for i in split.items if where[i] == name]
        told(r, np.sum([changes[i] for i in inside], 0))
        assert r['items'] == len(inside) and r['train rows'] == pytest.approx(
            rows[inside].sum() / rows.sum()
        )
        assert [r.before, r.after] == pytest.approx(
            [np.mean([sum(s[i] for i in inside) for s in shares[n::2]]) for n in (0, 1)]
        )
    for i, r in top.iterrows():
        told(r, changes[i])
    assert (
        top.change.is_monotonic_decreasing
        and f.after['the chosen'] == 0 < f.before['the chosen']
        and f.change.sum() == pytest.approx(0, abs=1e-12)
        and f[['before', 'after', 'train rows']].sum().tolist() == pytest.approx([1, 1, 1])
    )
    gained = f.change.iloc[1:].idxmax()
    assert (
        f'classes {gained} gained most' in h.conclusion
        and f'{top.label.iloc[0]}, {top.change.iloc[0]:+.2%}' in h.conclusion
        and '2 items had' in h.conclusion
    )


def test_heirs_of_the_only_item_that_everybody_lacks_and_what_they_refuse(users, items, halves):
    """By popularity alone: who stood one place below the list takes the place, all of it.

    Where nobody is shown the item nobody gains.
    """
    split = halves[1]
    e = Evaluator(split, 3)
    top = e.rank(Popularity().fit(split.train), 1).top
    count = np.bincount(top[:, :3].ravel(), minlength=len(split.items))
    at = count.argmax()
    h = exposure_shift(prune(items, [split.items[at]]), Popularity(), split, replicates=1, k=3)
    heir = np.bincount(top[(top[:, :3] == at).any(1), 3], minlength=len(split.items))
    assert count[at] > 0 == h.after[split.items[at]].sum()
    assert (
        np.allclose(
            (h.after - h.before).drop(columns=split.items[at]), np.delete(heir / count.sum(), at)
        )
        and h.frame().low.isna().all()
    )
    idle = exposure_shift(
        prune(items, [split.items[count.argmin()]]), Popularity(), split, replicates=1, k=3
    )
    assert count.min() == 0 == abs(idle.after - idle.before).to_numpy().sum()
    for call, message in (
        (lambda: exposure_shift(leave_out(users, 3), noisy_mean(), split), 'acts on users'),
        (
            lambda: exposure_shift(prune(items, 3), noisy_mean(), split, seed=1),
            'has a part in the choice',
        ),
        (lambda: exposure_shift(prune(items, 3), noisy_mean(), split, parts=1), 'two classes'),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_table_and_three_pages(users, items, halves):
    made = [
        (measure(a, noisy_mean(), halves[1], k=3, **QUICK), m, j)
        for a, m, j in (
            (leave_out(users, 9), 'mae', 'the others'),
            (leave_out(users, range(30, 39)), 'mae', 'the others'),
            (prune(items, 4), 'ndcg', 'everyone'),
        )
    ]
    t = actions_table(made)
    assert (
        len(t) == 3
        and t.verdict.iloc[0] == 'helps; better than by lot'
        and {'effect', 'low', 'high', 'random', 'random_low', 'random_high', 'q', 'size'} <= set(t)
    )
    for audience in overview.AUDIENCES:
        page = action_page(audience, t, users, ['A further sentence.'])
        assert (
            audience in page
            and 'leave out the worst' in page
            and users.caution in page
            and 'A further sentence.' in page
            and len(page.split()) < 450
        )
    with pytest.raises(ValueError, match="audience='everybody': choose one of"):
        action_page('everybody', t, users)


def test_frames_have_the_columns_that_plots_ask_for(users, halves):
    from recinfluence.show.unit_plots import EFFECT_COLUMNS

    f = measure(leave_out(users, 9), noisy_mean(), halves[1], k=3, **QUICK).frame()
    assert set(EFFECT_COLUMNS) <= set(f) and f.label.tolist() == [
        x.label for x in (METRICS | EXPOSURE).values()
    ]


def test_a_measured_action_draws_its_own_frame(users, items, halves):
    """Discs and triangles at effect over half-width for every metric that moves.

    An action on lists greys the others; who is judged is in the title.
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    by_users, by_lists = (
        measure([leave_out(users, 9)], noisy_mean(), halves[1], k=3, **QUICK)[0],
        measure(promote(items, 3, 2), noisy_mean(), halves[1], k=3, **QUICK),
    )
    for m, judged in ((by_users, 'everyone'), (by_users, 'the others'), (by_lists, 'everyone')):
        ax = m.plot(judged)
        f = m.frame(judged)
        moved = ~((f.effect == 0) & (f.random_low == 0) & (f.random_high == 0)).to_numpy()
        half = (f.random_high - f.random_low)[moved] / 2
        xy = np.concatenate(
            [
                c.get_offsets()
                for c in ax.collections
                if isinstance(c, matplotlib.collections.PathCollection)
            ]
        )
        xy = xy[np.argsort(-xy[:, 1])]
        texts = [t.get_text() for t in ax.get_yticklabels()]
        assert (
            np.allclose(xy, np.c_[f.effect[moved] / half, np.arange(len(f))[::-1][moved]])
            and [t.split('\n')[0] for t in texts] == f.label.tolist()
        )
        assert (
            f.label[[t.endswith('nothing moves it') for t in texts]].tolist()
            == ['Explained Var', 'MAE', 'RMSE']
        ) == (m is by_lists)
        title = ax.get_title('left').replace('\n', ' ')
        assert (
            m.action.name in title
            and f'({m.action.size} {m.action.kind})' in title
            and title.endswith(f'ItemMean, among {judged}')
        )
    assert by_users.plot(ax=(own := plt.subplots()[1])) is own
    plt.close('all')


@pytest.mark.parametrize(
    'call, message',
    [
        (lambda u, i, s: leave_out(i, 3), 'influence is of items; this action needs one of users'),
        (lambda u, i, s: prune(u, 3), 'needs one of items'),
        (lambda u, i, s: leave_out(u, 90), '90 of 90 ranked'),
        (lambda u, i, s: leave_out(u, [777]), 'user 777 is not among the 90'),
        (lambda u, i, s: leave_out(u, []), 'no user is chosen'),
        (lambda u, i, s: measure(leave_out(u, 3), noisy_mean(), s, n_random=2), 'fewer than 3'),
        (
            lambda u, i, s: measure(leave_out(u, 3, 0.5), Popularity(), s, **QUICK),
            'Popularity does not heed weights',
        ),
        (lambda u, i, s: newcomers(i, s, few=1), 'at least 20 are needed'),
        (
            lambda u, i, s: measure(leave_out(u, 3), noisy_mean(), s, **QUICK).frame('the dead'),
            "judged='the dead'",
        ),
        (
            lambda u, i, s: measure(leave_out(u, 3), noisy_mean(), s, **QUICK).row('taste'),
            "metric='taste' is not measured",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(call, message, users, items, halves):
    with pytest.raises(ValueError, match=message):
        call(users, items, halves[1])


def test_a_recommender_without_weights_can_leave_users_out(users, halves):
    m = measure(leave_out(users, 9), Popularity(), halves[1], k=3, **QUICK)
    e = Evaluator(halves[1], 3)
    t = halves[1].train
    assert m.row('ndcg')['effect'] == pytest.approx(
        e(Popularity().fit(t[t.user >= 9]))['ndcg'] - e(Popularity().fit(t))['ndcg']
    )
