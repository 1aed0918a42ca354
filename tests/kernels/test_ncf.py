"""The compiled NCF kernels against plain torch and plain numpy."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from recinfluence.kernels import ncf, simd

F32, F64 = np.float32, np.float64
NEUMF = ncf.Shape(4, 8, (8, 4))
SHAPES = {
    'neumf': NEUMF,
    'gmf': ncf.Shape(5, 0),
    'mlp': ncf.Shape(0, 3, (6,)),
    'linear': ncf.Shape(2, 3),
    'deep': ncf.Shape(5, 6, (20, 10, 6, 3)),
}
ADAMS = {
    'default': ncf.Adam(),
    'no momentum': ncf.Adam(beta1=0.0),
    'large epsilon': ncf.Adam(epsilon=1e-3),
    'fast': ncf.Adam(learning_rate=0.01),
    'short memory': ncf.Adam(beta1=0.8, beta2=0.9),
}
N_USERS, N_ITEMS = 31, 43


@pytest.fixture(scope='module', autouse=True)
def kernels(tmp_path_factory):
    "Kernels of these tests go to a folder of their own; one thread."
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('NUMBA_CACHE_DIR', str(tmp_path_factory.mktemp('kernels')))
        yield
    torch.set_num_threads(threads)


def samples(steps, batch, seed=0, n_users=N_USERS, n_items=N_ITEMS):
    "users, items, labels: skewed, so that some rows are in every batch and some in few."
    rng = np.random.default_rng(seed)
    users, items = (n * rng.random((steps, batch)) ** 2 for n in (n_users, n_items))
    return users.astype(np.int32), items.astype(np.int32), rng.integers(0, 2, (steps, batch))


def start_values(shape, n_users=N_USERS, n_items=N_ITEMS, seed=1):
    rng = np.random.default_rng(seed)
    values = {}
    for branch, width in ('gmf', shape.gmf), ('mlp', shape.mlp):
        if width:
            values[f'user_{branch}'], values[f'item_{branch}'] = (
                rng.normal(0, 0.3, (n, width)) for n in (n_users, n_items)
            )
    return values | {name: rng.normal(0, 0.5, size) for name, size in shape.dense()}


def random_weights(lanes, n_users=N_USERS, n_items=N_ITEMS, seed=2):
    "Fractional weights, a quarter of them zero."
    rng = np.random.default_rng(seed)
    return tuple(
        rng.random((n, lanes)) * (rng.random((n, lanes)) < 0.75) for n in (n_users, n_items)
    )


def torch_train(
    shape, users, items, labels, start, weight_users, weight_items, adam, dtype=torch.float64
):
    "One model, plain torch: dense embeddings, autograd, torch.optim.Adam."
    p = {
        name: torch.nn.Parameter(torch.tensor(value, dtype=dtype)) for name, value in start.items()
    }
    optimiser = torch.optim.Adam(
        p.values(), lr=adam.learning_rate, betas=(adam.beta1, adam.beta2), eps=adam.epsilon
    )
    for u, i, y in zip(users, items, labels):
        u, i, y = (
            torch.tensor(u, dtype=torch.long),
            torch.tensor(i, dtype=torch.long),
            torch.tensor(y, dtype=dtype),
        )
        parts = []
        if shape.gmf:
            parts.append(p['user_gmf'][u] * p['item_gmf'][i])
        if shape.mlp:
            h = torch.cat([p['user_mlp'][u], p['item_mlp'][i]], 1)
            for l in range(len(shape.layers)):
                h = torch.relu(h @ p[f'W{l}'] + p[f'b{l}'])
            parts.append(h)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            torch.cat(parts, 1) @ p['out'], y, reduction='none'
        )
        w = torch.tensor(weight_users, dtype=dtype)[u] * torch.tensor(weight_items, dtype=dtype)[i]
        optimiser.zero_grad()
        ((w * losses).sum() / (w.sum() if w.sum() > 0 else 1)).backward()
        optimiser.step()
    return {name: value.detach().numpy() for name, value in p.items()}


def fast_train(shape, data, start, weights, adam=ncf.Adam(), dtype=F64):
    plan = ncf.plan_touches(*data[:2], len(weights[0]), len(weights[1]), adam)
    return ncf.train(shape, plan, *data, start, *weights, adam, dtype)


def difference(trained, lane, expected):
    "Largest absolute difference of any parameter."
    assert trained.keys() == expected.keys()
    return max(np.abs(trained[name][..., lane] - expected[name]).max() for name in expected)


def equal(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize('shape', SHAPES.values(), ids=SHAPES)
def test_train_equals_torch(shape):
    data, start, weights = samples(300, 16), start_values(shape), random_weights(3)
    trained = fast_train(shape, data, start, weights)
    for lane in range(3):
        expected = torch_train(
            shape, *data, start, weights[0][:, lane], weights[1][:, lane], ncf.Adam()
        )
        assert difference(trained, lane, expected) < 1e-12
        assert (
            min(np.abs(expected[name] - start[name]).max() for name in start) > 1e-2
        )  # something was learned everywhere


@pytest.mark.parametrize('adam', list(ADAMS.values())[1:], ids=list(ADAMS)[1:])
def test_optimiser_settings(adam):
    data, start, weights = samples(500, 16), start_values(NEUMF), random_weights(1)
    expected = torch_train(NEUMF, *data, start, weights[0][:, 0], weights[1][:, 0], adam)
    assert difference(fast_train(NEUMF, data, start, weights, adam), 0, expected) < 1e-11


def test_float32():
    """Within 1e-5 of float64 after 200 steps with values of about 0.5.

    Rounding differences grow without bound with the steps (a ReLU that switches, a gradient that changes sign), in torch as well.
    """
    data, start, weights = samples(200, 16), start_values(NEUMF), random_weights(2)
    trained = fast_train(NEUMF, data, start, weights, dtype=F32)
    assert {value.dtype for value in trained.values()} == {np.dtype(F32)}
    for lane in range(2):
        expected = torch_train(
            NEUMF, *data, start, weights[0][:, lane], weights[1][:, lane], ncf.Adam()
        )
        assert difference(trained, lane, expected) < 1e-5


def test_long_gaps_beyond_the_bias_correction():
    "Rows that come back after hundreds of steps, late enough for the tabulated update; one user and one item that never come."
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
        shape, users, items, labels, start, *(w[:, 0] for w in weights), ncf.Adam()
    )
    assert difference(trained, 0, expected) < 1e-11
    assert np.array_equal(trained['item_gmf'][7, :, 0], start['item_gmf'][7])
    assert not np.array_equal(trained['user_gmf'][3, :, 0], start['user_gmf'][3])


def test_tabulated_update_equals_the_sum_of_its_terms():
    "Both dtypes, all gaps and times of a plan, every ratio of gradient size to epsilon."
    adam = ncf.Adam()
    users, items, _ = samples(2500, 4, n_users=300, n_items=300)
    plan = ncf.plan_touches(users, items, 300, 300, adam)
    step_of = np.repeat(np.arange(plan.steps), np.diff(plan.bases))
    for dtype, tolerance in (F32, 3e-7), (F64, 3e-14):
        table, replay = plan.table(dtype)
        chosen = np.flatnonzero(replay < 0)
        assert len(chosen) > len(replay) / 2
        for entry in chosen[:: len(chosen) // 200]:
            b0, keep1, keep2, *polynomial = table[entry].astype(float)
            gap = plan.gaps[entry]
            s = np.arange(gap + 1)
            t = step_of[entry] + 1 + s
            a = adam.learning_rate * adam.beta1**s / (1 - adam.beta1**t)
            b = np.sqrt(adam.beta2**s / (1 - adam.beta2**t))
            for sigma in 10.0 ** np.arange(-13, 3):
                z = sigma * b0 / (sigma * b0 + adam.epsilon)
                closed = -np.polynomial.polynomial.polyval(z, polynomial) / (
                    sigma * b0 + adam.epsilon
                )
                assert closed == pytest.approx(
                    (a / (sigma * b + adam.epsilon)).sum(), rel=tolerance
                )
            assert (keep1, keep2) == pytest.approx(
                (adam.beta1**gap, adam.beta2**gap), rel=1e-6 if dtype == F32 else 1e-12
            )


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
    ncf._train_kernel.cache_clear()
    for lanes, registers in (4, 32), (2, 16):  # fewer registers: smaller tiles
        monkeypatch.setattr(simd, 'width', lambda dtype: lanes)
        monkeypatch.setattr(simd, 'n_registers', lambda: registers)
        assert equal(fast_train(shape, data, start, weights), wide)
    ncf._train_kernel.cache_clear()


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
        expected = torch_train(NEUMF, *rest, start, np.ones(N_USERS), np.ones(N_ITEMS), ncf.Adam())
        assert difference(trained, lane, expected) < 1e-12
    assert np.array_equal(trained['user_mlp'][2, :, 0], start['user_mlp'][2])
    assert np.array_equal(trained['item_mlp'][9, :, 1], start['item_mlp'][9])


def test_scaled_weights_are_the_same_weights():
    data, start, weights = samples(100, 16), start_values(NEUMF), random_weights(1)
    assert equal(
        *(fast_train(NEUMF, data, start, (scale * weights[0], weights[1])) for scale in (1, 4))
    )


def test_larger_problem():
    "Hundreds of rows, batches of 100: several blocks, many slots."
    n_users, n_items, shape = 300, 400, NEUMF
    data, start = (
        samples(400, 100, n_users=n_users, n_items=n_items),
        start_values(shape, n_users, n_items),
    )
    weights = random_weights(1, n_users, n_items)
    expected = torch_train(shape, *data, start, weights[0][:, 0], weights[1][:, 0], ncf.Adam())
    assert difference(fast_train(shape, data, start, weights), 0, expected) < 1e-11


def test_wrong_input_is_refused():
    (users, items, labels), start, weights = samples(4, 8), start_values(NEUMF), random_weights(2)
    adam = ncf.Adam()
    plan = ncf.plan_touches(users, items, N_USERS, N_ITEMS, adam)
    with pytest.raises(ValueError):
        ncf.plan_touches(users, items + N_ITEMS, N_USERS, N_ITEMS, adam)
    with pytest.raises(ValueError):
        ncf.train(NEUMF, plan, users - 1, items, labels, start, *weights, adam)
    with pytest.raises(ValueError):
        ncf.train(NEUMF, plan, users[:2], items[:2], labels[:2], start, *weights, adam)
    with pytest.raises(ValueError):
        ncf.train(NEUMF, plan, users, items, labels, start, *weights, ncf.Adam(beta1=0.5))
    with pytest.raises(ValueError):
        ncf.train(NEUMF, plan, users, items, labels, start, -weights[0], weights[1], adam)
    with pytest.raises(ValueError):
        ncf.train(NEUMF, plan, users, items, labels + 1, start, *weights, adam)
    with pytest.raises(ValueError):
        ncf.train(ncf.Shape(4, 8, (8,)), plan, users, items, labels, start, *weights, adam)
    with pytest.raises(ValueError):
        ncf.Shape(4, 0, (8,))
    with pytest.raises(ValueError):
        ncf.Adam(epsilon=0)


# ---- rank


def numpy_logits(shape, params, lane, users, items):
    p = {name: value[..., lane].astype(float) for name, value in params.items()}
    parts = []
    if shape.gmf:
        parts.append(p['user_gmf'][users] * p['item_gmf'][items])
    if shape.mlp:
        h = np.concatenate([p['user_mlp'][users], p['item_mlp'][items]], 1)
        for l in range(len(shape.layers)):
            h = np.maximum(h @ p[f'W{l}'] + p[f'b{l}'], 0)
        parts.append(h)
    return np.concatenate(parts, 1) @ p['out']


def numpy_top(logits, candidates, k):
    candidates = np.flatnonzero(candidates)
    best = candidates[np.argsort(-logits[candidates], kind='stable')][:k]
    return np.pad(best, (0, k - len(best)), constant_values=-1)


@pytest.mark.parametrize('dtype', (F32, F64))
@pytest.mark.parametrize(
    'shape', [SHAPES[name] for name in ('neumf', 'gmf', 'linear')], ids=('neumf', 'gmf', 'linear')
)
def test_rank_equals_numpy(shape, dtype):
    "Parameters are small integers: sums are exact, and ties frequent."
    lanes, k, rng = simd.width(dtype) + 1, 6, np.random.default_rng(3)
    params = {
        name: rng.integers(-2, 3, (*value.shape, lanes)).astype(dtype)
        for name, value in start_values(shape).items()
    }
    seen = (
        rng.random((N_USERS, N_ITEMS)) < np.linspace(0, 1, N_USERS)[:, None]
    )  # from no item to every item
    indptr, seen_items = np.r_[0, np.cumsum(seen.sum(1))], np.nonzero(seen)[1]
    keep_items, keep_users = rng.random((N_ITEMS, lanes)) < 0.7, rng.random((N_USERS, lanes)) < 0.8
    test_users, test_items = rng.integers(0, N_USERS, 50), rng.integers(0, N_ITEMS, 50)
    top, pred = ncf.rank(
        shape, params, indptr, seen_items, test_users, test_items, keep_items, k, keep_users
    )
    everyone, _ = ncf.rank(shape, params, indptr, seen_items, test_users, test_items, keep_items, k)
    assert top.dtype == np.int32 and pred.dtype == np.float64
    ties = 0
    for lane in range(lanes):
        with np.errstate(over='ignore'):
            assert np.allclose(
                pred[lane],
                1 / (1 + np.exp(-numpy_logits(shape, params, lane, test_users, test_items))),
                1e-14,
                1e-300,
            )
        for user in range(N_USERS):
            logits = numpy_logits(shape, params, lane, np.full(N_ITEMS, user), np.arange(N_ITEMS))
            expected = numpy_top(logits, keep_items[:, lane] & ~seen[user], k)
            assert np.array_equal(everyone[lane, user], expected)
            assert np.array_equal(
                top[lane, user], expected if keep_users[user, lane] else np.full(k, -1)
            )
            ties += len(np.unique(logits[expected[expected >= 0]])) < (expected >= 0).sum()
    assert ties > 10 and (everyone == -1).any()


def test_rank_refuses_indices_out_of_range():
    shape = SHAPES['gmf']
    params = {name: value[..., None] for name, value in start_values(shape).items()}
    keep, none, no_seen = np.ones((N_ITEMS, 1), bool), np.zeros(0, int), np.zeros(N_USERS + 1, int)
    with pytest.raises(ValueError):
        ncf.rank(shape, params, no_seen, none, [N_USERS], [0], keep, 3)
    with pytest.raises(ValueError):
        ncf.rank(shape, params, no_seen, none, [0], [-1], keep, 3)
    with pytest.raises(ValueError):
        ncf.rank(
            shape,
            params,
            no_seen + np.r_[np.zeros(N_USERS, int), 1],
            [N_ITEMS],
            none,
            none,
            keep,
            3,
        )


def test_rank_of_trained_models():
    "Real-valued scores of a deep model: the scores of the items chosen are the highest ones."
    shape, lanes, k = SHAPES['deep'], 2, 5
    params = fast_train(shape, samples(50, 16), start_values(shape), random_weights(lanes))
    test_users, test_items = np.arange(N_USERS), np.arange(N_USERS)
    top, pred = ncf.rank(
        shape,
        params,
        np.zeros(N_USERS + 1),
        np.zeros(0),
        test_users,
        test_items,
        np.ones((N_ITEMS, lanes), bool),
        k,
    )
    for lane in range(lanes):
        assert np.allclose(
            pred[lane],
            1 / (1 + np.exp(-numpy_logits(shape, params, lane, test_users, test_items))),
            1e-12,
        )
        for user in range(N_USERS):
            logits = numpy_logits(shape, params, lane, np.full(N_ITEMS, user), np.arange(N_ITEMS))
            assert np.allclose(logits[top[lane, user]], np.sort(logits)[::-1][:k], rtol=1e-12)


# ---- the cache

CHILD = """
import logging, sys, time
import numpy as np
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s %(message)s")
from recinfluence.kernels import ncf
index = np.arange(16).reshape(2, 8)
shape, adam = ncf.Shape(2, 2, (3,)), ncf.Adam()
start = dict(user_gmf=np.ones((16, 2)), item_gmf=np.ones((16, 2)), user_mlp=np.ones((16, 2)), item_mlp=np.ones((16, 2)),
             W0=np.ones((4, 3)), b0=np.ones(3), out=np.ones(5))
plan = ncf.plan_touches(index, index, 16, 16, adam)
plan.table(np.float64)
begin = time.process_time()
ncf.train(shape, plan, index, index, index % 2, start, np.ones((16, 1)), np.ones((16, 1)), adam, np.float64)
print("seconds", time.process_time() - begin)
"""


def run_child(folder):
    "Seconds of the first training in a new process, and what it logged."
    environment = dict(
        os.environ,
        NUMBA_CACHE_DIR=str(folder),
        PYTHONPATH=str(Path(ncf.__file__).parents[2]),
        OMP_NUM_THREADS='1',
    )
    out = subprocess.run(
        [sys.executable, '-c', CHILD], env=environment, capture_output=True, text=True, check=True
    ).stdout
    return float(out.split('seconds')[1]), out


def test_a_second_process_reuses_the_kernel(tmp_path):
    first, first_log = run_child(tmp_path)
    second, second_log = run_child(tmp_path)
    assert 'recinfluence compiling' in first_log and 'compiling' not in second_log
    assert second < first / 3


def test_without_a_folder_to_write_to(tmp_path, monkeypatch, caplog):
    "A file stands where the folder would be."
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('NUMBA_CACHE_DIR', str(tmp_path / 'file'))
    ncf._train_kernel.cache_clear()
    shape, data, weights = SHAPES['gmf'], samples(20, 8), random_weights(1)
    start = start_values(shape)
    with caplog.at_level('INFO', 'recinfluence'):
        trained = fast_train(shape, data, start, weights)
    ncf._train_kernel.cache_clear()
    assert 'cannot be kept' in caplog.text
    assert (
        difference(
            trained,
            0,
            torch_train(shape, *data, start, weights[0][:, 0], weights[1][:, 0], ncf.Adam()),
        )
        < 1e-12
    )
