"""The SVD kernel against scikit-surprise itself and against plain numpy."""

import numpy as np
import pytest
import surprise

from recinfluence.kernels import simd
from recinfluence.kernels import svd as kernel

N_FACTORS, N_EPOCHS = 200, 30


def surprise_fit(rows, biased, n_factors=N_FACTORS, n_epochs=N_EPOCHS, seed=0, **rates):
    "scikit-surprise's fitted model and the kernel's arguments for the same training."
    trainset = surprise.Dataset.load_from_df(
        rows[['user', 'item', 'rating']], surprise.Reader(rating_scale=(1, 5))
    ).build_full_trainset()
    model = surprise.SVD(n_factors, n_epochs, biased, random_state=seed, **rates).fit(trainset)
    u, i, r = (np.array(a) for a in zip(*trainset.all_ratings()))
    rng = np.random.RandomState(seed)
    start = [rng.normal(0, 0.1, (n, n_factors)) for n in (trainset.n_users, trainset.n_items)]
    return model, (u, i, r, *start, trainset.global_mean if biased else 0.0)


def predictions(users, items, mu, pu, qi, bu, bi):
    return mu + bu[users] + bi[items] + (pu[users].astype(float) * qi[items]).sum(1)


@pytest.mark.parametrize('biased', [True, False])
@pytest.mark.slow
def test_movielens_over_all_epochs_is_scikit_surprise(biased, ml_random):
    "2,250,000 updates: to 1e-10 in double precision, predictions to 2e-3 in single precision."
    model, arrays = surprise_fit(ml_random.train, biased)
    u, i, *_, mu = arrays
    theirs = model.pu, model.qi, model.bu, model.bi
    ours = kernel.train(*arrays, kernel.SGD(N_EPOCHS, biased))
    assert max(np.abs(a - b).max() for a, b in zip(ours, theirs)) < 1e-10
    assert np.abs(predictions(u, i, mu, *ours) - predictions(u, i, mu, *theirs)).max() < 1e-10
    single = kernel.train(*arrays, kernel.SGD(N_EPOCHS, biased, dtype=np.float32))
    assert 0 < np.abs(predictions(u, i, mu, *single) - predictions(u, i, mu, *theirs)).max() < 2e-3


def planted(rng, n):
    u, i, r = (
        np.sort(rng.integers(0, 9, n)),
        rng.integers(0, 14, n),
        rng.integers(1, 6, n).astype(float),
    )
    return u, i, r, rng.normal(0, 0.1, (9, 20)), rng.normal(0, 0.1, (14, 20))


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_without_biases_they_stay_exactly_zero(dtype):
    "Whatever their rates."
    pu, qi, bu, bi = kernel.train(
        *planted(np.random.default_rng(0), 200),
        0.0,
        kernel.SGD(3, False, lr_bu=0.5, lr_bi=0.5, dtype=dtype),
    )
    assert not bu.any() and not bi.any() and pu.any()


def test_start_is_left_alone_and_no_rows_change_nothing():
    *rows, pu, qi = planted(np.random.default_rng(1), 50)
    before = pu.copy(), qi.copy()
    kernel.train(*rows, pu, qi, 3.0, kernel.SGD(2))
    assert np.array_equal(pu, before[0]) and np.array_equal(qi, before[1])
    empty = kernel.train(*(a[:0] for a in rows), pu, qi, 3.0, kernel.SGD(2))
    assert (
        np.array_equal(empty[0], pu)
        and np.array_equal(empty[1], qi)
        and not empty[2].any()
        and not empty[3].any()
    )


def test_users_and_items_without_rows_keep_their_start():
    u, i, r, pu, qi = planted(np.random.default_rng(2), 200)
    stay = (u != 4) & (i != 7)
    out = kernel.train(u[stay], i[stay], r[stay], pu, qi, 3.0, kernel.SGD(2))
    assert (
        np.array_equal(out[0][4], pu[4])
        and np.array_equal(out[1][7], qi[7])
        and out[2][4] == out[3][7] == 0
    )
    assert not np.array_equal(out[0][3], pu[3])


def test_the_same_item_twice_in_a_row():
    "The second visit sees what the first one wrote."
    u, i, r = (
        np.zeros(6, int),
        np.array([0, 0, 0, 1, 1, 0]),
        np.array([5.0, 1.0, 4.0, 2.0, 3.0, 5.0]),
    )
    rng = np.random.default_rng(3)
    p, q = rng.normal(0, 0.1, (1, 20)), rng.normal(0, 0.1, (2, 20))
    once = kernel.train(u, i, r, p, q, 0.0, kernel.SGD(1, False, lr_pu=0.1, lr_qi=0.1))
    a, b = p[0].copy(), q.copy()
    for n, x in zip(i, r):
        e = x - a @ b[n]
        a, b[n] = a + 0.1 * (e * b[n] - 0.02 * a), b[n] + 0.1 * (e * a - 0.02 * b[n])
    assert np.abs(once[0][0] - a).max() < 1e-14 and np.abs(once[1] - b).max() < 1e-14


@pytest.mark.parametrize('n_factors', [1, 2, 7, 8, 20, 100, 200, 300])
@pytest.mark.parametrize('biased', [True, False])
def test_every_number_of_factors_is_scikit_surprise(n_factors, biased, tiny):
    rates = dict(
        lr_bu=0.01,
        lr_bi=0.004,
        lr_pu=0.006,
        lr_qi=0.007,
        reg_bu=0.03,
        reg_bi=0.01,
        reg_pu=0.05,
        reg_qi=0.015,
    )
    model, arrays = surprise_fit(tiny.train, biased, n_factors, 5, 3, **rates)
    pu, qi, bu, bi = kernel.train(*arrays, kernel.SGD(5, biased, **rates))
    for ours, theirs in ((pu, model.pu), (qi, model.qi), (bu, model.bu), (bi, model.bi)):
        assert np.abs(ours - theirs).max() < 1e-12


def plain_sgd(u, i, r, pu, qi, mu, settings):
    pu, qi, bu, bi = pu.copy(), qi.copy(), np.zeros(len(pu)), np.zeros(len(qi))
    for _ in range(settings.n_epochs):
        for user, item, rating in zip(u, i, r):
            error = rating - (mu + bu[user] + bi[item] + pu[user] @ qi[item])
            if settings.biased:
                bu[user] += settings.lr_bu * (error - settings.reg_bu * bu[user])
                bi[item] += settings.lr_bi * (error - settings.reg_bi * bi[item])
            pu[user], qi[item] = (
                pu[user] + settings.lr_pu * (error * qi[item] - settings.reg_pu * pu[user]),
                qi[item] + settings.lr_qi * (error * pu[user] - settings.reg_qi * qi[item]),
            )
    return pu, qi, bu, bi


@pytest.mark.parametrize('registers', [32, 16])
@pytest.mark.parametrize('lanes', [8, 4, 2])
def test_ungrouped_rows_and_narrower_registers(lanes, registers, monkeypatch):
    monkeypatch.setattr(simd, 'width', lambda dtype: min(lanes, simd.register_bytes() // 8))
    monkeypatch.setattr(simd, 'n_registers', lambda: registers)
    rng = np.random.default_rng(0)
    u, i = rng.integers(0, 9, 200), rng.integers(0, 14, 200)
    r = rng.integers(1, 6, 200).astype(float)
    start = rng.normal(0, 0.1, (9, 70)), rng.normal(0, 0.1, (14, 70))
    settings = kernel.SGD(3)
    for ours, slow in zip(
        kernel.train(u, i, r, *start, 3.3, settings), plain_sgd(u, i, r, *start, 3.3, settings)
    ):
        assert np.abs(ours - slow).max() < 1e-12


def test_in_single_precision_is_close():
    rng = np.random.default_rng(1)
    u, i = np.sort(rng.integers(0, 9, 200)), rng.integers(0, 14, 200)
    r = rng.integers(1, 6, 200).astype(float)
    start = rng.normal(0, 0.1, (9, 30)), rng.normal(0, 0.1, (14, 30))
    single, double = (
        kernel.train(u, i, r, *start, 3.3, kernel.SGD(5, dtype=dtype))
        for dtype in (np.float32, np.float64)
    )
    assert (
        single[0].dtype == np.float32
        and 0 < max(np.abs(a - b).max() for a, b in zip(single, double)) < 1e-4
    )


@pytest.mark.parametrize('users, items', [([0, 9], [0, 0]), ([0, 1], [0, -1])])
def test_refuses_positions_outside_its_tables(users, items):
    with pytest.raises(ValueError, match='outside'):
        kernel.train(
            np.array(users),
            np.array(items),
            np.ones(2),
            np.zeros((2, 3)),
            np.zeros((1, 3)),
            0.0,
            kernel.SGD(),
        )


def test_weights_that_do_not_fit_are_refused():
    users, start = np.zeros(4, int), np.ones((1, 2))
    with pytest.raises(ValueError, match='do not fit together'):
        kernel.train(users, users, users, start, start, 0.0, kernel.SGD(), weights=np.ones(3))
