"""Training with the compiled NCF kernel against plain torch."""

import numpy as np
import pytest
from plain_ncf import (
    F32,
    F64,
    N_ITEMS,
    N_USERS,
    NEUMF,
    SHAPES,
    difference,
    equal,
    fast_train,
    random_weights,
    samples,
    start_values,
    torch_train,
)

from recinfluence.kernels import ncf, simd

ADAMS = {
    'default': ncf.Adam(),
    'no momentum': ncf.Adam(beta1=0.0),
    'large epsilon': ncf.Adam(epsilon=1e-3),
    'fast': ncf.Adam(learning_rate=0.01),
    'short memory': ncf.Adam(beta1=0.8, beta2=0.9),
}


@pytest.mark.parametrize('shape', SHAPES.values(), ids=SHAPES)
def test_train_equals_torch(shape):
    data, start, weights = samples(300, 16), start_values(shape), random_weights(3)
    trained = fast_train(shape, data, start, weights)
    for lane in range(3):
        expected = torch_train(
            shape, data, start, weights[0][:, lane], weights[1][:, lane], ncf.Adam()
        )
        assert difference(trained, lane, expected) < 1e-12
        assert (
            min(np.abs(expected[name] - start[name]).max() for name in start) > 1e-2
        )  # something was learned everywhere


@pytest.mark.parametrize('adam', list(ADAMS.values())[1:], ids=list(ADAMS)[1:])
def test_optimiser_settings(adam):
    data, start, weights = samples(500, 16), start_values(NEUMF), random_weights(1)
    expected = torch_train(NEUMF, data, start, weights[0][:, 0], weights[1][:, 0], adam)
    assert difference(fast_train(NEUMF, data, start, weights, adam), 0, expected) < 1e-11


def test_float32():
    """Within 1e-5 of float64 after 200 steps with values of about 0.5.

    Rounding differences grow without bound with the steps (a ReLU that switches, a gradient that
    changes sign), in torch as well.
    """
    data, start, weights = samples(200, 16), start_values(NEUMF), random_weights(2)
    trained = fast_train(NEUMF, data, start, weights, dtype=F32)
    assert {value.dtype for value in trained.values()} == {np.dtype(F32)}
    for lane in range(2):
        expected = torch_train(
            NEUMF, data, start, weights[0][:, lane], weights[1][:, lane], ncf.Adam()
        )
        assert difference(trained, lane, expected) < 1e-5


def test_long_gaps_beyond_the_bias_correction():
    "Rows that come back after hundreds of steps, and some that never come."
    steps, shape = 3000, NEUMF
    users, items, labels = samples(steps, 10)
    users[np.isin(users, (3, 4))], items[items == 7] = 5, 8
    users[::400, 0] = 3  # gaps of 399 steps
    users[[100, 1700], 0] = 4  # once early, once late
    start, weights = start_values(shape), (np.ones((N_USERS, 1)), np.ones((N_ITEMS, 1)))
    plan = ncf.plan_touches(users, items, N_USERS, N_ITEMS, ncf.Adam())
    replayed = plan.table(F64)[1] >= 0
    assert (
        plan.gaps.max() > 1500
        and replayed.any()
        and not replayed.all()
        and (plan.gaps[~replayed] > 250).any()
    )
    trained = fast_train(shape, (users, items, labels), start, weights)
    expected = torch_train(
        shape, (users, items, labels), start, *(w[:, 0] for w in weights), ncf.Adam()
    )
    assert difference(trained, 0, expected) < 1e-11
    assert np.array_equal(trained['item_gmf'][7, :, 0], start['item_gmf'][7])
    assert not np.array_equal(trained['user_gmf'][3, :, 0], start['user_gmf'][3])


@pytest.mark.parametrize('dtype', (F32, F64))
def test_lanes_do_not_matter(dtype):
    "More lanes than a register holds, fewer, one, permuted: the same bits."
    lanes = simd.width(dtype) + 3
    data, start, weights = samples(60, 19), start_values(NEUMF), random_weights(lanes)
    full = fast_train(NEUMF, data, start, weights, dtype=dtype)
    assert full['out'].shape == (8, lanes) and len(np.unique(full['out'][0])) == lanes
    order = np.random.default_rng(0).permutation(lanes)
    permuted = fast_train(NEUMF, data, start, [w[:, order] for w in weights], dtype=dtype)
    assert equal(permuted, {name: value[..., order] for name, value in full.items()})
    for lane in 0, lanes - 1:
        single = fast_train(NEUMF, data, start, [w[:, [lane]] for w in weights], dtype=dtype)
        assert equal(single, {name: value[..., [lane]] for name, value in full.items()})


def test_a_diverged_lane_leaves_the_others_alone():
    data, start, weights = samples(40, 8), start_values(NEUMF), random_weights(3)
    expected = fast_train(NEUMF, data, start, weights)
    weights[0][:, 1] = np.inf
    trained = fast_train(NEUMF, data, start, weights)
    assert np.isnan(trained['out'][:, 1]).all()
    assert equal(
        *({name: value[..., [0, 2]] for name, value in p.items()} for p in (trained, expected))
    )


def test_narrower_registers_give_the_same_bits(monkeypatch):
    shape = ncf.Shape(1, 2, (3,))
    data, start, weights = samples(60, 19), start_values(shape), random_weights(5)
    wide = fast_train(shape, data, start, weights)
    for lanes, registers in (4, 32), (2, 16):  # fewer registers: smaller tiles
        monkeypatch.setattr(simd, 'width', lambda dtype: lanes)
        monkeypatch.setattr(simd, 'n_registers', lambda: registers)
        assert equal(fast_train(shape, data, start, weights), wide)


def test_weight_zero_is_training_on_the_other_rows():
    "In the same batches; a batch whose rows are all gone still takes its Adam step."
    users, items, labels = samples(120, 19)
    users[50] = users[90] = 2
    weights = np.ones((N_USERS, 2)), np.ones((N_ITEMS, 2))
    weights[0][2, 0] = weights[1][9, 1] = 0
    start = start_values(NEUMF)
    trained = fast_train(NEUMF, (users, items, labels), start, weights)
    for lane, kept in enumerate((users != 2, items != 9)):
        rest = [[row[keep] for row, keep in zip(a, kept)] for a in (users, items, labels)]
        expected = torch_train(NEUMF, rest, start, np.ones(N_USERS), np.ones(N_ITEMS), ncf.Adam())
        assert difference(trained, lane, expected) < 1e-12
    assert np.array_equal(trained['user_mlp'][2, :, 0], start['user_mlp'][2])
    assert np.array_equal(trained['item_mlp'][9, :, 1], start['item_mlp'][9])


def test_scaled_weights_are_the_same_weights():
    data, start, weights = samples(100, 16), start_values(NEUMF), random_weights(1)
    assert equal(
        *(fast_train(NEUMF, data, start, (scale * weights[0], weights[1])) for scale in (1, 4))
    )


def test_weights_of_samples():
    "Users', items', samples' weights at once; padding included, 18 being no multiple of a block."
    rng = np.random.default_rng(0)
    shape = ncf.Shape(3, 4, (5,))
    users, items, labels = (rng.integers(0, n, (40, 18)) for n in (11, 13, 2))
    weights = rng.gamma(1, 1, users.shape) * (rng.random(users.shape) < 0.8)
    weights[7] = 0
    start = start_values(shape, 11, 13)
    of_users, of_items = rng.random((11, 2)), rng.random((13, 2))
    adam = ncf.Adam(learning_rate=0.01)
    plan = ncf.plan_touches(users, items, 11, 13, adam)

    def train(weights, of_users, of_items):
        samples = ncf.Samples(users, items, labels, weights)
        return ncf.train(shape, plan, samples, start, of_users, of_items, adam, F64)

    trained = train(weights, of_users, of_items)
    for lane in range(2):
        sides = of_users[:, lane], of_items[:, lane]
        expected = torch_train(shape, (users, items, labels), start, *sides, adam, weights)
        assert difference(trained, lane, expected) < 1e-12
    sides = of_users > 0.5, of_items > 0.2
    assert equal(train(np.ones(users.shape), *sides), train(None, *sides))


def test_larger_problem():
    "Hundreds of rows, batches of 100: several blocks, many slots."
    n_users, n_items, shape = 300, 400, NEUMF
    data, start = (
        samples(400, 100, n_users=n_users, n_items=n_items),
        start_values(shape, n_users, n_items),
    )
    weights = random_weights(1, n_users, n_items)
    expected = torch_train(shape, data, start, weights[0][:, 0], weights[1][:, 0], ncf.Adam())
    assert difference(fast_train(shape, data, start, weights), 0, expected) < 1e-11


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(users=lambda users: users - 1), 'users out of range'),
        (dict.fromkeys(('users', 'items', 'labels'), lambda a: a[:2]), 'other samples'),
        (dict(adam=lambda _: ncf.Adam(beta1=0.5)), 'another optimiser'),
        (dict(weight_users=lambda w: -w), 'negative'),
        (dict(weight_users=lambda w: w[:, :1]), 'weights have shapes'),
        (dict(labels=lambda labels: labels + 1), 'labels other'),
        (dict(labels=lambda labels: labels[:, 1:]), 'labels have shape'),
        (dict(items=lambda items: items[:, 1:]), 'other samples'),
        (dict(weights=lambda _: np.ones((4, 7))), 'weights have shape'),
        (dict(weights=lambda _: np.full((4, 8), np.inf)), 'infinite'),
        (dict(shape=lambda _: ncf.Shape(4, 8, (8,))), 'parameters have shapes'),
    ],
)
def test_wrong_input_is_refused(change, message):
    (users, items, labels), adam = samples(4, 8), ncf.Adam()
    of_users, of_items = random_weights(2)
    given = dict(shape=NEUMF, users=users, items=items, labels=labels, weights=None, adam=adam)
    given |= dict(weight_users=of_users, weight_items=of_items, start=start_values(NEUMF))
    plan = ncf.plan_touches(users, items, N_USERS, N_ITEMS, adam)
    given |= {name: alter(given[name]) for name, alter in change.items()}
    sampled = ncf.Samples(*(given.pop(n) for n in ('users', 'items', 'labels', 'weights')))
    with pytest.raises(ValueError, match=message):
        ncf.train(plan=plan, samples=sampled, **given)


def test_a_plan_of_other_rows_is_refused():
    users, items, _ = samples(4, 8)
    with pytest.raises(ValueError, match='items out of range'):
        ncf.plan_touches(users, items + N_ITEMS, N_USERS, N_ITEMS, ncf.Adam())
    with pytest.raises(ValueError, match='differ in shape'):
        ncf.plan_touches(users, items[:, :7], N_USERS, N_ITEMS, ncf.Adam())


def test_what_is_no_architecture_and_no_optimiser_is_refused():
    with pytest.raises(ValueError, match='need MLP embeddings'):
        ncf.Shape(4, 0, (8,))
    with pytest.raises(ValueError, match='not an architecture'):
        ncf.Shape(0, 0)
    with pytest.raises(ValueError, match='not usable'):
        ncf.Adam(epsilon=0)
