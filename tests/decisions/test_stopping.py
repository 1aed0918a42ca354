"""Stopping rules and screening against planted truth."""

import numpy as np
import pytest

from recinfluence.core.random import stream
from recinfluence.decisions.stopping import not_excluded, screen, sweep_until
from recinfluence.models.ncf import NCF
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store

SMALL = NCF(n_epochs=2, batch_size=32)


QUICK = dict(k=3, jobs=1, progress=False)


def until(tiny, **kw):
    return sweep_until(SMALL, tiny, metric='ndcg', **QUICK, **kw)


def test_a_sweep_stops_where_its_rule_says_and_goes_on_when_asked_for_more(tiny, tmp_path):
    first = until(tiny, replicates=3, store=tmp_path / 's.db')
    assert len(first.influence.seeds) == 3 and '3 were asked for' in first.reason
    more = until(tiny, replicates=5, store=tmp_path / 's.db')
    whole = deletion_sweep(SMALL, tiny, replicates=5, **QUICK)
    with_more = Store(tmp_path / 's.db')
    assert with_more.content_hash() == whole.store.content_hash()
    assert more.influence.frame.equals(whole.influence('ndcg').frame)
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


def race(case, confidence, units=40, looks=6):
    rng = stream(case, 'test races')
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
    kept, left = np.array([race(case, 0.95) for case in range(200)]).T
    assert kept.mean() >= 0.95 and left.mean() < 12


def test_a_screen_finds_what_the_full_sweep_finds(tiny):
    model = SVD(n_factors=4, n_epochs=5)
    settings = dict(metric='mae', n_units=3, part='whole', replicates=5, jobs=1, progress=False)
    screened = screen(model, tiny, end='worst', **settings)
    full = deletion_sweep(model, tiny, replicates=5, jobs=1, progress=False).influence('mae').frame
    assert (
        set(full.id[-3:]) <= set(screened.frame.index)
        and screened.spent <= screened.without == 40 * screened.history.index[-1]
        and 'on MAE' in screened.conclusion
    )
    assert (
        screened.frame.estimate.is_monotonic_increasing
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
    screened = screen(model, tiny, n_units=3, end='worst', replicates=4, **settings)
    assert Counted.calls == screened.spent < 4 * 40
    settings['store'] = store and tmp_path / 'until.db'
    Counted.calls = 0
    stopped = sweep_until(model, tiny, ids=range(5), replicates=5, **settings)
    assert (
        Counted.calls == stopped.history.retrainings.iloc[-1] == 5 * 5 and len(stopped.history) > 1
    )


@pytest.mark.parametrize(
    'wrong',
    [
        dict(end='top'),
        dict(n_units=0),
        dict(n_units=40),
        dict(start=1),
        dict(start=9, replicates=8),
    ],
)
def test_screens_that_make_no_sense(tiny, wrong):
    with pytest.raises(ValueError):
        screen(SMALL, tiny, **{**dict(metric='map', progress=False), **wrong})
