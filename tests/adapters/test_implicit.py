"""implicit: start values belong to ids, and its answers are its answers."""

import numpy as np
import pytest
from scipy import sparse

from recinfluence.adapters.implicit import Implicit
from recinfluence.core.units import Unit

pytest.importorskip('implicit')


def test_a_deletion_moves_nobodys_start_in_als(tiny):
    model = Implicit('AlternatingLeastSquares', factors=4, iterations=0)
    full, less = (
        model.fresh().fit(tiny.train, 2),
        model.fresh().fit_without(tiny.train, Unit(users=(0,)), 2),
    )
    assert (
        np.array_equal(full.left_[1:], less.left_)
        and np.array_equal(full.right_, less.right_)
        and full.left_.min() >= 0
        and full.left_.max() < 0.01
    )


@pytest.mark.parametrize(
    'name', ['CosineRecommender', 'TFIDFRecommender', 'BM25Recommender', 'ItemItemRecommender']
)
def test_item_models_score_as_implicit_recommends(tiny, name):
    from implicit import nearest_neighbours

    rows = sparse.csr_matrix((tiny.train.rating, tiny.codes(tiny.train)))
    peer = getattr(nearest_neighbours, name)(K=6)
    peer.fit(rows, show_progress=False)
    ours = Implicit(name, K=6).fit(tiny.train).score(tiny.users, tiny.items)
    for user in (0, 7, 21):
        ids, scores = peer.recommend(user, rows[user], N=8, filter_already_liked_items=False)
        assert (
            np.allclose(ours[user, ids], scores)
            and scores.max() == pytest.approx(ours[user].max())
            and scores.max() > 0
        )


def test_als_scores_as_implicit_recommends(tiny):
    "From the same start, the peer's factors and lists are ours."
    from implicit.cpu.als import AlternatingLeastSquares

    start = Implicit('AlternatingLeastSquares', factors=6, iterations=0).fit(tiny.train, 1)
    peer = AlternatingLeastSquares(factors=6, num_threads=1)
    peer.user_factors, peer.item_factors = start.left_.copy(), start.right_.T.copy()
    rows = sparse.csr_matrix((tiny.train.rating.to_numpy(np.float32), tiny.codes(tiny.train)))
    peer.fit(rows, show_progress=False)
    ours = (
        Implicit('AlternatingLeastSquares', factors=6)
        .fit(tiny.train, 1)
        .score(tiny.users, tiny.items)
    )
    ids, scores = peer.recommend(4, rows[4], N=5)
    assert np.allclose(ours[4, ids], scores, atol=1e-6)
