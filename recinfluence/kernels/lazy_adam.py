"""Dense Adam, lazily: several steps without samples are applied to a row at once.

A row without samples has gradient zero, yet its values go on moving. The next batch with a sample
of the row is known beforehand, so the update of step t and of the k steps up to that batch is
applied at once. With moments m, sigma = sqrt(v) after step t it is
m * sum_s a_s / (sigma b_s + eps), where

    a_s = lr beta1^s / (1 - beta1^(t+s)),   b_s = sqrt(beta2^s / (1 - beta2^(t+s))),   s = 0..k.

With z = sigma b_0 / (sigma b_0 + eps), between 0 and 1, and d_s = b_s / b_0 - 1 the sum is

    sum_s a_s / (1 + z d_s) / (sigma b_0 + eps) = (A + z D + z^2 h(z)) / (sigma b_0 + eps),
    A = sum_s a_s,   D = - sum_s a_s d_s,   h(z) = sum_s a_s d_s^2 / (1 + z d_s).

These depend on (t, k) alone and are tabulated, h as the polynomial through Chebyshev nodes. Its
error is known exactly; where it exceeds a tolerance, which is in the first few hundred steps, the
kernel adds up the k + 1 terms instead.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .jit import jit

NEGLIGIBLE = 1e-17  # zero-gradient steps whose share of an update is below this are left out
# of the polynomial for h(z): number of nodes, tolerated error of an update relative to the update
POLYNOMIAL = {np.dtype(np.float32): (2, 2e-8), np.dtype(np.float64): (5, 1e-14)}
HEADER = 3  # table columns before the polynomial: b_0, beta1^k, beta2^k


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


class Powers(NamedTuple):
    "Powers of the decay rates and corrections of the bias, for each number of steps."

    first: np.ndarray  # beta1^s, s = 0..steps
    second: np.ndarray  # beta2^(s/2)
    correct1: np.ndarray  # lr / (1 - beta1^t), t = 0..steps (t = 0 unused)
    correct2: np.ndarray  # 1 / sqrt(1 - beta2^t)


class Interpolation(NamedTuple):
    "How h(z) is made a polynomial."

    nodes: np.ndarray  # Chebyshev nodes between 0 and 1
    to_powers: np.ndarray  # from values at the nodes to coefficients
    tolerance: float  # error of an update relative to the update
    last_term: int  # terms s beyond this are negligible


def adam_powers(adam, steps):
    "The `Powers` of an optimiser, for that many steps."
    s = np.arange(steps + 1.0)
    first, second = np.power(adam.beta1, s), np.power(adam.beta2, s / 2)
    with np.errstate(divide='ignore'):
        correct1 = adam.learning_rate / (1 - first)
        correct2 = 1 / np.sqrt(-np.expm1(s * np.log(adam.beta2)))
    return Powers(first, second, correct1, correct2)


def n_coefficients(dtype):
    "Length of the polynomial A + z D + z^2 h(z)."
    return 2 + POLYNOMIAL[np.dtype(dtype)][0]


def tabulate(adam, steps, bases, gaps, dtype):
    """Coefficients (entries, HEADER + polynomial); (entries,) terms to add up one by one, else -1.

    The entries of step t are bases[t] to bases[t + 1]; gaps are their k.
    """
    n_nodes, tolerance = POLYNOMIAL[dtype]
    nodes = 0.5 + 0.5 * np.cos(np.pi * (np.arange(n_nodes) + 0.5) / n_nodes)
    to_powers = np.linalg.inv(np.vander(nodes, increasing=True))
    last_term = _last_term(adam, steps)
    table = np.empty((len(gaps), HEADER + n_coefficients(dtype)), dtype)
    replay = np.empty(len(gaps), np.int32)
    how = Interpolation(nodes, to_powers, tolerance, last_term)
    _fill_table(bases, gaps, adam_powers(adam, steps), how, table, replay)
    return table, replay


def _last_term(adam, steps):
    "The last s whose a_s / b_s is not negligible."
    ratio = adam.beta1 / np.sqrt(adam.beta2)
    if ratio >= 1:
        return steps
    return min(steps, int(np.log(NEGLIGIBLE) / np.log(ratio)) + 1) if ratio > 0 else 0


@jit
def _fill_table(bases, gaps, powers, how, table, replay):
    "Entries step by step: the sums of a step serve all of its gaps."
    # A, D, error, h at the nodes: up to and with term s
    sums = np.empty((how.last_term + 1, 3 + len(how.nodes)))
    for t in range(len(bases) - 1):
        longest = 0
        for entry in range(bases[t], bases[t + 1]):
            longest = max(longest, gaps[entry])
        _add_terms(t, min(longest, how.last_term), powers, how, sums)
        _write_entries(t, bases, gaps, powers, how, sums, table, replay)


@jit
def _add_terms(t, last, powers, how, sums):
    "sums[s]: A, D, the error and h at the nodes after the terms 0..s of step t, s = 0..last."
    n_nodes = len(how.nodes)
    running = np.zeros(3 + n_nodes)
    b0 = powers.correct2[t + 1]
    for s in range(last + 1):
        a = powers.first[s] * powers.correct1[t + 1 + s]
        d = powers.second[s] * powers.correct2[t + 1 + s] / b0 - 1
        running[0] += a
        running[1] -= a * d
        if d < 0:
            for j in range(n_nodes):
                running[3 + j] += a * d * d / (1 + how.nodes[j] * d)
            running[2] += a * d * d / ((1 + d) * _chebyshev(d, n_nodes)) if d > -1 else np.inf
        sums[s] = running


@jit
def _chebyshev(d, n_nodes):
    """The Chebyshev polynomial T of degree n_nodes at -2/d - 1.

    Interpolating 1 / (1 + z d) at Chebyshev nodes errs by a factor T(2z - 1) / T(-2/d - 1).
    """
    x, previous, value = -2 / d - 1, 1.0, -2 / d - 1
    for _ in range(n_nodes - 1):
        previous, value = value, 2 * x * value - previous
    return value


@jit
def _write_entries(t, bases, gaps, powers, how, sums, table, replay):
    "The polynomial is stored with its sign turned, so that it is added to the value."
    n_nodes = len(how.nodes)
    for entry in range(bases[t], bases[t + 1]):
        gap = gaps[entry]
        last = min(gap, how.last_term)
        total = sums[last]
        replay[entry] = last if total[2] > how.tolerance * total[0] else -1
        table[entry, 0] = powers.correct2[t + 1]
        table[entry, 1] = powers.first[gap]
        table[entry, 2] = powers.second[gap] ** 2
        table[entry, HEADER], table[entry, HEADER + 1] = -total[0], -total[1]
        for i in range(n_nodes):
            c = 0.0
            for j in range(n_nodes):
                c -= how.to_powers[i, j] * total[3 + j]
            table[entry, HEADER + 2 + i] = c
