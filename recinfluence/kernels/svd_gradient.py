"""The training of `kernels.svd` walked backwards, and with it the derivative of what came out.

Each step is undone exactly from its logged error e. With steps s = lr weight, c = 1 - s reg and
t = s e, a step was

    b' = c b + t        p' = c_p p + t_p q        q' = c_q q + t_q p

so that p = (c_q p' - t_p q') / d and q = (c_p q' - t_q p') / d with d = c_p c_q - t_p t_q. No state
of the training has to be kept. On the way back the adjoint of a number M, its derivative by each
factor and bias (g of b, p, q), goes through the same step:

    h   = s_bu g_bu + s_bi g_bi + s_p g_p.q + s_q g_q.p           (-dM/de)
    M by the weight += lr_b g_b (e - reg b) for both, + lr_p g_p.(e q - reg p) + lr_q g_q.(e p - reg q)
    g_b = c g_b - h     g_p = c_p g_p + t_q g_q - h q     g_q = c_q g_q + t_p g_p - h p

A second adjoint can go along: that of what is summed over the test rows of each entity of one side
by itself, say of each user, in as far as it depends on this user's own visits. It lives in the
user's factors and, between two visits of the same pair, in the item's, where it is written as
alpha p + beta o, with p the user's factors and o their second adjoint: two numbers a rating in
place of a row of factors. What the others' visits to the item leave of it in the meantime is its
shrinkage; that it spreads to the others and comes back is left out.

The second adjoint belongs to the side that is called first; users and items trade places for the
other one, which the step does not notice.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import simd
from .codegen import Writer, compiled
from .svd import Trained, check_codes, padded

OPERATIONS = ('load_at', 'prefetch_at', 'store_at', 'set1', 'add', 'mul', 'fma', 'hsum')
PARAMETERS = (
    'first, second, weights, errors, P, Q, GP, GQ, b_first, b_second, g_first, g_second, '
    'by_weight, settings'
)
OWN = ', OP, o_first, o_second, alpha, beta, keep_factors, keep_bias, own_by_weight'
AHEAD = (('P', 'p_next'), ('GP', 'p_next'), ('OP', 'p_next'), ('Q', 'q_next'), ('GQ', 'q_next'))
RATES = ('lr_bp', 'lr_bq', 'lr_p', 'lr_q')
REGS = ('reg_bp', 'reg_bq', 'reg_p', 'reg_q')


# ---- the source


def source(n_vectors, lanes, own):
    "The kernel for that many vectors of factors; `own`: the second adjoint goes along."
    write = Writer()
    with write.block(f'def kernel({PARAMETERS}{OWN if own else ""}):'):
        write(
            f'{", ".join(RATES + REGS)} = settings',
            'zero, by_mean = set1(0.0), 0.0',
            'n_epochs, n_visits = errors.shape',
        )
        with write.block('for epoch in range(n_epochs - 1, -1, -1):'):
            with write.block('for n in range(n_visits - 1, -1, -1):'):
                _step(write, n_vectors * lanes)
                _restore(write, n_vectors, own)
                _adjoint_of_error(write)
                if own:
                    _own_adjoint_of_error(write)
                _adjoint_of_factors(write, n_vectors, own)
        write('return by_mean')
    return write.text()


def _step(write, width):
    "Of one visit: where it went, how far, and the biases before it."
    write(
        'i, j, e = first[n], second[n], errors[epoch, n]',
        'ahead = n - 1 if n else n_visits - 1',
        f'p_next, q_next = np.int64(first[ahead]) * {width}, np.int64(second[ahead]) * {width}',
        f'p_at, q_at = np.int64(i) * {width}, np.int64(j) * {width}',
        *(f's{lr[2:]} = weights[n] * {lr}' for lr in RATES),
        *(f'c{lr[2:]} = 1 - s{lr[2:]} * {reg}' for lr, reg in zip(RATES, REGS)),
        't_p, t_q = s_p * e, s_q * e',
        'd = 1 / (c_p * c_q - t_p * t_q)',
        'b_first[i] = (b_first[i] - s_bp * e) / c_bp',
        'b_second[j] = (b_second[j] - s_bq * e) / c_bq',
        'p_of_p, p_of_q = set1(c_q * d), set1(-t_p * d)',
        'q_of_q, q_of_p = set1(c_p * d), set1(-t_q * d)',
    )


PRODUCTS = {'g_q': ('g', 'q'), 'g_p': ('g', 'p'), 'f_p': ('f', 'p'), 'f_q': ('f', 'q')}
OWN_PRODUCTS = {'o_q': ('o', 'q'), 'o_p': ('o', 'p'), 'p_p': ('p', 'p'), 'p_q': ('p', 'q')}


def _restore(write, n_vectors, own):
    "The factors before the visit, and their products with the adjoints g of p and f of q."
    products = PRODUCTS | (OWN_PRODUCTS if own else {})
    write(*(f'{name}_sum = zero' for name in products))
    with write.loop('x', n_vectors):
        write(
            'p_after, q_after = load_at(P, p_at, x), load_at(Q, q_at, x)',
            'p = fma(q_after, p_of_q, mul(p_after, p_of_p))',
            'q = fma(p_after, q_of_p, mul(q_after, q_of_q))',
            'store_at(P, p_at, x, p)',
            'store_at(Q, q_at, x, q)',
            'g, f = load_at(GP, p_at, x), load_at(GQ, q_at, x)',
            *(['o = load_at(OP, p_at, x)'] if own else []),
            *(f'{name}_sum = fma({a}, {b}, {name}_sum)' for name, (a, b) in products.items()),
        )
    write(*(f'{name} = hsum({name}_sum)' for name in products))


def _adjoint_of_error(write):
    "What the number owes to the error of the visit, and to its weight."
    write(
        'h = s_bp * g_first[i] + s_bq * g_second[j] + s_p * g_q + s_q * f_p',
        'of_biases = lr_bp * g_first[i] * (e - reg_bp * b_first[i])',
        'of_biases += lr_bq * g_second[j] * (e - reg_bq * b_second[j])',
        'of_factors = lr_p * (e * g_q - reg_p * g_p) + lr_q * (e * f_p - reg_q * f_q)',
        'by_weight[n] += of_biases + of_factors',
        'g_first[i] = c_bp * g_first[i] - h',
        'g_second[j] = c_bq * g_second[j] - h',
        'by_mean -= h',
    )


def _own_adjoint_of_error(write):
    "The same for the second adjoint; what it left at the other side has shrunk in the meantime."
    write(
        'a, b = alpha[n] * keep_factors[n], beta[n] * keep_factors[n]',
        'o_bias = o_second[n] * keep_bias[n]',
        'r_p, r_q = a * p_p + b * o_p, a * p_q + b * o_q',
        'k = s_bp * o_first[i] + s_bq * o_bias + s_p * o_q + s_q * r_p',
        'of_biases = lr_bp * o_first[i] * (e - reg_bp * b_first[i])',
        'of_biases += lr_bq * o_bias * (e - reg_bq * b_second[j])',
        'of_factors = lr_p * (e * o_q - reg_p * o_p) + lr_q * (e * r_p - reg_q * r_q)',
        'own_by_weight[n] += of_biases + of_factors',
        'o_first[i] = c_bp * o_first[i] - k',
        'o_second[n] = c_bq * o_bias - k',
        'alpha[n], beta[n] = c_q * a - k, c_q * b + t_p',
        'o_of_o, o_of_p, o_of_q = set1(c_p + t_q * b), set1(t_q * a), set1(-k)',
    )


def _adjoint_of_factors(write, n_vectors, own):
    "The adjoints of the factors before the visit; the next ones are called for in the meantime."
    write(
        'g_of_g, g_of_f, less_h = set1(c_p), set1(t_q), set1(-h)',
        'f_of_f, f_of_g = set1(c_q), set1(t_p)',
    )
    with write.loop('x', n_vectors):
        write(
            *(f'prefetch_at({table}, {at}, x)' for table, at in (AHEAD if own else ())),
            'p, q = load_at(P, p_at, x), load_at(Q, q_at, x)',
            'g, f = load_at(GP, p_at, x), load_at(GQ, q_at, x)',
            'store_at(GP, p_at, x, fma(less_h, q, fma(g_of_f, f, mul(g_of_g, g))))',
            'store_at(GQ, q_at, x, fma(less_h, p, fma(f_of_g, g, mul(f_of_f, f))))',
        )
        if own:
            write(
                'o = load_at(OP, p_at, x)',
                'store_at(OP, p_at, x, fma(o_of_q, q, fma(o_of_p, p, mul(o_of_o, o))))',
            )


@lru_cache(maxsize=None)
def _kernel(n_vectors, lanes, own):
    what = f'the walk back through SVD training, {n_vectors} vectors of {lanes}'
    return compiled(source(n_vectors, lanes, own), np.float64, lanes, OPERATIONS, what)


# ---- the call


@dataclass(frozen=True, eq=False)
class Walk:
    "What a walk back finds."

    by_weight: np.ndarray  # (n,) derivative with respect to the weight of each rating's steps
    by_mean: float  # with respect to the mean rating that training starts from
    own: np.ndarray | None  # (n,) of each entity's own sum with respect to its own ratings
    start: Trained  # factors and biases as they were before the first visit


def walk_back(visits, trained, errors, seed, settings, own=None):
    """`Walk` from what a training ended with to what it began with.

    visits: users, items (n,) and weights (n,) of the ratings. trained, errors: of `train_logged`.
    seed: a number's derivative with respect to factors and biases after training, as `Trained`.
    settings: `SGD`, in double precision. own: 'users' or 'items', to take along the second adjoint.
    """
    users, items, weights = visits
    check_codes(users, items, trained.pu, trained.qi)
    order = (1, 0) if own == 'items' else (0, 1)
    codes = [np.ascontiguousarray((users, items)[side], np.int32) for side in order]
    weights = np.ascontiguousarray(weights, np.float64)
    lanes, n_factors = simd.width(np.float64), trained.pu.shape[1]
    n_vectors = -(-n_factors // lanes)
    width = n_vectors * lanes
    factors = [padded((trained.pu, trained.qi)[side], width, np.float64) for side in order]
    adjoints = [padded((seed.pu, seed.qi)[side], width, np.float64) for side in order]
    biases = [(trained.bu, trained.bi)[side].copy() for side in order]
    of_biases = [(seed.bu, seed.bi)[side].copy() for side in order]
    rates = _rates(settings, order)
    more, own_by_weight = (), None
    if own is not None:
        own_by_weight = np.zeros(len(weights))
        first = padded((seed.pu, seed.qi)[order[0]], width, np.float64)
        second = np.zeros((3, len(weights)))
        kept = shrinkage(codes[1], weights, rates)
        more = first, of_biases[0].copy(), *second, *kept, own_by_weight
    by_weight = np.zeros(len(weights))
    state = *factors, *adjoints, *biases, *of_biases
    kernel = _kernel(n_vectors, lanes, own is not None)
    by_mean = kernel(*codes, weights, errors, *state, by_weight, rates, *more)
    tables = [table.reshape(-1, width)[:, :n_factors] for table in factors]
    start = Trained(*(tables[side] for side in order), *(biases[side] for side in order))
    return Walk(by_weight, by_mean, own_by_weight, start)


def _rates(settings, order):
    "Learning rates, then regularisation: of biases, then factors; the first side before the other."
    rates = np.reshape(settings.rates(), (4, 2))[:, list(order)]
    return tuple(float(rate) for rate in rates.ravel())


def shrinkage(second, weights, rates):
    "What the others' visits to the second side leave of a factor and of a bias there, in an epoch."
    lr_bq, lr_q, reg_bq, reg_q = rates[1], rates[3], rates[5], rates[7]
    kept = []
    for per_weight in (lr_q * reg_q, lr_bq * (1 + reg_bq)):
        one = np.log1p(-per_weight * weights)
        kept.append(np.exp(np.bincount(second, one)[second] - one))
    return kept
