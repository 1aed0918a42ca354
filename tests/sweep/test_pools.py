"""Where a sweep runs must not show in its store.

This process, processes beside it, anybody's executor, a real Dask cluster whose workers come and
go.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.models.ncf import NCF
from recinfluence.reproduction.sections import run_experiment
from recinfluence.sweep.pools import find_pool
from recinfluence.sweep.processes import Child, Load, Lost
from recinfluence.sweep.run import deletion_sweep

MODEL = NCF(n_epochs=3, batch_size=16)


def run(split, **kw):
    return deletion_sweep(
        **{
            **dict(
                recommender=MODEL,
                split=split,
                units='users',
                ids=range(16),
                replicates=2,
                k=3,
                progress=False,
                engine='reference',
            ),
            **kw,
        }
    )


def until(test, seconds=60):
    "Wait for something to become true."
    end = time.time() + seconds
    while not (got := test()):
        if time.time() > end:
            raise TimeoutError('it did not happen')
        time.sleep(0.02)
    return got


def alive(pid):
    try:
        return 'Z' not in Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except OSError:
        return False


def offspring(pid):
    "All processes that a process has started, and theirs."
    own = [
        int(p)
        for p in subprocess.run(
            ['ps', '-o', 'pid=', '--ppid', str(pid)], capture_output=True, text=True
        ).stdout.split()
    ]
    return own + [q for p in own for q in offspring(p)]


class Cluster:
    """A scheduler and workers, each a process of its own on the loopback address.

    All of them end with it.
    """

    def __init__(self, folder):
        self.folder, self.workers, self.env = (
            folder,
            [],
            {
                **os.environ,
                'PYTHONPATH': os.pathsep.join(p or os.getcwd() for p in sys.path),
                'DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__GIL__ENABLED': 'false',
            },
        )
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        self.address = f'127.0.0.1:{port}'
        self.scheduler = self.start('scheduler', '--host', '127.0.0.1', '--port', str(port))

    def start(self, what, *args):
        with open(self.folder / f'{what}-{time.time_ns()}.log', 'w') as said:
            return subprocess.Popen(
                [sys.executable, '-m', f'distributed.cli.dask_{what}', *args, '--no-dashboard'],
                stdout=said,
                stderr=subprocess.STDOUT,
                env=self.env,
                start_new_session=True,
            )

    def worker(self):
        worker = self.start(
            'worker',
            f'tcp://{self.address}',
            '--host',
            '127.0.0.1',
            '--nthreads',
            '1',
            '--no-nanny',
            '--local-directory',
            str(self.folder),
        )
        self.workers.append(worker)
        return worker

    def client(self):
        from distributed import Client

        return Client(f'tcp://{self.address}', set_as_default=False)

    def close(self):
        started = [p.pid for p in (self.scheduler, *self.workers)]
        theirs = [q for p in started for q in offspring(p)]
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        until(
            lambda: not any(map(alive, theirs)), 20
        )  # children of killed workers end by themselves


@pytest.fixture(scope='module')
def cluster(tmp_path_factory):
    pytest.importorskip(
        'distributed',
        reason='Dask is not installed (pip install recinfluence[dask]): its tests are skipped',
    )
    running = Cluster(tmp_path_factory.mktemp('dask'))
    try:
        running.worker()
        running.worker()
        with running.client() as client:
            client.wait_for_workers(2, timeout=60)
        yield running
    finally:
        running.close()


@pytest.fixture(scope='module')
def calm(tiny):
    "What every run must hold in the end, by this process alone."
    return run(tiny, jobs=1).store.content_hash()


def rows(store):
    try:
        return (
            sqlite3.connect(f'file:{store}?mode=ro', uri=True)
            .execute('SELECT count(*) FROM retrainings')
            .fetchone()[0]
        )
    except sqlite3.Error:
        return 0


@pytest.mark.parametrize('engine', ['reference', 'fast'])
def test_processes_threads_and_pools_give_one_content(tiny, engine):
    few = dict(engine=engine, ids=range(5))
    alone = run(tiny, jobs=1, **few).store.content_hash()
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(1) as pool:
        ways = dict(
            two=dict(jobs=2, time_limit=300, memory_limit=16),
            threads=dict(executor=threads),
            pool=dict(executor=pool),
        )
        assert {
            w: run(tiny, **few, **kw).store.content_hash() for w, kw in ways.items()
        } == dict.fromkeys(ways, alone)


@pytest.mark.parametrize('engine', ['reference', 'fast'])
def test_dask_with_a_worker_killed_midway_and_one_that_joins_late(
    tiny, calm, cluster, tmp_path, engine
):
    store, held = tmp_path / 's.db', {}
    ids = dict(reference=range(16), fast=None)[engine]
    expected = (
        calm
        if engine == 'reference'
        else run(tiny, jobs=1, engine='fast', ids=None, replicates=4).store.content_hash()
    )

    def disturb():
        until(lambda: rows(store) > 2)
        victim = cluster.workers[-1]
        held['mid-task'] = len(offspring(victim.pid))
        held['rows'] = rows(store)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        held['late'] = cluster.worker()

    thread = threading.Thread(target=disturb)
    thread.start()
    sweep = run(
        tiny,
        engine=engine,
        ids=ids,
        replicates=2 if engine == 'reference' else 4,
        executor=f'dask://{cluster.address}',
        store=store,
    )
    thread.join()
    assert (
        held['mid-task'] == 1
        and held['rows'] < len(sweep.store.done())
        and sweep.store.content_hash() == expected
        and not len(sweep.failures())
    )
    with cluster.client() as client:
        client.wait_for_workers(2, timeout=60)


@pytest.mark.slow
def test_a_late_worker_takes_part_and_the_data_travels_once_to_each(tiny, calm, cluster):
    with cluster.client() as client:
        client.wait_for_workers(2, timeout=60)
        seen = []

        class Watched(type(MODEL)):  # travels by value: the worker does not know this test
            def fit_without(self, train, unit, seed=0):
                time.sleep(0.25)
                return super().fit_without(train, unit, seed)

        Watched.__module__ = '__main__'

        def join():
            until(lambda: any(offspring(w.pid) for w in cluster.workers))
            seen.append(cluster.worker())

        thread = threading.Thread(target=join)
        thread.start()
        run(tiny, recommender=Watched(n_epochs=1, batch_size=64), replicates=4, executor=client)
        thread.join()
        client.wait_for_workers(3, timeout=60)

        def told(dask_worker):
            return (
                os.getpid(),
                [
                    k
                    for e in dask_worker.transfer_incoming_log
                    for k in e['keys']
                    if str(k).startswith('recinfluence-')
                ],
                len(
                    [
                        e
                        for e in dask_worker.state.stimulus_log
                        if type(e).__name__ == 'ComputeTaskEvent'
                    ]
                ),
            )

        by = {pid: (arrived, tasks) for pid, arrived, tasks in client.run(told).values()}
    arrived, tasks = by[seen[0].pid]
    assert tasks > 2 and len(arrived) == 1  # the late one computed, and was sent the data once
    assert all(
        len(a) == len(set(a)) for a, _ in by.values()
    )  # and nobody was sent the same data twice
    seen[0].kill()
    seen[0].wait()
    cluster.workers.remove(seen[0])


SCRIPT = """
import sys
from recinfluence.data.interactions import load_interactions
from recinfluence.models.ncf import NCF
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.sweep.run import deletion_sweep
split = chrono_split(load_interactions(planted_interactions(), name='planted'))
asked = dict(k=3, executor=sys.argv[2], store=sys.argv[1], progress=False, engine='reference')
deletion_sweep(NCF(n_epochs=3, batch_size=16), split, 'users', range(16), replicates=2, **asked)
"""


def test_the_client_is_killed_and_the_sweep_resumed(tiny, calm, cluster, tmp_path):
    store, address = tmp_path / 's.db', f'dask://{cluster.address}'
    process = subprocess.Popen([sys.executable, '-c', SCRIPT, str(store), address])
    until(lambda: rows(store) > 2 or process.poll() is not None)
    process.kill()
    process.wait()
    held = rows(store)
    assert 0 < held < 34
    with cluster.client() as client:
        until(
            lambda: (
                not client.run_on_scheduler(
                    lambda dask_scheduler: [
                        k for k in dask_scheduler.tasks if str(k).startswith('recinfluence-')
                    ]
                )
            )
        )  # the cluster has forgotten its data
    assert run(tiny, executor=address, store=store).store.content_hash() == calm


def test_where_no_cluster_is_the_message_says_how_to_start_one(tiny):
    with pytest.raises(ValueError, match='dask scheduler'):
        run(tiny, executor='dask://127.0.0.1:9')
    for wrong in ('ray://x', 3):
        with pytest.raises(ValueError, match='dask://host:port'):
            run(tiny, executor=wrong)
    with pytest.raises(ValueError, match='one of the two'):
        run(tiny, executor='dask://127.0.0.1:9', jobs=2)


class Told:
    "Does what its task says."

    def run(self, what, n=0):
        if what == 'pid':
            return os.getpid()
        if what == 'print':
            print('loud', flush=True)
            os.write(1, b'louder')
            return 1
        if what == 'interrupt':
            os.kill(os.getpid(), signal.SIGINT)
            return 2
        if what == 'unpicklable':
            return threading.Lock()
        if what == 'sleep':
            time.sleep(n)
            return n
        if isinstance(what, int):
            time.sleep(0.02)
            return os.getpid()


def test_a_child_keeps_to_its_pipe_and_ends_with_its_owner(tmp_path):
    child = Child(Load.of(Told))
    pid = child.call(('pid',))
    assert [child.call((w,)) for w in ('print', 'interrupt', 'pid')] == [1, 2, pid]
    with pytest.raises(RuntimeError, match='cannot be sent back'):
        child.call(('unpicklable',))
    assert child.call(('sleep', 30), 0.2) == Lost(
        'stopped after its time limit of 0.2 s', False
    ) and not alive(pid)
    again = child.call(('pid',))
    os.kill(again, signal.SIGKILL)
    until(lambda: not alive(again))
    answer = child.call(
        ('pid',)
    )  # the kill may still be on its way: then this task is lost, and may be run again
    assert answer != again and (
        isinstance(answer, int) or answer.again and isinstance(child.call(('pid',)), int)
    )
    child.stop()
    owner = subprocess.Popen(
        [
            sys.executable,
            '-c',
            (
                'import sys, time, test_pools as t\nc = t.Child(t.Load.of(t.Told)); '
                'print(c.call(("pid",)), flush=True); c.call(("sleep", 60))'
            ),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join(
                [str(Path(__file__).parent), *(p or os.getcwd() for p in sys.path)]
            ),
        },
    )
    orphan = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    until(lambda: not alive(orphan), 20)  # in mid-task


def test_a_load_that_is_not_ours_is_not_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / 'exploded',))

    load = Load.of(Told).in_file(tmp_path)
    Path(load.path).write_bytes(Load.of(Bomb).content)
    with pytest.raises(ValueError, match='not what the sweep wrote'):
        load.open()
    with pytest.raises(ValueError, match='not what the sweep wrote'):
        Child(load).call(('pid',))
    with pytest.raises(ValueError, match='same version'):
        Load(load.digest, b'', version='0.0.1').open()
    Path(load.path).unlink()
    with pytest.raises(ValueError, match='cannot read'):
        load.open()
    assert not (tmp_path / 'exploded').exists()


def test_a_broken_pool_is_said_and_loses_nothing(tiny, calm, tmp_path):
    store = tmp_path / 's.db'
    with ProcessPoolExecutor(1) as pool:

        def kill():
            until(lambda: rows(store) > 2)
            next(iter(pool._processes.values())).kill()

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(RuntimeError, match='make a new one and call again'):
            run(tiny, executor=pool, store=store)
        thread.join()
    assert rows(store) > 2 and run(tiny, jobs=1, store=store).store.content_hash() == calm


def test_tasks_that_have_not_begun_can_be_taken_back():
    with find_pool(None, 1, Told, ()) as here:
        for n in range(3):
            here.submit(('pid', n))
        assert here.cancel(lambda t: t[1] == 1) == [('pid', 1)] and [t for t, _ in here] == [
            ('pid', 0),
            ('pid', 2),
        ]


def test_a_process_goes_on_with_what_it_has_begun():
    """Four replicates of eight tasks in two processes.

    Each is prepared once, and one more where at the end a process helps the other.
    """
    with find_pool(None, 2, Told, ()) as pool:
        for n in range(8):
            for replicate in range(4):
                pool.submit((replicate, n))
        at = {(replicate, pid) for (replicate, _), pid in pool}
    assert {r for r, _ in at} == set(range(4)) and len({pid for _, pid in at}) == 2 and len(at) <= 5


def test_tasks_of_own_processes_can_be_taken_back():
    with find_pool(None, 2, Told, ()) as pool:
        for n in range(20):
            pool.submit(('sleep', n / 1000))
        back = pool.cancel(lambda t: t[1] >= 0.01)
        came = [t for t, _ in pool]
    assert sorted(back + came) == [('sleep', n / 1000) for n in range(20)] and {
        ('sleep', n / 1000) for n in range(12, 20)
    } <= set(back)


@pytest.mark.slow
def test_the_cluster_experiment_runs_and_says_what_it_was_made_from(tmp_path):
    pytest.importorskip(
        'distributed', reason='Dask is not installed (pip install recinfluence[dask])'
    )
    run_experiment('cluster', tmp_path, simulated=True, workers=1)
    measured = pd.read_csv(tmp_path / 'tables/measured.csv')
    made = json.loads((tmp_path / 'provenance/cluster.json').read_text())
    assert (
        made['data_hash'] == load_interactions(planted_interactions()).hash
        and made['processes'] == 1
        and made['seeds'] == '0'
    )
    assert (
        measured.executor.tolist() == ['this process', 'Dask']
        and (measured.retrainings == 41).all()
        and made['retrainings'] == 2 * 40
    )  # the full model is not counted
