"""Biased matrix factorization by stochastic gradient descent, exactly as scikit-surprise's SVD trains it, many times faster.

For each rating in turn, with e = r - (mu + b_u + b_i + q_i . p_u):

    b_u += lr_bu (e - reg_bu b_u)      p_u += lr_pu (e q_i - reg_pu p_u)
    b_i += lr_bi (e - reg_bi b_i)      q_i += lr_qi (e p_u - reg_qi q_i)     (p_u as it was before its own update)

One rating depends on the one before, so models are trained one at a time and the speed comes from within: the pass that updates the
factors also takes the dot product of the user's new ones with those of the item rated next, in four sums side by side, so that a
rating is one pass, whose end is the next one's error. As many of the user's factors as fit stay in vector registers, the rest is in the
nearest cache. At a user's first rating the dot product is taken by itself; the one that runs ahead into the next user is not used.
Factors are padded with zeros to whole vectors; zeros stay zeros. Where ratings have weights, each step is scaled by its rating's.
"""

from dataclasses import dataclass
from functools import lru_cache

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


SUMS = 4  # partial sums of the dot product
OPERATIONS = ('load', 'store', 'set1', 'add', 'mul', 'fma', 'hsum')


def _source(n_vectors, lanes, weighted):
    "The kernel for that many vectors of factors; `weighted`: one argument more."
    held = min(
        n_vectors, simd.n_registers() - SUMS - 6
    )  # the user's vectors that stay in registers, beside the sums, step_p, step_q, keep_p, keep_q, q and p
    w = Writer()
    at = lambda base, x: f'{base} + {x * lanes}'
    user = lambda x: f'p{x}' if x < held else f'load(P, {at("pa", x)})'
    dot = lambda x, p, item: (
        f's{x % SUMS} = '
        + (
            f'mul({p}, load(Q, {at(item, x)}))'
            if x < SUMS
            else f'fma({p}, load(Q, {at(item, x)}), s{x % SUMS})'
        )
    )
    total = [f's{x}' for x in range(min(SUMS, n_vectors))]
    while len(total) > 1:
        total = [f'add({a}, {b})' for a, b in zip(total[::2], total[1::2])] + total[
            len(total) // 2 * 2 :
        ]
    keep_dot = f'product[0] = hsum({total[0]})'  # a store: without one the compiler moves the sums out of the pass, and spills all of p and q for them
    with w.block(
        f'def kernel(users, items, ratings, P, Q, bu, bi, mu, settings, n_epochs{", weights" if weighted else ""}):'
    ):
        rates, keep = (
            'lr_bu, lr_bi, lr_pu, lr_qi',
            'keep_p, keep_q = set1(1 - lr_pu * reg_pu), set1(1 - lr_qi * reg_qi)',
        )
        w(
            f'{rates}, reg_bu, reg_bi, reg_pu, reg_qi = settings',
            *(
                [f'{", ".join("all_" + r for r in rates.split(", "))} = {rates}']
                if weighted
                else [keep]
            ),
            'last = len(users) - 1',
            'product = np.empty(1, P.dtype)',
        )
        with w.block('for epoch in range(n_epochs):'):
            w('n = 0')
            with w.block('while n <= last:'):
                w(
                    'u = users[n]',
                    f'pa = np.int64(u) * {n_vectors * lanes}',
                    f'qa = np.int64(items[n]) * {n_vectors * lanes}',
                    'b_u = bu[u]',
                )
                w(
                    *(f'p{x} = load(P, {at("pa", x)})' for x in range(held)),
                    *(dot(x, user(x), 'qa') for x in range(n_vectors)),
                    keep_dot,
                )
                with w.block('while n <= last and users[n] == u:'):
                    w(
                        'i = items[n]',
                        f'qa = np.int64(i) * {n_vectors * lanes}',
                        f'ahead = np.int64(items[min(n + 1, last)]) * {n_vectors * lanes}',
                    )
                    w('e = ratings[n] - (mu + b_u + bi[i] + product[0])')
                    if weighted:
                        w(*(f'{r} = weights[n] * all_{r}' for r in rates.split(', ')), keep)
                    w('b_u += lr_bu * (e - reg_bu * b_u)', 'bi[i] += lr_bi * (e - reg_bi * bi[i])')
                    w('step_p, step_q = set1(lr_pu * e), set1(lr_qi * e)')
                    for x in range(n_vectors):
                        w(
                            f'q, p = load(Q, {at("qa", x)}), {user(x)}',
                            f'store(Q, {at("qa", x)}, fma(step_q, p, mul(q, keep_q)))',
                            'p = fma(step_p, q, mul(p, keep_p))',
                        )
                        w(
                            f'p{x} = p' if x < held else f'store(P, {at("pa", x)}, p)',
                            dot(x, 'p', 'ahead'),
                        )  # after the store: the next item may be this one
                    w('n += 1', keep_dot)
                w(*(f'store(P, {at("pa", x)}, p{x})' for x in range(held)), 'bu[u] = b_u')
    return w.text()


@lru_cache(maxsize=None)
def _kernel(n_vectors, dtype, lanes, weighted):
    return compiled(
        _source(n_vectors, lanes, weighted),
        dtype,
        lanes,
        OPERATIONS,
        f'SVD training, {n_vectors} vectors of {lanes} {dtype}',
    )


def _padded(factors, width, dtype):
    "The same numbers, aligned, each row filled up to `width` with zeros; flat."
    out = simd.aligned_zeros(len(factors) * width, dtype)
    out.reshape(len(factors), width)[:, : factors.shape[1]] = factors
    return out


def train(users, items, ratings, pu, qi, mu, settings, dtype=np.float64, weights=None):
    """Factors and biases after training: pu (users, factors), qi (items, factors), bu (users,), bi (items,).

    users, items (n,) int32 and ratings (n,): in the order in which scikit-surprise visits them. pu, qi: initial factors.
    mu: the mean rating, 0 when not biased. weights (n,): factors of the ratings' steps.
    """
    dtype = np.dtype(dtype)
    users, items = (np.ascontiguousarray(a, np.int32) for a in (users, items))
    for name, codes, n in (('users', users, len(pu)), ('items', items, len(qi))):
        if len(codes) and not 0 <= codes.min() <= codes.max() < n:
            raise ValueError(f'{name} hold positions outside 0 to {n - 1}')
    if (
        not len(users) == len(items) == len(ratings) == len(ratings if weights is None else weights)
        or pu.shape[1] != qi.shape[1]
    ):
        raise ValueError('users, items, ratings or factors do not fit together')
    lanes, n_factors = simd.width(dtype), pu.shape[1]
    n_vectors = -(-n_factors // lanes)
    width = n_vectors * lanes
    P, Q, bu, bi = (
        _padded(pu, width, dtype),
        _padded(qi, width, dtype),
        np.zeros(len(pu), dtype),
        np.zeros(len(qi), dtype),
    )
    s = settings
    lr_bu, lr_bi = (
        (s.lr_bu, s.lr_bi) if s.biased else (0.0, 0.0)
    )  # biases start at 0 and stay there
    rates = tuple(
        dtype.type(x)
        for x in (lr_bu, lr_bi, s.lr_pu, s.lr_qi, s.reg_bu, s.reg_bi, s.reg_pu, s.reg_qi)
    )
    further = () if weights is None else (np.ascontiguousarray(weights, dtype),)
    if len(users):
        _kernel(n_vectors, dtype, lanes, bool(further))(
            users,
            items,
            np.ascontiguousarray(ratings, dtype),
            P,
            Q,
            bu,
            bi,
            dtype.type(mu),
            rates,
            s.n_epochs,
            *further,
        )
    return (
        P.reshape(-1, width)[:, :n_factors].copy(),
        Q.reshape(-1, width)[:, :n_factors].copy(),
        bu,
        bi,
    )
