"""Biased matrix factorization by stochastic gradient descent, as scikit-surprise's SVD trains it.

The same updates in the same order, many times faster. For each rating in turn, with
e = r - (mu + b_u + b_i + q_i . p_u) and p_u as it was before its update:

    b_u += lr_bu (e - reg_bu b_u)      p_u += lr_pu (e q_i - reg_pu p_u)
    b_i += lr_bi (e - reg_bi b_i)      q_i += lr_qi (e p_u - reg_qi q_i)

One rating depends on the one before, so models are trained one at a time and the speed comes from
within: the pass that updates the factors also takes the dot product of the user's new ones with
those of the item rated next, in four sums side by side, so that a rating is one pass, whose end is
the next one's error. As many of the user's factors as fit stay in vector registers, the rest is in
the nearest cache. At a user's first rating the dot product is taken by itself; the one that runs
ahead into the next user is not used. Factors are padded with zeros to whole vectors; zeros stay
zeros. Where ratings have weights, each step is scaled by its rating's.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from . import simd
from .codegen import Writer, compiled


@dataclass(frozen=True)
class SGD:
    "Settings of the training, under scikit-surprise's names."

    n_epochs: int = 20
    biased: bool = True
    lr_bu: float = 0.005
    lr_bi: float = 0.005
    lr_pu: float = 0.005
    lr_qi: float = 0.005
    reg_bu: float = 0.02
    reg_bi: float = 0.02
    reg_pu: float = 0.02
    reg_qi: float = 0.02
    dtype: type = np.float64  # precision of factors and biases

    def rates(self):
        "Learning rates and regularisation as the kernel takes them, in the precision asked for."
        # biases start at 0 and stay there without learning
        lr_bu, lr_bi = (self.lr_bu, self.lr_bi) if self.biased else (0.0, 0.0)
        learning = lr_bu, lr_bi, self.lr_pu, self.lr_qi
        regularisation = self.reg_bu, self.reg_bi, self.reg_pu, self.reg_qi
        return tuple(np.dtype(self.dtype).type(x) for x in (*learning, *regularisation))


class Trained(NamedTuple):
    "Factors and biases after training."

    pu: np.ndarray  # (users, factors)
    qi: np.ndarray  # (items, factors)
    bu: np.ndarray  # (users,)
    bi: np.ndarray  # (items,)


SUMS = 4  # partial sums of the dot product
OPERATIONS = ('load', 'store', 'set1', 'add', 'mul', 'fma', 'hsum')
RATES = ('lr_bu', 'lr_bi', 'lr_pu', 'lr_qi')
KEEP = 'keep_p, keep_q = set1(1 - lr_pu * reg_pu), set1(1 - lr_qi * reg_qi)'


# ---- the source


@dataclass(frozen=True)
class _Factors:
    "How the factors of a user and an item are written in the source."

    n_vectors: int
    lanes: int
    held: int  # the user's vectors that stay in registers

    @property
    def width(self):
        return self.n_vectors * self.lanes

    def at(self, base, x):
        return f'{base} + {x * self.lanes}'

    def user(self, x):
        return f'p{x}' if x < self.held else f'load(P, {self.at("pa", x)})'

    def dot(self, x, p, item):
        "Vector x of the dot product, added to one of the sums."
        q = f'load(Q, {self.at(item, x)})'
        total = f'mul({p}, {q})' if x < SUMS else f'fma({p}, {q}, s{x % SUMS})'
        return f's{x % SUMS} = {total}'

    def keep_dot(self):
        "The sums are added up in pairs."
        total = [f's{x}' for x in range(min(SUMS, self.n_vectors))]
        while len(total) > 1:
            odd = total[len(total) // 2 * 2 :]
            total = [f'add({a}, {b})' for a, b in zip(total[::2], total[1::2])] + odd
        # a store: without one the compiler moves the sums out of the pass, and spills all of p
        # and q for them
        return f'product[0] = hsum({total[0]})'


def source(n_vectors, lanes, weighted, logged, registers):
    "The kernel for that many vectors of factors; `weighted`, `logged`: one argument more each."
    # beside the sums, step_p, step_q, keep_p, keep_q, q and p
    factors = _Factors(n_vectors, lanes, min(n_vectors, registers - SUMS - 6))
    write = Writer()
    parameters = 'users, items, ratings, P, Q, bu, bi, mu, settings, n_epochs'
    more = ', weights' * weighted + ', errors' * logged
    with write.block(f'def kernel({parameters}{more}):'):
        rates = ', '.join(RATES)
        write(f'{rates}, reg_bu, reg_bi, reg_pu, reg_qi = settings')
        if weighted:
            write(f'{", ".join("all_" + r for r in RATES)} = {rates}')
        else:
            write(KEEP)
        write('last = len(users) - 1', 'product = np.empty(1, P.dtype)')
        with write.block('for epoch in range(n_epochs):'):
            write('n = 0')
            with write.block('while n <= last:'):
                _begin_user(write, factors)
                with write.block('while n <= last and users[n] == u:'):
                    _biases(write, factors, weighted, logged)
                    _update_factors(write, factors)
                    write('n += 1', factors.keep_dot())
                for x in range(factors.held):
                    write(f'store(P, {factors.at("pa", x)}, p{x})')
                write('bu[u] = b_u')
    return write.text()


def _begin_user(write, factors):
    "A user's factors come into registers; the dot product with the first item's."
    write(
        'u = users[n]',
        f'pa = np.int64(u) * {factors.width}',
        f'qa = np.int64(items[n]) * {factors.width}',
        'b_u = bu[u]',
        *(f'p{x} = load(P, {factors.at("pa", x)})' for x in range(factors.held)),
        *(factors.dot(x, factors.user(x), 'qa') for x in range(factors.n_vectors)),
        factors.keep_dot(),
    )


def _biases(write, factors, weighted, logged):
    "A rating's error, the biases after it and the lengths of the steps."
    write(
        'i = items[n]',
        f'qa = np.int64(i) * {factors.width}',
        f'ahead = np.int64(items[min(n + 1, last)]) * {factors.width}',
        'e = ratings[n] - (mu + b_u + bi[i] + product[0])',
    )
    if logged:
        write('errors[epoch, n] = e')
    if weighted:
        write(*(f'{rate} = weights[n] * all_{rate}' for rate in RATES), KEEP)
    write(
        'b_u += lr_bu * (e - reg_bu * b_u)',
        'bi[i] += lr_bi * (e - reg_bi * bi[i])',
        'step_p, step_q = set1(lr_pu * e), set1(lr_qi * e)',
    )


def _update_factors(write, factors):
    "The pass over the factors, with the dot product for the rating that comes next."
    for x in range(factors.n_vectors):
        item, user = factors.at('qa', x), factors.at('pa', x)
        write(
            f'q, p = load(Q, {item}), {factors.user(x)}',
            f'store(Q, {item}, fma(step_q, p, mul(q, keep_q)))',
            'p = fma(step_p, q, mul(p, keep_p))',
            f'p{x} = p' if x < factors.held else f'store(P, {user}, p)',
            factors.dot(x, 'p', 'ahead'),  # after the store: the next item may be this one
        )


@lru_cache(maxsize=None)
def _kernel(n_vectors, dtype, lanes, weighted, logged, registers):
    what = f'SVD training, {n_vectors} vectors of {lanes} {dtype}'
    text = source(n_vectors, lanes, weighted, logged, registers)
    return compiled(text, dtype, lanes, OPERATIONS, what)


# ---- the call


def train(users, items, ratings, pu, qi, mu, settings, weights=None):
    """`Trained` factors and biases.

    users, items (n,) int32 and ratings (n,): in the order in which scikit-surprise visits them.
    pu, qi: initial factors. mu: the mean rating, 0 when not biased. settings: `SGD`.
    weights (n,): factors of the ratings' steps.
    """
    return _run((users, items, ratings), (pu, qi), mu, settings, weights)


def train_logged(visits, start, mu, settings, weights):
    """The same, and the error of each visit before its step, (n_epochs, n).

    visits: users, items, ratings. start: initial factors pu, qi. The rest is as in `train`.
    """
    errors = np.zeros((settings.n_epochs, len(visits[0])), settings.dtype)
    return _run(visits, start, mu, settings, weights, errors), errors


def _run(visits, start, mu, settings, weights, errors=None):
    dtype = np.dtype(settings.dtype)
    users, items = (np.ascontiguousarray(codes, np.int32) for codes in visits[:2])
    ratings, (pu, qi) = visits[2], start
    check_codes(users, items, pu, qi)
    weights = () if weights is None else (np.ascontiguousarray(weights, dtype),)
    lengths = {len(users), len(items), len(ratings), *(len(w) for w in weights)}
    if len(lengths) > 1 or pu.shape[1] != qi.shape[1]:
        raise ValueError('users, items, ratings or factors do not fit together')
    lanes, n_factors = simd.width(dtype), pu.shape[1]
    n_vectors = -(-n_factors // lanes)
    P, Q = (padded(factors, n_vectors * lanes, dtype) for factors in (pu, qi))
    bu, bi = np.zeros(len(pu), dtype), np.zeros(len(qi), dtype)
    if len(users):
        more = (*weights, *(() if errors is None else (errors,)))
        shape = bool(weights), errors is not None, simd.n_registers()
        kernel = _kernel(n_vectors, dtype, lanes, *shape)
        ratings, mu = np.ascontiguousarray(ratings, dtype), dtype.type(mu)
        kernel(users, items, ratings, P, Q, bu, bi, mu, settings.rates(), settings.n_epochs, *more)
    pu, qi = (a.reshape(-1, n_vectors * lanes)[:, :n_factors].copy() for a in (P, Q))
    return Trained(pu, qi, bu, bi)


def check_codes(users, items, pu, qi):
    "The kernel does not check bounds."
    for name, codes, n in (('users', users, len(pu)), ('items', items, len(qi))):
        if len(codes) and not 0 <= codes.min() <= codes.max() < n:
            raise ValueError(f'{name} hold positions outside 0 to {n - 1}')


def padded(factors, width, dtype):
    "The same numbers, aligned, each row filled up to `width` with zeros; flat."
    out = simd.aligned_zeros(len(factors) * width, dtype)
    out.reshape(len(factors), width)[:, : factors.shape[1]] = factors
    return out
