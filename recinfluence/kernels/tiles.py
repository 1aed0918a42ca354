"""Source of matrix products on register tiles."""

from collections.abc import Callable
from dataclasses import dataclass

from . import simd
from .codegen import Writer


def register_tile():
    "Samples x units of a register tile: its sums and operands must fit the registers."
    return (4, 4) if simd.n_registers() >= 32 else (2, 4)


@dataclass(frozen=True)
class Part:
    "A share in a product: the sum of left(i) * right(j) over r in range(size)."

    size: int
    left: Callable  # from a row of the tile to the source of its factor
    right: Callable  # from a column
    lines: tuple = ()  # what comes first for each r


class TileWriter(Writer):
    "Adds tiles and the products of what they cut."

    def tiles(self, variable, n, size):
        """Cut range(n) into tiles of about `size`.

        The body is written once for the full tiles and once for what remains, if any.
        """
        near = (size, size + 1, size - 1)
        size = next((c for c in near if c >= min(size, 3) and n % c == 0), size)
        full = n // size * size
        if full:
            with self.block(f'for {variable} in range(0, {full}, {size}):'):
                yield size
        if n > full:
            self(f'{variable} = {full}')
            yield n - full

    def product(self, rows, columns, before, start, parts, finish):
        """c[i][j] = start(i, j) + the sum of the parts, then finish(i, j).

        The lines `before` come before all.
        """
        self(*before, *(f'c{i}_{j} = {start(i, j)}' for i in range(rows) for j in range(columns)))
        for part in parts:
            with self.loop('r', part.size):
                self(*part.lines, *(f'x{i} = {part.left(i)}' for i in range(rows)))
                for j in range(columns):
                    self(f'y = {part.right(j)}')
                    self(*(f'c{i}_{j} = fma(x{i}, y, c{i}_{j})' for i in range(rows)))
        self(*(finish(i, j) for i in range(rows) for j in range(columns)))
