"""Lists: a plain sort with ties by position."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import Table

from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.ranking import top_k


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.0, -1.5]), min_size=6, max_size=6),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 8),
    st.integers(0, 2**30 - 1),
)
def test_top_k_is_a_plain_sort_with_ties_by_position(rows, k, bits):
    scores = np.array(rows)
    mask = ((bits >> np.arange(scores.size)) & 1).astype(bool).reshape(scores.shape)
    plain = [
        sorted(np.flatnonzero(m).tolist(), key=lambda i: (-s[i], i))[:k]
        for s, m in zip(scores, mask)
    ]
    assert [[i for i in r if i >= 0] for r in top_k(scores, mask, k).tolist()] == plain and top_k(
        scores, mask, k
    ).shape == (len(rows), k)


def test_nan_scores_are_refused(tiny):
    with pytest.raises(ValueError, match='NaN'):
        Evaluator(tiny)(Table(tiny, np.full((len(tiny.users), len(tiny.items)), np.nan)))
