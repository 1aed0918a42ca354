"""Neural collaborative filtering: train and rank many models at once, one in each lane of a vector register.

The models of a call share samples, batches and initial values and differ in the weights of users and items. One pass over the samples serves all
of them: every number of a model is a vector, lane l of it belongs to model l, and no operation mixes lanes.

Memory. A row (a user or an item) is stored as its F = gmf + mlp values, their F first moments and F second moments, each a vector,
so one touch reads one contiguous piece. Users come first, then items; each kind ends in one row of zeros to which padding samples
point. The dense parameters are W0, b0, W1, b1, ..., out, flat, each number a vector.

Training. A batch is cut into blocks of BLOCK samples. A block runs forward and backward as matrix products on register tiles, then
Adam is applied to the rows whose last sample in the batch was in this block, while they are still in cache; the dense parameters
follow at the end of the batch. Row gradients live in slots, which are zero when free.

Dense Adam, lazily. A row without samples has gradient zero, yet its values go on moving. The next batch with a sample of the row is
known beforehand, so the update of step t and of the k steps up to that batch is applied at once. With moments m, sigma = sqrt(v)
after step t it is m * sum_s a_s / (sigma b_s + eps), where a_s = lr beta1^s / (1 - beta1^(t+s)), b_s = sqrt(beta2^s / (1 - beta2^(t+s))),
s = 0..k. With z = sigma b_0 / (sigma b_0 + eps), between 0 and 1, and d_s = b_s / b_0 - 1 the sum is

    sum_s a_s / (1 + z d_s) / (sigma b_0 + eps) = (A + z D + z^2 h(z)) / (sigma b_0 + eps),
    A = sum_s a_s,   D = - sum_s a_s d_s,   h(z) = sum_s a_s d_s^2 / (1 + z d_s).

These depend on (t, k) alone and are tabulated, h as the polynomial through Chebyshev nodes. Its error is known exactly; where it
exceeds a tolerance, which is in the first few hundred steps, the kernel adds up the k + 1 terms instead.
"""

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numba import njit

from . import simd
from .codegen import Writer, compiled

BLOCK = 16  # samples that go through the network together
NEGLIGIBLE = 1e-17  # zero-gradient steps whose share of an update is below this are left out
# of the polynomial for h(z): number of nodes, tolerated error of an update relative to the update
POLYNOMIAL = {np.dtype(np.float32): (2, 2e-8), np.dtype(np.float64): (5, 1e-14)}
HEADER = 3  # table columns before the polynomial: b_0, beta1^k, beta2^k


@dataclass(frozen=True)
class Shape:
    "Architecture: width of the GMF embeddings, of each MLP embedding (0: no such branch), and of the dense ReLU layers."

    gmf: int
    mlp: int
    layers: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, 'layers', tuple(int(n) for n in self.layers))
        if (
            min((self.gmf, self.mlp, *self.layers)) < 0
            or 0 in self.layers
            or self.gmf + self.mlp == 0
        ):
            raise ValueError(f'not an architecture: {self}')
        if self.layers and not self.mlp:
            raise ValueError('dense layers need MLP embeddings')

    @property
    def row(self):
        "Values of one user or item."
        return self.gmf + self.mlp

    @property
    def widths(self):
        "Inputs of the dense layers and outputs of the last."
        return (2 * self.mlp, *self.layers)

    def dense(self):
        "Names and shapes of the dense parameters, in the order of storage."
        w = self.widths
        for l in range(len(self.layers)):
            yield f'W{l}', (w[l], w[l + 1])
            yield f'b{l}', (w[l + 1],)
        yield 'out', (self.gmf + w[-1],)

    def offsets(self):
        "Position of each dense parameter among the flat ones, and of their end under the key 'end'."
        at, where = 0, {}
        for name, shape in self.dense():
            where[name] = at
            at += int(np.prod(shape))
        where['end'] = at
        return where


@dataclass(frozen=True)
class Adam:
    "Settings of the optimiser."

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self):
        if not (0 <= self.beta1 < 1 and 0 < self.beta2 < 1 and self.epsilon > 0):
            raise ValueError(f'not usable: {self}')


def _jit(function):
    "numba.njit, cached on disk where numba finds a folder it may write to."
    try:
        return njit(function, cache=True, nogil=True)
    except RuntimeError:
        return njit(function, nogil=True)


# ---------------------------------------------------------------------------------------------------------------------- the plan


@dataclass(frozen=True)
class Plan:
    """When each row is touched: what depends on the samples but not on the models.

    A touch is the end of a row's samples in one batch. `ends[b]:ends[b+1]` are the touches of block b (all steps' blocks in one
    sequence); `rows`, `row_slots`, `entries` describe them; step t's table entries begin at `bases[t]`, `gaps` are their k.
    """

    steps: int
    batch: int
    n_users: int
    n_items: int
    adam: Adam
    n_slots: int
    user_slots: np.ndarray
    item_slots: np.ndarray
    ends: np.ndarray
    rows: np.ndarray
    row_slots: np.ndarray
    entries: np.ndarray
    bases: np.ndarray
    gaps: np.ndarray
    tables: dict = field(default_factory=dict, repr=False)

    def table(self, dtype):
        "(entries, HEADER + polynomial) coefficients, (entries,) k where the terms must be added up, else -1; computed once per dtype."
        dtype = np.dtype(dtype)
        if dtype not in self.tables:
            self.tables[dtype] = _tabulate(self, dtype)
        return self.tables[dtype]


def plan_touches(users, items, n_users, n_items, adam):
    "Plan of the training on samples users, items: (steps, batch) indices."
    _check_indices('users', users, n_users)
    _check_indices('items', items, n_items)
    users, items = _filled(users, n_users), _filled(items, n_items)
    if users.shape != items.shape:
        raise ValueError(f'users {users.shape} and items {items.shape} differ in shape')
    batch = users.shape[1]
    most = 2 * batch + 2
    small = np.uint16 if most < 2**16 else np.int32
    parts = _find_touches(
        users,
        items,
        n_users,
        n_items,
        BLOCK,
        np.empty(users.shape, small),
        np.empty(users.shape, small),
        np.empty((2, 2 * users.size), small),
    )
    return Plan(users.shape[0], batch, n_users, n_items, adam, *parts)


def _filled(samples, value):
    "int32 (steps, batch) with the batch filled up with `value` to a multiple of BLOCK."
    samples = np.ascontiguousarray(samples, np.int32)
    missing = -samples.shape[1] % BLOCK
    return np.pad(samples, ((0, 0), (0, missing)), constant_values=value) if missing else samples


def _check_indices(what, index, n):
    "The kernels do not check bounds."
    if np.size(index) and not 0 <= np.min(index) <= np.max(index) < n:
        raise ValueError(f'{what} out of range 0..{n - 1}')


@_jit
def _find_touches(users, items, n_users, n_items, block, user_slots, item_slots, touches):
    "Arrays of a Plan from n_slots on. Slot 0 belongs to the padding rows, which have no touches."
    steps, batch = users.shape
    n_rows = n_users + n_items + 2
    n_blocks = batch // block
    ends = np.zeros(steps * n_blocks + 1, np.int64)
    rows, row_slots, local = np.empty(2 * users.size, np.int32), touches[0], touches[1]
    slot, last, stamp = (
        np.zeros(n_rows, np.int64),
        np.empty(n_rows, np.int64),
        np.full(n_rows, -1, np.int64),
    )
    free = np.empty(2 * batch + 1, np.int64)
    n_slots, n_free, n = 1, 0, 0
    for t in range(steps):
        for j in range(batch):
            last[users[t, j]] = j // block
            last[n_users + 1 + items[t, j]] = j // block
        for b in range(n_blocks):
            for j in range(b * block, (b + 1) * block):
                for side in range(2):
                    row = users[t, j] if side == 0 else n_users + 1 + items[t, j]
                    padding = row == n_users or row == n_rows - 1
                    if stamp[row] != t and not padding:
                        stamp[row] = t
                        if n_free:
                            n_free -= 1
                            slot[row] = free[n_free]
                        else:
                            slot[row] = n_slots
                            n_slots += 1
                    if side == 0:
                        user_slots[t, j] = slot[row]
                    else:
                        item_slots[t, j] = slot[row]
                    if last[row] == b and not padding:
                        last[row] = -1  # listed
                        rows[n], row_slots[n] = row, slot[row]
                        n += 1
            begin = ends[t * n_blocks + b]
            for q in range(begin, n):
                free[n_free] = row_slots[q]
                n_free += 1
            ends[t * n_blocks + b + 1] = n
    bases = np.zeros(steps + 1, np.int64)
    entry_of, seen = np.empty(steps + 1, np.int64), np.full(steps + 1, -1, np.int64)
    gap = np.empty(n, np.int32)
    following = np.full(n_rows, steps, np.int64)
    for t in range(steps - 1, -1, -1):
        for q in range(ends[t * n_blocks], ends[(t + 1) * n_blocks]):
            k = following[rows[q]] - t - 1
            following[rows[q]] = t
            gap[q] = k
            if seen[k] != t:
                seen[k] = t
                bases[t + 1] += 1
    for t in range(steps):
        bases[t + 1] += bases[t]
    gaps = np.empty(bases[steps], np.int32)
    seen[:] = -1
    for t in range(steps):
        found = 0
        for q in range(ends[t * n_blocks], ends[(t + 1) * n_blocks]):
            k = gap[q]
            if seen[k] != t:
                seen[k], entry_of[k] = t, found
                gaps[bases[t] + found] = k
                found += 1
            local[q] = entry_of[k]
    return (
        n_slots,
        user_slots,
        item_slots,
        ends,
        rows[:n].copy(),
        row_slots[:n].copy(),
        local[:n].copy(),
        bases,
        gaps,
    )


def _powers(adam, steps):
    "beta1^s and beta2^(s/2) for s = 0..steps; lr / (1 - beta1^t) and 1 / sqrt(1 - beta2^t) for t = 0..steps (t = 0 unused)."
    s = np.arange(steps + 1.0)
    first, second = np.power(adam.beta1, s), np.power(adam.beta2, s / 2)
    with np.errstate(divide='ignore'):
        return (
            first,
            second,
            adam.learning_rate / (1 - first),
            1 / np.sqrt(-np.expm1(s * np.log(adam.beta2))),
        )


def _last_term(adam, steps):
    "The last s whose a_s / b_s is not negligible."
    ratio = adam.beta1 / np.sqrt(adam.beta2)
    if ratio >= 1:
        return steps
    return min(steps, int(np.log(NEGLIGIBLE) / np.log(ratio)) + 1) if ratio > 0 else 0


def _tabulate(plan, dtype):
    n_nodes, tolerance = POLYNOMIAL[dtype]
    nodes = 0.5 + 0.5 * np.cos(np.pi * (np.arange(n_nodes) + 0.5) / n_nodes)
    to_powers = np.linalg.inv(np.vander(nodes, increasing=True))
    table, replay = (
        np.empty((len(plan.gaps), HEADER + 2 + n_nodes), dtype),
        np.empty(len(plan.gaps), np.int32),
    )
    _fill_table(
        plan.bases,
        plan.gaps,
        *_powers(plan.adam, plan.steps),
        nodes,
        to_powers,
        tolerance,
        _last_term(plan.adam, plan.steps),
        table,
        replay,
    )
    return table, replay


@_jit
def _fill_table(
    bases,
    gaps,
    first,
    second,
    correct1,
    correct2,
    nodes,
    to_powers,
    tolerance,
    last_term,
    table,
    replay,
):
    "The polynomial is stored with its sign turned, so that it is added to the value."
    n_nodes = len(nodes)
    sums = np.empty(
        (last_term + 1, 3 + n_nodes)
    )  # A, D, error, h at the nodes: up to and with term s
    running = np.empty(3 + n_nodes)
    for t in range(len(bases) - 1):
        longest = 0
        for entry in range(bases[t], bases[t + 1]):
            longest = max(longest, gaps[entry])
        b0 = correct2[t + 1]
        running[:] = 0
        for s in range(min(longest, last_term) + 1):
            a = first[s] * correct1[t + 1 + s]
            d = second[s] * correct2[t + 1 + s] / b0 - 1
            running[0] += a
            running[1] -= a * d
            if d < 0:
                for j in range(n_nodes):
                    running[3 + j] += a * d * d / (1 + nodes[j] * d)
                # interpolating 1 / (1 + z d) at Chebyshev nodes errs by a factor T(2z - 1) / T(-2/d - 1), T the Chebyshev polynomial
                x, previous, chebyshev = -2 / d - 1, 1.0, -2 / d - 1
                for _ in range(n_nodes - 1):
                    previous, chebyshev = chebyshev, 2 * x * chebyshev - previous
                running[2] += a * d * d / ((1 + d) * chebyshev) if d > -1 else np.inf
            sums[s] = running
        for entry in range(bases[t], bases[t + 1]):
            k = gaps[entry]
            total = sums[min(k, last_term)]
            replay[entry] = min(k, last_term) if total[2] > tolerance * total[0] else -1
            table[entry, 0], table[entry, 1], table[entry, 2] = b0, first[k], second[k] ** 2
            table[entry, HEADER], table[entry, HEADER + 1] = -total[0], -total[1]
            for i in range(n_nodes):
                c = 0.0
                for j in range(n_nodes):
                    c -= to_powers[i, j] * total[3 + j]
                table[entry, HEADER + 2 + i] = c


# ------------------------------------------------------------------------------------------------------------ writing the kernels


class _Writer(Writer):
    "Adds loops, tiles and register-tiled products."

    def loop(self, variable, n):
        return self.block(f'for {variable} in range({n}):')

    def tiles(self, variable, n, size):
        "Cut range(n) into tiles of about `size`; the body is written once for the full tiles and once for what remains, if any."
        size = next(
            (c for c in (size, size + 1, size - 1) if c >= min(size, 3) and n % c == 0), size
        )
        full = n // size * size
        if full:
            with self.block(f'for {variable} in range(0, {full}, {size}):'):
                yield size
        if n > full:
            self(f'{variable} = {full}')
            yield n - full

    def product(self, rows, columns, before, start, parts, finish):
        """c[i][j] = start(i, j) + sum over r of left(i) * right(j) for each (n, lines, left, right) of parts, r in range(n), `lines`
        first; then finish(i, j). The lines `before` come before all."""
        self(*before, *(f'c{i}_{j} = {start(i, j)}' for i in range(rows) for j in range(columns)))
        for n, lines, left, right in parts:
            with self.loop('r', n):
                self(*lines, *(f'x{i} = {left(i)}' for i in range(rows)))
                for j in range(columns):
                    self(
                        f'y = {right(j)}',
                        *(f'c{i}_{j} = fma(x{i}, y, c{i}_{j})' for i in range(rows)),
                    )
        self(*(finish(i, j) for i in range(rows) for j in range(columns)))


class _Network:
    """Source of the forward and backward pass of one block.

    s counts its samples; `offsets[s]`, `offsets[BLOCK + s]` are where their users' and items' rows begin in `state`,
    `offsets[2 BLOCK + s]`, `offsets[3 BLOCK + s]` where their gradients do in `grads`. Other arrays: `dense` (dense parameters),
    `sums` (their gradients), and for each sample `h0`, `h1`, ... (activations), `z0`, `z1`, ... (gradients before the ReLU),
    `error` (logit, then its gradient).
    """

    def __init__(self, shape, lanes, tile):
        self.shape, self.lanes, (self.group, self.units), self.where = (
            shape,
            lanes,
            tile,
            shape.offsets(),
        )
        self.depth = len(shape.layers)
        self.out = self.where['out'] + shape.gmf  # weights of the perceptron's output
        self.sides = (
            (0, 0),
            (shape.mlp, BLOCK),
        )  # users and items: first input of the perceptron, place in `offsets`

    def vec(self, index):
        return f'({index}) * {self.lanes}'

    def param(self, name, index):
        return self.vec(f'{self.where[name]} + {index}')

    def groups(self, w):
        return w.block(f'for s0 in range(0, {BLOCK}, {self.group}):')

    def starts(self, name, side, column):
        "Lines that set name0, name1, ... to where a column of the group's rows starts."
        return [
            f'{name}{i} = offsets[{side + i} + s0] + {self.vec(column)}' for i in range(self.group)
        ]

    # ---- forward

    def layer(self, w, l, parts):
        "h_l = relu(b_l + ...) for a group of samples; W_l's row r, from unit j0 on, is at `b`."
        n = self.shape.layers[l]
        for columns in w.tiles('j0', n, self.units):
            w.product(
                self.group,
                columns,
                [f'o = {self.param(f"b{l}", "j0")}', f'o_h = {self.vec(f"s0 * {n} + j0")}'],
                lambda i, j: f'load_at(dense, o, {j})',
                parts,
                lambda i, j: f'store_at(h{l}, o_h, {i * n + j}, relu(c{i}_{j}))',
            )

    def first_part(self, first, name):
        "A side's share in the first layer, its embeddings being at name0, name1, ..."
        return (
            self.shape.mlp,
            [f'b = {self.param("W0", f"({first} + r) * {self.shape.layers[0]} + j0")}'],
            lambda i: f'load_at(state, {name}{i}, r)',
            lambda j: f'load_at(dense, b, {j})',
        )

    def hidden(self, w, l):
        "Layer l from layer l - 1."
        n_in, n = self.shape.widths[l], self.shape.layers[l]
        self.layer(
            w,
            l,
            [
                (
                    n_in,
                    [
                        f'a = {self.vec(f"s0 * {n_in} + r")}',
                        f'b = {self.param(f"W{l}", f"r * {n} + j0")}',
                    ],
                    lambda i: f'load_at(h{l - 1}, a, {i * n_in})',
                    lambda j: f'load_at(dense, b, {j})',
                )
            ],
        )

    def last_part(self):
        "The last layer's share in the logit."
        n = self.shape.layers[-1]
        return (
            n,
            [f'a = {self.vec(f"s0 * {n} + r")}'],
            lambda i: f'load_at(h{self.depth - 1}, a, {i * n})',
            lambda j: f'load_at(dense, {self.out * self.lanes}, r)',
        )

    def linear_part(self, first, name):
        "Without layers: a side's share in the logit."
        return (
            self.shape.mlp,
            [],
            lambda i: f'load_at(state, {name}{i}, r)',
            lambda j: f'load_at(dense, {(self.out + first) * self.lanes}, r)',
        )

    def product_part(self):
        "Share of the products of embeddings in the logit."
        return (
            self.shape.gmf,
            [],
            lambda i: f'mul(load_at(state, u{i}, r), load_at(state, v{i}, r))',
            lambda j: f'load_at(dense, {self.where["out"] * self.lanes}, r)',
        )

    def forward(self, w):
        "Logits of the block into `error`."
        shape = self.shape
        with self.groups(w):
            w(
                *self.starts('p', 0, shape.gmf),
                *self.starts('q', BLOCK, shape.gmf),
                *self.starts('u', 0, 0),
                *self.starts('v', BLOCK, 0),
            )
            if self.depth:
                self.layer(w, 0, [self.first_part(0, 'p'), self.first_part(shape.mlp, 'q')])
            for l in range(1, self.depth):
                self.hidden(w, l)
            if self.depth:
                parts = [self.last_part()]
            else:
                parts = (
                    [self.linear_part(0, 'p'), self.linear_part(shape.mlp, 'q')]
                    if shape.mlp
                    else []
                )
            if shape.gmf:
                parts.append(self.product_part())
            w.product(
                self.group,
                1,
                [f'o = {self.vec("s0")}'],
                lambda i, j: 'zero',
                parts,
                lambda i, j: f'store_at(error, o, {i}, c{i}_{j})',
            )

    # ---- backward

    def backward(self, w):
        "From the logits' gradients in `error` to `sums` and `grads`."
        shape = self.shape
        if shape.gmf:
            self.backward_product(w)
        if self.depth:
            self.backward_out(w)
        elif shape.mlp:
            self.backward_linear(w)
        for l in range(self.depth - 1, -1, -1):
            self.backward_bias(w, l)
            if l:
                self.backward_weights(w, l, 0, shape.widths[l], None)
                self.backward_hidden(w, l)
            else:
                for first, side in self.sides:
                    self.backward_weights(w, 0, first, shape.mlp, side)
                    self.backward_row(w, first, side)

    @contextmanager
    def output(self, w, n, first):
        "Loop over n weights from `first` on of the output: y the weight, g its gradient to add to."
        with w.loop('r', n):
            w(
                f'y = load_at(dense, {first * self.lanes}, r)',
                f'g = load_at(sums, {first * self.lanes}, r)',
            )
            with w.loop('s', BLOCK):
                w('e = load_at(error, 0, s)')
                yield
            w(f'store_at(sums, {first * self.lanes}, r, g)')

    def backward_product(self, w):
        with self.output(w, self.shape.gmf, self.where['out']):
            w(
                'p = load_at(state, offsets[s], r)',
                f'q = load_at(state, offsets[{BLOCK} + s], r)',
                'g = fma(e, mul(p, q), g)',
                'd = mul(e, y)',
                f'add_at(grads, offsets[{2 * BLOCK} + s], r, mul(d, q))',
                f'add_at(grads, offsets[{3 * BLOCK} + s], r, mul(d, p))',
            )

    def backward_out(self, w):
        last, n = self.depth - 1, self.shape.layers[-1]
        with self.output(w, n, self.out):
            w(
                f'o = {self.vec(f"s * {n} + r")}',
                f'h = load(h{last}, o)',
                'g = fma(e, h, g)',
                f'store(z{last}, o, relu_gradient(h, mul(e, y)))',
            )

    def backward_linear(self, w):
        "No dense layers: the embeddings themselves enter the logit."
        column = self.shape.gmf * self.lanes
        for first, side in self.sides:
            with self.output(w, self.shape.mlp, self.out + first):
                w(
                    f'g = fma(e, load_at(state, offsets[{side} + s] + {column}, r), g)',
                    f'add_at(grads, offsets[{2 * BLOCK + side} + s] + {column}, r, mul(e, y))',
                )

    def backward_bias(self, w, l):
        n, at = self.shape.layers[l], self.where[f'b{l}'] * self.lanes
        with w.loop('r', n):
            w(f'g = load_at(sums, {at}, r)')
            with w.loop('s', BLOCK):
                w(f'g = add(g, load_at(z{l}, {self.vec("r")}, s * {n}))')
            w(f'store_at(sums, {at}, r, g)')

    def backward_weights(self, w, l, first, n, side):
        "Gradient of rows first..first+n of W_l, whose inputs are the layer below or one side's embeddings."
        n_out = self.shape.layers[l]
        if side is None:
            inputs, a = f'h{l - 1}', self.vec(f'r * {n} + k0')
        else:
            inputs, a = 'state', f'offsets[{side} + r] + {self.vec(f"{self.shape.gmf} + k0")}'
        for rows in w.tiles('k0', n, self.group):
            for columns in w.tiles('j0', n_out, self.units):
                w.product(
                    rows,
                    columns,
                    [f'o = {self.param(f"W{l}", f"({first} + k0) * {n_out} + j0")}'],
                    lambda i, j: f'load_at(sums, o, {i * n_out + j})',
                    [
                        (
                            BLOCK,
                            [f'a = {a}', f'b = {self.vec(f"r * {n_out} + j0")}'],
                            lambda i: f'load_at({inputs}, a, {i})',
                            lambda j: f'load_at(z{l}, b, {j})',
                        )
                    ],
                    lambda i, j: f'store_at(sums, o, {i * n_out + j}, c{i}_{j})',
                )

    def backward_input(self, w, l, first, columns, before, finish):
        "Gradient of `columns` inputs of layer l from first + k0 on, handed to finish(sample in group, input in tile)."
        n_out = self.shape.layers[l]
        part = (
            n_out,
            [
                f'a = {self.vec(f"s0 * {n_out} + r")}',
                f'b = {self.param(f"W{l}", f"({first} + k0) * {n_out} + r")}',
            ],
            lambda i: f'load_at(z{l}, a, {i * n_out})',
            lambda j: f'load_at(dense, b, {j * n_out})',
        )
        w.product(self.group, columns, before, lambda i, j: 'zero', [part], finish)

    def backward_hidden(self, w, l):
        n = self.shape.widths[l]
        with self.groups(w):
            for columns in w.tiles('k0', n, self.units):
                self.backward_input(
                    w,
                    l,
                    0,
                    columns,
                    [f'o = {self.vec(f"s0 * {n} + k0")}'],
                    lambda i, j: (
                        f'store_at(z{l - 1}, o, {i * n + j}, relu_gradient(load_at(h{l - 1}, o, {i * n + j}), c{i}_{j}))'
                    ),
                )

    def backward_row(self, w, first, side):
        with self.groups(w):
            for columns in w.tiles('k0', self.shape.mlp, self.units):
                self.backward_input(
                    w,
                    0,
                    first,
                    columns,
                    self.starts('u', 2 * BLOCK + side, f'{self.shape.gmf} + k0'),
                    lambda i, j: f'add_at(grads, u{i}, {j}, c{i}_{j})',
                )

    def buffers(self, w, first=0):
        "Slices of `work`, from vector `first` on, for the block's intermediate results; returns the vectors used in all."
        sizes = [
            ('error', 1),
            *((f'{name}{l}', n) for l, n in enumerate(self.shape.layers) for name in 'hz'),
        ]
        for name, n in sizes:
            w(f'{name} = work[{first * self.lanes}:{(first + BLOCK * n) * self.lanes}]')
            first += BLOCK * n
        return first


TRAIN = (
    'users, items, labels, n_users, batch, user_slots, item_slots, ends, rows, row_slots, entries, bases, table, replay, '
    'first, second, correct1, correct2, constants, user_weights, item_weights, state, dense, grads, work'
)


def _train_source(shape, lanes, tile, n_coefficients, weighted):
    "Source of the training kernel, and the vectors its `work` holds; `weighted`: each sample has a weight of its own, one argument more."
    sample = f'load(user_weights, users[j] * {lanes}), load(item_weights, items[j] * {lanes})'
    total, weight = f'fma({sample}, total)', f'mul({sample})'
    if weighted:
        total, weight = (
            f'fma(mul({sample}), set1(weights[j]), total)',
            f'mul(mul({sample}), set1(weights[j]))',
        )
    w, net, n_dense = _Writer(), _Network(shape, lanes, tile), shape.offsets()['end']
    stride = 3 * shape.row * lanes
    with w.block(f'def kernel({TRAIN}{", weights" if weighted else ""}):'):
        w(f'sums = work[:{n_dense * lanes}]')
        used = net.buffers(w, n_dense)
        w(
            f'offsets = np.empty({4 * BLOCK}, np.int64)',
            'zero, one = set1(0), set1(1)',
            'rate1, decay2, rate2, epsilon = set1(constants[0]), set1(constants[1]), set1(constants[2]), set1(constants[3])',
            f'n_blocks = batch // {BLOCK}',
            'block = 0',
        )
        with w.block('for t in range(len(users) // batch):'):
            w('total = zero')
            with w.block('for j in range(t * batch, (t + 1) * batch):'):
                w(f'total = {total}')
            w('scale = reciprocal_or_zero(total)')
            with w.loop('r', n_dense):
                w(f'store(sums, r * {lanes}, zero)')
            with w.loop('b', 'n_blocks'):
                w(f'begin = block * {BLOCK}')
                with w.loop('s', BLOCK):
                    w(
                        f'offsets[s] = users[begin + s] * {stride}',
                        f'offsets[{BLOCK} + s] = (n_users + 1 + items[begin + s]) * {stride}',
                        f'offsets[{2 * BLOCK} + s] = user_slots[begin + s] * {shape.row * lanes}',
                        f'offsets[{3 * BLOCK} + s] = item_slots[begin + s] * {shape.row * lanes}',
                    )
                net.forward(w)
                with w.loop('s', BLOCK):
                    w(
                        'j = begin + s',
                        f'e = {weight}',
                        f'e = mul(mul(e, scale), sub(sigmoid(load(error, s * {lanes})), set1(labels[j])))',
                        f'store(error, s * {lanes}, e)',
                    )
                net.backward(w)
                _row_updates(w, shape, lanes, n_coefficients)
                w('block += 1')
            _dense_updates(w, n_dense, lanes)
    return w.text(), used


def _moments(w, gradient, m_at, v_at, array):
    "First moment m, second moment v and its root x after a gradient; i is the parameter, m_at and v_at vectors further on its moments."
    w(
        f'g = {gradient}',
        f'm = load_at({array}, i, {m_at})',
        f'v = load_at({array}, i, {v_at})',
        'm = fma(sub(g, m), rate1, m)',
        'v = fma(mul(g, g), rate2, mul(v, decay2))',
        'x = sqrt(v)',
    )


def _row_updates(w, shape, lanes, n_coefficients):
    "Adam on the rows whose last sample of the batch was in this block, with the steps up to their next sample."
    n = shape.row

    def column(update):
        with w.loop('f', n):
            w(f'i = o + f * {lanes}')
            _moments(w, 'load_at(grads, o_grad, f)', n, 2 * n, 'state')
            update()
            w(
                'store(state, i, fma(m, y, load(state, i)))',
                f'store_at(state, i, {n}, mul(m, keep1))',
                f'store_at(state, i, {2 * n}, mul(v, keep2))',
                'store_at(grads, o_grad, f, zero)',
            )

    def closed():
        w(
            'x = mul(x, b0)',
            'y = div(one, add(x, epsilon))',
            'z = mul(x, y)',
            f'h = c{n_coefficients - 1}',
            *(f'h = fma(h, z, c{i})' for i in range(n_coefficients - 2, -1, -1)),
            'y = mul(y, h)',
        )

    def one_by_one():
        w('y = zero')
        with w.block('for s in range(last + 1):'):
            w(
                'a, b = set1(first[s] * correct1[t + 1 + s]), set1(second[s] * correct2[t + 1 + s])',
                'y = sub(y, div(a, fma(x, b, epsilon)))',
            )

    with w.block('for q in range(ends[block], ends[block + 1]):'):
        w(
            f'o = rows[q] * {3 * n * lanes}',
            f'o_grad = row_slots[q] * {n * lanes}',
            'entry = bases[t] + entries[q]',
            'b0, keep1, keep2 = set1(table[entry, 0]), set1(table[entry, 1]), set1(table[entry, 2])',
            *(f'c{i} = set1(table[entry, {HEADER + i}])' for i in range(n_coefficients)),
            'last = replay[entry]',
        )
        with w.block('if last < 0:'):
            column(closed)
        with w.block('else:'):
            column(one_by_one)


def _dense_updates(w, n, lanes):
    w('a, b = set1(correct1[t + 1]), set1(correct2[t + 1])')
    with w.loop('r', n):
        w(f'i = r * {lanes}')
        _moments(w, 'load(sums, i)', n, 2 * n, 'dense')
        w(
            'store(dense, i, sub(load(dense, i), div(mul(a, m), fma(x, b, epsilon))))',
            f'store_at(dense, i, {n}, m)',
            f'store_at(dense, i, {2 * n}, v)',
        )


RANK = (
    'n_users, n_items, state, dense, indptr, seen_items, item_masks, bars, pair_users, pair_items, logits, top, k, '
    'projected, seen, best, work'
)

INSERT = """
@njit(nogil=True)
def insert(bits, scores, bar, best, top, user, item, k):
    "Put an item among the best k of the lanes whose bit is set; an earlier item of the same score stays before it."
    lane = 0
    while bits:
        if bits & 1:
            score, at, p = scores[lane], lane * k, k - 1
            while p > 0 and best[at + p - 1] < score:
                best[at + p], top[lane, user, p] = best[at + p - 1], top[lane, user, p - 1]
                p -= 1
            best[at + p], top[lane, user, p] = score, item
            bar[lane] = best[at + k - 1]
        bits >>= 1
        lane += 1

"""


def _rank_source(shape, lanes, tile):
    """Source of the ranking kernel, and the vectors its `work` holds.

    The first layer is linear in user and item: both parts are computed once, then each pair needs only their sum.
    """
    w, net = _Writer(), _Network(shape, lanes, tile)
    group, width = net.group, shape.layers[0] if net.depth else min(shape.mlp, 1)
    row = shape.row * lanes
    with w.block(f'def kernel({RANK}):'):
        used = net.buffers(w)
        for name, n in ('own', group * width), ('factors', group * shape.gmf):
            w(f'{name} = work[{used * lanes}:{(used + n) * lanes}]')
            used += n
        w(f'offsets = np.empty({2 * BLOCK}, np.int64)', 'zero = set1(0)')
        with w.block(f'for begin in range(0, len(pair_users), {BLOCK}):'):
            with w.loop('s', BLOCK):
                w(
                    f'offsets[s] = pair_users[begin + s] * {row}',
                    f'offsets[{BLOCK} + s] = (n_users + 1 + pair_items[begin + s]) * {row}',
                )
            net.forward(w)
            with w.loop('s', BLOCK):
                w(f'store(logits, (begin + s) * {lanes}, load(error, s * {lanes}))')
        if width:
            with w.block(f'for i0 in range(0, n_items, {group}):'):
                _project(w, net, shape.mlp, 'n_users + 1 + i0', 'projected', 'i0')
        with w.block(f'for u0 in range(0, n_users, {group}):'):
            if width:
                _project(w, net, 0, 'u0', 'own', '0')
            with w.loop('r', shape.gmf):
                w(
                    f'y = load_at(dense, {net.where["out"] * lanes}, r)',
                    f'a = u0 * {row}',
                    *(
                        f'store_at(factors, {i * shape.gmf * lanes}, r, mul(y, load_at(state, a, {i * shape.row} + r)))'
                        for i in range(group)
                    ),
                )
            w('seen[:] = 0', 'best[:] = -np.inf')
            with w.block(f'for i in range(min({group}, n_users - u0)):'):
                with w.block('for q in range(indptr[u0 + i], indptr[u0 + i + 1]):'):
                    w('seen[i, seen_items[q]] = 1')
            with w.block('for item in range(n_items):'):
                _scores(w, net, group, width)
                w(f'mask = load(item_masks, item * {lanes})')
                for i in range(group):
                    w(
                        f'c = add(c{i}_0, mask)',
                        f'bits = greater(c, load(bars, (u0 + {i}) * {lanes}))',
                    )
                    with w.block(f'if bits and not seen[{i}, item]:'):
                        w(
                            f'store(error, {i * lanes}, c)',
                            f'insert(bits, error[{i * lanes}:], bars[(u0 + {i}) * {lanes}:], best[{i}], top, u0 + {i}, item, k)',
                        )
    return INSERT, w.text(), used


def _project(w, net, first, base, array, base_out):
    "The part of the first layer (without layers: of the logit) that a group of rows contributes, users' with the bias."
    shape, lanes, group = net.shape, net.lanes, net.group
    n = shape.layers[0] if net.depth else 1
    part = net.first_part(first, 'p') if net.depth else net.linear_part(first, 'p')
    bias = net.where['b0'] if net.depth and not first else None
    w(*(f'p{i} = ({base} + {i}) * {shape.row * lanes} + {shape.gmf * lanes}' for i in range(group)))
    for columns in w.tiles('j0', n, net.units):
        w.product(
            group,
            columns,
            [f'o = {net.vec(f"{base_out} * {n} + j0")}'],
            lambda i, j: (
                'zero' if bias is None else f'load_at(dense, {bias * lanes} + {net.vec("j0")}, {j})'
            ),
            [part],
            lambda i, j: f'store_at({array}, o, {i * n + j}, c{i}_{j})',
        )


def _scores(w, net, group, width):
    "Logits of a group of users and one item, in c0_0, c1_0, ..."
    shape, lanes, parts, start = net.shape, net.lanes, [], lambda i, j: 'zero'
    w(f'o = {net.vec(f"item * {width}")}')
    if net.depth:
        with w.loop('r', width):
            w('y = load_at(projected, o, r)')
            for i in range(group):
                at = f'{i * width * lanes}, r'
                w(f'store_at(h0, {at}, relu(add(y, load_at(own, {at}))))')
        w('s0 = 0')
        for l in range(1, net.depth):
            net.hidden(w, l)
        parts = [net.last_part()]
    elif width:

        def start(i, j):
            return f'add(load_at(own, 0, {i}), load(projected, o))'

    if shape.gmf:
        w(f'v = (n_users + 1 + item) * {shape.row * lanes}')
        parts.append(
            (
                shape.gmf,
                [],
                lambda i: f'load_at(factors, {i * shape.gmf * lanes}, r)',
                lambda j: 'load_at(state, v, r)',
            )
        )
    w.product(group, 1, [], start, parts, lambda i, j: 'pass')


# ---------------------------------------------------------------------------------------------------------- compiling the kernels

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


def _tile():
    "Samples x units of a register tile: its sums and operands must fit the registers."
    return (4, 4) if simd.n_registers() >= 32 else (2, 4)


@lru_cache(maxsize=None)
def _train_kernel(shape, dtype, lanes, weighted=False):
    text, used = _train_source(shape, lanes, _tile(), 2 + POLYNOMIAL[dtype][0], weighted)
    return compiled(
        text, dtype, lanes, OPERATIONS, f'NCF training, {shape}, {lanes} lanes of {dtype}'
    ), used


@lru_cache(maxsize=None)
def _rank_kernel(shape, dtype, lanes):
    helpers, text, used = _rank_source(shape, lanes, _tile())
    return compiled(
        text, dtype, lanes, OPERATIONS, f'NCF ranking, {shape}, {lanes} lanes of {dtype}', helpers
    ), used


# ------------------------------------------------------------------------------------------------------------------ calling them


def _row_arrays(shape):
    "Keys of the embeddings with their first column and width: (users', items', column, width)."
    if shape.gmf:
        yield 'user_gmf', 'item_gmf', 0, shape.gmf
    if shape.mlp:
        yield 'user_mlp', 'item_mlp', shape.gmf, shape.mlp


def _check_params(shape, params, n_users, n_items, trailing):
    expected = {name: size for name, size in shape.dense()}
    for user, item, _, width in _row_arrays(shape):
        expected[user], expected[item] = (n_users, width), (n_items, width)
    found = {name: np.shape(value) for name, value in params.items()}
    expected = {name: (*size, *trailing) for name, size in expected.items()}
    if found != expected:
        raise ValueError(f'parameters have shapes {found}, expected {expected}')


def _pack(shape, params, rows, dense, n_users, n_items):
    "Copy parameters, with or without lane axis, into rows (rows, ..., row, lanes) and dense (..., lanes)."
    for user, item, column, width in _row_arrays(shape):
        rows[:n_users, column : column + width] = params[user]
        rows[n_users + 1 : -1, column : column + width] = params[item]
    at = shape.offsets()
    for name, size in shape.dense():
        dense[at[name] : at[name] + int(np.prod(size))] = params[name].reshape(
            -1, params[name].shape[-1]
        )


def _unpack(shape, rows, dense, n_users, out, lanes):
    "Copy the first lanes of rows and dense parameters into the arrays of `out` at the slice `lanes`."
    n = lanes.stop - lanes.start
    for user, item, column, width in _row_arrays(shape):
        out[user][..., lanes] = rows[:n_users, column : column + width, :n]
        out[item][..., lanes] = rows[n_users + 1 : -1, column : column + width, :n]
    at = shape.offsets()
    for name, size in shape.dense():
        out[name][..., lanes] = dense[at[name] : at[name] + int(np.prod(size)), :n].reshape(
            *size, n
        )


def _groups(n_lanes, width):
    "Slices that cut the lanes into groups of the vector's width."
    return [slice(a, min(a + width, n_lanes)) for a in range(0, n_lanes, width)]


def _vectors(table, width, dtype, fill=0):
    "Flat aligned copy of a table (rows, lanes), with `fill` in the missing lanes and in one more row, that of the padding samples."
    out = simd.aligned_zeros((len(table) + 1) * width, dtype)
    out[:] = fill
    out.reshape(-1, width)[:-1, : table.shape[1]] = table
    return out


def train(
    shape,
    plan,
    users,
    items,
    labels,
    start,
    weight_users,
    weight_items,
    adam,
    dtype=np.float32,
    weights=None,
):
    """Train L models on the plan's samples; returns the parameters, each array with a last axis of length L.

    users, items, labels: (steps, batch), the arrays the plan was made from and 0/1. start: initial values, the same for all models.
    weight_users (n_users, L), weight_items (n_items, L): sample (u, i) of model l weighs weight_users[u, l] * weight_items[i, l] in
    the loss, which is the weighted mean of the batch's log losses. weights (steps, batch): a further factor, the same for all models.
    """
    dtype = np.dtype(dtype)
    n_users, n_items, n_lanes = plan.n_users, plan.n_items, weight_users.shape[1]
    _check_indices('users', users, n_users)
    _check_indices('items', items, n_items)
    users, items = _filled(users, n_users), _filled(items, n_items)
    if users.shape != (plan.steps, plan.batch) or items.shape != users.shape or adam != plan.adam:
        raise ValueError('the plan was made for other samples or another optimiser')
    if weight_users.shape != (n_users, n_lanes) or weight_items.shape != (n_items, n_lanes):
        raise ValueError(f'weights have shapes {weight_users.shape}, {weight_items.shape}')
    if not ((weight_users >= 0).all() and (weight_items >= 0).all()):
        raise ValueError('a weight is negative or nan')
    _check_params(shape, start, n_users, n_items, ())
    if not np.isin(labels, (0, 1)).all():
        raise ValueError('labels other than 0 and 1')
    if weights is not None:
        if np.shape(weights) != np.shape(labels):
            raise ValueError(f'weights have shape {np.shape(weights)}, labels {np.shape(labels)}')
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError('a weight is negative, infinite or nan')
        weights = np.pad(np.asarray(weights, dtype), ((0, 0), (0, -np.shape(weights)[1] % BLOCK)))
    labels = _filled(labels, 0).astype(np.uint8)
    if labels.shape != users.shape:
        raise ValueError(f'labels have shape {labels.shape}')
    width = simd.width(dtype)
    kernel, used = _train_kernel(shape, dtype, width, weights is not None)
    further = () if weights is None else (weights.ravel(),)
    n_rows, n_dense = n_users + n_items + 2, shape.offsets()['end']
    state, dense = (
        simd.aligned_zeros(n_rows * 3 * shape.row * width, dtype),
        simd.aligned_zeros(3 * n_dense * width, dtype),
    )
    grads, work = (
        simd.aligned_zeros(plan.n_slots * shape.row * width, dtype),
        simd.aligned_zeros(used * width, dtype),
    )
    rows, flat = state.reshape(n_rows, 3, shape.row, width), dense.reshape(3, n_dense, width)
    constants = np.array([1 - adam.beta1, adam.beta2, 1 - adam.beta2, adam.epsilon], dtype)
    powers = [p.astype(dtype) for p in _powers(adam, plan.steps)]
    start = {name: np.asarray(value, dtype)[..., None] for name, value in start.items()}
    out = {name: np.empty((*value.shape[:-1], n_lanes), dtype) for name, value in start.items()}
    for lanes in _groups(n_lanes, width):
        state[:], dense[:], grads[:] = 0, 0, 0
        _pack(shape, start, rows[:, 0], flat[0], n_users, n_items)
        kernel(
            users.ravel(),
            items.ravel(),
            labels.ravel(),
            n_users,
            plan.batch,
            plan.user_slots.ravel(),
            plan.item_slots.ravel(),
            plan.ends,
            plan.rows,
            plan.row_slots,
            plan.entries,
            plan.bases,
            *plan.table(dtype),
            *powers,
            constants,
            _vectors(weight_users[:, lanes], width, dtype),
            _vectors(weight_items[:, lanes], width, dtype),
            state,
            dense,
            grads,
            work,
            *further,
        )
        _unpack(shape, rows[:, 0], flat[0], n_users, out, lanes)
    return out


def rank(
    shape, params, seen_indptr, seen_items, test_users, test_items, keep_items, k, keep_users=None
):
    """Best items of every user, and predictions of the test pairs, for L models.

    params: as `train` returns them. seen_indptr (n_users + 1,), seen_items: each user's items that are no candidates.
    keep_items (n_items, L): candidates of each model. keep_users (n_users, L): users to rank for, default all.
    Returns top (L, n_users, k) int32, items by falling score, ties by rising index, -1 where there are no more candidates;
    pred (L, n_test) float64, probabilities.
    """
    embedding = params['user_gmf' if shape.gmf else 'user_mlp']
    n_users, n_lanes, dtype = len(embedding), embedding.shape[-1], embedding.dtype
    n_items = len(params['item_gmf' if shape.gmf else 'item_mlp'])
    _check_params(shape, params, n_users, n_items, (n_lanes,))
    keep_items = np.asarray(keep_items, bool)
    keep_users = (
        np.ones((n_users, n_lanes), bool) if keep_users is None else np.asarray(keep_users, bool)
    )
    if keep_items.shape != (n_items, n_lanes) or keep_users.shape != (n_users, n_lanes):
        raise ValueError(
            f'keep_items {keep_items.shape}, keep_users {keep_users.shape} have the wrong shape'
        )
    if (
        len(seen_indptr) != n_users + 1
        or seen_indptr[-1] != len(seen_items)
        or np.size(test_users) != np.size(test_items)
    ):
        raise ValueError('seen items or test pairs do not fit together')
    for what, index, n in (
        ('seen items', seen_items, n_items),
        ('test users', test_users, n_users),
        ('test items', test_items, n_items),
    ):
        _check_indices(what, index, n)
    width, group = simd.width(dtype), _tile()[0]
    kernel, used = _rank_kernel(shape, dtype, width)
    n_rows, n_dense = n_users + n_items + 2, shape.offsets()['end']
    projection = shape.layers[0] if shape.layers else 1
    # a group of users or items may reach beyond the last one
    state = simd.aligned_zeros((n_rows + group) * shape.row * width, dtype)
    projected = simd.aligned_zeros((n_items + group) * projection * width, dtype)
    dense, work = (
        simd.aligned_zeros(n_dense * width, dtype),
        simd.aligned_zeros(used * width, dtype),
    )
    rows, flat = state.reshape(-1, shape.row, width)[:n_rows], dense.reshape(n_dense, width)
    pairs = (
        _filled(np.reshape(test_users, (1, -1)), n_users)[0],
        _filled(np.reshape(test_items, (1, -1)), n_items)[0],
    )
    seen_indptr, seen_items = (
        np.ascontiguousarray(seen_indptr, np.int64),
        np.ascontiguousarray(seen_items, np.int32),
    )
    n_test = np.size(test_users)
    logits = simd.aligned_zeros(len(pairs[0]) * width, dtype)
    seen, best = np.zeros((group, n_items), np.uint8), np.empty((group, width * k), dtype)
    top, pred = np.empty((n_lanes, n_users, k), np.int32), np.empty((n_lanes, n_test))
    for lanes in _groups(n_lanes, width):
        n = lanes.stop - lanes.start
        _pack(
            shape,
            {name: _lane_slice(value, lanes, width) for name, value in params.items()},
            rows,
            flat,
            n_users,
            n_items,
        )
        masks = _vectors(np.where(keep_items[:, lanes], 0, -np.inf), width, dtype)
        bars = np.full((n_users + group, n), np.inf)  # a score must exceed its bar
        bars[:n_users][keep_users[:, lanes]] = -np.inf
        bars = _vectors(bars, width, dtype, np.inf)
        chosen = np.full((width, n_users, k), -1, np.int32)
        kernel(
            n_users,
            n_items,
            state,
            dense,
            seen_indptr,
            seen_items,
            masks,
            bars,
            *pairs,
            logits,
            chosen,
            k,
            projected,
            seen,
            best,
            work,
        )
        top[lanes] = chosen[:n]
        with np.errstate(over='ignore'):
            pred[lanes] = 1 / (
                1 + np.exp(-logits.reshape(-1, width)[:n_test, :n].T.astype(np.float64))
            )
    return top, pred


def _lane_slice(value, lanes, width):
    "value[..., lanes] with zeros in the missing lanes."
    missing = width - (lanes.stop - lanes.start)
    part = value[..., lanes]
    return np.pad(part, [(0, 0)] * (value.ndim - 1) + [(0, missing)]) if missing else part
