"""Small data, models, and the plain counts that the situations are compared with."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import surprise
from situations.told import refused

from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split, random_split
from recinfluence.models.popularity import ItemMean, Popularity
from recinfluence.sweep.run import deletion_sweep

QUICK = dict(k=3, jobs=1, progress=False)
ROWS = planted_interactions()
SMALL = dict(n_factors=5, n_epochs=8)


@cache
def tiny():
    "40 users, 24 items."
    return chrono_split(load_interactions(ROWS, name='planted'))


def rated(function, name='own'):
    "The planted rows with other ratings, divided at random."
    return random_split(load_interactions(ROWS.assign(rating=function(ROWS.rating)), name=name))


def sweep(units='users', model=None, split=None, **asked):
    model, split = Popularity() if model is None else model, tiny() if split is None else split
    return deletion_sweep(model, split, units, **QUICK, **asked)


def library_mae(split, scale, train=None, test=None):
    "Mean absolute error of scikit-surprise used directly, told the scale."
    train = split.train if train is None else train
    test = split.test if test is None else test
    table = train[['user', 'item', 'rating']]
    rows = surprise.Dataset.load_from_df(table, surprise.Reader(rating_scale=scale))
    fitted = surprise.SVD(**SMALL, random_state=0).fit(rows.build_full_trainset())
    asked = test[['user', 'item', 'rating']].itertuples(index=False)
    return float(np.mean([abs(fitted.predict(u, i).est - r) for u, i, r in asked]))


def item_mean_mae(train, test):
    "Mean absolute error of the items' mean ratings, in plain Python."
    rows, given = {}, [float(r) for r in train.rating]
    for item, rating in zip(train['item'], given):
        rows.setdefault(item, []).append(rating)
    overall = sum(given) / len(given)
    mean = {item: sum(one) / len(one) for item, one in rows.items()}
    errors = [abs(mean.get(i, overall) - r) for i, r in zip(test['item'], test.rating)]
    return sum(errors) / len(errors)


def mean_influence(sweep, metric='ndcg'):
    "Each unit's mean over the rows of the sweep's table."
    rows = sweep.frame()
    rows = rows[(rows.metric == metric) & (rows.unit != 'nothing')]
    return {u: np.mean(rows.influence[rows.unit == u].tolist()) for u in rows.unit.unique()}


def shown(numbers):
    "Numbers by unit, to ten digits, as one text."
    return ', '.join(f'{float(numbers[unit]):+.10f}' for unit in sorted(numbers.keys()))


def noisy(ids, replicates, seed=0, units='users', store=None):
    "A sweep whose numbers differ from seed to seed."
    asked = dict(ids=ids, replicates=replicates, seed=seed, store=store)
    return sweep(units, ItemMean(noise=0.02), **asked)


HEAD = 'user,item,rating,timestamp\n'


def loaded(text: str | bytes, name: str = 'own.csv', **asked):
    "The interactions of a file that holds this."
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_interactions(path, **asked)


def not_loaded(text: str, *words: str) -> str:
    "The refusal of a file that holds this."
    return refused(lambda: loaded(text), *words)
