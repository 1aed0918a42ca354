"""Every metric is what version 0.1.0 computed, to the last bit.

`before.json` holds what that version said, numbers in hexadecimal, on random problems with and
without deleted users and items. `record()` is how it was written. A machine whose logarithms
differ in the last bit is compared in the metrics that take none.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from shared import Table

from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.splits import random_split
from recinfluence.metrics.evaluator import Evaluator, on_half
from recinfluence.metrics.exposure import EXPOSURE

BEFORE = json.loads(Path(__file__).with_name('before.json').read_text(encoding='utf-8'))
LOGARITHMIC = {'ndcg', 'novelty', 'ndcg_half_0'}


def problem(seed, n_users, n_items, share, levels):
    "A split with some users without test rows, and scores of so many levels: few make ties."
    rng = np.random.default_rng(seed)
    pairs = np.argwhere(rng.random((n_users, n_items)) < share)
    frame = pd.DataFrame(
        {
            'user': pairs[:, 0] * 7 + 1,
            'item': pairs[:, 1] * 3,
            'rating': rng.integers(1, 6, len(pairs)).astype(float),
            'timestamp': 0,
        }
    )
    split = random_split(load_interactions(frame), seed=seed)
    scores = rng.integers(0, levels, (len(split.users), len(split.items))) / 7
    return split, scores + rng.normal(0, 0.1, scores.shape) * (levels > 100)


PROBLEMS = {
    'small': (0, 30, 40, 0.35, 10**6),
    'ties': (1, 25, 35, 0.3, 5),
    'sparse': (2, 60, 50, 0.06, 10**6),
    'larger': (3, 700, 300, 0.05, 10**6),
}


def units_of(split):
    "Nobody, two users, five items, both."
    users, items = split.users.tolist(), split.items.tolist()
    return {
        'nobody': None,
        'users': Unit(users=(users[1], users[-2])),
        'items': Unit(items=tuple(items[:9:2])),
        'both': Unit(users=tuple(users[4:7]), items=(items[0], items[-1])),
    }


def in_full(judge, model, unit):
    "All values in hexadecimal, and a hash of each metric's values of single users."
    found = judge(model, unit)
    said = {name: float(value).hex() for name, value in found.metrics.items()}
    for column, name in enumerate(judge.ranking):
        values = np.ascontiguousarray(found.per_user[:, column])
        said[f'{name} of each'] = hashlib.sha256(values.tobytes()).hexdigest()[:16]
    return said


def evaluations(name):
    "(what, values) of every evaluation of a problem."
    split, scores = problem(*PROBLEMS[name])
    for k in (1, 10, 45):
        for candidates in ('catalogue', 'test'):
            halves = [on_half(split, 'map'), on_half(split, 'ndcg')]
            judge = Evaluator(split, k, candidates, [*EXPOSURE, *halves])
            for who, unit in units_of(split).items():
                yield f'{name} {k} {candidates} {who}', in_full(judge, Table(split, scores), unit)
            sees = {metric: bool(sight) for metric, sight in judge.sees_model.items()}
            yield f'{name} {k} {candidates} sees', sees


def logarithms():
    "A hash of the logarithms that gains are made of."
    return hashlib.sha256(np.log2(np.arange(2, 500) / 501).tobytes()).hexdigest()


def record():
    "What `before.json` holds."
    said = {name: dict(evaluations(name)) for name in PROBLEMS}
    return {'logarithms': logarithms(), **said}


@pytest.mark.parametrize('name', PROBLEMS)
def test_values_are_those_of_the_version_before(name):
    passed_over = set() if logarithms() == BEFORE['logarithms'] else LOGARITHMIC
    found = dict(evaluations(name))
    assert list(found) == list(BEFORE[name])
    for what, values in found.items():
        before = BEFORE[name][what]
        assert list(values) == list(before)
        for metric, value in values.items():
            if metric.removesuffix(' of each') not in passed_over:
                assert value == before[metric], (what, metric)
