"""What NCF draws: negatives, initial values, and that a deletion moves nobody else's."""

import numpy as np

from recinfluence.models.ncf import NCF
from recinfluence.models.ncf_draws import draw_negatives


def test_negatives_are_never_seen_and_never_twice(ml_chrono):
    codes = ml_chrono.codes(ml_chrono.train)
    n = len(ml_chrono.items)
    users, items = draw_negatives(3, ml_chrono.users, codes, n, 2, 4)
    seen = set(zip(*map(np.ndarray.tolist, codes)))
    for epoch in items:
        drawn = list(zip(users.tolist(), epoch.tolist()))
        assert len(set(drawn)) == len(drawn) and not seen & set(drawn)
    assert not np.array_equal(*items)
    wanted = np.minimum(4 * np.bincount(codes[0]), n - np.bincount(codes[0]))
    assert np.array_equal(np.bincount(users), wanted)
    assert (
        np.bincount(items[0], minlength=n).min() > 0
    )  # uniform: with 300,000 draws every item is drawn


def test_a_deletion_moves_nobody_elses_draws(tiny):
    model = NCF(batch_size=32)
    full = model.draws(tiny.train, 5)
    moved = model.draw_start(np.delete(full.user_ids, 3), full.item_ids, 5)
    assert np.array_equal(
        moved['user_mlp'], np.delete(full.start['user_mlp'], 3, axis=0)
    ) and np.array_equal(moved['item_gmf'], full.start['item_gmf'])


def test_start_values_have_the_stated_distribution(ml_chrono):
    start = NCF().draw_start(ml_chrono.users, ml_chrono.items, 0)
    values = np.concatenate(
        [start[k].ravel() for k in ('user_gmf', 'user_mlp', 'item_gmf', 'item_mlp')]
    )
    assert (
        np.abs(values).max() < 0.02
        and abs(values.mean()) < 3e-4
        and abs(values.std() - 0.0088) < 1e-4
    )  # sd of a normal cut at two sd: 0.880
    assert (
        np.abs(start['W0']).max() <= np.sqrt(6 / 24)
        and not start['b0'].any()
        and start['W1'].shape == (8, 4)
        and start['out'].shape == (8,)
    )
