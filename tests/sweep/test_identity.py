"""A store goes on with the same model and the same groups, and with no other.

What is the same is decided here by what a plain count or a plain mean of the rows gives, or by
what was written down: the classes below differ by one line, one number or one file.
"""

import enum
import functools
import logging
import os
import pickle
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from recinfluence.adapters.command import Command
from recinfluence.adapters.estimator import ScikitLearn
from recinfluence.core.described import SettingError, describe
from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split, make_split
from recinfluence.designs.base import Design, register_design
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.recommended import Metric
from recinfluence.models.base import Recommender
from recinfluence.models.fingerprint import Sample, compare_fingerprints, fingerprint
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import ItemMean, Popularity
from recinfluence.models.svd import SVD
from recinfluence.show.explorer import Explorer
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store, StoreError

BEFORE = Path(__file__).with_name('before')
SOURCE = """
import numpy as np
from recinfluence.models.base import Recommender
PULL = 2.0
def mean_of(total, count):
    return (total + PULL * 3) / (count + PULL)
class Mine(Recommender):
    paired = True
    weight = 1.0
    def __init__(self, damping=1.0):
        self.damping = damping
    def fit(self, train, seed=0):
        rated = train.groupby('item').rating
        self.means_ = mean_of(rated.sum(), rated.count() + self.damping) * self.weight
        return self
    def score(self, users, items):
        each = self.means_.reindex(items, fill_value=3.0).to_numpy()
        return np.tile(each, (len(users), 1))
"""


def written(source=SOURCE):
    "The class of a notebook's cell, as it is after the cell was run."
    scope = {'__name__': '__main__'}
    exec(source, scope)
    return scope['Mine']


def sweep(model, split, store=None, **asked):
    settings = dict(ids=range(3), k=3, jobs=1, progress=False, store=store)
    return deletion_sweep(model, split, **{**settings, **asked})


def goes_on(first, second, split, tmp_path, **asked):
    "The refusal, or '' where the second goes on with the store of the first."
    path = tmp_path / 'kept.db'
    content = sweep(first, split, path, **asked).store.content_hash()
    try:
        after = sweep(second, split, path, **asked)
    except StoreError as error:
        return str(error)
    assert after.store.content_hash() == content
    return ''


EDITS = {
    'a line of a method': ('each = self', 'each = 0.9 * self'),
    'the sign of the scores': ('np.tile(each', 'np.tile(-each'),
    'a class attribute': ('weight = 1.0', 'weight = 1.1'),
    'a default': ('damping=1.0', 'damping=1.5'),
    'a global constant': ('PULL = 2.0', 'PULL = 2.5'),
    'a helper function': ('total + PULL * 3', 'total + PULL * 4'),
    'what strangers get': ('fill_value=3.0', 'fill_value=2.0'),
    'a default used in fit alone': ('seed=0):\n        rated', 'seed=0, x=1):\n        rated'),
}


@pytest.mark.parametrize('edit', EDITS)
def test_a_class_that_was_edited_is_another_model(edit, tiny, tmp_path):
    source = SOURCE.replace(*EDITS[edit])
    assert source != SOURCE
    if edit == 'a default used in fit alone':
        source = source.replace('rated.sum()', 'x + rated.sum()')
    refused = goes_on(written()(), written(source)(), tiny, tmp_path)
    assert ('behaviour differs' in refused or "{'damping': 1.0}" in refused) and (
        'Name another store' in refused
    )


def test_a_class_that_was_run_again_is_the_same_model(tiny, tmp_path, caplog):
    assert not goes_on(written()(), written()(), tiny, tmp_path)
    commented = SOURCE.replace('rated = ', '# a comment\n        rated = ')
    commented = commented.replace('    def fit', '    "What it is."\n\n    def fit')
    documented = commented.replace('seed=0):\n', 'seed=0):\n        "What it does."\n')
    for source in (commented, documented):
        assert not goes_on(written()(), written(source)(), tiny, tmp_path)
    assert not caplog.messages


CAPPED = (
    SOURCE.replace('PULL = 2.0', 'PULL = 2.0\nMOST = 500')
    .replace('rated.count()', 'np.minimum(rated.count(), MOST) + (self.most > 900)')
    .replace('weight = 1.0', 'weight, most = 1.0, 900')
)


@pytest.mark.parametrize(
    'edit',
    [('MOST = 500', 'MOST = 400'), ('most = 1.0, 900', 'most = 1.0, 800'), ('> 900', '> 950')],
)
def test_what_a_small_sample_cannot_show_is_said(edit, tiny, tmp_path, caplog):
    assert not goes_on(written(CAPPED)(), written(CAPPED)(), tiny, tmp_path)
    assert not caplog.messages
    assert not goes_on(written(CAPPED)(), written(CAPPED.replace(*edit))(), tiny, tmp_path)
    assert len(caplog.messages) == 1 and 'its code is not' in caplog.messages[0]


def test_a_subclass_of_the_same_name_is_another_model(tiny, tmp_path):
    other = type('Popularity', (Popularity,), {'score': lambda s, u, i: -Popularity.score(s, u, i)})
    assert 'behaviour differs' in goes_on(Popularity(), other(), tiny, tmp_path)


@pytest.mark.parametrize('model', [Popularity(), SVD(n_factors=3, n_epochs=3), NCF(n_epochs=1)])
def test_a_patched_method_is_another_model(model, tiny, tmp_path, monkeypatch):
    path, cls = tmp_path / 'kept.db', type(model)
    sweep(model, tiny, path)
    plain = cls.score
    monkeypatch.setattr(cls, 'score', lambda self, u, i: plain(self, u, i)[:, ::-1])
    with pytest.raises(StoreError, match='its behaviour differs'):
        sweep(model, tiny, path)
    monkeypatch.undo()
    sweep(model, tiny, path)


PROGRAM = """
import sys, json, pathlib
from table import factor
beside = json.loads(pathlib.Path(__file__).with_name('settings.json').read_text())
rows = [line.rstrip('\\n').split('\\t') for line in open(sys.argv[1])]
users, items = sorted({row[0] for row in rows}), sorted({row[1] for row in rows})
with open(sys.argv[2], 'w') as out:
    for user in users:
        for item in items:
            rated = [float(row[2]) for row in rows if row[1] == item]
            score = factor * sum(rated) + beside['plus'] * len(item)
            print(user, item, score, sep='\\t', file=out)
"""


@pytest.mark.parametrize('edited', ['model.py', 'table.py', 'settings.json', ''])
def test_a_program_is_known_by_all_that_it_reads(edited, tiny, tmp_path):
    (tmp_path / 'model.py').write_text(PROGRAM)
    (tmp_path / 'table.py').write_text('factor = 1.5\n')
    (tmp_path / 'settings.json').write_text('{"plus": 1}\n')
    model = Command([sys.executable, str(tmp_path / 'model.py'), '{train}', '{out}'])
    path = tmp_path / 'kept.db'
    sweep(model, tiny, path, ids=[1])
    edit = {'model.py': ('factor *', '2 * factor *'), 'table.py': ('1.5', '1.6')}
    if edited:
        text = (tmp_path / edited).read_text()
        changed = text.replace(*edit.get(edited, ('1', '3')))
        (tmp_path / edited).write_text(changed)
        os.utime(tmp_path / edited, (1, 1))
        with pytest.raises(StoreError, match='another experiment'):
            sweep(model, tiny, path, ids=[1])
    else:
        sweep(model, tiny, path, ids=[1])


class Prior(BaseEstimator):
    "Predicts a number of a long table."

    def __init__(self, table=None, call=None):
        self.table, self.call = table, call

    def fit(self, table, ratings):
        return self

    def predict(self, table):
        rows = table.shape[0]
        found = np.zeros(rows) if self.table is None else self.table[:rows]
        return found if self.call is None else self.call(found)


LONG = np.arange(3000.0)
ESTIMATORS = {
    'an array that is printed in part': (
        lambda: Prior(LONG.copy()),
        lambda: Prior(np.where(LONG == 1500, -1, LONG)),
        'table',
    ),
    'a lambda': (
        lambda: Prior(call=lambda x: x + 1),
        lambda: Prior(call=lambda x: x + 2),
        'call',
    ),
    'a lambda in a pipeline': (
        lambda: make_pipeline(FunctionTransformer(lambda x: x * 2), Ridge()),
        lambda: make_pipeline(FunctionTransformer(lambda x: x * 3), Ridge()),
        'func',
    ),
    'a part of a pipeline': (
        lambda: make_pipeline(FunctionTransformer(np.log1p), Ridge(alpha=1)),
        lambda: make_pipeline(FunctionTransformer(np.log1p), Ridge(alpha=2)),
        'alpha',
    ),
}


@pytest.mark.parametrize('case', ESTIMATORS)
def test_an_estimator_is_known_by_its_settings_to_the_last_number(case, tiny, tmp_path):
    make, other, named = ESTIMATORS[case]
    assert not goes_on(ScikitLearn(make()), ScikitLearn(make()), tiny, tmp_path)
    refused = goes_on(ScikitLearn(make()), ScikitLearn(other()), tiny, tmp_path)
    assert 'its recommender has' in refused and named in refused


class Colour(enum.Enum):
    RED = 'red'


class Settings:
    def __init__(self, **kept):
        vars(self).update(kept)


class Holds(Popularity):
    "Holds whatever it is given."

    def __init__(self, **held):
        vars(self).update(held)


def plus(x, y=1):
    return x + y


FRAME = pd.DataFrame({'late': [True, False], 'name': ['a', 'b']}, index=[3, 5])
SAME = {
    'numpy and plain numbers': ({'n': 1, 'x': 0.5, 'b': True}, lambda: {
        'n': np.int64(1), 'x': np.float64(0.5), 'b': np.bool_(True)}),
    'tuple and list': ({'n': (1, (2, 3))}, lambda: {'n': [1, [2, 3]]}),
    'the order of a dict': ({'n': {'a': 1, 'b': 2}}, lambda: {'n': {'b': 2, 'a': 1}}),
    'the order of attributes': ({'a': 1, 'b': 2}, lambda: {'b': 2, 'a': 1}),
    'a set': ({'n': {'b', 'a', 'c'}}, lambda: {'n': {'c', 'a', 'b'}}),
    'a function': ({'f': plus}, lambda: {'f': pickle.loads(pickle.dumps(plus))}),
    'a lambda': ({'f': (lambda x: x + 1)}, lambda: {'f': (lambda x: x + 1)}),
    'a partial': ({'f': functools.partial(plus, y=2)}, lambda: {'f': functools.partial(plus, y=2)}),
    'a method': ({'f': Settings(n=1).__init__}, lambda: {'f': Settings(n=1).__init__}),
    'an array': ({'a': LONG}, lambda: {'a': LONG.copy()}),
    'a view of an array': ({'a': LONG[::2]}, lambda: {'a': LONG[::2].copy()}),
    'a frame': ({'t': FRAME}, lambda: {'t': FRAME.copy()}),
    'a column': ({'t': FRAME.late}, lambda: {'t': FRAME.late.copy()}),
    'a path': ({'p': Path('a/b')}, lambda: {'p': 'a/b'}),
    'a member of an enum': ({'c': Colour.RED}, lambda: {'c': Colour('red')}),
    'an estimator': ({'e': Ridge(2.0)}, lambda: {'e': Ridge(alpha=2.0)}),
    'an object': ({'s': Settings(n=[1], f=plus)}, lambda: {'s': Settings(n=(1,), f=plus)}),
    'another model': ({'m': ItemMean(0.1)}, lambda: {'m': ItemMean(noise=np.float64(0.1))}),
    'no number': ({'n': np.nan}, lambda: {'n': float('nan')}),
    'a date': ({'d': pd.Timestamp('2020-01-02')}, lambda: {'d': pd.Timestamp(2020, 1, 2)}),
}  # fmt: skip


@pytest.mark.parametrize('case', SAME)
def test_settings_that_are_the_same_go_on(case, tiny, tmp_path):
    held, again = SAME[case]
    assert not goes_on(Holds(**held), Holds(**again()), tiny, tmp_path)


OTHER = {
    'another number': ({'n': 1}, {'n': 2}),
    'a number and a text': ({'n': 1}, {'n': '1'}),
    'a number in the middle': ({'a': LONG}, {'a': np.where(LONG == 1500, -1, LONG)}),
    'another shape': ({'a': LONG}, {'a': LONG.reshape(2, -1)}),
    'another dtype': ({'a': LONG}, {'a': LONG.astype(int)}),
    'another value of a table': ({'t': FRAME}, {'t': FRAME.assign(late=False)}),
    'another index': ({'t': FRAME}, {'t': FRAME.set_axis([3, 6])}),
    'another name of a column': ({'t': FRAME}, {'t': FRAME.rename(columns={'late': 'l'})}),
    'another lambda': ({'f': lambda x: x + 1}, {'f': lambda x: x + 2}),
    'another default': ({'f': lambda x, y=1: x + y}, {'f': lambda x, y=2: x + y}),
    'other keywords': (
        {'f': functools.partial(plus, y=2)},
        {'f': functools.partial(plus, y=3)},
    ),
    'another function': ({'f': np.log1p}, {'f': np.log2}),
    'another object': ({'s': Settings(n=1)}, {'s': Settings(n=2)}),
    'another path': ({'p': Path('a')}, {'p': Path('b')}),
    'an attribute more': ({}, {'n': 1}),
}


@pytest.mark.parametrize('case', OTHER)
def test_settings_that_are_not_the_same_are_named(case, tiny, tmp_path):
    held, other = OTHER[case]
    refused = goes_on(Holds(**held), Holds(**other), tiny, tmp_path)
    assert f"'{next(iter(other))}'" in refused and 'same settings' in refused


def test_what_a_function_took_along_counts():
    def times(n):
        return lambda x: n * x

    assert describe(times(2)) == describe(times(2)) != describe(times(3))


@pytest.mark.parametrize(
    'odd', [(n for n in range(3)), np.random.default_rng(0), np.random.RandomState(0), sys.stdout]
)
def test_what_cannot_be_compared_is_named(odd, tiny):
    with pytest.raises(SettingError, match=r'Holds\.tool is a .*a name that ends in _'):
        sweep(Holds(tool=odd), tiny)
    sweep(Holds(tool_=odd), tiny)


def test_a_model_that_was_pickled_goes_on_in_another_process(tiny, tmp_path):
    model = Holds(n=np.int64(3), f=lambda x: x + 1, a=LONG, s={'b', 'a', 'c'})
    sweep(model, tiny, tmp_path / 'kept.db')
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        (tmp_path / 'call').write_bytes(cloudpickle.dumps((model, tiny)))
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    script = textwrap.dedent("""
        import pickle, sys
        from recinfluence.sweep.run import deletion_sweep
        model, split = pickle.load(open(sys.argv[1], 'rb'))
        asked = dict(ids=range(3), k=3, jobs=1, progress=False)
        print(deletion_sweep(model, split, store=sys.argv[2], **asked).headline)
    """)
    call = [sys.executable, '-c', script, str(tmp_path / 'call'), str(tmp_path / 'kept.db')]
    done = subprocess.run(call, capture_output=True, text=True, env={**os.environ})
    assert '3 of 3' in done.stdout, done.stderr


class Fails(Popularity):
    wrong = True

    def fit(self, train, seed=0):
        if len(train) < 300 and self.wrong:
            raise ArithmeticError('too few rows')
        return super().fit(train, seed)


class Unseeded(Popularity):
    "Draws without the seed."

    def fit(self, train, seed=0):
        super().fit(train, seed)
        self.counts_ = self.counts_ + np.random.random() + random.random()
        return self


@pytest.mark.parametrize(
    'model, said', [(Fails(), 'ArithmeticError'), (Unseeded(), 'other scores each time')]
)
def test_a_model_that_cannot_be_compared_goes_on_and_that_is_said(
    model, said, tiny, tmp_path, caplog
):
    sweep(model, tiny, tmp_path / 'kept.db')
    assert not caplog.messages
    assert '3 of 3' in sweep(model, tiny, tmp_path / 'kept.db').headline
    assert len(caplog.messages) == 1 and said in caplog.messages[0]


def test_a_model_that_can_be_trained_later_is_compared_from_then_on(
    tiny, tmp_path, caplog, monkeypatch
):
    path = tmp_path / 'kept.db'
    sweep(Fails(), tiny, path)
    monkeypatch.setattr(Fails, 'wrong', False)
    sweep(Fails(), tiny, path)
    sweep(Fails(), tiny, path)
    assert len(caplog.messages) == 1
    monkeypatch.setattr(Fails, 'score', lambda self, u, i: -Popularity.score(self, u, i))
    with pytest.raises(StoreError, match='behaviour differs'):
        sweep(Fails(), tiny, path)


def test_a_store_without_a_fingerprint_goes_on_and_is_compared_from_then_on(tiny, tmp_path, caplog):
    path = tmp_path / 'kept.db'
    path.write_bytes((BEFORE / 'mixed.sqlite').read_bytes())
    team = [Unit(users=(3, 1, 2, 2), name='team'), Unit(users=(4,), items=(2,)), Unit(items=(5,))]
    content = Store(path).content_hash()
    with caplog.at_level(logging.WARNING):
        asked = dict(units=team, ids=None, k=10)
        assert sweep(Popularity(), tiny, path, **asked).store.content_hash() == content
        assert len(caplog.messages) == 1 and 'no fingerprint' in caplog.messages[0]
        sweep(Popularity(), tiny, path, **asked)
    assert len(caplog.messages) == 1
    others = [Unit(users=(7, 8), name='team')]
    after = sweep(Popularity(), tiny, path, **{**asked, 'units': others})
    assert after.units == [others[0].key]
    labels = Store(path).units_table().label
    assert labels['users team'] != labels[others[0].key] and labels.is_unique


def test_the_fingerprint_leaves_no_trace(tiny):
    model, train = SVD(n_factors=3, n_epochs=2).fit(tiny.train), tiny.train.copy()
    learned = model.pu_.copy()
    random.seed(3)
    np.random.seed(3)
    before = random.getstate(), np.random.get_state()[1].tolist()
    taken = fingerprint(model, Sample.of(tiny))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    assert (model.pu_ == learned).all() and tiny.train.equals(train)
    assert np.isfinite(np.array(taken['scores'], float)).all()


class Table(Recommender):
    "Scores that are given, so that the comparison can be checked by hand."

    paired = True

    def __init__(self, scale=1.0, add=0.0, bits=0.0):
        self.scale_, self.add_, self.bits_ = scale, add, bits

    def fresh(self):
        return self

    def fit(self, train, seed=0):
        return self

    def score(self, users, items):
        plain = np.arange(len(users) * len(items), dtype=float).reshape(len(users), -1)
        return plain * self.scale_ + self.add_ + self.bits_


@pytest.mark.parametrize(
    'other, same',
    [
        (Table(bits=1e-7), True),
        (Table(scale=1 + 1e-9), True),
        (Table(scale=1.001), False),
        (Table(add=0.1), False),
        (Table(add=np.nan), False),
        (Table(add=np.inf), False),
    ],
)
def test_last_bits_do_not_count_and_all_else_does(other, same, tiny):
    one, two = (fingerprint(model, Sample.of(tiny)) for model in (Table(), other))
    assert (not compare_fingerprints(one, two).differ) == same


def test_a_sample_has_the_splits_own_rows(ml_chrono, tiny):
    for split in (ml_chrono, tiny):
        sample = Sample.of(split)
        both = sample.train.merge(split.train)
        assert len(both) == len(sample.train) <= 12 * 16 and sample.train.user.nunique() <= 12
        assert sample.train.groupby('user').size().max() <= 16
        again = Sample.of(split)
        assert again.train.equals(sample.train) and (again.items == sample.items).all()


@pytest.mark.parametrize('name', ['planted', 'renamed', 'a.b c'])
def test_a_renamed_file_goes_on(name, tmp_path):
    first, second = tmp_path / 'ratings.csv', tmp_path / f'{name}.csv'
    planted_interactions().to_csv(first, index=False)
    path = tmp_path / 'kept.db'
    sweep(Popularity(), chrono_split(load_interactions(first)), path)
    os.replace(first, second)
    after = sweep(Popularity(), chrono_split(load_interactions(second)), path, replicates=2)
    assert '6 of 6' in after.headline and 'ratings' in after.headline  # the store's own name


def test_other_rows_under_the_same_name_do_not_go_on(tiny, tmp_path):
    frame = planted_interactions()
    changed = frame.assign(rating=frame.rating.where(frame.index != 5, 6 - frame.rating))
    other = chrono_split(load_interactions(changed, name='planted'))
    sweep(Popularity(), tiny, tmp_path / 'kept.db')
    with pytest.raises(StoreError, match='its data_hash has'):
        sweep(Popularity(), other, tmp_path / 'kept.db')


def test_the_same_rows_told_otherwise_go_on(tiny, tmp_path):
    sweep(Popularity(), tiny, tmp_path / 'kept.db')
    told = make_split(tiny.train, tiny.test, tiny.interactions, how='my own', n=np.int64(3))
    sweep(Popularity(), told, tmp_path / 'kept.db')


def test_a_metric_that_is_printed_otherwise_goes_on_and_another_one_does_not(tiny, tmp_path):
    def of(label, add):
        return Metric('mine', label, +1, False, lambda seen: float(seen.hit.sum() + add))

    path = tmp_path / 'kept.db'
    sweep(Popularity(), tiny, path, metrics=[of('Hits', 0)])
    sweep(Popularity(), tiny, path, metrics=[of('Treffer', 0)])
    with pytest.raises(StoreError, match='its metrics has'):
        sweep(Popularity(), tiny, path, metrics=[of('Hits', 1)])


def drawn(shift):
    @register_design
    class Mine(Design):
        name, whole_seeds, splits_parts, only_ranking = 'mine', True, False, True
        estimand = 'whatever'

        def config(self):
            return {'name': 'mine'}

        def described(self, split):
            return [Unit(users=(user,)) for user in split.users.tolist()]

        def units(self, split, seed):
            users = np.roll(split.users, seed + shift)
            return [Unit(users=users[n : n + 3]) for n in range(4)]

        def size(self, described):
            return 4

        def key_of(self, position):
            return f'users mine {position}'

    return Mine()


def test_a_design_that_was_edited_is_another_one(tiny, tmp_path):
    path, asked = tmp_path / 'kept.db', dict(ids=None)
    sweep(Popularity(), tiny, path, units=drawn(0), **asked)
    sweep(Popularity(), tiny, path, units=drawn(0), **asked)
    with pytest.raises(StoreError, match='other groups now'):
        sweep(Popularity(), tiny, path, units=drawn(5), **asked)


def test_numpy_settings_of_a_design_go_on(tiny, tmp_path):
    path = tmp_path / 'kept.db'
    sweep(Popularity(), tiny, path, units=RandomGroups(per_seed=4), ids=None)
    again = RandomGroups(keep=np.float64(0.5), per_seed=np.int64(4))
    sweep(Popularity(), tiny, path, units=again, ids=None)


def test_other_models_do_not_add_up_and_are_not_explored(tiny):
    class Popularity(ItemMean):
        def config(self):
            return {'recommender': 'Popularity'}

    real = globals()['Popularity']
    one = sweep(real(), tiny, replicates=2).influence('map')
    two = sweep(Popularity(), tiny, replicates=2, seed=5).influence('map')
    with pytest.raises(ValueError, match='behaviour'):
        one + two
    with pytest.raises(ValueError, match='behaviour differ'):
        Explorer(one, Popularity(), tiny)


def test_the_full_data_s_metrics_do_not_depend_on_a_fingerprint(tiny):
    "The fingerprint is beside the content: with and without it the content is the same."
    kept = sweep(Popularity(), tiny).store
    bare = Store(None, type(kept.experiment).from_dict(kept.experiment.to_dict()))
    assert kept.experiment.behaviour and not bare.experiment.behaviour
    assert list(kept.db.execute('SELECT * FROM identity')) == list(
        bare.db.execute('SELECT * FROM identity')
    )
    full = kept.full().loc[0]
    fitted = Popularity().fit(tiny.train)
    assert full.to_dict() == pytest.approx(Evaluator(tiny, 3)(fitted).metrics)
