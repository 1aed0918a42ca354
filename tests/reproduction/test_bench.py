"""The benchmark measures what it says; no test asserts a time."""

import json

import numpy as np

from recinfluence.data.splits import chrono_split, random_split
from recinfluence.data.stand_in import simulate_interactions
from recinfluence.reproduction.bench import bench


def test_bench_compares_every_engine_with_its_own_reference():
    data = simulate_interactions(40, 30, 500)
    table = bench(chrono_split(data), random_split(data), repeats=1).reset_index()
    assert table[['model', 'engine']].values.tolist() == [
        ['NCF float32', 'reference'],
        ['NCF float32', 'fast'],
        ['NCF float64', 'fast'],
        ['SVD float64', 'reference'],
        ['SVD float64', 'fast'],
        ['SVD float64, training alone', 'reference'],
        ['SVD float64, training alone', 'fast'],
    ]
    base = table['CPU seconds'][[0, 0, 0, 3, 3, 5, 5]].to_numpy()
    assert (
        np.allclose(table['times faster'], base / table['CPU seconds'])
        and (table['CPU seconds'] > 0).all()
    )


def test_the_command_prints_json(tmp_path, capsys):
    from recinfluence.cli.main import main

    simulate_interactions(40, 30, 500).frame.to_csv(tmp_path / 'd.csv', index=False)
    assert main(['bench', '--dataset', str(tmp_path / 'd.csv'), '--repeats', '1', '--json']) == 0
    out = json.loads(capsys.readouterr().out)
    assert len(out['rows']) == 7 and out['threads'] == 1 and 'cores' in out['processor']
