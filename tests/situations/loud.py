"""Kinds that ended in a traceback or in a message that did not help, and ties made by clipping."""

import gzip
import html
import json
import os
import pickle
import threading
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import matplotlib
import numpy as np
import pandas as pd
from jupyter_client.kernelspec import KernelSpecManager
from situations.told import refused, situation
from situations.worlds import (
    HEAD,
    ROWS,
    SMALL,
    loaded,
    mean_influence,
    noisy,
    not_loaded,
    rated,
    shown,
    sweep,
    tiny,
)

from recinfluence.core.units import Unit
from recinfluence.data.amazon import load_amazon
from recinfluence.data.interactions import load_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.decisions.planning import plan
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD
from recinfluence.reproduction.parameters import parameters_of, read_parameter, read_parameters
from recinfluence.reproduction.sections import run_experiment
from recinfluence.show.page import influence_report

matplotlib.use('Agg')


def _same(asked, plain):
    return shown(mean_influence(asked)), shown(mean_influence(plain))


USES = {
    '`Unit(users=tuple(split.users[:3]))`': (
        lambda: sweep([Unit(users=tuple(tiny().users[:3]))]),
        lambda: sweep([Unit(users=(0, 1, 2))]),
    ),
    '`Unit(users=[1, 2])`': (
        lambda: sweep([Unit(users=[1, 2])]),
        lambda: sweep([Unit(users=(1, 2))]),
    ),
    'one bare `Unit`': (
        lambda: sweep(Unit(users=(3,), name='it')),
        lambda: sweep([Unit(users=(3,), name='it')]),
    ),
    '`ids=5`': (lambda: sweep(ids=5), lambda: sweep(ids=[5])),
    '`replicates=2.0`': (
        lambda: sweep(ids=[5], replicates=2.0),
        lambda: sweep(ids=[5], replicates=2),
    ),
}
for name, (asked, plain) in USES.items():
    situation(13, name)(lambda a=asked, p=plain: _same(a(), p()))


class Holds(Popularity):
    "A model with an attribute."

    def __init__(self, held):
        self.held = held


WRONG = {
    '`seed=None`': (lambda: sweep(ids=[1], seed=None), ['seed=None'], 'no number to draw from'),
    'the class, not a model': (
        lambda: sweep(ids=[1], model=Popularity),
        ['Popularity', '('],
        'nothing was made yet',
    ),
    'a frame where the split belongs': (
        lambda: sweep(ids=[1], split=ROWS),
        ['DataFrame', 'split'],
        'rows that nobody has divided',
    ),
    'a generator among the attributes of a model': (
        lambda: sweep(ids=[1], model=Holds((n for n in range(3)))),
        ['Holds.held', 'name that ends in _'],
        'what a generator will give cannot be known',
    ),
}
for name, (task, words, right) in WRONG.items():
    situation(13, name)(lambda t=task, w=words, r=right: (refused(t, *w), r))


@situation(13, '`influence()` from another thread')
def _():
    held, found = noisy(range(4), 2), []
    thread = threading.Thread(target=lambda: found.append(held.influence('ndcg')))
    thread.start()
    thread.join()
    return shown(found[0].frame.estimate), shown(mean_influence(held))


@situation(13, '`pickle` and `joblib.dump` of an `Influence`')
def _():
    found = noisy(range(4), 2).influence('ndcg')
    with TemporaryDirectory() as folder:
        joblib.dump(found, f'{folder}/it')
        again = [pickle.loads(pickle.dumps(found)), joblib.load(f'{folder}/it')]
    now = ' and '.join(shown(one.frame.estimate) for one in again)
    return now, ' and '.join([shown(found.frame.estimate)] * 2)


def _titled(title):
    "The report of a sweep of one group of this name, and its plot drawn."
    made = sweep([Unit(users=[1, 2], name=title), Unit(users=[3])])
    found = made.influence('ndcg')
    found.plot().figure.canvas.draw()
    with TemporaryDirectory() as folder:
        page = influence_report(made, Path(folder, 'page.html')).read_text(encoding='utf-8')
    kept = found.frame.label[found.frame.index[found.frame.label != 'user 3'][0]]
    return f'label {kept!r}, on the page: {html.escape(title) in page}', (
        f'label {title!r}, on the page: True'
    )


for title in ('$x', '$_{', 'a $5 cap & $6 {cup}'):
    situation(14, f'a group called `{title}`')(lambda t=title: _titled(t))


@situation(14, '`ranks()` of a single unit')
def _():
    ranks = noisy([3], 3).influence('ndcg').ranks()
    now = ranks[[c for c in ranks if 'rank' in c or c in ('low', 'high')]].iloc[0]
    return f'{set(now.dropna().astype(int))}', f'{ {1} }'


GIVEN = {
    "`-p ids '[1,2,3]'`": ('explorer', 'ids', '[1,2,3]', [1, 2, 3]),
    '`-p users 1,2,3`': ('movielens_ncf', 'users', '1,2,3', [1, 2, 3]),
    '`-p replicates 2.0`': ('movielens_ncf', 'replicates', 2.0, 2),
}
for name, (experiment, parameter, given, right) in GIVEN.items():
    situation(15, name)(
        lambda e=experiment, p=parameter, g=given, r=right: (
            f'{read_parameter(parameters_of(e)[p], g)}',
            f'{r}',
        )
    )


@situation(15, '`-p replicate 2`')
def _():
    cell = {'In': ['# Parameters\nreplicate = 2']}
    right = f'the notebook declares {", ".join(parameters_of("explorer"))}'
    return refused(lambda: read_parameters('explorer', cell), 'Did you mean replicates'), right


@situation(15, 'a kernel that is not installed')
def _():
    right = f'installed: {", ".join(sorted(KernelSpecManager().find_kernel_specs()))}'
    with TemporaryDirectory() as folder:
        asked = dict(out=Path(folder, 'out'), kernel='julia')
        return refused(lambda: run_experiment('explorer', **asked), 'no such kernel'), right


def _reviews(fields, unit=1, pack=False):
    "Pairs of six users and five items in this form, times in seconds or thousandths."
    pairs = [(u, i) for u in range(6) for i in range(5) if (u + i) % 6]
    lines = [
        json.dumps(dict(zip(fields, (f'A{u}', f'B{i}', 5.0, unit * (10**9 + 60 * u + i)))))
        for u, i in pairs
    ]
    content = '\n'.join(lines).encode()
    with TemporaryDirectory() as folder:
        path = Path(folder, 'Electronics.jsonl' + '.gz' * pack)
        path.write_bytes(gzip.compress(content) if pack else content)
        data = load_amazon('Electronics', path, core=None)
    last = data.frame.timestamp.max()
    told = f'{len(data.frame)} pairs, {data.frame.user.nunique()} users, last at {last}'
    right = f'{len(pairs)} pairs, {len({u for u, _ in pairs})} users, last at '
    return told, f'{right}{unit * max(10**9 + 60 * u + i for u, i in pairs)}'


OF_2023 = ('user_id', 'parent_asin', 'rating', 'timestamp')
OF_2018 = ('reviewerID', 'asin', 'overall', 'unixReviewTime')
situation(16, 'Amazon 2023, an object a line')(lambda: _reviews(OF_2023, 1000))
situation(16, 'the same, packed')(lambda: _reviews(OF_2023, 1000, True))
situation(16, 'Amazon 2018, an object a line')(lambda: _reviews(OF_2018))

LINES = ['Zoë,i1,5,10', 'ben,i2,3,20', 'ben,i1,4,30']
TABLE = HEAD + '\n'.join(LINES) + '\n'
FORMS = {
    'Latin-1': TABLE.encode('latin-1'),
    'UTF-16': TABLE.encode('utf-16'),
    'gzip named .csv': gzip.compress(TABLE.encode()),
    'separator ;': TABLE.replace(',', ';').encode(),
    'separator ::': TABLE.replace(',', '::').encode(),
}


def _rows(data):
    rows = data.frame.astype({'rating': int}).to_numpy().tolist()
    return f'{[",".join(map(str, row)) for row in rows]}'


for name, content in FORMS.items():
    situation(17, name)(lambda c=content: (_rows(loaded(c)), f'{LINES}'))


@situation(17, 'ISO dates in a csv')
def _():
    frame = loaded(HEAD + 'a,i1,5,1970-01-01T00:00:10\nb,i2,3,1970-01-02\n').frame
    right = [10, (pd.Timestamp('1970-01-02') - pd.Timestamp(0)) // pd.Timedelta('1s')]
    return f'{frame.timestamp.tolist()}', f'{right}'


@situation(17, "the word 'today' where a time belongs")
def _():
    text = HEAD + 'a,i1,5,10\nb,i2,3,today\n'
    right = 'another time each day, and another order'
    return not_loaded(text, 'today', 'timestamp'), right


@situation(17, 'one comma too many')
def _():
    text = TABLE.replace('ben,i2', 'ben,,i2')
    return not_loaded(text, 'line 3', '5 fields'), 'line 3 has 5 fields, the header 4'


@situation(17, 'no header, and the remedy followed to the letter')
def _():
    text = '\n'.join(LINES) + '\n'
    told = not_loaded(text, 'no header', 'header=False')
    remedy = told.partition('such as ')[2].partition(';')[0]
    return _rows(eval(f'loaded(text, {remedy})')), f'{LINES}'


@situation(18, '`plan` on a pilot whose units all failed')
def _():
    class Fails(Popularity):
        def fit_without(self, train, unit, seed=0):
            raise ArithmeticError('no luck')

    made = sweep(ids=range(3), model=Fails(), replicates=2)
    right = f'{len(made.failures())} of 6 retrainings failed'
    return refused(lambda: plan(made.influence('ndcg'), reliability=0.8), 'ArithmeticError'), right


@situation(18, 'a renamed csv goes on with its store')
def _():
    with TemporaryDirectory() as folder:
        first, second, store = (Path(folder, n) for n in ('a.csv', 'b.csv', 's.db'))
        ROWS.to_csv(first, index=False)
        one = sweep(ids=[1], split=chrono_split(load_interactions(first)), store=store)
        os.replace(first, second)
        two = sweep(ids=[1], split=chrono_split(load_interactions(second)), store=store)
        return two.store.content_hash(), one.store.content_hash()


@situation(18, '`ids=[1, 1, 2]`')
def _():
    return f'{sweep(ids=[1, 1, 2]).units}', f'{[f"user {u}" for u in sorted({1, 1, 2})]}'


def _ties(scores, k):
    "How many users have a tie at place k, by sorting in plain Python."
    seen = set(map(tuple, _scaled().train[['user', 'item']].to_numpy()))
    users, items = _scaled().users.tolist(), _scaled().items.tolist()
    rows = [
        sorted((s for i, s in zip(items, row) if (user, i) not in seen), reverse=True)
        for user, row in zip(users, scores.tolist())
    ]
    return sum(row[k - 1] == row[k] for row in rows if len(row) > k)


LONG = dict(n_factors=5, n_epochs=60)


@cache
def _scaled():
    "Ratings of which nearly all are the highest."
    return rated(lambda r: np.where(r >= 2, 4.0, 1.0))


def _clipped(clip):
    model = SVD(**LONG, clip=clip).for_split(_scaled())
    fitted = model.fit(_scaled().train)
    found = Evaluator(_scaled(), 3)(fitted)
    plain = SVD(**LONG).for_split(_scaled()).fit(_scaled().train)
    scores = plain.score(_scaled().users, _scaled().items)
    if clip == 'scores':
        scores = np.clip(scores, *fitted.scale)
    return (
        f'{found.ties} users have a tie at place 3',
        f'{_ties(scores, 3)} users have a tie at place 3',
    )


situation(19, '`SVD()` ranks what it computed')(lambda: _clipped('ratings'))
situation(19, "`SVD(clip='scores')`, the former way by name")(lambda: _clipped('scores'))


@situation(19, 'what is compared with a rating is cut to the scale')
def _():
    fitted = SVD(**SMALL).for_split(_scaled()).fit(_scaled().train)
    found = Evaluator(_scaled())(fitted)['mae']
    test = _scaled().test
    errors = []
    for user, item, rating in test[['user', 'item', 'rating']].itertuples(index=False):
        score = float(fitted.score(np.array([user]), np.array([item]))[0, 0])
        errors.append(abs(min(max(score, fitted.scale[0]), fitted.scale[1]) - rating))
    return f'MAE {found:.10f}', f'MAE {np.mean(errors):.10f}'
