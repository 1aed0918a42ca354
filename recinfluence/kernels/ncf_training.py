"""Training many NCF models at once: the source of the kernel, and the call.

A block of samples runs forward and backward as matrix products on register tiles, then Adam is
applied to the rows whose last sample in the batch was in this block; the dense parameters follow at
the end of the batch. A row is stored as its values, their first moments and their second moments,
so one touch reads one contiguous piece. Row gradients live in slots, which are zero when free.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import simd
from .codegen import compiled
from .lazy_adam import HEADER, adam_powers, n_coefficients
from .ncf_gradients import Gradients
from .ncf_network import Network
from .ncf_plan import BLOCK, check_indices, fill_blocks
from .ncf_shape import check_params, lane_groups, pack, unpack, vectors
from .tiles import register_tile

OPERATIONS = (
    'load',
    'store',
    'load_at',
    'store_at',
    'add_at',
    'set1',
    'add',
    'sub',
    'mul',
    'div',
    'fma',
    'sqrt',
    'sigmoid',
    'relu',
    'relu_gradient',
    'reciprocal_or_zero',
    'greater',
)
PARAMETERS = (
    'users, items, labels, n_users, batch, user_slots, item_slots, ends, rows, row_slots, entries, '
    'bases, table, replay, first, second, correct1, correct2, constants, user_weights, '
    'item_weights, state, dense, grads, work'
)


@dataclass(frozen=True)
class Samples:
    "What the models are trained on, all of them the same: arrays (steps, batch)."

    users: np.ndarray
    items: np.ndarray
    labels: np.ndarray  # 0 or 1
    weights: np.ndarray | None = None  # factors of the samples' losses


# ---- the source


def source(shape, lanes, tile, coefficients, weighted):
    "The training kernel, and the vectors its `work` holds; `weighted`: samples have weights."
    network = Network(shape, lanes, tile)
    write, n_dense = network.write, shape.offsets()['end']
    with write.block(f'def kernel({PARAMETERS}{", weights" if weighted else ""}):'):
        write(f'sums = work[:{n_dense * lanes}]')
        used = network.buffers(n_dense)
        write(
            f'offsets = np.empty({4 * BLOCK}, np.int64)',
            'zero, one = set1(0), set1(1)',
            'rate1, decay2, rate2, epsilon = '
            + ', '.join(f'set1(constants[{i}])' for i in range(4)),
            f'n_blocks = batch // {BLOCK}',
            'block = 0',
        )
        with write.block('for t in range(len(users) // batch):'):
            _begin_batch(write, lanes, n_dense, weighted)
            with write.loop('b', 'n_blocks'):
                _begin_block(write, shape, lanes)
                network.forward()
                _loss_gradients(write, lanes, weighted)
                Gradients(network).backward()
                _row_updates(write, shape, lanes, coefficients)
                write('block += 1')
            _dense_updates(write, n_dense, lanes)
    return write.text(), used


def _sample_weights(lanes):
    "The two factors of a sample's weight in each model."
    return f'load(user_weights, users[j] * {lanes}), load(item_weights, items[j] * {lanes})'


def _begin_batch(write, lanes, n_dense, weighted):
    "The batch's weights are summed up, the gradients of the dense parameters set to zero."
    sample = _sample_weights(lanes)
    write('total = zero')
    with write.block('for j in range(t * batch, (t + 1) * batch):'):
        if weighted:
            write(f'total = fma(mul({sample}), set1(weights[j]), total)')
        else:
            write(f'total = fma({sample}, total)')
    write('scale = reciprocal_or_zero(total)')
    with write.loop('r', n_dense):
        write(f'store(sums, r * {lanes}, zero)')


def _begin_block(write, shape, lanes):
    "Where the rows and slots of the block's samples are."
    stride, slot = 3 * shape.row * lanes, shape.row * lanes
    write(f'begin = block * {BLOCK}')
    with write.loop('s', BLOCK):
        write(
            f'offsets[s] = users[begin + s] * {stride}',
            f'offsets[{BLOCK} + s] = (n_users + 1 + items[begin + s]) * {stride}',
            f'offsets[{2 * BLOCK} + s] = user_slots[begin + s] * {slot}',
            f'offsets[{3 * BLOCK} + s] = item_slots[begin + s] * {slot}',
        )


def _loss_gradients(write, lanes, weighted):
    "From logits to the gradients of the weighted mean of the log losses."
    weight = f'mul({_sample_weights(lanes)})'
    if weighted:
        weight = f'mul({weight}, set1(weights[j]))'
    logit = f'load(error, s * {lanes})'
    with write.loop('s', BLOCK):
        write(
            'j = begin + s',
            f'e = {weight}',
            f'e = mul(mul(e, scale), sub(sigmoid({logit}), set1(labels[j])))',
            f'store(error, s * {lanes}, e)',
        )


def _moments(write, gradient, m_at, v_at, array):
    """First moment m, second moment v and its root x after a gradient.

    i is the parameter, m_at and v_at vectors further on are its moments.
    """
    write(
        f'g = {gradient}',
        f'm = load_at({array}, i, {m_at})',
        f'v = load_at({array}, i, {v_at})',
        'm = fma(sub(g, m), rate1, m)',
        'v = fma(mul(g, g), rate2, mul(v, decay2))',
        'x = sqrt(v)',
    )


def _row_updates(write, shape, lanes, coefficients):
    "Adam on the rows that end in this block, with the steps up to their next sample."
    n = shape.row
    with write.block('for q in range(ends[block], ends[block + 1]):'):
        write(
            f'o = rows[q] * {3 * n * lanes}',
            f'o_grad = row_slots[q] * {n * lanes}',
            'entry = bases[t] + entries[q]',
            'b0, keep1, keep2 = ' + ', '.join(f'set1(table[entry, {i}])' for i in range(HEADER)),
            *(f'c{i} = set1(table[entry, {HEADER + i}])' for i in range(coefficients)),
            'last = replay[entry]',
        )
        with write.block('if last < 0:'):
            _update_columns(write, n, lanes, lambda: _tabulated_sum(write, coefficients))
        with write.block('else:'):
            _update_columns(write, n, lanes, lambda: _sum_of_terms(write))


def _update_columns(write, n, lanes, update):
    "Each value of a row and its moments; `update` writes the sum y that m is multiplied by."
    with write.loop('f', n):
        write(f'i = o + f * {lanes}')
        _moments(write, 'load_at(grads, o_grad, f)', n, 2 * n, 'state')
        update()
        write(
            'store(state, i, fma(m, y, load(state, i)))',
            f'store_at(state, i, {n}, mul(m, keep1))',
            f'store_at(state, i, {2 * n}, mul(v, keep2))',
            'store_at(grads, o_grad, f, zero)',
        )


def _tabulated_sum(write, coefficients):
    "The sum from its polynomial (see `lazy_adam`)."
    write(
        'x = mul(x, b0)',
        'y = div(one, add(x, epsilon))',
        'z = mul(x, y)',
        f'h = c{coefficients - 1}',
        *(f'h = fma(h, z, c{i})' for i in range(coefficients - 2, -1, -1)),
        'y = mul(y, h)',
    )


def _sum_of_terms(write):
    "The sum term by term, where the polynomial is not exact enough."
    first, second = 'first[s] * correct1[t + 1 + s]', 'second[s] * correct2[t + 1 + s]'
    write('y = zero')
    with write.block('for s in range(last + 1):'):
        write(f'a, b = set1({first}), set1({second})', 'y = sub(y, div(a, fma(x, b, epsilon)))')


def _dense_updates(write, n, lanes):
    "Adam on the dense parameters."
    write('a, b = set1(correct1[t + 1]), set1(correct2[t + 1])')
    with write.loop('r', n):
        write(f'i = r * {lanes}')
        _moments(write, 'load(sums, i)', n, 2 * n, 'dense')
        write(
            'store(dense, i, sub(load(dense, i), div(mul(a, m), fma(x, b, epsilon))))',
            f'store_at(dense, i, {n}, m)',
            f'store_at(dense, i, {2 * n}, v)',
        )


@lru_cache(maxsize=None)
def _kernel(shape, dtype, lanes, tile, weighted):
    text, used = source(shape, lanes, tile, n_coefficients(dtype), weighted)
    what = f'NCF training, {shape}, {lanes} lanes of {dtype}'
    return compiled(text, dtype, lanes, OPERATIONS, what), used


# ---- the call


def train(shape, plan, samples, start, weight_users, weight_items, adam, dtype=np.float32):
    """Train L models on the plan's samples; the parameters, each with a last axis of length L.

    samples: those the plan was made from. start: initial values, the same for all models.
    weight_users (n_users, L), weight_items (n_items, L): sample (u, i) of model l weighs
    weight_users[u, l] * weight_items[i, l] in the loss, which is the weighted mean of the batch's
    log losses; samples.weights are a further factor, the same for all models.
    """
    dtype = np.dtype(dtype)
    if adam != plan.adam:
        raise ValueError('the plan was made for other samples or another optimiser')
    arrays = _sample_arrays(plan, samples, dtype)
    _check_weights(plan, weight_users, weight_items)
    check_params(shape, start, plan.n_users, plan.n_items, ())
    n_lanes, width = weight_users.shape[1], simd.width(dtype)
    start = {name: np.asarray(value, dtype)[..., None] for name, value in start.items()}
    out = {name: np.empty((*value.shape[:-1], n_lanes), dtype) for name, value in start.items()}
    run = _Training(shape, plan, arrays, start, dtype)
    for lanes in lane_groups(n_lanes, width):
        run(
            vectors(weight_users[:, lanes], width, dtype),
            vectors(weight_items[:, lanes], width, dtype),
        )
        unpack(shape, run.rows[:, 0], run.flat[0], plan.n_users, out, lanes)
    return out


def _sample_arrays(plan, samples, dtype):
    "Users, items and labels, flat and filled up to whole blocks, then weights where there are any."
    check_indices('users', samples.users, plan.n_users)
    check_indices('items', samples.items, plan.n_items)
    users = fill_blocks(samples.users, plan.n_users)
    items = fill_blocks(samples.items, plan.n_items)
    same = np.shape(samples.users) == np.shape(samples.items)
    if users.shape != (plan.steps, plan.batch) or not same:
        raise ValueError('the plan was made for other samples or another optimiser')
    if not np.isin(samples.labels, (0, 1)).all():
        raise ValueError('labels other than 0 and 1')
    if np.shape(samples.labels) != np.shape(samples.users):
        raise ValueError(f'labels have shape {np.shape(samples.labels)}')
    labels = fill_blocks(samples.labels, 0).astype(np.uint8)
    arrays = [users.ravel(), items.ravel(), labels.ravel()]
    if samples.weights is not None:
        arrays.append(_loss_weights(samples, dtype).ravel())
    return arrays


def _loss_weights(samples, dtype):
    "The samples' weights, filled up to whole blocks."
    weights, labels = samples.weights, samples.labels
    if np.shape(weights) != np.shape(labels):
        raise ValueError(f'weights have shape {np.shape(weights)}, labels {np.shape(labels)}')
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError('a weight is negative, infinite or nan')
    return np.pad(np.asarray(weights, dtype), ((0, 0), (0, -np.shape(weights)[1] % BLOCK)))


def _check_weights(plan, weight_users, weight_items):
    "The weights of users and items in each model."
    n_lanes = weight_users.shape[1]
    expected = (plan.n_users, n_lanes), (plan.n_items, n_lanes)
    if (weight_users.shape, weight_items.shape) != expected:
        raise ValueError(f'weights have shapes {weight_users.shape}, {weight_items.shape}')
    if not ((weight_users >= 0).all() and (weight_items >= 0).all()):
        raise ValueError('a weight is negative or nan')


class _Training:
    "The kernel with its memory: trains as many models as a vector has lanes, again and again."

    def __init__(self, shape, plan, arrays, start, dtype):
        self.shape, self.plan, self.start = shape, plan, start
        (self.users, self.items, self.labels), self.further = arrays[:3], arrays[3:]
        width = simd.width(dtype)
        tile = register_tile()
        self.kernel, used = _kernel(shape, dtype, width, tile, bool(self.further))
        n_rows, n_dense = plan.n_users + plan.n_items + 2, shape.offsets()['end']
        self.state = simd.aligned_zeros(n_rows * 3 * shape.row * width, dtype)
        self.dense = simd.aligned_zeros(3 * n_dense * width, dtype)
        self.grads = simd.aligned_zeros(plan.n_slots * shape.row * width, dtype)
        self.work = simd.aligned_zeros(used * width, dtype)
        self.rows = self.state.reshape(n_rows, 3, shape.row, width)
        self.flat = self.dense.reshape(3, n_dense, width)
        adam = plan.adam
        constants = [1 - adam.beta1, adam.beta2, 1 - adam.beta2, adam.epsilon]
        self.constants = np.array(constants, dtype)
        self.powers = [p.astype(dtype) for p in adam_powers(adam, plan.steps)]
        self.table = plan.table(dtype)

    def __call__(self, weight_users, weight_items):
        "Train from the start with these weights; the result is in `rows` and `flat`."
        plan = self.plan
        self.state[:], self.dense[:], self.grads[:] = 0, 0, 0
        pack(self.shape, self.start, self.rows[:, 0], self.flat[0], plan.n_users)
        self.kernel(
            self.users,
            self.items,
            self.labels,
            plan.n_users,
            plan.batch,
            plan.user_slots.ravel(),
            plan.item_slots.ravel(),
            plan.ends,
            plan.rows,
            plan.row_slots,
            plan.entries,
            plan.bases,
            *self.table,
            *self.powers,
            self.constants,
            weight_users,
            weight_items,
            self.state,
            self.dense,
            self.grads,
            self.work,
            *self.further,
        )
