"""LensKit's answers are its answers."""

import numpy as np
import pytest

from recinfluence.adapters.lenskit import LensKit

pytest.importorskip('lenskit')


@pytest.mark.parametrize('name', ['ItemKNNScorer', 'UserKNNScorer', 'BiasScorer'])
def test_lenskit_scores_as_its_own_pipeline(tiny, name):
    import lenskit
    from lenskit.data import from_interactions_df
    from lenskit.pipeline import predict_pipeline

    rows = from_interactions_df(tiny.train[['user', 'item', 'rating']].copy())
    pipe = predict_pipeline(LensKit(name).make())
    pipe.train(rows)
    ours = LensKit(name).fit(tiny.train).score(tiny.users, tiny.items)
    for n, user in enumerate(tiny.users[:4]):
        assert np.allclose(lenskit.predict(pipe, user, tiny.items).scores(), ours[n], atol=1e-5)
