"""The suite of checks can fail a model, at the check that it should fail."""

import numpy as np
import pandas as pd
import pytest

from recinfluence.models.base import Recommender, row_weights
from recinfluence.models.conformance import conformance
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD


class Spoilt(Popularity):
    def __init__(self, how):
        self.how = how

    def fit(self, train, seed=0):
        if self.how == 'data':
            train.iloc[:, 2] = 0.0
        super().fit(train, seed)
        if self.how == 'seed':
            self.counts_ = self.counts_ + np.random.default_rng().random(len(self.counts_))
        return None if self.how == 'self' else self

    def score(self, users, items):
        scores = super().score(users, items)
        if self.how == 'nan':
            scores[0, 0] = np.nan
        if self.how == 'shape':
            return scores.T
        if self.how == 'relative':
            return scores / scores.sum()
        return scores

    def config(self):
        return {
            'recommender': 'Spoilt',
            'how': self.how,
            **({'bad': object()} if self.how == 'config' else {}),
        }


@pytest.mark.parametrize(
    'how, check',
    [
        ('nan', 'finite'),
        ('shape', 'finite'),
        ('seed', 'same seed'),
        ('data', 'leaves the data'),
        ('self', 'the fitted model itself'),
        ('relative', 'what else is asked'),
        ('config', 'json'),
    ],
)
def test_the_conformance_suite_catches(how, check):
    try:
        report = conformance(Spoilt(how))
    except AttributeError:
        assert how == 'self'
        return
    assert not report.passed[[c for c in report.index if check in c][0]]


def test_conformance_looks_at_weights_where_they_are_declared():
    check = 'weights of one change nothing, weights of zero delete'

    class Mean(Recommender):
        paired = weighted = True

        def fit(self, train, seed=0):
            weights = row_weights(train)
            weights = np.ones(len(train)) if weights is None else weights
            self.mean_ = (
                pd.Series(weights * train.rating).groupby(train['item'].to_numpy()).sum()
                / pd.Series(weights).groupby(train['item'].to_numpy()).sum()
            )
            return self

        def score(self, users, items):
            return np.tile(self.mean_.reindex(items).fillna(3.0).to_numpy(), (len(users), 1))

    class Deaf(Mean):
        def fit(self, train, seed=0):
            return super().fit(train.drop(columns='weight', errors='ignore'), seed)

    assert (
        check not in conformance(Popularity()).index
        and conformance(Mean()).passed[check]
        and not conformance(Deaf()).passed[check]
    )
    for model in (NCF(n_epochs=2, batch_size=32), SVD(n_factors=8, n_epochs=5)):
        assert conformance(model).passed.all()
