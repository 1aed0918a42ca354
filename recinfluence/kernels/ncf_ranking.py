"""Ranking with many NCF models at once: the source of the kernel, and the call.

The first layer is linear in user and item: both parts are computed once, then each pair needs only
their sum.
"""

from functools import lru_cache

import numpy as np

from . import simd
from .codegen import compiled
from .ncf_network import Network
from .ncf_plan import BLOCK, check_indices, fill_blocks
from .ncf_shape import check_params, lane_groups, pack, vectors
from .ncf_training import OPERATIONS
from .tiles import Part, register_tile

PARAMETERS = (
    'n_users, n_items, state, dense, indptr, seen_items, item_masks, bars, pair_users, '
    'pair_items, logits, top, k, projected, seen, best, work'
)

INSERT = """
@njit(nogil=True)
def insert(bits, scores, bar, best, top, user, item, k):
    "Put an item among the best k of the lanes whose bit is set; of equal scores the first stays."
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


# ---- the source


def source(shape, lanes, tile):
    "The ranking kernel, and the vectors its `work` holds; it calls INSERT's function."
    network = Network(shape, lanes, tile)
    write, group = network.write, network.group
    width = shape.layers[0] if network.depth else min(shape.mlp, 1)
    with write.block(f'def kernel({PARAMETERS}):'):
        used = network.buffers()
        for name, n in ('own', group * width), ('factors', group * shape.gmf):
            write(f'{name} = work[{used * lanes}:{(used + n) * lanes}]')
            used += n
        write(f'offsets = np.empty({2 * BLOCK}, np.int64)', 'zero = set1(0)')
        _pair_logits(network)
        if width:
            with write.block(f'for i0 in range(0, n_items, {group}):'):
                _project(network, shape.mlp, 'n_users + 1 + i0', 'projected', 'i0')
        with write.block(f'for u0 in range(0, n_users, {group}):'):
            if width:
                _project(network, 0, 'u0', 'own', '0')
            _begin_users(network)
            with write.block('for item in range(n_items):'):
                _scores(network, width)
                _insert(network)
    return write.text(), used


def _pair_logits(network):
    "The logits of the test pairs."
    write, lanes = network.write, network.lanes
    row = network.shape.row * lanes
    with write.block(f'for begin in range(0, len(pair_users), {BLOCK}):'):
        with write.loop('s', BLOCK):
            write(
                f'offsets[s] = pair_users[begin + s] * {row}',
                f'offsets[{BLOCK} + s] = (n_users + 1 + pair_items[begin + s]) * {row}',
            )
        network.forward()
        with write.loop('s', BLOCK):
            write(f'store(logits, (begin + s) * {lanes}, load(error, s * {lanes}))')


def _begin_users(network):
    "A group of users: their factors times the output's weights, and what they have seen."
    write, lanes, group = network.write, network.lanes, network.group
    shape = network.shape
    with write.loop('r', shape.gmf):
        write(
            f'y = load_at(dense, {network.where["out"] * lanes}, r)',
            f'a = u0 * {shape.row * lanes}',
        )
        for i in range(group):
            factor = f'mul(y, load_at(state, a, {i * shape.row} + r))'
            write(f'store_at(factors, {i * shape.gmf * lanes}, r, {factor})')
    write('seen[:] = 0', 'best[:] = -np.inf')
    with write.block(f'for i in range(min({group}, n_users - u0)):'):
        with write.block('for q in range(indptr[u0 + i], indptr[u0 + i + 1]):'):
            write('seen[i, seen_items[q]] = 1')


def _insert(network):
    "The item goes into the lists of the lanes where its score exceeds the bar."
    write, lanes = network.write, network.lanes
    write(f'mask = load(item_masks, item * {lanes})')
    for i in range(network.group):
        bar = f'(u0 + {i}) * {lanes}'
        write(f'c = add(c{i}_0, mask)', f'bits = greater(c, load(bars, {bar}))')
        with write.block(f'if bits and not seen[{i}, item]:'):
            lists = f'error[{i * lanes}:], bars[{bar}:], best[{i}]'
            write(
                f'store(error, {i * lanes}, c)',
                f'insert(bits, {lists}, top, u0 + {i}, item, k)',
            )


def _project(network, first, base, array, base_out):
    """The part of the first layer that a group of rows contributes, users' with the bias.

    Without layers: the part of the logit.
    """
    shape, lanes, group, write = network.shape, network.lanes, network.group, network.write
    if network.depth:
        n, part = shape.layers[0], network.first_part(first, 'p')
    else:
        n, part = 1, network.linear_part(first, 'p')
    bias = network.where['b0'] if network.depth and not first else None
    column = shape.gmf * lanes
    write(*(f'p{i} = ({base} + {i}) * {shape.row * lanes} + {column}' for i in range(group)))

    def start(i, j):
        if bias is None:
            return 'zero'
        return f'load_at(dense, {bias * lanes} + {network.vec("j0")}, {j})'

    for columns in write.tiles('j0', n, network.units):
        write.product(
            group,
            columns,
            [f'o = {network.vec(f"{base_out} * {n} + j0")}'],
            start,
            [part],
            lambda i, j: f'store_at({array}, o, {i * n + j}, c{i}_{j})',
        )


def _scores(network, width):
    "Logits of a group of users and one item, in c0_0, c1_0, ..."
    shape, lanes, write = network.shape, network.lanes, network.write
    parts = []
    write(f'o = {network.vec(f"item * {width}")}')
    if network.depth:
        _first_layer(network, width)
        write('s0 = 0')
        for layer in range(1, network.depth):
            network.hidden(layer)
        parts.append(network.last_part())
    if shape.gmf:
        write(f'v = (n_users + 1 + item) * {shape.row * lanes}')
        parts.append(
            Part(
                shape.gmf,
                lambda i: f'load_at(factors, {i * shape.gmf * lanes}, r)',
                lambda j: 'load_at(state, v, r)',
            )
        )
    linear = width and not network.depth

    def start(i, j):
        return f'add(load_at(own, 0, {i}), load(projected, o))' if linear else 'zero'

    write.product(network.group, 1, [], start, parts, lambda i, j: 'pass')


def _first_layer(network, width):
    "The first layer of a group of users and one item, from the two projections."
    write = network.write
    with write.loop('r', width):
        write('y = load_at(projected, o, r)')
        for i in range(network.group):
            at = f'{i * width * network.lanes}, r'
            write(f'store_at(h0, {at}, relu(add(y, load_at(own, {at}))))')


@lru_cache(maxsize=None)
def _kernel(shape, dtype, lanes, tile):
    text, used = source(shape, lanes, tile)
    what = f'NCF ranking, {shape}, {lanes} lanes of {dtype}'
    return compiled(text, dtype, lanes, OPERATIONS, what, INSERT), used


# ---- the call


def rank(shape, params, seen, pairs, keep_items, k, keep_users=None):
    """Best items of every user, and predictions of the test pairs, for L models.

    params: as `train` returns them. seen: (n_users + 1,) and items, as CSR: each user's items that
    are no candidates. pairs: users and items of the test pairs. keep_items (n_items, L): candidates
    of each model. keep_users (n_users, L): users to rank for, default all.
    Returns top (L, n_users, k) int32, items by falling score, ties by rising index, -1 where there
    are no more candidates; pred (L, n_test) float64, probabilities.
    """
    n_users = len(params['user_gmf' if shape.gmf else 'user_mlp'])
    embedding = params['item_gmf' if shape.gmf else 'item_mlp']
    n_items, n_lanes = len(embedding), embedding.shape[-1]
    check_params(shape, params, n_users, n_items, (n_lanes,))
    keep_items = np.asarray(keep_items, bool)
    keep_users = np.ones((n_users, n_lanes), bool) if keep_users is None else keep_users
    keep_users = np.asarray(keep_users, bool)
    if keep_items.shape != (n_items, n_lanes) or keep_users.shape != (n_users, n_lanes):
        raise ValueError(
            f'keep_items {keep_items.shape}, keep_users {keep_users.shape} have the wrong shape'
        )
    _check_seen_and_pairs(seen, pairs, n_users, n_items)
    run = _Ranking(shape, params, seen, pairs, k)
    top = np.empty((n_lanes, n_users, k), np.int32)
    pred = np.empty((n_lanes, np.size(pairs[0])))
    for lanes in lane_groups(n_lanes, run.width):
        top[lanes], pred[lanes] = run(lanes, keep_items[:, lanes], keep_users[:, lanes])
    return top, pred


def _check_seen_and_pairs(seen, pairs, n_users, n_items):
    "The kernel does not check bounds."
    (indptr, items), (test_users, test_items) = seen, pairs
    whole = len(indptr) == n_users + 1 and indptr[-1] == len(items)
    if not whole or np.size(test_users) != np.size(test_items):
        raise ValueError('seen items or test pairs do not fit together')
    check_indices('seen items', items, n_items)
    check_indices('test users', test_users, n_users)
    check_indices('test items', test_items, n_items)


class _Ranking:
    "The kernel with its memory: ranks with as many models as a vector has lanes, again and again."

    def __init__(self, shape, params, seen, pairs, k):
        self.shape, self.params, self.k = shape, params, k
        user, item, *_ = next(shape.embeddings())
        self.n_users, self.n_items = len(params[user]), len(params[item])
        self.n_test = np.size(pairs[0])
        self.dtype = params[user].dtype
        self.width, tile = simd.width(self.dtype), register_tile()
        self.group = tile[0]
        self.kernel, used = _kernel(shape, self.dtype, self.width, tile)
        self.seen_indptr = np.ascontiguousarray(seen[0], np.int64)
        self.seen_items = np.ascontiguousarray(seen[1], np.int32)
        self.pairs = [
            fill_blocks(np.reshape(index, (1, -1)), n)[0]
            for index, n in zip(pairs, (self.n_users, self.n_items))
        ]
        self._reserve(used)

    def _reserve(self, used):
        "Memory for the models, for a group of users, and for what the kernel gives."
        shape, group, width, dtype = self.shape, self.group, self.width, self.dtype
        n_rows, n_dense = self.n_users + self.n_items + 2, shape.offsets()['end']
        projection = shape.layers[0] if shape.layers else 1
        # a group of users or items may reach beyond the last one
        self.state = simd.aligned_zeros((n_rows + group) * shape.row * width, dtype)
        self.projected = simd.aligned_zeros((self.n_items + group) * projection * width, dtype)
        self.dense = simd.aligned_zeros(n_dense * width, dtype)
        self.work = simd.aligned_zeros(used * width, dtype)
        self.rows = self.state.reshape(-1, shape.row, width)[:n_rows]
        self.flat = self.dense.reshape(n_dense, width)
        self.logits = simd.aligned_zeros(len(self.pairs[0]) * width, dtype)
        self.seen = np.zeros((group, self.n_items), np.uint8)
        self.best = np.empty((group, width * self.k), dtype)

    def __call__(self, lanes, keep_items, keep_users):
        "Lists and predictions of the models in this slice of lanes."
        n, width = lanes.stop - lanes.start, self.width
        params = {name: _lane_slice(value, lanes, width) for name, value in self.params.items()}
        pack(self.shape, params, self.rows, self.flat, self.n_users)
        masks = vectors(np.where(keep_items, 0, -np.inf), width, self.dtype)
        bars = np.full((self.n_users + self.group, n), np.inf)  # a score must exceed its bar
        bars[: self.n_users][keep_users] = -np.inf
        chosen = np.full((width, self.n_users, self.k), -1, np.int32)
        self.kernel(
            self.n_users,
            self.n_items,
            self.state,
            self.dense,
            self.seen_indptr,
            self.seen_items,
            masks,
            vectors(bars, width, self.dtype, np.inf),
            *self.pairs,
            self.logits,
            chosen,
            self.k,
            self.projected,
            self.seen,
            self.best,
            self.work,
        )
        logits = self.logits.reshape(-1, width)[: self.n_test, :n].T.astype(np.float64)
        with np.errstate(over='ignore'):
            return chosen[:n], 1 / (1 + np.exp(-logits))


def _lane_slice(value, lanes, width):
    "value[..., lanes] with zeros in the missing lanes."
    missing = width - (lanes.stop - lanes.start)
    part = value[..., lanes]
    return np.pad(part, [(0, 0)] * (value.ndim - 1) + [(0, missing)]) if missing else part
