"""What the machine is asked for."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recinfluence.core import machine
from recinfluence.core.machine import cores, log, peak_memory, processor
from recinfluence.kernels import simd

HOLDS_A_QUARTER = """
import numpy
from recinfluence.core.machine import peak_memory
before = peak_memory()
held = numpy.ones(2**25)
during = peak_memory()
del held
print(before, during, peak_memory())
"""

LOADS_MORE_AND_MORE = """
import os
os.environ.update({lib + '_NUM_THREADS': '2' for lib in ('OMP', 'MKL', 'OPENBLAS')})
from threadpoolctl import threadpool_info
from recinfluence.core.machine import single_thread
for name in ('json', 'numpy', 'sklearn.cluster'):
    __import__(name)
    with single_thread():
        print(*[pool['num_threads'] for pool in threadpool_info()], sep=',')
"""


def run(program):
    "What a process of its own prints."
    environment = os.environ | {'PYTHONPATH': str(Path(machine.__file__).parents[2])}
    return subprocess.run(
        [sys.executable, '-c', program], env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.skipif(not hasattr(os, 'sched_setaffinity'), reason='no choice of cores here')
def test_cores_are_those_the_process_may_use():
    may = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(may)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, may)
    assert cores() == len(may)


def test_cores_without_an_affinity(monkeypatch):
    monkeypatch.delattr(machine.os, 'sched_getaffinity', raising=False)
    monkeypatch.setattr(machine.os, 'cpu_count', lambda: 6)
    assert cores() == 6
    monkeypatch.setattr(machine.os, 'cpu_count', lambda: None)
    assert cores() == 1


def test_the_processor_is_one_line():
    assert re.fullmatch(
        rf'.+, {8 * simd.register_bytes()}-bit vectors, {cores()} cores', processor()
    )


@pytest.mark.parametrize('about', ['', 'processor : 0\nmodel : 7\n', None])
def test_a_processor_without_a_name_has_that_of_its_architecture(about, monkeypatch):
    def read(path, **_):
        if about is None:
            raise FileNotFoundError
        return about

    monkeypatch.setattr(machine.Path, 'read_text', read)
    monkeypatch.setattr(machine.platform, 'processor', lambda: '')
    monkeypatch.setattr(machine.platform, 'machine', lambda: 'riscv64')
    assert processor().startswith('riscv64, ')


def test_a_processor_has_the_name_of_its_first_core(monkeypatch):
    about = 'model name\t: Fast One\nmodel name\t: Slow One\n'
    monkeypatch.setattr(machine.Path, 'read_text', lambda path, **_: about)
    assert processor().startswith('Fast One, ')


def test_libraries_compute_on_one_thread_also_those_that_are_loaded_later():
    nothing, numpy, more = run(LOADS_MORE_AND_MORE).splitlines()
    assert nothing == '' and len(numpy) < len(more) and set(numpy + more) == {'1', ','}


def test_peak_memory_rises_with_what_is_held_and_stays():
    before, during, after = map(float, run(HOLDS_A_QUARTER).split())
    assert 0.25 <= during <= before + 0.3 and after == during


def test_peak_memory_is_in_gib_whatever_the_system_counts_in(monkeypatch):
    linux = peak_memory()
    monkeypatch.setattr(machine.platform, 'system', lambda: 'Darwin')
    assert peak_memory() == pytest.approx(linux / 1024, rel=0.1)


def test_the_log_is_silent_until_somebody_listens(caplog):
    "Importing the package adds no handler."
    assert log.name == 'recinfluence'
    listeners = 'import logging, recinfluence.core.machine as m; print(m.log.handlers)'
    assert run(listeners).strip() == '[]'
    with caplog.at_level('INFO', 'recinfluence'):
        log.info('a message')
    assert 'a message' in caplog.text
