"""A small world in which everything public can be called: 12 users, 10 items, a few seeds."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
from shared import noisy_mean

import recinfluence as ri

ROWS = dict(n_users=12, n_items=10, careless=2, rows=6, more=3)
QUICKLY = dict(k=3, jobs=1, progress=False)  # how a sweep runs here
JUDGED = dict(replicates=2, seed=500)  # seeds that no ranking was made from


@cache
def world() -> SimpleNamespace:
    "Data, split, sweeps and what is made of them; made once."
    rows = ri.careless_interactions(**ROWS)
    items = pd.DataFrame(
        {
            'title': [f'Film {item}' for item in range(10)],
            'genres': ['Drama' if item % 2 else 'Comedy|Crime' for item in range(10)],
            'date': pd.Timestamp('1995-03-04'),
        }
    )
    data = ri.Interactions(rows, 'twelve', items=items)
    split, model = ri.chrono_split(data, 0.7), noisy_mean()
    half, other_half = split.halve_test()
    users = ri.deletion_sweep(model, half, replicates=2, **QUICKLY)
    later = ri.deletion_sweep(model, half, replicates=2, seed=2, **QUICKLY)
    of_items = ri.deletion_sweep(model, half, 'items', replicates=2, **QUICKLY)
    groups = ri.RandomGroups(per_seed=8)
    of_groups = ri.deletion_sweep(ri.EASE(), split, groups, replicates=2, **QUICKLY)
    by_users = users.influence('mae', 'training')
    by_items = of_items.influence('ndcg')
    named = {'pair': ri.Unit(users=tuple(split.users[:2].tolist()))}
    action = ri.leave_out(by_users, 3)
    once = dict(JUDGED, n_random=3, k=3)
    measured = ri.measure(action, model, other_half, **once)
    evaluator = ri.Evaluator(split, 3)
    fitted = model.fresh().fit(split.copy_of_train(), 0)
    return SimpleNamespace(
        rows=rows,
        data=data,
        split=split,
        half=half,
        other_half=other_half,
        model=model,
        fitted=fitted,
        users=users,
        of_items=of_items,
        of_groups=of_groups,
        by_users=by_users,
        by_items=by_items,
        later=later.influence('mae', 'training'),
        named=named,
        action=action,
        on_items=ri.prune(by_items, 2),
        measured=measured,
        effects=measured.frame(),
        validation=ri.validate(model, split, named, n_random=3, **JUDGED, **QUICKLY),
        evaluator=evaluator,
        replicate=ri.Replicate(model, evaluator, 0),
        planted=ri.plant(split, ['careless'], 2),
        suspicion=pd.DataFrame(
            {'first': np.arange(12.0), 'second': np.arange(12.0)[::-1]}, range(12)
        ),
        printed=pd.Series(PRINTED),
        table=np.arange(12.0).reshape(4, 3) + np.eye(4, 3),
    )


PRINTED = {
    '# Ratings': '266,855',
    '# Items': '9,754',
    '# Users': '15,551',
    'Density': '0.00176',
    'Average # ratings/item': '27.36',
    'Average # ratings/user': '17.16',
    'Min # ratings/item': '10',
    'Min # ratings/user': '10',
    'Max # ratings/item': '1,376',
    'Max # ratings/user': '317',
    'Average rating': '1',
}
