"""SVD against scikit-surprise and published figures."""

import numpy as np
import pytest
import surprise

from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import PAPER
from recinfluence.models.svd import SVD


@pytest.mark.parametrize('biased', [True, False])
def test_svd_scores_are_scikit_surprises_predictions(ml_random, biased):
    settings = dict(n_factors=20, n_epochs=3, biased=biased, start='surprise')
    cut = SVD(**settings, clip='scores').fit(ml_random.train, 1)
    model = SVD(**settings).fit(ml_random.train, 1)
    rows = surprise.Dataset.load_from_df(
        ml_random.train[['user', 'item', 'rating']], surprise.Reader(rating_scale=(1, 5))
    ).build_full_trainset()
    theirs = surprise.SVD(n_factors=20, n_epochs=3, biased=biased, random_state=1).fit(rows)
    users, items = np.append(ml_random.users[:40], 10**6), np.append(ml_random.items[::50], 10**6)
    for ours, clip in ((model.score(users, items), False), (cut.score(users, items), True)):
        expected = np.array([[theirs.predict(u, i, clip=clip).est for i in items] for u in users])
        assert np.abs(ours - expected).max() < 1e-12
    assert np.array_equal(model.as_ratings(model.score(users, items)), cut.score(users, items))


def test_table_12(ml_random):
    model = SVD(start='surprise', clip='scores').fit(ml_random.train, 0)
    evaluation = Evaluator(ml_random, candidates='test')(model)
    assert [round(evaluation.metrics[m], 6) for m in PAPER] == [
        0.610440,
        1,
        1,
        0.878556,
        0.610440,
        0.287167,
        0.746868,
    ]


def test_keyed_start_does_not_depend_on_the_order_of_rows_between_users(tiny):
    def fitted(rows):
        return SVD(n_factors=5, n_epochs=4).fit(rows, 2).score(tiny.users, tiny.items)

    shuffled = tiny.train.sort_values(
        'user', ascending=False, kind='stable'
    )  # each user's own order stays
    assert np.array_equal(fitted(tiny.train), fitted(shuffled))
    assert not np.array_equal(
        *(
            SVD(n_factors=5, n_epochs=4, start='surprise')
            .fit(rows, 2)
            .score(tiny.users, tiny.items)
            for rows in (tiny.train, shuffled)
        )
    )
