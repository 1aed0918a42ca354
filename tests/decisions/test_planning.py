"""Plans, stopping rules and screening against planted truth."""

import numpy as np
import pytest

from recinfluence.core.random import stream
from recinfluence.decisions.planning import parse_duration, plan, retrainings
from recinfluence.decisions.stopping import not_excluded, screen, sweep_until
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.models.ncf import NCF
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep

SMALL = NCF(n_epochs=2, batch_size=32)
QUICK = dict(k=3, jobs=1, progress=False)


@pytest.mark.parametrize(
    'text, expected',
    [
        ('30min', 1800),
        ('2h', 7200),
        ('90s', 90),
        ('1h30min', 5400),
        ('1.5h', 5400),
        (12, 12),
        ('1h 5min 3s', 3903),
    ],
)
def test_times(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize('text', ['', 'soon', '30', '5 days'])
def test_times_that_are_none(text):
    with pytest.raises(ValueError, match='30min'):
        parse_duration(text)


def test_a_plan_is_spearman_and_brown(tiny):
    """What a plan says, by the formula written out.

    And back: the budget of that plan buys the reliability asked for.
    """
    pilot = deletion_sweep(NCF(n_epochs=4, batch_size=32), tiny, replicates=6, **QUICK).influence(
        'ndcg'
    )
    rho = pilot.reliability.estimate
    n = 6 * len(pilot.frame)
    assert retrainings(pilot) == n and 0 < rho < 1
    row = plan(pilot, reliability=0.95, jobs=2).table.iloc[0]
    assert (
        row.retrainings == np.ceil(n * 0.95 / 0.05 * (1 - rho) / rho)
        and row['at least'] < row.retrainings < row['at most']
    )
    cost = pilot.sweeps[0].store.cost()
    back = plan(pilot, budget=row.retrainings * cost / 2, jobs=2).table.iloc[0]
    assert (
        back.reliability == pytest.approx(0.95, abs=1e-3)
        and back['at least'] < 0.95 < back['at most']
    )


def test_the_cheapest_design_comes_first(tiny):
    singles = deletion_sweep(SMALL, tiny, replicates=3, **QUICK).influence('ndcg', 'training')
    groups = deletion_sweep(
        SMALL, tiny, RandomGroups(per_seed=16), replicates=4, **QUICK
    ).influence('ndcg')
    p = plan(singles, groups, reliability=0.8)
    assert (
        retrainings(groups) == 64
        and p.table.retrainings.is_monotonic_increasing
        and set(p.table.index)
        == {'one user at a time, training part', 'random groups, keep 0.5, independent'}
    )


def test_plans_that_cannot_be_made(tiny):
    one = deletion_sweep(SMALL, tiny, ids=range(5), **QUICK).influence('map')
    for wrong, say in (
        (dict(reliability=0.8), 'one replicate'),
        (dict(), 'one of the two'),
        (dict(reliability=0.8, budget='1h'), 'one of the two'),
        (dict(reliability=1.2), 'between 0 and 1'),
    ):
        with pytest.raises(ValueError, match=say):
            plan(one, **wrong)
    with pytest.raises(ValueError, match='pilot'):
        plan(reliability=0.8)


# ---- stopping
def until(tiny, **kw):
    return sweep_until(SMALL, tiny, metric='ndcg', **QUICK, **kw)


def test_a_sweep_stops_where_its_rule_says_and_goes_on_when_asked_for_more(tiny, tmp_path):
    first = until(tiny, replicates=3, store=tmp_path / 's.db')
    assert len(first.influence.seeds) == 3 and '3 were asked for' in first.reason
    more = until(tiny, replicates=5, store=tmp_path / 's.db')
    whole = deletion_sweep(SMALL, tiny, replicates=5, **QUICK)
    assert more.influence.sweeps[
        0
    ].store.content_hash() == whole.store.content_hash() and more.influence.frame.equals(
        whole.influence('ndcg').frame
    )
    loose = until(tiny, se=float(whole.influence('ndcg').frame.se.median()) * 1.001, replicates=64)
    assert (
        'standard error' in loose.reason
        and loose.history['median se'].iloc[-1]
        <= float(whole.influence('ndcg').frame.se.median()) * 1.001
    )
    strict = until(tiny, reliability=0.3, replicates=64)
    assert strict.influence.reliability.low >= 0.3 and all(
        float(r.split('(')[1].split(' ')[0]) < 0.3 for r in strict.history.reliability[:-1]
    )


def test_a_budget_is_kept(tiny):
    stopped = until(tiny, budget=0.5)
    assert (
        'beyond' in stopped.reason and stopped.history.minutes.iloc[-1] * 60 < 5
    )  # the first batch is always made


def test_rules_are_needed(tiny):
    with pytest.raises(ValueError, match='when to stop'):
        until(tiny)
    with pytest.raises(ValueError, match='two replicates'):
        until(tiny, replicates=3, batch=1)


# ---- screening
def race(k, confidence, units=40, looks=6):
    rng = stream(k, 'test races')
    truth = rng.normal(0, 1, units)
    best = set(np.argsort(-truth)[:4])
    left = np.arange(units)
    data = (
        truth[:, None]
        + rng.normal(0, 1, (units, 1)) ** 2 * 0.1 * rng.normal(0, 1, (units, looks + 2))
        + rng.normal(0, 5, looks + 2)
    )  # some units are noisier than others
    for n in range(3, looks + 3):
        left = left[not_excluded(data[left, :n], 4, (1 - confidence) / (units * looks))]
    return best <= set(left), len(left)


def test_the_true_k_survive_with_the_stated_confidence_and_most_others_do_not():
    kept, left = np.array([race(k, 0.95) for k in range(200)]).T
    assert kept.mean() >= 0.95 and left.mean() < 12


def test_a_screen_finds_what_the_full_sweep_finds(tiny):
    model = SVD(n_factors=4, n_epochs=5)
    settings = dict(metric='mae', k=3, part='whole', replicates=5, jobs=1, progress=False)
    s = screen(model, tiny, end='worst', **settings)
    full = deletion_sweep(model, tiny, replicates=5, jobs=1, progress=False).influence('mae').frame
    assert (
        set(full.id[-3:]) <= set(s.frame.index)
        and s.spent <= s.without == 40 * s.history.index[-1]
        and 'on MAE' in s.conclusion
    )
    assert (
        s.frame.estimate.is_monotonic_increasing
        and screen(model, tiny, end='best', **settings).frame.estimate.is_monotonic_decreasing
    )


class Counted(SVD):
    calls = 0

    def fit_without(self, train, unit, seed=0):
        Counted.calls += 1
        return super().fit_without(train, unit, seed)


@pytest.mark.parametrize('store', [None, 'screen.db'])
def test_every_look_goes_on_where_the_last_one_stopped(tiny, tmp_path, store):
    model = Counted(n_factors=2, n_epochs=2)
    settings = dict(metric='mae', k=3, jobs=1, progress=False, store=store and tmp_path / store)
    Counted.calls = 0
    s = screen(model, tiny, end='worst', replicates=4, **settings)
    assert Counted.calls == s.spent < 4 * 40
    settings['store'] = store and tmp_path / 'until.db'
    Counted.calls = 0
    stopped = sweep_until(model, tiny, ids=range(5), replicates=5, **settings)
    assert (
        Counted.calls == stopped.history.retrainings.iloc[-1] == 5 * 5 and len(stopped.history) > 1
    )


@pytest.mark.parametrize(
    'wrong', [dict(end='top'), dict(k=0), dict(k=40), dict(start=1), dict(start=9, replicates=8)]
)
def test_screens_that_make_no_sense(tiny, wrong):
    with pytest.raises(ValueError):
        screen(SMALL, tiny, **{**dict(metric='map', progress=False), **wrong})
