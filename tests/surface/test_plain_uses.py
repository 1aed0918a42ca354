"""What people plainly write: it works as they mean it, or the refusal says what to write."""

import pickle
import threading
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import surprise
from sklearn.linear_model import Ridge
from surface.judge import from_below
from surface.world import QUICKLY, world

import recinfluence as ri

pytestmark = pytest.mark.filterwarnings('ignore')


class Holding(ri.Popularity):
    "A model with something among its attributes."

    def __init__(self, kept=None):
        self.kept = kept


class Failing(ri.Popularity):
    "A model that can be fitted on everything, and on nothing less."

    def fit_without(self, train, unit, seed=0):
        if unit.users:
            raise RuntimeError('no memory left')
        return self.fit(train, seed)


def sweep(units='users', model=None, **changed):
    "A sweep in which one thing is as somebody writes it."
    here = world()
    given = dict(QUICKLY, recommender=model or here.model, split=here.split, units=units)
    return ri.deletion_sweep(**{**given, **changed})


def units_of(**changed) -> list:
    "The keys of a sweep's units."
    return sweep(**changed).units


def in_a_thread():
    "An influence that is asked for in another thread."
    made, found = sweep(ids=[1, 2]), []
    thread = threading.Thread(target=lambda: found.append(made.influence('map')))
    thread.start()
    thread.join()
    return len(found[0].frame)


def kept_by(dump, load):
    "An influence that was written and read."
    influence = sweep(ids=[1, 2]).influence('map')
    dump(influence, 'kept')
    return load('kept').frame.equals(influence.frame)


def pickled(influence, path):
    "By Python's pickle."
    Path(path).write_bytes(pickle.dumps(influence))


WORKS = {  # what is written, and what it gives
    'numpy integers in a unit': (
        lambda: ri.Unit(users=tuple(world().split.users[:3])),
        ri.Unit(users=(0, 1, 2)),
    ),
    'a list in a unit': (lambda: ri.Unit(users=[1, 2]), ri.Unit(users=(1, 2))),
    'an array in a unit': (lambda: ri.Unit(users=np.array([2, 1])), ri.Unit(users=(1, 2))),
    'one id in a unit': (lambda: ri.Unit(items=3), ri.Unit(items=(3,))),
    'one bare unit': (lambda: units_of(units=ri.Unit(users=(1,))), ['user 1']),
    'one bare id': (lambda: units_of(ids=5), ['user 5']),
    'ids that are floats': (lambda: units_of(ids=[1.0, 2.0]), ['user 1', 'user 2']),
    'ids twice': (lambda: units_of(ids=[1, 1, 2]), ['user 1', 'user 2']),
    'ids in a series': (lambda: units_of(ids=pd.Series([2])), ['user 2']),
    'replicates with a point': (lambda: sweep(ids=[1], replicates=2.0).seeds, [0, 1]),
    'a numpy seed': (lambda: sweep(ids=[1], seed=np.int64(4)).seeds, [4]),
    'a numpy number in a model': (
        lambda: units_of(ids=[1], model=Holding(np.float32(0.5))),
        ['user 1'],
    ),
    'a function in a model': (lambda: units_of(ids=[1], model=Holding(len)), ['user 1']),
    'a lambda in a model': (lambda: units_of(ids=[1], model=Holding(lambda x: x)), ['user 1']),
    'a table in a model': (lambda: units_of(ids=[1], model=Holding(world().rows)), ['user 1']),
    'a path in a model': (lambda: units_of(ids=[1], model=Holding(Path('a'))), ['user 1']),
    'another thread': (in_a_thread, 2),
    'pickle': (lambda: kept_by(pickled, pd.read_pickle), True),
    'joblib': (lambda: kept_by(joblib.dump, joblib.load), True),
}


def failed():
    "The influence of a sweep whose retrainings all failed."
    return sweep(ids=[1, 2], model=Failing()).influence('map')


def blind():
    "An influence on a metric that is nowhere finite."
    rows = world().rows.assign(rating=0.7)
    split = ri.chrono_split(ri.load_interactions(rows))
    return sweep(ids=[1, 2], split=split).influence('explained_variance')


REFUSED = {  # what is written, and what the refusal says
    'no seed': (lambda: sweep(seed=None), 'seed=None: give a whole number'),
    'half a replicate': (lambda: sweep(replicates=2.5), 'replicates=2.5: give a whole number'),
    'a text of replicates': (lambda: sweep(replicates='2'), "replicates='2': give a whole"),
    'a class for a model': (lambda: sweep(model=ri.ItemMean), r'give ItemMean\(\.\.\.\), which'),
    'an estimator of scikit-learn': (lambda: sweep(model=Ridge()), r'ScikitLearn\(Ridge\(\)\)'),
    'an algorithm of surprise': (lambda: sweep(model=surprise.SVD()), r"Surprise\('SVD'\)"),
    'data for a split': (lambda: sweep(split=world().data), r'chrono_split\(interactions\)'),
    'a frame for a split': (lambda: sweep(split=world().rows), r'chrono_split\(interactions\)'),
    'a frame for data': (lambda: ri.chrono_split(world().rows), r'load_interactions\(frame\)'),
    'a split for an influence': (lambda: ri.influence_bars(world().split), r'sweep\.influence'),
    'a sweep for an influence': (lambda: ri.leave_out(world().users), r'sweep\.influence'),
    'ids as one text': (lambda: sweep(ids='1,2'), "'1,2' is not in"),
    'a misspelt setting': (lambda: sweep(replicate=2), 'Did you mean replicates'),
    'explore where all failed': (lambda: failed().explore(), 'nothing|no unit|No unit'),
    'explore what is not finite': (lambda: blind().explore(), 'that is a number'),
}


@pytest.mark.parametrize('name', WORKS)
def test_it_works_as_it_is_meant(name):
    write, gives = WORKS[name]
    assert write() == gives


@pytest.mark.parametrize('name', REFUSED)
def test_the_refusal_says_what_to_write(name):
    write, says = REFUSED[name]
    with pytest.raises(Exception, match=says) as caught:
        write()
    assert not from_below(caught.value), from_below(caught.value)
