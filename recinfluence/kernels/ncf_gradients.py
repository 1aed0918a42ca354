"""Source of the network's backward pass: from the logits' gradients to those of all parameters.

The names in the source are those of `ncf_network`.
"""

from contextlib import contextmanager

from .ncf_plan import BLOCK
from .tiles import Part


class Gradients:
    "Writes the backward pass of one block of a network."

    def __init__(self, network):
        self.network, self.write = network, network.write
        self.shape, self.lanes = network.shape, network.lanes

    def backward(self):
        "From the logits' gradients in `error` to `sums` and `grads`."
        shape, depth = self.shape, self.network.depth
        if shape.gmf:
            self.embedding_products()
        if depth:
            self.output_weights()
        elif shape.mlp:
            self.linear()
        for layer in range(depth - 1, -1, -1):
            self.biases(layer)
            if layer:
                n = shape.widths[layer]
                place = self.network.vec(f'r * {n} + k0')
                self.weights(layer, 0, n, (f'h{layer - 1}', place))
                self.hidden(layer)
            else:
                for first, side in self.network.sides:
                    place = f'offsets[{side} + r] + {self.network.vec(f"{shape.gmf} + k0")}'
                    self.weights(0, first, shape.mlp, ('state', place))
                    self.rows(first, side)

    # ---- the output

    @contextmanager
    def output(self, n, first):
        "Loop over n weights from `first` on: y the weight, g its gradient to add to."
        place = first * self.lanes
        with self.write.loop('r', n):
            self.write(f'y = load_at(dense, {place}, r)', f'g = load_at(sums, {place}, r)')
            with self.write.loop('s', BLOCK):
                self.write('e = load_at(error, 0, s)')
                yield
            self.write(f'store_at(sums, {place}, r, g)')

    def embedding_products(self):
        "The products of embeddings enter the logit."
        with self.output(self.shape.gmf, self.network.where['out']):
            self.write(
                'p = load_at(state, offsets[s], r)',
                f'q = load_at(state, offsets[{BLOCK} + s], r)',
                'g = fma(e, mul(p, q), g)',
                'd = mul(e, y)',
                f'add_at(grads, offsets[{2 * BLOCK} + s], r, mul(d, q))',
                f'add_at(grads, offsets[{3 * BLOCK} + s], r, mul(d, p))',
            )

    def output_weights(self):
        "The last layer enters the logit."
        last, n = self.network.depth - 1, self.shape.layers[-1]
        with self.output(n, self.network.out):
            self.write(
                f'o = {self.network.vec(f"s * {n} + r")}',
                f'h = load(h{last}, o)',
                'g = fma(e, h, g)',
                f'store(z{last}, o, relu_gradient(h, mul(e, y)))',
            )

    def linear(self):
        "No dense layers: the embeddings themselves enter the logit."
        column = self.shape.gmf * self.lanes
        for first, side in self.network.sides:
            with self.output(self.shape.mlp, self.network.out + first):
                row, slot = f'offsets[{side} + s]', f'offsets[{2 * BLOCK + side} + s]'
                self.write(
                    f'g = fma(e, load_at(state, {row} + {column}, r), g)',
                    f'add_at(grads, {slot} + {column}, r, mul(e, y))',
                )

    # ---- a dense layer

    def biases(self, layer):
        "Gradient of a layer's biases."
        n, at = self.shape.layers[layer], self.network.where[f'b{layer}'] * self.lanes
        with self.write.loop('r', n):
            self.write(f'g = load_at(sums, {at}, r)')
            with self.write.loop('s', BLOCK):
                self.write(f'g = add(g, load_at(z{layer}, {self.network.vec("r")}, s * {n}))')
            self.write(f'store_at(sums, {at}, r, g)')

    def weights(self, layer, first, n, inputs):
        "Gradient of rows first..first+n of W; `inputs`: an array, where sample r's inputs are."
        n_out, network = self.shape.layers[layer], self.network
        array, place = inputs
        part = Part(
            BLOCK,
            lambda i: f'load_at({array}, a, {i})',
            lambda j: f'load_at(z{layer}, b, {j})',
            (f'a = {place}', f'b = {network.vec(f"r * {n_out} + j0")}'),
        )
        weights = network.param(f'W{layer}', f'({first} + k0) * {n_out} + j0')
        for rows in self.write.tiles('k0', n, network.group):
            for columns in self.write.tiles('j0', n_out, network.units):
                self.write.product(
                    rows,
                    columns,
                    [f'o = {weights}'],
                    lambda i, j: f'load_at(sums, o, {i * n_out + j})',
                    [part],
                    lambda i, j: f'store_at(sums, o, {i * n_out + j}, c{i}_{j})',
                )

    def inputs(self, layer, first, columns, before, finish):
        """Gradient of `columns` inputs of a layer, from first + k0 on.

        It is handed to finish(sample in group, input in tile).
        """
        n_out, network = self.shape.layers[layer], self.network
        weights = network.param(f'W{layer}', f'({first} + k0) * {n_out} + r')
        part = Part(
            n_out,
            lambda i: f'load_at(z{layer}, a, {i * n_out})',
            lambda j: f'load_at(dense, b, {j * n_out})',
            (f'a = {network.vec(f"s0 * {n_out} + r")}', f'b = {weights}'),
        )
        self.write.product(network.group, columns, before, lambda i, j: 'zero', [part], finish)

    def hidden(self, layer):
        "Gradient of the layer before, through its ReLU."
        n, below = self.shape.widths[layer], layer - 1

        def finish(i, j):
            at = f'o, {i * n + j}'
            return f'store_at(z{below}, {at}, relu_gradient(load_at(h{below}, {at}), c{i}_{j}))'

        with self.network.groups():
            for columns in self.write.tiles('k0', n, self.network.units):
                before = [f'o = {self.network.vec(f"s0 * {n} + k0")}']
                self.inputs(layer, 0, columns, before, finish)

    def rows(self, first, side):
        "Gradient of one side's embeddings."
        with self.network.groups():
            for columns in self.write.tiles('k0', self.shape.mlp, self.network.units):
                before = self.network.starts('u', 2 * BLOCK + side, f'{self.shape.gmf} + k0')
                self.inputs(
                    0, first, columns, before, lambda i, j: f'add_at(grads, u{i}, {j}, c{i}_{j})'
                )
