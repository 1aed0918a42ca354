"""The architecture of an NCF model, and where its numbers lie in the arrays of the kernels.

A row (a user or an item) is its GMF and MLP embedding, one after the other. Users come first, then
items; each kind ends in one row of zeros, to which padding samples point. The dense parameters are
W0, b0, W1, b1, ..., out, flat. Every number is a vector: one value for each lane.
"""

from dataclasses import dataclass

import numpy as np

from . import simd


@dataclass(frozen=True)
class Shape:
    "Architecture: widths of the embeddings (0: no such branch) and of the dense ReLU layers."

    gmf: int
    mlp: int
    layers: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, 'layers', tuple(int(n) for n in self.layers))
        negative = min((self.gmf, self.mlp, *self.layers)) < 0
        if negative or 0 in self.layers or self.gmf + self.mlp == 0:
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
        widths = self.widths
        for layer in range(len(self.layers)):
            yield f'W{layer}', (widths[layer], widths[layer + 1])
            yield f'b{layer}', (widths[layer + 1],)
        yield 'out', (self.gmf + widths[-1],)

    def offsets(self):
        "Position of each dense parameter among the flat ones; their number under the key 'end'."
        at, where = 0, {}
        for name, shape in self.dense():
            where[name] = at
            at += int(np.prod(shape))
        where['end'] = at
        return where

    def embeddings(self):
        "Keys of the embeddings, first column and width: (users', items', column, width)."
        if self.gmf:
            yield 'user_gmf', 'item_gmf', 0, self.gmf
        if self.mlp:
            yield 'user_mlp', 'item_mlp', self.gmf, self.mlp


def check_params(shape, params, n_users, n_items, trailing):
    "Refuse parameters of other names or shapes; `trailing` are the axes behind, for lanes."
    expected = {name: size for name, size in shape.dense()}
    for user, item, _, width in shape.embeddings():
        expected[user], expected[item] = (n_users, width), (n_items, width)
    found = {name: np.shape(value) for name, value in params.items()}
    expected = {name: (*size, *trailing) for name, size in expected.items()}
    if found != expected:
        raise ValueError(f'parameters have shapes {found}, expected {expected}')


def pack(shape, params, rows, dense, n_users):
    "Copy parameters (..., 1 or lanes) into rows (rows, row, lanes) and dense (dense, lanes)."
    for user, item, column, width in shape.embeddings():
        rows[:n_users, column : column + width] = params[user]
        rows[n_users + 1 : -1, column : column + width] = params[item]
    at = shape.offsets()
    for name, size in shape.dense():
        flat = params[name].reshape(-1, params[name].shape[-1])
        dense[at[name] : at[name] + int(np.prod(size))] = flat


def unpack(shape, rows, dense, n_users, out, lanes):
    "Copy the first lanes of rows and dense into the arrays of `out`, at the slice `lanes`."
    n = lanes.stop - lanes.start
    for user, item, column, width in shape.embeddings():
        out[user][..., lanes] = rows[:n_users, column : column + width, :n]
        out[item][..., lanes] = rows[n_users + 1 : -1, column : column + width, :n]
    at = shape.offsets()
    for name, size in shape.dense():
        flat = dense[at[name] : at[name] + int(np.prod(size)), :n]
        out[name][..., lanes] = flat.reshape(*size, n)


def lane_groups(n_lanes, width):
    "Slices that cut the lanes into groups of the vector's width."
    return [slice(a, min(a + width, n_lanes)) for a in range(0, n_lanes, width)]


def vectors(table, width, dtype, fill=0):
    "Flat aligned copy of a table (rows, lanes); `fill` in missing lanes and one more row."
    out = simd.aligned_zeros((len(table) + 1) * width, dtype)
    out[:] = fill
    out.reshape(-1, width)[:-1, : table.shape[1]] = table
    return out
