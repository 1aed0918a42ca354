"""Sweeps: any order, any number of processes, any interruption, one content."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit
from recinfluence.designs.single import single_units
from recinfluence.engines.deletion import deletions
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import METRICS
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD
from recinfluence.sweep import run as sweep_run
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store, StoreError

SMALL = NCF(n_epochs=2, batch_size=32)


def run(split, **changes):
    return deletion_sweep(
        **{
            **dict(
                recommender=SMALL,
                split=split,
                units='users',
                ids=range(10),
                replicates=2,
                k=3,
                jobs=1,
                progress=False,
                engine='reference',
            ),
            **changes,
        }
    )


def test_a_sweep_holds_what_algorithm_1_gives(tiny):
    frame = run(tiny, seed=3).frame()
    for seed in (3, 4):
        for deletion in deletions(
            SMALL, Evaluator(tiny, 3), single_units(tiny, 'users', range(10)), seed
        ):
            own = frame[(frame.unit == deletion.unit.key) & (frame.seed == seed)].set_index(
                'metric'
            )
            assert all(
                own.influence[m] == deletion.influence(m)
                and own.mechanical[m] == deletion.mechanical(m)
                and own.training[m] == deletion.training(m)
                for m in METRICS
            )
    assert len(frame) == 10 * 2 * len(METRICS)


@pytest.mark.slow
def test_processes_order_and_resumption_do_not_matter(tiny, tmp_path):
    hashes = {
        run(tiny).store.content_hash(),
        run(tiny, jobs=2, store=tmp_path / 'two.db').store.content_hash(),
    }
    run(tiny, ids=[7, 3, 9], replicates=1, store=tmp_path / 'bits.db')
    run(tiny, ids=[0, 1, 2, 3], seed=1, replicates=1, store=tmp_path / 'bits.db')
    hashes.add(run(tiny, store=tmp_path / 'bits.db').store.content_hash())
    assert len(hashes) == 1


def test_a_second_call_computes_nothing(tiny, tmp_path, monkeypatch):
    first = run(tiny, store=tmp_path / 's.db').store.content_hash()
    monkeypatch.setattr(sweep_run, 'carry_out', lambda *a: pytest.fail('trained again'))
    assert run(tiny, store=tmp_path / 's.db').store.content_hash() == first


SCRIPT = """
import sys
from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.models.svd import SVD
from recinfluence.sweep import run as sweep_run
from recinfluence.sweep.run import deletion_sweep
split = chrono_split(load_interactions(planted_interactions(), name='planted'))
asked = dict(jobs=int(sys.argv[2]), store=sys.argv[1], progress=False, engine=sys.argv[3])
model, seeds = SVD(n_factors=30, n_epochs=150), int(sys.argv[4])
deletion_sweep(model, split, 'users', range(30), replicates=seeds, k=3, **asked)
"""


def start(store, jobs, engine='reference', replicates=2):
    return subprocess.Popen(
        [sys.executable, '-c', SCRIPT, str(store), str(jobs), engine, str(replicates)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def rows_done(store):
    try:
        return (
            sqlite3.connect(f'file:{store}?mode=rw', uri=True, timeout=20)
            .execute('SELECT count(*) FROM retrainings')
            .fetchone()[0]
        )  # rw: what a killed process left half written is rolled back
    except sqlite3.Error:
        return 0


def survivors(group):
    "Processes of a session that still run."
    out = subprocess.run(
        ['ps', '-eo', 'pid,sess,stat'], capture_output=True, text=True
    ).stdout.split('\n')[1:]
    return [
        r
        for r in map(str.split, out)
        if len(r) == 3 and r[1] == str(group) and not r[2].startswith('Z')
    ]


def kill_9(tmp_path, jobs, most):
    "A sweep that is killed so many times holds in the end what an undisturbed one holds."
    enough = dict(replicates=6)  # so that it lasts longer than it takes to look into its store
    undisturbed = start(tmp_path / 'calm.db', 1, **enough)
    assert undisturbed.wait(180) == 0
    rng, store, kills, seen = random.Random(jobs * most), tmp_path / 'killed.db', 0, 0
    while kills < most:
        process = start(store, jobs, **enough)
        target = seen + rng.randint(1, 12)
        deadline = time.time() + 120
        while process.poll() is None and rows_done(store) < target and time.time() < deadline:
            time.sleep(0.005)
        if process.poll() is not None:
            break
        time.sleep(rng.random() * 0.1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        opened = Store(store)
        done = rows_done(store)
        assert done >= seen
        seen = done  # what was half written is taken back on opening; what was finished stays
        counts = pd.read_sql(
            'SELECT unit, seed, count(*) n FROM measures GROUP BY unit, seed', opened.db
        )
        assert (counts.n == len(METRICS)).all() and len(counts) == done  # and is whole
        wait = time.time() + 20
        while survivors(process.pid) and time.time() < wait:
            time.sleep(0.1)
        assert not survivors(process.pid)  # no worker outlives its sweep
    assert kills >= 2
    final = start(store, jobs, **enough)
    assert final.wait(180) == 0
    assert Store(store).content_hash() == Store(tmp_path / 'calm.db').content_hash()


@pytest.mark.parametrize('jobs', [1, 2])
def test_kill_9_at_random_moments_loses_nothing(tmp_path, jobs):
    kill_9(tmp_path, jobs, 2)


@pytest.mark.slow
@pytest.mark.parametrize('jobs', [1, 2])
def test_kill_9_many_times(tmp_path, jobs):
    kill_9(tmp_path, jobs, 6)


def test_ctrl_c_stops_cleanly_and_goes_on(tmp_path):
    store = tmp_path / 'c.db'
    process = start(store, 2, replicates=1000)
    while rows_done(store) < 3 and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(30)
    wait = time.time() + 20
    while survivors(process.pid) and time.time() < wait:
        time.sleep(0.1)  # a worker notices within a second, on an idle machine
    assert process.returncode != 0 and not survivors(process.pid) and rows_done(store) >= 3
    again = start(store, 1)
    assert again.wait(180) == 0
    assert len([s for _, s in Store(store).done() if s < 2]) == 2 * 31


def test_two_sweeps_cannot_write_to_one_store(tiny, tmp_path):
    store = tmp_path / 's.db'
    process = start(store, 1, replicates=8)
    while rows_done(store) < 2 and process.poll() is None:
        time.sleep(0.01)
    with pytest.raises(
        StoreError, match='another sweep is writing|holds another experiment'
    ) as error:
        deletion_sweep(
            SVD(n_factors=30, n_epochs=150),
            tiny,
            'users',
            range(3),
            k=3,
            jobs=1,
            store=store,
            progress=False,
            engine='reference',
        )
    assert 'another sweep is writing' in str(error.value)
    assert len(Store(store).frame()) >= 7 and process.wait(180) == 0  # readable all the while


@pytest.mark.parametrize(
    'change, word',
    [
        (dict(recommender=NCF(n_epochs=3, batch_size=32)), 'n_epochs'),
        (dict(k=4), 'k'),
        (dict(candidates='test'), 'candidates'),
        (dict(recommender=Popularity()), 'Popularity'),
    ],
)
def test_a_store_refuses_another_experiment(tiny, tmp_path, change, word):
    run(tiny, ids=[1], replicates=1, store=tmp_path / 's.db')
    with pytest.raises(StoreError, match=word):
        run(tiny, ids=[1], replicates=1, store=tmp_path / 's.db', **change)


def test_a_store_refuses_another_split(tiny, ml_chrono, tmp_path):
    deletion_sweep(Popularity(), tiny, ids=[1], store=tmp_path / 's.db', jobs=1, progress=False)
    with pytest.raises(StoreError, match='data'):
        deletion_sweep(
            Popularity(), ml_chrono, ids=[1], store=tmp_path / 's.db', jobs=1, progress=False
        )


@pytest.mark.parametrize(
    'content', [b'not a database at all, but long enough to look at' * 10, b'']
)
def test_what_is_no_store_is_named(tmp_path, content):
    (tmp_path / 's.db').write_bytes(content)
    with pytest.raises(StoreError, match='s.db'):
        Store(tmp_path / 's.db')
    with pytest.raises(StoreError, match='no such store'):
        Store(tmp_path / 'none.db')
    with pytest.raises(StoreError, match='folder'):
        Store(tmp_path)


class Fragile(Popularity):
    "Cannot be trained without user 3."

    def fit_without(self, train, unit, seed=0):
        if 3 in unit.users:
            raise RuntimeError('singular')
        return super().fit_without(train, unit, seed)


@pytest.mark.parametrize('jobs', [1, 2])
def test_a_failing_retraining_costs_that_unit_alone(tiny, jobs):
    sweep = run(tiny, recommender=Fragile(), replicates=1, jobs=jobs)
    assert sweep.store.failures().to_dict('records') == [
        {'unit': 'user 3', 'seed': 0, 'reason': 'RuntimeError: singular'}
    ]
    assert set(sweep.frame().unit) == {
        f'user {i}' for i in range(10) if i != 3
    } and '1 failed' in repr(sweep)


def test_a_store_in_memory_can_be_gone_on_with(tiny):
    first = deletion_sweep(Popularity(), tiny, ids=range(3), k=3, jobs=1, progress=False)
    then = deletion_sweep(
        Popularity(),
        tiny,
        ids=range(5),
        replicates=2,
        k=3,
        jobs=1,
        progress=False,
        store=first.store,
    )
    assert then.store is first.store and len(first.store.done()) == 2 * 6
    with pytest.raises(
        StoreError, match='this store in memory: holds another experiment: its k has 3'
    ):
        deletion_sweep(
            Popularity(), tiny, ids=range(3), k=4, jobs=1, progress=False, store=first.store
        )


def test_groups_and_items_share_a_store(tiny, tmp_path):
    group = Unit(users=(1, 2, 3), name='trio')
    run(tiny, units=[group], ids=None, store=tmp_path / 's.db')
    sweep = run(tiny, units='items', ids=[4, 5], store=tmp_path / 's.db')
    assert set(Store(tmp_path / 's.db').units_table().index) == {
        'nothing',
        group.key,
        'item 4',
        'item 5',
    } and set(sweep.frame().unit) == {'item 4', 'item 5'}


def test_influence_is_mean_and_standard_error_over_seeds(tiny):
    sweep = run(tiny, replicates=4)
    inf = sweep.influence('ndcg').frame
    frame = sweep.frame()
    frame = frame[frame.metric == 'ndcg'].set_index('unit')
    for unit, row in inf.iterrows():
        values = frame.influence[unit].to_numpy()
        assert (
            row.estimate == pytest.approx(values.mean(), abs=1e-15)
            and row.se == pytest.approx(values.std(ddof=1) / 2, abs=1e-15)
            and row.replicates == 4
        )
    assert (
        inf.estimate.is_monotonic_decreasing
        and 'error bar' in run(tiny, replicates=1).influence('map').caution
    )
    with pytest.raises(ValueError, match='choose one of'):
        sweep.influence('auc')


def test_a_metric_that_cannot_see_the_model_is_called_out(tiny):
    influences = {
        m: run(tiny, candidates='test', replicates=2).influence(m) for m in ('map', 'mae')
    }
    assert (
        influences['map'].blind
        and 'cannot see the model' in influences['map'].caution
        and (influences['map'].frame.training == 0).all()
        and not influences['mae'].blind
    )
    assert not run(tiny).influence('map').blind


def test_agreement_is_one_for_a_model_without_noise_and_nan_for_one_seed(tiny):
    sweep = run(tiny, recommender=Popularity(), replicates=3)
    assert sweep.influence('map').agreement() == pytest.approx(1) and np.isnan(
        run(tiny, replicates=1).influence('map').agreement()
    )


@pytest.mark.parametrize(
    'wrong',
    [dict(units='films'), dict(replicates=0), dict(jobs=0), dict(engine='warp'), dict(ids=[4000])],
)
def test_wrong_calls_are_refused_before_anything_is_trained(tiny, wrong):
    with pytest.raises(ValueError):
        run(tiny, **wrong)


def test_a_store_knows_what_its_retrainings_cost(tiny, tmp_path):
    start = time.process_time()
    sweep = run(tiny, store=tmp_path / 'cost.db')
    spent = time.process_time() - start
    first = sweep.store.cost()
    n = sweep.store.db.execute('SELECT SUM(retrainings) FROM costs').fetchone()[0]
    assert 0 < first * n <= spent and n == len(sweep.units) * 2
    run(tiny, store=tmp_path / 'cost.db')
    assert Store(tmp_path / 'cost.db').cost() == first  # nothing was left to do
    assert np.isnan(Store(None, sweep.experiment).cost())
