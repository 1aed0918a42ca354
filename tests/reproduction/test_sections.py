"""Every section keeps its outputs apart, and says what it was made from."""

import ast
import json
import re
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt

from recinfluence.core.files import resource
from recinfluence.reproduction.schedule import measured_overhead
from recinfluence.reproduction.sections import SECTIONS, provenance, save_output
from recinfluence.sweep.experiment import Experiment


def test_no_section_overwrites_what_another_made():
    "All sections share one output folder: every name that is kept belongs to one notebook."
    names = {
        s: re.findall(
            r"out,\s+'(\w+)',?\s*\)",
            ''.join(
                line
                for c in json.loads(resource('nbs/experiments', f'{n}.ipynb').read_text())['cells']
                for line in c['source']
            ),
        )
        for s, n in SECTIONS.items()
        if n
    }
    assert all(len(n) > 10 for n in names.values()) and not [
        (a, b) for a, b in combinations(names, 2) if set(names[a]) & set(names[b])
    ]


def test_every_experiment_says_what_it_was_made_from():
    "Each calls provenance with its name, or its section, and the time at which it began."
    names = {
        p.stem for p in Path(resource('nbs/experiments', 'trust.ipynb')).parent.glob('*.ipynb')
    } - {'explorer'}
    assert names > {
        'actions',
        'planted',
        'variance',
        'benchmark',
        'faults',
        'cluster',
        'trust',
        *SECTIONS.values(),
    }
    for name in names:
        code = '\n'.join(
            line
            for c in json.loads(
                resource('nbs/experiments', f'{name}.ipynb').read_text(encoding='utf-8')
            )['cells']
            if c['cell_type'] == 'code'
            for line in ''.join(c['source']).split('\n')
            if not line.startswith('%')
        )
        calls = [
            n
            for n in ast.walk(ast.parse(code))
            if isinstance(n, ast.Call) and getattr(n.func, 'id', '') == 'provenance'
        ]
        assert len(calls) == 1, name
        out, section, sweep, seeds, stores, started, *jobs = map(ast.unparse, calls[0].args)
        assert (
            section.removeprefix('f')
            .strip("'")
            .startswith(next((s for s, n in SECTIONS.items() if n == name), name))
            and out == 'out'
            and started == 'started'
            and len(jobs) == 1
            and seeds
        ), name


def test_the_same_figure_is_the_same_file(tmp_path):
    for name in 'ab':
        ax = plt.subplots(figsize=(2, 1))[1]
        ax.plot([1, 2], [2, 1], label='x')
        ax.legend()
        save_output(ax, tmp_path / name, 'figure_1')
        plt.close('all')
    assert all(
        (tmp_path / f'a/figures/figure_1.{k}').read_bytes()
        == (tmp_path / f'b/figures/figure_1.{k}').read_bytes()
        for k in ('png', 'svg')
    )


def test_every_page_says_its_command_and_a_folder_says_what_came_beside(tmp_path):
    "Provenance from what was asked for; `measured_overhead` by hand."

    experiment = Experiment(
        data='d',
        data_hash='h' * 64,
        split={'protocol': 's'},
        split_hash='t' * 64,
        recommender={'recommender': 'NCF'},
        k=10,
        candidates='catalogue',
        engine='fast',
        version='1',
    )
    sweep = SimpleNamespace(experiment=experiment)
    assert 'the notebook, run by hand' in provenance(tmp_path, '4.1', sweep, '1', 'none.db', 0.0)
    (tmp_path / 'provenance/run.json').write_text(
        json.dumps(
            {
                '4.1': dict(
                    profile='full',
                    command='recinfluence reproduce 4.1 --out x',
                    price=0.5,
                    budget=0,
                    processes=2,
                    retrainings=1000,
                )
            }
        )
    )
    assert '`recinfluence reproduce 4.1 --out x`' in provenance(
        tmp_path, '4.1', sweep, '1', 'none.db', 0.0
    )
    kept = tmp_path / 'provenance/4.1.json'
    said = json.loads(kept.read_text())
    assert said['profile'] == 'full' and said['command'] == 'recinfluence reproduce 4.1 --out x'
    kept.write_text(json.dumps({**said, 'minutes': 10.0}))
    assert measured_overhead(tmp_path)['4.1'] == 10 * 60 * 2 / 0.5 - 1000
