"""Kinds that gave a wrong number without a word: data, folds, stores, groups, units."""

import dataclasses
import inspect
import sys
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import surprise
from situations.told import refused, situation
from situations.worlds import (
    HEAD,
    QUICK,
    ROWS,
    SMALL,
    item_mean_mae,
    library_mae,
    loaded,
    mean_influence,
    noisy,
    not_loaded,
    rated,
    shown,
    sweep,
    tiny,
)
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from recinfluence.adapters.command import Command
from recinfluence.adapters.estimator import ScikitLearn
from recinfluence.adapters.surprise import Surprise
from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.splits import chrono_split, leave_last_out, make_split, random_split
from recinfluence.decisions.stopping import screen
from recinfluence.influence.influence import Influence
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.models.popularity import ItemMean, Popularity
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep

SCALES = {
    'ratings 0 to 100': (lambda r: 25 * (r - 1), (0, 100)),
    'ratings 0 to 2': (lambda r: (r - 1) / 2, (0, 2)),
    'ratings -10 to 10': (lambda r: 5 * (r - 3), (-10, 10)),
}


def _scale(function, scale):
    split, gone = rated(function), Unit(users=(5,))
    less = library_mae(split, scale, gone.remaining(split.train), gone.remaining(split.test))
    model = SVD(**SMALL, start='surprise')
    row = deletion_sweep(model, split, [gone], jobs=1, progress=False).frame()
    row = row.set_index('metric').loc['mae']
    full = library_mae(split, scale)
    right = f'MAE {full:.6f}, influence of user 5 {less - full:+.6f}'
    return f'MAE {row.full:.6f}, influence of user 5 {row.influence:+.6f}', right


for name, (function, scale) in SCALES.items():
    situation(1, f'`SVD()` on {name}')(lambda f=function, s=scale: _scale(f, s))


@situation(1, '`SVD(rating_scale=(1, 5))` on ratings 0 to 100')
def _():
    split = rated(lambda r: 25 * (r - 1))
    low, high = split.interactions.frame.rating.agg(['min', 'max'])
    right = f'ratings from {low:g} to {high:g}'
    return refused(lambda: SVD(rating_scale=(1, 5)).fit(split.train), '1 to 5', '0 to 100'), right


def _text(fold):
    return fold.assign(user=fold.user.astype(str), item=fold['item'].astype(str))


@situation(2, 'train rows with text ids, test rows with the same ids as integers')
def _():
    own = make_split(_text(tiny().train), tiny().test)
    plain, mine = (mean_influence(sweep(ids=range(5), split=s)) for s in (tiny(), own))
    return shown(mine), shown(plain)


@situation(2, 'a test pair that is there twice')
def _():
    test = pd.concat([tiny().test, tiny().test[:1]])
    right = f'{test.duplicated(["user", "item"]).sum()} row is there twice'
    return refused(lambda: make_split(tiny().train, test), 'has rated item'), right


@situation(2, 'a test row without a rating')
def _():
    test = tiny().test.reset_index(drop=True)
    test.loc[3, 'rating'] = np.nan
    right = f'{test.rating.isna().sum()} rating is missing, in row 4'
    return refused(lambda: make_split(tiny().train, test), 'the rating is missing'), right


@situation(2, 'a row in train and in test')
def _():
    test = pd.concat([tiny().test, tiny().train[:1]])
    right = f'{len(tiny().train.merge(test, on=["user", "item"]))} pair is in both'
    return refused(lambda: make_split(tiny().train, test), 'is in train and in test'), right


CLASS = """
import numpy as np
from recinfluence.models.base import Recommender
class Mine(Recommender):
    paired, weight = True, 1.0
    def fit(self, train, seed=0, add=0.0):
        self.means_ = train.groupby('item').rating.mean() * self.weight + add
        return self
    def score(self, users, items):
        each = self.means_.reindex(items, fill_value=3.0).to_numpy()
        return np.tile(each, (len(users), 1))
"""


def _written(source=CLASS):
    scope = {'__name__': '__main__'}
    exec(source, scope)
    return scope['Mine']()


def _goes_on(first, second, ids=range(3)):
    "Both with one store; the second's own numbers, had it none."
    with TemporaryDirectory() as folder:
        sweep(model=first, ids=ids, store=Path(folder, 's.db'))
        return sweep(model=second, ids=ids, store=Path(folder, 's.db')).headline


EDITS = {
    'a line of a class that was edited in the notebook': ('np.tile(each', 'np.tile(-each'),
    'a class attribute that was changed': ('weight = True, 1.0', 'weight = True, 1.1'),
    'a default that was changed': ('add=0.0', 'add=0.5'),
}


def _edited(edit):
    other = _written(CLASS.replace(*edit))
    scores = [m.fit(tiny().train).score([1], tiny().items) for m in (_written(), other)]
    right = f'scores differ by up to {np.abs(scores[0] - scores[1]).max():.2f}'
    return refused(lambda: _goes_on(_written(), other), 'differs', 'another store'), right


for name, edit in EDITS.items():
    situation(3, name)(lambda e=edit: _edited(e))

PROGRAM = """
import sys, pathlib
factor = float(pathlib.Path(__file__).with_name('factor.txt').read_text())
rows = [line.rstrip('\\n').split('\\t') for line in open(sys.argv[1])]
with open(sys.argv[2], 'w') as out:
    for user in sorted({row[0] for row in rows}):
        for item in sorted({row[1] for row in rows}):
            score = sum(float(row[2]) for row in rows if row[1] == item) - factor * int(item)
            print(user, item, score, sep='\\t', file=out)
"""


@situation(3, 'a file that an external program reads was edited')
def _():
    with TemporaryDirectory() as folder:
        Path(folder, 'model.py').write_text(PROGRAM)
        Path(folder, 'factor.txt').write_text('1.5')
        model = Command([sys.executable, f'{folder}/model.py', '{train}', '{out}'])
        asked = dict(ids=[1], model=model, store=Path(folder, 's.db'))
        sweep(**asked)
        Path(folder, 'factor.txt').write_text('2.5')
        right = 'factor.txt says 2.5, not 1.5'
        return refused(lambda: sweep(**asked), 'another experiment'), right


@situation(3, 'an estimator that holds a lambda, made again')
def _():
    def made():
        return ScikitLearn(make_pipeline(FunctionTransformer(lambda x: x * 2), Ridge()))

    plain = sweep(model=made(), ids=range(3)).headline
    return _goes_on(made(), made()).partition(';')[0], plain.partition(';')[0]


def _alone(members):
    "The influence of one group in a sweep of its own."
    return mean_influence(sweep([Unit(users=members)]))


@situation(4, 'two groups of the name "cluster" in one call')
def _():
    pair = [Unit(users=m, name='cluster') for m in ([1, 2], [3, 4, 5])]
    frame = sweep(pair).influence('ndcg').frame
    counts = [int(ROWS.user.isin(u.users).sum()) for u in pair]
    return (
        f'{shown(frame.estimate)} on {frame.n_ratings[[u.key for u in pair]].tolist()} rows',
        f'{shown(_alone([1, 2]) | _alone([3, 4, 5]))} on {counts} rows',
    )


@situation(4, 'clusters made again under the same names, same store')
def _():
    with TemporaryDirectory() as folder:
        asked = dict(store=Path(folder, 's.db'))
        sweep([Unit(users=[1, 2], name='cluster 1')], **asked)
        now = mean_influence(sweep([Unit(users=[1, 3], name='cluster 1')], **asked))
    return shown(now), shown(_alone([1, 3]))


@situation(4, 'the same members in another order, same store')
def _():
    with TemporaryDirectory() as folder:
        asked = dict(store=Path(folder, 's.db'))
        first = sweep([Unit(users=[1, 2], name='pair')], **asked).store.content_hash()
        again = sweep([Unit(users=[2, 1, 1], name='pair')], **asked).store.content_hash()
    return f'nothing retrained: {first == again}', f'nothing retrained: { ({1, 2} == {2, 1, 1}) }'


@situation(5, 'ten users with two replicates, then two of them with four')
def _():
    with TemporaryDirectory() as folder:
        noisy(range(10), 2, store=Path(folder, 's.db'))
        store = noisy([3, 7], 4, store=Path(folder, 's.db')).store
        found = Influence.of(store, 'ndcg')
        means = mean_influence(store)
    counts = {int(r): int(n) for r, n in sorted(found.frame.replicates.value_counts().items())}
    same = shown(found.frame.estimate) == shown(means)
    return (
        f'{len(found.frame)} units, replicates {counts}, means equal: {same}',
        f'{len(means)} units, replicates { {2: 8, 4: 2} }, means equal: True',
    )


@situation(5, '`a + b` over users 0 to 5 and 3 to 8, other seeds')
def _():
    both = noisy(range(6), 2).influence('ndcg') + noisy(range(3, 9), 2, 2).influence('ndcg')
    return f'{len(both.frame)} users', f'{len(set(range(6)) | set(range(3, 9)))} users'


@situation(5, 'two machines with other users on the same seeds')
def _():
    both = noisy(range(6), 2).influence('ndcg') + noisy(range(6, 12), 2).influence('ndcg')
    alone = noisy(range(12), 2).influence('ndcg')
    return shown(both.frame.estimate), shown(alone.frame.estimate)


@situation(5, 'users and items in one store')
def _():
    store = noisy(range(8), 2).store
    noisy(None, 2, units='items', store=store)
    found = Influence.of(store, 'ndcg').frame.kind.value_counts()
    right = {'item': ROWS['item'].nunique(), 'user': 8}
    return f'{found.to_dict()}', f'{right}'


@situation(6, 'a tsv with a quotation mark at the start of one field and the end of another')
def _():
    lines = ['user\titem\trating\ttimestamp', '1\t"A\t3\t1', '2\tB\t4\t2', '3\tC"\t5\t3']
    now = loaded('\n'.join(lines), 'own.tsv').frame['item'].tolist()
    return f'{now}', f'{[line.split(chr(9))[1] for line in lines[1:]]}'


@situation(6, 'a separator too many at the end of every row')
def _():
    rows = ['7,3,5,10', '8,3,4,20']
    frame = loaded(HEAD + ''.join(f'{row},\n' for row in rows)).frame
    now = frame[['user', 'item']].astype(int).to_numpy().tolist()
    return f'{now}', f'{[[int(f) for f in row.split(",")[:2]] for row in rows]}'


@situation(6, 'one field too many in line 3')
def _():
    text = HEAD + '7,3,5,10\n8,3,,4,20\n'
    right = f'line 3 has {text.splitlines()[2].count(",") + 1} fields, the header 4'
    return not_loaded(text, 'line 3', '5 fields'), right


@situation(6, 'doubled quotation marks and empty rows')
def _():
    frame = loaded('user;item;rating\n"a";"x ""1""";5\n\n"b";"y";0\n\n').frame
    return f'{frame["item"].tolist()}', f'{["x " + chr(34) + "1" + chr(34), "y"]}'


@situation(6, 'semicolons between fields, commas in numbers')
def _():
    rows = ['7;3;3,5;10', '8;3;4,0;20', '9;4;0,5;30']
    text = 'user;item;rating;timestamp\n' + '\n'.join(rows)
    right = f'ratings {[float(row.split(";")[2].replace(",", ".")) for row in rows]}'
    return not_loaded(text, 'row 1', 'decimal comma', 'decimal=","'), right


class Scores(Popularity):
    "Whole scores from 0 to 60, as this dtype."

    def __init__(self, dtype='float64'):
        self.dtype = dtype

    def score(self, users, items):
        grid = np.add.outer(np.asarray(users) * 7, np.asarray(items) * 11) % 61
        return grid.astype(self.dtype)


def _ndcg(dtype):
    return f'NDCG {Evaluator(tiny(), 3)(Scores(dtype).fit(tiny().train))["ndcg"]:.12f}'


def _plain_ndcg():
    "From sorted lists, in plain Python."
    seen = set(map(tuple, tiny().train[['user', 'item']].to_numpy()))
    liked = {u: set(rows['item']) for u, rows in tiny().test.groupby('user')}
    values = []
    for user, wanted in liked.items():
        pool = [i for i in tiny().items if (user, i) not in seen]
        best = sorted(pool, key=lambda i: -((user * 7 + i * 11) % 61))[:3]
        gain = sum(1 / np.log2(n + 2) for n, i in enumerate(best) if i in wanted)
        values.append(gain / sum(1 / np.log2(n + 2) for n in range(min(3, len(wanted)))))
    return f'NDCG {np.mean(values):.12f}'


for dtype in ('uint8', 'uint64', 'int8', 'float16'):
    situation(7, f'scores of dtype {dtype}')(lambda d=dtype: (_ndcg(d), _plain_ndcg()))


class Rude(ItemMean):
    "Changes the frame that it is given."

    how = staticmethod(lambda train: None)

    def fit(self, train, seed=0):
        fitted = super().fit(train.copy(), seed)
        self.how(train)
        return fitted


def _halve(train):
    train['rating'] = train.rating.to_numpy() / 2


def _sort(train):
    train.sort_values('item', inplace=True)


def _drop(train):
    train.drop(index=train.index[:50], inplace=True)


def _rename(train):
    train.rename(columns={'rating': 'stars'}, inplace=True)


def _rude(how):
    split = random_split(load_interactions(ROWS, name='planted'))
    model = type('Rude', (Rude,), {'how': staticmethod(how)})()
    gone = Unit(users=(3,))
    for _ in range(2):
        row = sweep([gone], model, split).frame().set_index('metric').loc['mae']
    folds = [gone.remaining(fold) for fold in (split.train, split.test)]
    full, less = item_mean_mae(split.train, split.test), item_mean_mae(*folds)
    return (
        f'second sweep: MAE {row.full:.10f}, influence {row.influence:+.10f}',
        f'second sweep: MAE {full:.10f}, influence {less - full:+.10f}',
    )


for name, how in {'halves the ratings': _halve, 'drops rows': _drop, 'renames': _rename}.items():
    situation(8, f'`fit` {name} in place')(lambda h=how: _rude(h))


@situation(9, '`ids=[1.0]`, then `ids=[1]`, one store')
def _():
    with TemporaryDirectory() as folder:
        sweep(ids=[1.0], store=Path(folder, 's.db'))
        units = sweep(ids=[1], store=Path(folder, 's.db')).store.units_table().index
        return f'{sorted(units)}', f'{sorted({f"user {int(u)}" for u in (1.0, 1)} | {"nothing"})}'


@situation(9, 'a csv with users 1.0 and 1')
def _():
    now = loaded(HEAD + '1.0,3,5,10\n1,4,4,20\n2,3,1,5\n').frame.user.nunique()
    return f'{now} users', f'{len({float(u) for u in ("1.0", "1", "2")})} users'


@situation(9, 'ids as 32-bit floats, two of them 2**24 and 2**24 + 1 before that')
def _():
    ids = np.array([2**24, 2**24 + 1, 5], dtype='float32')
    frame = pd.DataFrame({'user': ids, 'item': [1, 2, 3], 'rating': [3, 4, 5]})
    right = f'{len(set(ids.tolist()))} of 3 ids are left in 32 bits'
    return refused(lambda: load_interactions(frame), 'user', 'float'), right


@situation(9, 'float ids from 2**63 on')
def _():
    ids = [float(2**63), float(2**63 + 2048)]
    frame = pd.DataFrame({'user': ids, 'item': [1, 2], 'rating': [3, 4], 'timestamp': [1, 2]})
    right = 'floats of this size stand 2,048 apart: which whole number was meant is not known'
    return refused(lambda: load_interactions(frame), 'user'), right


@situation(9, "'u1 ' beside 'u1'")
def _():
    text = HEAD + 'u1,a,5,1\nu1 ,b,4,2\n'
    right = f'{len({"u1", "u1 "})} texts, {len({"u1".strip(), "u1 ".strip()})} without blanks'
    return not_loaded(text, 'row 2', 'differ only by blanks'), right


@situation(9, 'the user café, once with é as one sign and once as two')
def _():
    names = ['cafe\u0301', 'caf\u00e9']
    text = HEAD + ''.join(f'{name},{n},5,1\n' for n, name in enumerate(names))
    forms = {unicodedata.normalize('NFC', name) for name in names}
    return not_loaded(text, 'row 2'), f'{len(set(names))} texts, {len(forms)} in normal form'


def _constant(value):
    split = rated(lambda r: r * 0 + value)
    result = Evaluator(split)(ItemMean().fit(split.train))
    given = split.test.rating.tolist()
    spread = max(given) - min(given)
    return (
        f'explained variance {result["explained_variance"]}, the model not seen: '
        f'{not result.sees_model["explained_variance"]}',
        f'explained variance {np.nan if spread == 0 else "defined"}, the model not seen: True',
    )


for value in (0.7, 0.1, 1 / 3):
    situation(10, f'all ratings {value:.3g}')(lambda v=value: _constant(v))


def _untimed():
    return load_interactions(ROWS[['user', 'item', 'rating']], name='plays')


@situation(11, '`chrono_split` without timestamps')
def _():
    right = 'no column of times: nothing is earlier'
    return refused(lambda: chrono_split(_untimed()), 'no timestamps', 'random_split'), right


@situation(11, '`leave_last_out` without timestamps')
def _():
    right = 'no column of times: nothing is last'
    return refused(lambda: leave_last_out(_untimed()), 'no timestamps', 'random_split'), right


@situation(11, 'no timestamps, rows said to be in the order of time')
def _():
    split = chrono_split(dataclasses.replace(_untimed(), timed=True))
    last = {}
    for user, item in ROWS[['user', 'item']].itertuples(index=False):
        last.setdefault(user, []).append(item)
    right = {u: items[round(0.75 * len(items)) :] for u, items in sorted(last.items())}
    now = {int(u): rows['item'].tolist() for u, rows in split.test.groupby('user')}
    return f'test rows of user 3: {now[3]}', f'test rows of user 3: {right[3]}'


@situation(11, 'all rows of each user at one time')
def _():
    data = load_interactions(ROWS.assign(timestamp=ROWS.user * 86_400), name='one visit')
    right = f'{int((ROWS.groupby("user").size() > 1).sum())} users, each with one time'
    return refused(lambda: chrono_split(data), 'random_split'), right


@situation(12, '`screen(ids=[1, 2])`')
def _():
    right = f'{ROWS.user.nunique()} users would be retrained, 2 were asked for'
    return refused(lambda: screen(Popularity(), tiny(), ids=[1, 2]), 'ids'), right


@situation(12, '`ids=` beside a list of units')
def _():
    task = [Unit(users=[1])]
    right = 'two answers to one question: user 1, and users 3 and 4'
    return refused(lambda: sweep(task, ids=[3, 4]), 'Leave ids out'), right


@situation(12, "`Surprise('KNNBasic', K=2)`")
def _():
    known = list(inspect.signature(surprise.KNNBasic.__init__).parameters)[1:]
    right = f"the library's own arguments: {known}"
    return refused(lambda: Surprise('KNNBasic', K=2), 'K'), right


@situation(12, '`deletion_sweep(..., replicate=3)`')
def _():
    right = 'no such argument; replicates is one'
    words = ('replicate', 'replicates')
    return refused(
        lambda: deletion_sweep(Popularity(), tiny(), replicate=3, **QUICK), *words
    ), right
