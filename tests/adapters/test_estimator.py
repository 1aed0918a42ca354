"""Estimators against least squares, their features and their pairing."""

import json

import numpy as np
import pandas as pd

import recinfluence
from recinfluence.adapters.estimator import ScikitLearn
from recinfluence.models.conformance import PAIRING, conformance


def test_estimator_is_least_squares_on_indicators(tiny):
    from sklearn.linear_model import Ridge

    u, i = tiny.codes(tiny.train)
    n = len(tiny.users)
    features = np.zeros((len(u), n + len(tiny.items)))
    features[np.arange(len(u)), u] = features[np.arange(len(u)), n + i] = 1
    centre, y = features.mean(0), tiny.train.rating.to_numpy()
    w = np.linalg.solve(
        (features - centre).T @ (features - centre) + np.eye(features.shape[1]),
        (features - centre).T @ (y - y.mean()),
    )
    wanted = w[:n, None] + w[n:] + y.mean() - centre @ w
    model = ScikitLearn(Ridge(solver='lsqr', tol=1e-12), paired=True).fit(tiny.train)
    assert np.allclose(model.score(tiny.users, tiny.items), wanted) and np.allclose(
        model.score(np.array([10**6]), np.array([10**6])), y.mean() - centre @ w
    )


def test_estimator_takes_features_and_knows_them(tiny):
    from sklearn.linear_model import LinearRegression

    items = pd.DataFrame({'odd': tiny.items % 2}, index=tiny.items)
    users = pd.DataFrame({'odd': tiny.users % 2}, index=tiny.users)
    users['same'] = 0.0
    model = ScikitLearn(LinearRegression(), users, items)
    scores = model.fit(tiny.train).score(tiny.users, tiny.items)
    features = np.column_stack(
        [np.ones(len(tiny.train)), tiny.train.user % 2, tiny.train['item'] % 2]
    )
    w = np.linalg.lstsq(features, tiny.train.rating, rcond=None)[0]
    assert np.allclose(scores, w[0] + w[1] * (tiny.users % 2)[:, None] + w[2] * (tiny.items % 2))
    assert (
        model.config()
        != ScikitLearn(LinearRegression(), users, 2 * items).config()
        != ScikitLearn(LinearRegression()).config()
        and json.loads(json.dumps(model.config())) == model.config()
    )


def test_estimators_that_draw_are_not_paired():
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    assert (
        ScikitLearn(LinearRegression()).paired
        and not ScikitLearn(make_pipeline(RandomForestRegressor(3))).paired
    )
    report = conformance(ScikitLearn(make_pipeline(RandomForestRegressor(3))))
    assert report.passed.drop(PAIRING).all() and not report.passed[PAIRING]


def test_the_name_that_the_package_gave_it_first_goes_on_working():
    from sklearn.linear_model import LinearRegression

    former, model = recinfluence.Estimator(LinearRegression()), ScikitLearn(LinearRegression())
    assert isinstance(former, recinfluence.ScikitLearn) and former.paired
    assert former.config() == model.config() and repr(former) == repr(model)
