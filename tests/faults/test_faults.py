"""What goes wrong costs what it must and no more.

The fault table with zeros where it must have them, and the faults that a real system makes.
"""

import ast
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recinfluence
from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.metrics.metric import METRICS
from recinfluence.models.popularity import Popularity
from recinfluence.reproduction.sections import run_experiment
from recinfluence.sweep import store
from recinfluence.sweep.results import Retraining, Status
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store, StoreError


def run(split, recommender=None, **kw):
    return deletion_sweep(
        **{
            **dict(
                recommender=recommender or Popularity(),
                split=split,
                ids=range(8),
                replicates=2,
                k=3,
                jobs=1,
                progress=False,
            ),
            **kw,
        }
    )


TESTS = Path(__file__).parents[1]
RANDOM = 'rounds at random'  # of the faults above it
QUICK = {  # each kind of the fault table: the quick test that holds one of it
    'a retraining raises': 'faults/test_faults.py::'
    'test_a_failure_is_kept_shown_and_retried_on_request_alone',
    'a retraining ends the program': 'faults/test_faults.py::'
    'test_where_the_full_model_fails_its_replicate_does',
    'a retraining hangs': 'faults/test_faults.py::test_what_is_ended_from_outside_costs_itself',
    'a retraining takes all memory': 'faults/test_faults.py::'
    'test_what_is_ended_from_outside_costs_itself',
    'a retraining returns NaN': 'faults/test_faults.py::'
    'test_where_the_full_model_fails_its_replicate_does',
    'a retraining kills its process': 'faults/test_faults.py::'
    'test_what_is_ended_from_outside_costs_itself',
    "a retraining's worker dies once": 'faults/test_faults.py::'
    'test_what_is_ended_from_outside_costs_itself',
    'the full model raises': 'faults/test_faults.py::'
    'test_where_the_full_model_fails_its_replicate_does',
    'the full model hangs': 'faults/test_faults.py::test_what_is_ended_from_outside_costs_itself',
    'a worker is killed': 'sweep/test_pools.py::'
    'test_a_child_keeps_to_its_pipe_and_ends_with_its_owner',
    'the sweep is killed': 'sweep/test_run.py::test_kill_9_at_random_moments_loses_nothing',
    'Ctrl-C': 'sweep/test_run.py::test_ctrl_c_stops_cleanly_and_goes_on',
    'the disk is full': 'faults/test_faults.py::test_a_store_that_cannot_be_written_to_keeps_all',
    'the store is read-only': 'faults/test_faults.py::'
    'test_a_store_that_cannot_be_written_to_keeps_all',
    'a store of other data': 'sweep/test_run.py::test_a_store_refuses_another_split',
    'a store of another split': 'faults/test_faults.py::'
    'test_a_store_of_another_split_or_version_is_refused',
    'a store of another version': 'faults/test_faults.py::'
    'test_a_store_of_another_split_or_version_is_refused',
    'two sweeps on one store': 'sweep/test_run.py::test_two_sweeps_cannot_write_to_one_store',
    'a result arrives twice': 'faults/test_faults.py::'
    'test_done_stays_done_and_a_result_that_comes_out_differently_is_said',
    'a page is damaged': 'faults/test_faults.py::'
    'test_whichever_page_is_damaged_the_store_is_rescued',
    'a Dask worker is killed': 'sweep/test_pools.py::'
    'test_dask_with_a_worker_killed_midway_and_one_that_joins_late',
}


def kinds_of(table):
    "The kinds of fault in a fault table, without their mixture and their sum."
    return {kind for kind in table.index if RANDOM not in kind and kind != 'all'}


def test_a_quick_test_holds_each_kind_of_the_fault_table():
    kept = pd.read_csv(TESTS.parent / 'docs/measured/faults.csv', index_col='fault')
    assert set(QUICK) == kinds_of(kept)
    for kind, place in QUICK.items():
        path, name = place.split('::')
        tree = ast.parse((TESTS / path).read_text(encoding='utf-8'))
        found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in found, f'{kind}: there is no {place}'
        marks = [ast.unparse(mark) for mark in found[name].decorator_list]
        assert not any('slow' in mark for mark in marks), f'{kind}: {place} is slow'


@pytest.mark.slow
def test_the_fault_table_has_zeros_where_it_must(tmp_path):
    run_experiment('faults', tmp_path, rounds=3, seed=3, ids=6, jobs=1, dask=False)
    table = pd.read_csv(tmp_path / 'tables/faults.csv', index_col='fault')
    assert (table[['lost', 'duplicated', 'changed']] == 0).all(axis=None)
    assert kinds_of(table) == set(QUICK) - {'a Dask worker is killed'}
    made = json.loads((tmp_path / 'provenance/faults.json').read_text())
    assert (
        made['data_hash'] == load_interactions(planted_interactions()).hash
        and made['retrainings'] > 21 * 6
        and not list((tmp_path / 'stores').iterdir())
    )
    assert (
        len(table) >= 21
        and (table.injected > 0).all()
        and table.injected['all'] == table.injected.drop('all').sum() > 35
    )
    assert (
        table.said[[n for n in table.index if n.startswith('a store of')]].str.endswith('.').all()
        and len(re.findall("'[0-9a-f]{64}'", table.said['a store of other data'])) == 2
    )  # whole messages


class Broken(Popularity):
    "Fails for chosen units in a chosen way."

    def __init__(self, **faults):
        self.faults_ = faults

    def fresh(self):
        return self

    def fit(self, train, seed=0):
        return self._as('nothing', super().fit(train, seed))

    def fit_without(self, train, unit, seed=0):
        return self._as(unit.key.replace(' ', '_'), super().fit(unit.remaining(train), seed))

    def score(self, users, items):
        return super().score(users, items) * self.factor_

    def _as(self, key, fitted):
        what = self.faults_.get(key)
        self.factor_ = what if isinstance(what, float) else 1.0
        if isinstance(what, BaseException):
            raise what
        return fitted


@pytest.mark.filterwarnings('ignore:invalid value')
def test_a_failure_is_kept_shown_and_retried_on_request_alone(tiny, tmp_path):
    store = tmp_path / 's.db'
    sweep = run(tiny, Broken(user_3=RuntimeError('singular'), user_5=np.inf), store=store)
    failures = sweep.failures().set_index(['unit', 'seed']).reason
    assert (
        set(failures.index) == {(u, n) for u in ('user 3', 'user 5') for n in (0, 1)}
        and failures['user 3', 0] == 'RuntimeError: singular'
        and 'not a number' in failures['user 5', 0]
    )
    assert (
        '4 failed' in repr(sweep)
        and 'singular' in repr(sweep)
        and set(sweep.frame().unit) == {f'user {i}' for i in range(8)} - {'user 3', 'user 5'}
    )
    assert len(run(tiny, Broken(), store=store).failures()) == 4  # healed, but nobody asked
    healed = run(tiny, Broken(), store=store, retry_failed=True)
    assert (
        not len(healed.failures())
        and healed.store.content_hash() == run(tiny, Broken()).store.content_hash()
    )


@pytest.mark.parametrize(
    'fault, said',
    [
        (ValueError('no such device'), 'no such device'),
        (np.nan, 'NaN'),
        (SystemExit(3), 'SystemExit: 3'),
    ],
)
def test_where_the_full_model_fails_its_replicate_does(tiny, fault, said):
    sweep = run(tiny, Broken(nothing=fault))
    failures = sweep.failures()
    assert (
        len(failures) == 2 * 9
        and not len(sweep.frame())
        and failures.reason.str.contains(said).all()
        and failures[failures.unit != 'nothing']
        .reason.str.startswith('the full model failed: ')
        .all()
    )


class Ended(Popularity):
    "Hangs, dies or takes all memory for one unit, while a file in its folder says so."

    def __init__(self, folder):
        self.folder = str(folder)

    def fit(self, train, seed=0):
        return self.suffer('nothing', super().fit(train, seed))

    def fit_without(self, train, unit, seed=0):
        return self.suffer(unit.key, super().fit(unit.remaining(train), seed))

    def suffer(self, key, fitted):
        plan = Path(self.folder) / 'plan'
        chosen, what = plan.read_text().split(', ') if plan.exists() else ('', '')
        if key != chosen:
            return fitted
        if what == 'hang':
            time.sleep(1000)
        if what == 'memory':
            np.ones(2 << 30)
        if what == 'die once':
            plan.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    'key, what, said',
    [
        ('user 1', 'hang', 'stopped after its time limit of 1 s'),
        ('user 1', 'memory', 'MemoryError'),
        ('user 1', 'die', 'its process died'),
        ('user 1', 'die once', None),
        ('nothing', 'hang', 'stopped after its time limit of 1 s'),
    ],
)
def test_what_is_ended_from_outside_costs_itself(tiny, tmp_path, key, what, said):
    "In a process of its own, under a time limit and a memory limit."
    (tmp_path / 'plan').write_text(f'{key}, {what}')
    ids = range(1 if key == 'nothing' else 3)
    asked = dict(ids=ids, replicates=1, store=tmp_path / 's.db')
    sweep = run(tiny, Ended(tmp_path), **asked, time_limit=1, memory_limit=4)
    reasons = sweep.failures().set_index('unit').reason
    lost = [key] if key != 'nothing' else ['nothing', 'user 0']
    assert set(reasons.index) == (set(lost) if said else set())
    assert not said or reasons[key].startswith(said)
    (tmp_path / 'plan').unlink(missing_ok=True)
    healed = run(tiny, Ended(tmp_path), **asked, retry_failed=True)
    calm = run(tiny, Ended(tmp_path), ids=ids, replicates=1)
    assert not len(healed.failures())
    assert healed.store.content_hash() == calm.store.content_hash()


def test_a_store_that_cannot_be_written_to_keeps_all(tiny, tmp_path, monkeypatch):
    "By SQLite's own errors, so that no disk need be mounted for it."
    path, plain = tmp_path / 's.db', store.connect

    def full(path, mode):
        db = plain(path, mode)
        if mode != 'ro':
            pages = db.execute('PRAGMA page_count').fetchone()[0]
            db.execute(f'PRAGMA max_page_count = {pages + 1}')
        return db

    run(tiny, ids=range(4), store=path)
    for connect, said in (
        (full, 'the disk is full'),
        (lambda path, mode: plain(path, 'ro'), 'cannot be written to'),
    ):
        with monkeypatch.context() as patch, pytest.raises(StoreError, match=said):
            patch.setattr(store, 'connect', connect)
            run(tiny, ids=None, replicates=10, store=path)
        assert len(Store(path).done()) >= 10
    assert run(tiny, store=path).store.failures().empty
    whole = run(tiny).frame().set_index(['unit', 'seed', 'metric'])
    held = Store(path).frame().set_index(['unit', 'seed', 'metric'])
    assert held.loc[whole.index].equals(whole)


def test_a_store_of_another_split_or_version_is_refused(tiny, tmp_path, monkeypatch):
    path = tmp_path / 's.db'
    before = run(tiny, store=path).store.content_hash()
    with pytest.raises(StoreError, match="its split has {'train': 0.75}, this one has"):
        run(chrono_split(tiny.interactions, train=0.6), store=path)
    monkeypatch.setattr(recinfluence, '__version__', '99.0')
    with pytest.raises(StoreError, match="this one has '99.0'"):
        run(tiny, store=path)
    assert Store(path).content_hash() == before


def test_random_groups_of_a_seed_fail_together(tiny):
    class Moody(Popularity):
        def fit_without(self, train, unit, seed=0):
            if seed == 1 and unit.name == 'group 5':
                raise RuntimeError('singular')
            return super().fit_without(train, unit, seed)

    sweep = run(tiny, Moody(), units=RandomGroups(per_seed=8), ids=None, replicates=3)
    assert (
        set(sweep.failures().unit) == {f'users group {n}' for n in range(8)}
        and set(sweep.failures().seed) == {1}
        and len(sweep.store.done()) == 16
    )
    assert sweep.store.groups('ndcg', range(3)).seeds.tolist() == [0, 2]


def test_a_metric_that_is_undefined_in_the_data_is_no_failure(tiny):
    from recinfluence.data.splits import Split

    same = Split(tiny.train, tiny.test.assign(rating=3.0), tiny.interactions, tiny.protocol)
    assert not len(run(same).failures()) and run(same).full().explained_variance.isna().all()


def test_done_stays_done_and_a_result_that_comes_out_differently_is_said(tiny, tmp_path, caplog):
    store = run(tiny, store=tmp_path / 's.db').store
    before = store.content_hash()
    store.add(
        [
            Retraining('user 1', 0, {}, Status.FAILED, 'late'),
            Retraining('user 2', 0, {m: (1.0, 2.0) for m in METRICS}),
        ]
    )
    assert (
        store.content_hash() == before
        and 'came out differently' in caplog.text
        and 'user 2' in caplog.text
        and 'user 1' not in caplog.text
    )


def test_a_store_from_before_checksums_goes_on(tiny, tmp_path):
    old = run(tiny, ids=range(4), store=tmp_path / 'old.db').store
    old.db.execute('DROP TABLE checks')
    old.db.execute('DROP TABLE spare')
    old.db.close()
    assert len(Store(tmp_path / 'old.db').done()) == 10
    assert (
        run(tiny, store=tmp_path / 'old.db').store.content_hash() == run(tiny).store.content_hash()
    )
    (tmp_path / 'old.db').rename(tmp_path / 'x.db')
    assert len(Store(tmp_path / 'x.db').done()) == 18


def test_one_changed_digit_is_noticed_and_rescued(tiny, tmp_path):
    path = tmp_path / 's.db'
    whole = run(tiny, store=path).store.content_hash()
    db = sqlite3.connect(path)
    db.execute(
        (
            "UPDATE measures SET without = without + 1e-9 WHERE unit = 'user 3' AND seed = "
            "1 AND metric = 'mae'"
        )
    )
    db.commit()
    db.close()
    with pytest.raises(StoreError, match='damaged.*user 3.*seed 1.*rescue'):
        Store(path)
    rescued = Store.rescue(path, tmp_path / 'new.db')
    assert len(rescued.done()) == 17
    rescued.db.close()
    assert run(tiny, store=tmp_path / 'new.db').store.content_hash() == whole
    with pytest.raises(StoreError, match='is there already'):
        Store.rescue(path, tmp_path / 'new.db')


def test_half_written_rows_of_a_killed_sweep_are_taken_back(tiny, tmp_path):
    path = tmp_path / 's.db'
    before = run(tiny, store=path).store.content_hash()
    script = (
        'import json, os, re, sqlite3, sys; db = sqlite3.connect(sys.argv[1], '
        "isolation_level=None); db.execute('PRAGMA cache_size = 1'); "
        'db.execute(\'BEGIN\'); db.execute("UPDATE measures SET without = 7"); '
        'db.execute("UPDATE units SET label = hex(randomblob(3000))"); os._exit(9)'
    )
    assert (
        subprocess.run([sys.executable, '-c', script, str(path)]).returncode == 9
        and Path(f'{path}-journal').stat().st_size > 0
    )  # a journal that has to be played back
    assert Store(path).content_hash() == before and not (Store(path).frame().without == 7).any()


@pytest.fixture
def small_disk(tmp_path):
    "A disk of 192 KiB."
    place = tmp_path / 'disk'
    place.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', 'size=192k', 'tmpfs', str(place)], capture_output=True
        ).returncode
    ):
        pytest.skip(
            (
                'a disk cannot be mounted here (needs root): the full and the read-only '
                'disk are tested by what SQLite says only'
            )
        )
    yield place
    subprocess.run(['umount', '-l', str(place)], check=True)


def test_a_disk_that_is_really_full_or_read_only(tiny, small_disk, tmp_path):
    store = small_disk / 's.db'
    run(tiny, ids=range(4), store=store)
    done = len(Store(store).done())
    with pytest.raises(StoreError, match='the disk is full.*free some space, and call again'):
        run(tiny, ids=None, replicates=40, store=store)
    held = Store(store)
    assert len(held.done()) > done and len(held.frame()) >= 8 * len(METRICS) * 2
    held.db.close()
    ro = tmp_path / 'ro'
    ro.mkdir()
    subprocess.run(['mount', '--bind', str(small_disk), str(ro)], check=True)
    subprocess.run(['mount', '-o', 'remount,bind,ro', str(ro)], check=True)
    try:
        with pytest.raises(StoreError, match='cannot be written to.*can be read'):
            run(tiny, ids=None, replicates=40, store=ro / 's.db')
        assert len(Store(ro / 's.db').done()) > done
    finally:
        subprocess.run(['umount', '-l', str(ro)], check=True)
    subprocess.run(['mount', '-o', 'remount,size=8m', str(small_disk)], check=True)
    assert (
        run(tiny, ids=None, replicates=3, seed=0, store=store).store.failures().empty
        and len(Store(store).done()) >= 3 * 41
    )


def test_whichever_page_is_damaged_the_store_is_rescued(tiny, tmp_path):
    path = tmp_path / 's.db'
    store = run(tiny, units='users', store=path).store
    whole, count, before = store.content_hash(), len(store.done()), path.read_bytes()
    store.db.close()
    kept = []
    for page in range(len(before) // 4096):
        for hurt in (bytes(4096), b'\xff\x80' * 2048):
            path.write_bytes(before[: page * 4096] + hurt + before[(page + 1) * 4096 :])
            new = tmp_path / 'new.db'
            new.unlink(missing_ok=True)
            with pytest.raises(StoreError, match='rescue'):
                Store(path)
            rescued = Store.rescue(path, new)
            kept.append(len(rescued.done()))
            rescued.db.close()
            assert run(tiny, store=new).store.content_hash() == whole
    assert kept[0] == kept[1] == count and np.mean(kept) > 0.6 * count


@pytest.mark.parametrize(
    'wrong, words',
    [
        (dict(time_limit=0), 'above zero'),
        (dict(time_limit=float('nan')), 'give a number or None'),
        (dict(memory_limit=-1), 'above zero'),
    ],
)
def test_limits_that_are_none_are_refused(tiny, wrong, words):
    with pytest.raises(ValueError, match=words):
        run(tiny, **wrong)


def test_a_memory_limit_below_what_python_needs_is_said(tiny):
    with pytest.raises(ValueError, match='GiB before its first retraining. Allow more'):
        run(tiny, memory_limit=0.05)
