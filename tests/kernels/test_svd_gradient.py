"""The walk back through SVD training against central differences, plain numpy and the start."""

from dataclasses import replace

import numpy as np
import pytest

from recinfluence.kernels.svd import SGD, Trained, train, train_logged
from recinfluence.kernels.svd_gradient import shrinkage, walk_back

UNEQUAL = dict(lr_bu=0.02, lr_bi=0.03, lr_pu=0.025, lr_qi=0.015)
UNEQUAL |= dict(reg_bu=0.03, reg_bi=0.01, reg_pu=0.04, reg_qi=0.02)
SETTINGS = {
    'biased': SGD(6, True, 0.02, 0.02, 0.02, 0.02),
    'not biased': SGD(6, False, 0.02, 0.02, 0.02, 0.02),
    'rates that differ': SGD(6, True, **UNEQUAL),
}


def problem(seed=0, rows=260, users=9, items=14, factors=11):
    "Visits, start, weights, mean rating, and a number's derivative by what comes out."
    rng = np.random.default_rng(seed)
    pairs = np.sort(rng.choice(users * items, min(rows, users * items - 5), replace=False))
    ratings = rng.integers(1, 6, len(pairs)).astype(float)
    visits = pairs // items, pairs % items, ratings
    start = rng.normal(0, 0.3, (users, factors)), rng.normal(0, 0.3, (items, factors))
    shapes = (users, factors), (items, factors), users, items
    of_end = Trained(*(rng.normal(0, 1, shape) for shape in shapes))
    return visits, start, rng.uniform(0.5, 1.5, len(pairs)), ratings.mean(), of_end


def number(trained, of_end):
    return sum((one * by).sum() for one, by in zip(trained, of_end))


@pytest.mark.parametrize('settings', SETTINGS.values(), ids=SETTINGS)
def test_derivative_is_that_of_real_trainings(settings):
    "By every weight and by the mean, to 1e-5 of the largest."
    visits, start, weights, mean, of_end = problem()
    trained, errors = train_logged(visits, start, mean, settings, weights)
    walk = walk_back((*visits[:2], weights), trained, errors, of_end, settings)

    def retrain(weights, mean):
        return number(train(*visits, *start, mean, settings, weights), of_end)

    step = 1e-4
    nudged = weights + step * np.stack([np.eye(len(weights)), -np.eye(len(weights))])
    plus, minus = (np.array([retrain(row, mean) for row in side]) for side in nudged)
    found = (plus - minus) / (2 * step)
    assert np.abs(walk.by_weight - found).max() < 1e-5 * np.abs(found).max()
    by_mean = (retrain(weights, mean + step) - retrain(weights, mean - step)) / (2 * step)
    assert walk.by_mean == pytest.approx(by_mean, rel=1e-5)


@pytest.mark.parametrize('settings', SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize('own', [None, 'users', 'items'])
def test_start_comes_back(settings, own):
    visits, start, weights, mean, of_end = problem(1)
    trained, errors = train_logged(visits, start, mean, settings, weights)
    before = [table.copy() for table in trained]
    back = walk_back((*visits[:2], weights), trained, errors, of_end, settings, own).start
    assert max(np.abs(a - b).max() for a, b in zip(back[:2], start)) < 1e-12
    assert max(np.abs(biases).max() for biases in back[2:]) < 1e-12
    assert all(np.array_equal(a, b) for a, b in zip(before, trained))


def test_logging_changes_nothing_and_logs_the_errors():
    visits, start, weights, mean, _ = problem(2)
    settings = SETTINGS['biased']
    for counted in (None, weights):
        trained, errors = train_logged(visits, start, mean, settings, counted)
        plain = train(*visits, *start, mean, settings, counted)
        assert all(np.array_equal(a, b) for a, b in zip(trained, plain))
    last = train(*visits, *start, mean, replace(settings, n_epochs=5), weights)
    u, i, rating = (column[0] for column in visits)
    error = rating - mean - last.bu[u] - last.bi[i] - last.pu[u] @ last.qi[i]
    assert errors[5, 0] == pytest.approx(error, rel=1e-12)


def plain_own(visits, weights, trained, errors, of_end, settings):
    "The users' second adjoint as the kernel's docstring writes it, step by step."
    users, items = visits[:2]
    pu, qi, bu, bi = (table.copy() for table in trained)
    o, ob = of_end.pu.copy(), of_end.bu.copy()
    alpha, beta, rest, found = np.zeros((4, len(users)))
    lr_bu, lr_bi, lr_p, lr_q, reg_bu, reg_bi, reg_p, reg_q = settings.rates()
    factors, biases = np.ones((2, len(users)))
    for n, item in enumerate(items):
        for other in np.flatnonzero(items == item):
            if other != n:
                factors[n] *= 1 - lr_q * weights[other] * reg_q
                biases[n] *= 1 - lr_bi * weights[other] * (1 + reg_bi)
    for error_row in errors[::-1]:
        for n in range(len(users) - 1, -1, -1):
            u, i, e, w = users[n], items[n], error_row[n], weights[n]
            keep_p, keep_q = 1 - lr_p * w * reg_p, 1 - lr_q * w * reg_q
            t_p, t_q = lr_p * w * e, lr_q * w * e
            bu[u] = (bu[u] - lr_bu * w * e) / (1 - lr_bu * w * reg_bu)
            bi[i] = (bi[i] - lr_bi * w * e) / (1 - lr_bi * w * reg_bi)
            step = np.array([[keep_p, t_p], [t_q, keep_q]])
            p, q = np.linalg.solve(step, np.stack([pu[u], qi[i]]))
            pu[u], qi[i] = p, q
            at_item = factors[n] * (alpha[n] * p + beta[n] * o[u])
            at_bias = biases[n] * rest[n]
            h = w * (lr_bu * ob[u] + lr_bi * at_bias + lr_p * o[u] @ q + lr_q * at_item @ p)
            found[n] += lr_bu * ob[u] * (e - reg_bu * bu[u])
            found[n] += lr_bi * at_bias * (e - reg_bi * bi[i])
            found[n] += lr_p * o[u] @ (e * q - reg_p * p) + lr_q * at_item @ (e * p - reg_q * q)
            alpha[n] = keep_q * factors[n] * alpha[n] - h
            beta[n] = keep_q * factors[n] * beta[n] + t_p
            o[u] = keep_p * o[u] + t_q * at_item - h * q
            ob[u] = (1 - lr_bu * w * reg_bu) * ob[u] - h
            rest[n] = (1 - lr_bi * w * reg_bi) * at_bias - h
    return found


def swapped(settings):
    "What users have, items have, and the other way round."
    rates = {f'{kind}_{name}': getattr(settings, f'{kind}_{name}') for kind in ('lr', 'reg')
             for name in ('bu', 'bi', 'pu', 'qi')}  # fmt: skip
    other = {'bu': 'bi', 'bi': 'bu', 'pu': 'qi', 'qi': 'pu'}
    traded = {f'{n.split("_")[0]}_{other[n.split("_")[1]]}': v for n, v in rates.items()}
    return replace(settings, **traded)


@pytest.mark.parametrize('settings', SETTINGS.values(), ids=SETTINGS)
def test_second_adjoint_is_the_plain_one(settings):
    visits, start, weights, mean, of_end = problem(3)
    trained, errors = train_logged(visits, start, mean, settings, weights)
    walk = walk_back((*visits[:2], weights), trained, errors, of_end, settings, 'users')
    plain = plain_own(visits, weights, trained, errors, of_end, settings)
    assert np.abs(walk.own - plain).max() < 1e-10 * np.abs(plain).max()
    alone = walk_back((*visits[:2], weights), trained, errors, of_end, settings)
    assert np.abs(walk.by_weight - alone.by_weight).max() < 1e-12 * np.abs(plain).max()


def test_users_and_items_trade_places():
    visits, start, weights, mean, of_end = problem(4)
    settings = SETTINGS['rates that differ']
    trained, errors = train_logged(visits, start, mean, settings, weights)
    items = walk_back((*visits[:2], weights), trained, errors, of_end, settings, 'items')
    mirrored = [Trained(*(one[n] for n in (1, 0, 3, 2))) for one in (trained, of_end)]
    codes = visits[1], visits[0], weights
    users = walk_back(codes, mirrored[0], errors, mirrored[1], swapped(settings), 'users')
    assert np.array_equal(items.own, users.own)
    assert np.array_equal(items.by_weight, users.by_weight)


def test_nothing_else_is_known_of_an_item_with_one_visit():
    "Then nobody else can have changed it in the meantime."
    rates = (0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2)
    once, twice = shrinkage(np.array([0, 1, 1]), np.array([1.0, 0.5, 2.0]), rates)
    assert once.tolist() == pytest.approx([1, 1 - 0.02 * 2, 1 - 0.02 * 0.5])
    assert twice.tolist() == pytest.approx([1, 1 - 0.12 * 2, 1 - 0.12 * 0.5])


def test_codes_outside_the_tables_are_refused():
    visits, start, weights, mean, of_end = problem(5)
    settings = SETTINGS['biased']
    trained, errors = train_logged(visits, start, mean, settings, weights)
    with pytest.raises(ValueError, match='users hold positions outside 0 to 8'):
        walk_back((visits[0] + 1, visits[1], weights), trained, errors, of_end, settings)


@pytest.mark.parametrize('own', ['users', 'items'])
def test_second_adjoint_is_nearly_the_derivative_of_each_own_sum(own):
    "Against one whole walk for each entity: what goes round by the others is left out."
    visits, start, weights, mean, of_end = problem(6, 700, 40, 60)
    settings = SGD(20, True, 0.01, 0.01, 0.01, 0.01)
    trained, errors = train_logged(visits, start, mean, settings, weights)
    side = 0 if own == 'users' else 1
    nothing = [np.zeros_like(table) for table in of_end]
    seed = [*nothing]
    seed[side], seed[2 + side] = of_end[side], of_end[2 + side]
    asked = (*visits[:2], weights), trained, errors
    quick = walk_back(*asked, Trained(*seed), settings, own).own
    codes, exact = visits[side], np.zeros(len(weights))
    for one in np.unique(codes):
        alone = [*(table.copy() for table in nothing)]
        alone[side][one], alone[2 + side][one] = of_end[side][one], of_end[2 + side][one]
        walk = walk_back(*asked, Trained(*alone), settings)
        exact[codes == one] = walk.by_weight[codes == one]
    sums = [np.bincount(codes, by) for by in (quick, exact)]
    assert np.corrcoef(*sums)[0, 1] > 0.99
