"""scikit-surprise: start values belong to ids, and its answers are its answers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recinfluence.adapters.surprise import Surprise
from recinfluence.core.units import Unit
from recinfluence.models.svd import SVD


@pytest.mark.parametrize(
    'make, tables',
    [
        (lambda: Surprise('SVD', n_epochs=0), ('pu', 'qi')),
        (lambda: Surprise('SVDpp', n_epochs=0), ('pu', 'qi', 'yj')),
        (lambda: Surprise('NMF', n_epochs=0), ('pu', 'qi')),
    ],
)
def test_a_deletion_moves_nobodys_start_in_surprise(tiny, make, tables):
    def start(model, table):
        trainset = model.model_.trainset
        raw, n = (
            (trainset.to_raw_uid, trainset.n_users)
            if table == 'pu'
            else (trainset.to_raw_iid, trainset.n_items)
        )
        return {raw(k): np.asarray(getattr(model.model_, table))[k] for k in range(n)}

    full, less, other = (
        make().fit(tiny.train, 2),
        make().fit_without(tiny.train, Unit(users=(0,), items=(3,)), 2),
        make().fit(tiny.train, 3),
    )
    for table in tables:
        of_full, of_less, of_other = (start(m, table) for m in (full, less, other))
        assert (
            set(of_less) == set(of_full) - {0 if table == 'pu' else 3}
            and all(np.array_equal(of_full[k], of_less[k]) for k in of_less)
            and not np.array_equal(of_full[5], of_other[5])
        )
        assert len({v.tobytes() for v in of_full.values()}) == len(of_full)


def test_surprise_svd_is_svd(tiny):
    theirs, ours = (
        m.fit(tiny.train, 1).score(tiny.users, tiny.items)
        for m in (Surprise('SVD', n_factors=7, n_epochs=4), SVD(n_factors=7, n_epochs=4))
    )
    assert np.allclose(theirs, ours, atol=1e-12)


def test_normal_predictor_draws_what_it_says():
    frame = pd.DataFrame(
        [(u, i, float(1 + (u * i) % 5), 0) for u in range(200) for i in range(50)],
        columns=['user', 'item', 'rating', 'timestamp'],
    )
    scores = (
        Surprise('NormalPredictor', rating_scale=(-99, 99))
        .fit(frame, 4)
        .score(np.arange(200), np.arange(50))
    )
    z = (scores - frame.rating.mean()) / frame.rating.std(ddof=0)
    assert (
        stats.kstest(z.ravel(), 'norm').pvalue > 0.001
        and abs(np.corrcoef(z[:100].ravel(), z[100:].ravel())[0, 1]) < 0.05
        and np.abs(np.corrcoef(z.T)[np.triu_indices(50, 1)]).mean() < 0.08
    )
