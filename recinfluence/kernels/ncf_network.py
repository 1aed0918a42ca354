"""Source of the network's forward pass: matrix products on register tiles.

Names in the source: s counts the samples of a block; `offsets[s]`, `offsets[BLOCK + s]` are where
their users' and items' rows begin in `state`, `offsets[2 BLOCK + s]`, `offsets[3 BLOCK + s]` where
their gradients do in `grads`. Other arrays: `dense` (dense parameters), `sums` (their gradients),
and for each sample `h0`, `h1`, ... (activations), `z0`, `z1`, ... (gradients before the ReLU),
`error` (logit, then its gradient).
"""

from .ncf_plan import BLOCK
from .tiles import Part, TileWriter


class Network:
    "Writes the forward pass of one block."

    def __init__(self, shape, lanes, tile):
        self.shape, self.lanes = shape, lanes
        self.group, self.units = tile
        self.write = TileWriter()
        self.where = shape.offsets()
        self.depth = len(shape.layers)
        self.out = self.where['out'] + shape.gmf  # weights of the perceptron's output
        # users and items: first input of the perceptron, place in `offsets`
        self.sides = (0, 0), (shape.mlp, BLOCK)

    # ---- where things are

    def vec(self, index):
        "The position of the vector at that index."
        return f'({index}) * {self.lanes}'

    def param(self, name, index):
        "The position of a dense parameter."
        return self.vec(f'{self.where[name]} + {index}')

    def groups(self):
        "A loop over the groups of a block's samples."
        return self.write.block(f'for s0 in range(0, {BLOCK}, {self.group}):')

    def starts(self, name, side, column):
        "Lines that set name0, name1, ... to where a column of the group's rows starts."
        column = self.vec(column)
        return [f'{name}{i} = offsets[{side + i} + s0] + {column}' for i in range(self.group)]

    def buffers(self, first=0):
        "Slices of `work` for a block's results, from vector `first` on; the vectors used in all."
        sizes = [('error', 1)]
        for layer, n in enumerate(self.shape.layers):
            sizes += [(f'h{layer}', n), (f'z{layer}', n)]
        for name, n in sizes:
            begin, end = first * self.lanes, (first + BLOCK * n) * self.lanes
            self.write(f'{name} = work[{begin}:{end}]')
            first += BLOCK * n
        return first

    # ---- the shares of a layer

    def first_part(self, first, name):
        "A side's share in the first layer, its embeddings being at name0, name1, ..."
        weights = self.param('W0', f'({first} + r) * {self.shape.layers[0]} + j0')
        return Part(
            self.shape.mlp,
            lambda i: f'load_at(state, {name}{i}, r)',
            lambda j: f'load_at(dense, b, {j})',
            (f'b = {weights}',),
        )

    def last_part(self):
        "The last layer's share in the logit."
        n, last = self.shape.layers[-1], self.depth - 1
        return Part(
            n,
            lambda i: f'load_at(h{last}, a, {i * n})',
            lambda j: f'load_at(dense, {self.out * self.lanes}, r)',
            (f'a = {self.vec(f"s0 * {n} + r")}',),
        )

    def linear_part(self, first, name):
        "Without layers: a side's share in the logit."
        return Part(
            self.shape.mlp,
            lambda i: f'load_at(state, {name}{i}, r)',
            lambda j: f'load_at(dense, {(self.out + first) * self.lanes}, r)',
        )

    def product_part(self):
        "Share of the products of embeddings in the logit."
        return Part(
            self.shape.gmf,
            lambda i: f'mul(load_at(state, u{i}, r), load_at(state, v{i}, r))',
            lambda j: f'load_at(dense, {self.where["out"] * self.lanes}, r)',
        )

    # ---- the layers

    def relu_layer(self, layer, parts):
        "h = relu(b + the parts) for a group of samples; row r of W, from unit j0 on, is at `b`."
        n = self.shape.layers[layer]
        for columns in self.write.tiles('j0', n, self.units):
            self.write.product(
                self.group,
                columns,
                [f'o = {self.param(f"b{layer}", "j0")}', f'o_h = {self.vec(f"s0 * {n} + j0")}'],
                lambda i, j: f'load_at(dense, o, {j})',
                parts,
                lambda i, j: f'store_at(h{layer}, o_h, {i * n + j}, relu(c{i}_{j}))',
            )

    def hidden(self, layer):
        "A layer from the one before."
        n_in, n = self.shape.widths[layer], self.shape.layers[layer]
        part = Part(
            n_in,
            lambda i: f'load_at(h{layer - 1}, a, {i * n_in})',
            lambda j: f'load_at(dense, b, {j})',
            (
                f'a = {self.vec(f"s0 * {n_in} + r")}',
                f'b = {self.param(f"W{layer}", f"r * {n} + j0")}',
            ),
        )
        self.relu_layer(layer, [part])

    def forward(self):
        "Logits of the block into `error`."
        shape = self.shape
        with self.groups():
            self.write(
                *self.starts('p', 0, shape.gmf),
                *self.starts('q', BLOCK, shape.gmf),
                *self.starts('u', 0, 0),
                *self.starts('v', BLOCK, 0),
            )
            if self.depth:
                self.relu_layer(0, [self.first_part(0, 'p'), self.first_part(shape.mlp, 'q')])
            for layer in range(1, self.depth):
                self.hidden(layer)
            self.write.product(
                self.group,
                1,
                [f'o = {self.vec("s0")}'],
                lambda i, j: 'zero',
                self.logit_parts(),
                lambda i, j: f'store_at(error, o, {i}, c{i}_{j})',
            )

    def logit_parts(self):
        "What the logit is the sum of."
        parts = []
        if self.depth:
            parts.append(self.last_part())
        elif self.shape.mlp:
            parts += [self.linear_part(0, 'p'), self.linear_part(self.shape.mlp, 'q')]
        if self.shape.gmf:
            parts.append(self.product_part())
        return parts
