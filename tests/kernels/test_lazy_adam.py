"""The tabulated lazy updates against the sum of their terms."""

import numpy as np
import pytest
from plain_ncf import F32, F64, samples

from recinfluence.kernels import ncf


def test_tabulated_update_equals_the_sum_of_its_terms():
    "Both dtypes, all gaps and times of a plan, every ratio of gradient size to epsilon."
    adam = ncf.Adam()
    users, items, _ = samples(2500, 4, n_users=300, n_items=300)
    plan = ncf.plan_touches(users, items, 300, 300, adam)
    step_of = np.repeat(np.arange(plan.steps), np.diff(plan.bases))
    for dtype, tolerance in (F32, 3e-7), (F64, 3e-14):
        table, replay = plan.table(dtype)
        chosen = np.flatnonzero(replay < 0)
        assert len(chosen) > len(replay) / 2
        for entry in chosen[:: len(chosen) // 200]:
            b0, keep1, keep2, *polynomial = table[entry].astype(float)
            gap = plan.gaps[entry]
            s = np.arange(gap + 1)
            t = step_of[entry] + 1 + s
            a = adam.learning_rate * adam.beta1**s / (1 - adam.beta1**t)
            b = np.sqrt(adam.beta2**s / (1 - adam.beta2**t))
            for sigma in 10.0 ** np.arange(-13, 3):
                z = sigma * b0 / (sigma * b0 + adam.epsilon)
                closed = -np.polynomial.polynomial.polyval(z, polynomial) / (
                    sigma * b0 + adam.epsilon
                )
                assert closed == pytest.approx(
                    (a / (sigma * b + adam.epsilon)).sum(), rel=tolerance
                )
            assert (keep1, keep2) == pytest.approx(
                (adam.beta1**gap, adam.beta2**gap), rel=1e-6 if dtype == F32 else 1e-12
            )
