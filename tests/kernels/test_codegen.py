"""Where compiled kernels are kept."""

import os
import subprocess
import sys
from pathlib import Path

from plain_ncf import (
    difference,
    fast_train,
    random_weights,
    samples,
    start_values,
    torch_train,
)

from recinfluence.kernels import ncf

CHILD = """
import logging, sys, time
import numpy as np
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s %(message)s")
from recinfluence.kernels import ncf
index = np.arange(16).reshape(2, 8)
shape, adam = ncf.Shape(2, 2, (3,)), ncf.Adam()
rows = dict.fromkeys(('user_gmf', 'item_gmf', 'user_mlp', 'item_mlp'), np.ones((16, 2)))
start = rows | dict(W0=np.ones((4, 3)), b0=np.ones(3), out=np.ones(5))
samples, weights = ncf.Samples(index, index, index % 2), np.ones((16, 1))
plan = ncf.plan_touches(index, index, 16, 16, adam)
plan.table(np.float64)
begin = time.process_time()
ncf.train(shape, plan, samples, start, weights, weights, adam, np.float64)
print("seconds", time.process_time() - begin)
"""


def run_child(folder):
    "Seconds of the first training in a new process, and what it logged."
    environment = dict(
        os.environ,
        NUMBA_CACHE_DIR=str(folder),
        PYTHONPATH=str(Path(ncf.__file__).parents[2]),
        OMP_NUM_THREADS='1',
    )
    out = subprocess.run(
        [sys.executable, '-c', CHILD], env=environment, capture_output=True, text=True, check=True
    ).stdout
    return float(out.split('seconds')[1]), out


def test_a_second_process_reuses_the_kernel(tmp_path):
    first, first_log = run_child(tmp_path)
    second, second_log = run_child(tmp_path)
    assert 'recinfluence compiling' in first_log and 'compiling' not in second_log
    assert second < first / 3


def test_without_a_folder_to_write_to(tmp_path, monkeypatch, caplog):
    "A file stands where the folder would be."
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('NUMBA_CACHE_DIR', str(tmp_path / 'file'))
    shape, data, weights = ncf.Shape(7, 0), samples(20, 8), random_weights(1)  # a new kernel
    start = start_values(shape)
    with caplog.at_level('INFO', 'recinfluence'):
        trained = fast_train(shape, data, start, weights)
    assert 'cannot be kept' in caplog.text
    expected = torch_train(shape, data, start, weights[0][:, 0], weights[1][:, 0], ncf.Adam())
    assert difference(trained, 0, expected) < 1e-12
