"""The rating scale is the data's: figures against scikit-surprise used directly, told the scale."""

from dataclasses import replace

import numpy as np
import pytest
import surprise

from recinfluence.adapters.surprise import Surprise
from recinfluence.core.units import Unit
from recinfluence.data.interactions import DataError, load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import random_split
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep

ROWS = planted_interactions()
SCALES = {
    'percent': (lambda r: 25 * (r - 1), (0, 100)),
    'three grades': (lambda r: (r - 1) / 2, (0, 2)),
    'half stars': (lambda r: r / 2, (0.5, 2.5)),
    'below zero': (lambda r: 5 * (r - 3), (-10, 10)),
    'of ten': (lambda r: 2 * r, (2, 10)),
}
SETTINGS = dict(n_factors=5, n_epochs=8)


def on(name):
    function, scale = SCALES[name]
    data = load_interactions(ROWS.assign(rating=function(ROWS.rating)), name=name)
    return random_split(data), scale


def error_of_library(make, train, test, scale):
    "Mean absolute error of scikit-surprise's own, clipped predictions."
    table = train[['user', 'item', 'rating']]
    rows = surprise.Dataset.load_from_df(table, surprise.Reader(rating_scale=scale))
    fitted = make().fit(rows.build_full_trainset())
    asked = test[['user', 'item', 'rating']].itertuples(index=False)
    return np.mean([abs(fitted.predict(u, i).est - r) for u, i, r in asked])


@pytest.mark.parametrize('engine', ['reference', 'fast'])
@pytest.mark.parametrize('name', SCALES)
def test_influence_on_the_error_is_the_librarys(name, engine):
    split, scale = on(name)

    def without(train, test):
        return error_of_library(
            lambda: surprise.SVD(**SETTINGS, random_state=0), train, test, scale
        )

    gone = Unit(users=(5,))
    full = without(split.train, split.test)
    less = without(gone.remaining(split.train), gone.remaining(split.test))
    sweep = deletion_sweep(
        SVD(**SETTINGS, start='surprise'), split, [gone], engine=engine, jobs=1, progress=False
    )
    row = sweep.frame().set_index('metric').loc['mae']
    assert row.full == pytest.approx(full, abs=1e-9)
    assert row.influence == pytest.approx(less - full, abs=1e-9)
    assert sweep.experiment.recommender['rating_scale'] == list(scale)


@pytest.mark.parametrize('algorithm', ['KNNBasic', 'SlopeOne', 'BaselineOnly'])
@pytest.mark.parametrize('name', SCALES)
def test_the_adapters_error_is_the_librarys(name, algorithm):
    split, scale = on(name)
    quiet = {} if algorithm == 'SlopeOne' else {'verbose': False}
    train = split.train.sort_values('user', kind='stable')
    make = getattr(surprise, algorithm)
    theirs = error_of_library(lambda: make(**quiet), train, split.test, scale)
    ours = Evaluator(split)(Surprise(algorithm).for_split(split).fit(split.train))['mae']
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_a_scale_is_the_same_in_every_deletion():
    "The only user who gave a 5 is deleted: what is left is still compared on the whole scale."
    rows = ROWS.assign(rating=np.where(ROWS.user == 3, 5.0, np.minimum(ROWS.rating, 3)))
    split = random_split(load_interactions(rows, name='one enthusiast'))
    model = SVD(**SETTINGS).for_split(split)
    assert model.rating_scale == (1, 5)
    alone = SVD(**SETTINGS).fit_without(rows, Unit(users=(3,)))
    assert alone.scale == (1, 5) and alone.rating_scale is None


@pytest.mark.parametrize('make', [SVD, lambda **kw: Surprise('SlopeOne', **kw)])
def test_a_scale_that_the_ratings_do_not_fit_is_refused_with_both(make):
    split, _ = on('percent')
    for use in (
        lambda m: m.for_split(split),
        lambda m: m.fit(split.train),
        lambda m: deletion_sweep(m, split, jobs=1, progress=False),
    ):
        with pytest.raises(DataError, match='from 1 to 5; the ratings go from 0 to 100'):
            use(make(rating_scale=(1, 5)))


@pytest.mark.parametrize('scale', [5, (5, 1), (1, 1), '15', (1, np.inf), (1, 2, 3), ('a', 'b')])
def test_what_is_no_scale_is_refused(scale):
    with pytest.raises(ValueError, match='no pair of a lowest and a highest rating'):
        SVD(rating_scale=scale)


def test_a_scale_that_the_data_declare_is_taken():
    split = random_split(replace(load_interactions(ROWS, name='declared'), rating_scale=(0, 10)))
    assert SVD().for_split(split).rating_scale == (0, 10)
    assert SVD(rating_scale=(1, 5)).for_split(split).rating_scale == (1, 5)


def test_equal_ratings_tell_of_no_scale():
    split = random_split(load_interactions(ROWS[['user', 'item', 'timestamp']], {'rating': None}))
    for model in (SVD(**SETTINGS), Surprise('KNNBasic')):
        settled = model.for_split(split)
        assert settled.rating_scale is None
        assert np.isfinite(Evaluator(split)(settled.fit(split.train))['mae'])


def test_the_old_behaviour_keeps_its_old_configuration():
    old = SVD(rating_scale=(1, 5), clip='scores').config()
    assert 'clip' not in old and old['rating_scale'] == [1, 5]
    assert SVD(rating_scale=(1, 5)).config() == {**old, 'clip': 'ratings'}
    knn = Surprise('KNNBasic', rating_scale=(1, 5), clip='scores').config()
    assert knn == {'recommender': 'surprise KNNBasic', 'rating_scale': [1, 5]}


def test_a_fitted_model_in_a_file_keeps_its_scale(tmp_path):
    model = SVD(**SETTINGS).fit(ROWS)
    again = SVD.load(model.save(tmp_path / 'svd.npz'))
    assert again.scale == model.scale == (1, 5) and again.config() == model.config()
    scores = np.array([0.0, 3.0, 7.0])
    assert again.as_ratings(scores).tolist() == [1, 3, 5]
