"""Lists: a plain sort with ties by position."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from shared import Table

from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.ranking import Ranked, top_k


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


class Counts:
    "The number of train rows of an item, in the form that a test wants."

    def __init__(self, split, form):
        self.split, self.form = split, form

    def score(self, users, items):
        counts = self.split.train['item'].value_counts().reindex(items, fill_value=0)
        return self.form(np.tile(counts.to_numpy(), (len(users), 1)))


def each(kind):
    return lambda a: [[kind(int(value)) for value in row] for row in a]


FORMS = {
    **{
        kind: lambda a, kind=kind: a.astype(kind)
        for kind in ('u1', 'u2', 'u4', 'u8', 'i1', 'i8', 'f2', 'f4', 'longdouble', '>u2', 'O')
    },
    'lists': lambda a: a.tolist(),
    'decimals': each(Decimal),
    'fractions': each(Fraction),
    'frame': pd.DataFrame,
    'nullable frame': lambda a: pd.DataFrame(a).astype('Int64'),
    'sparse': lambda a: sparse.csr_array(a.astype('u1')),
    'matrix': np.matrix,
    'masked, nothing hidden': np.ma.array,
    'tensor': torch.tensor,
    'tensor with a gradient': lambda a: torch.tensor(a.astype(float), requires_grad=True),
    'tensor of half precision': lambda a: torch.tensor(a).to(torch.bfloat16),
    'sparse tensor': lambda a: torch.tensor(a).to_sparse(),
}


@pytest.mark.parametrize('form', FORMS)
def test_scores_of_any_form_are_ranked_alike(form, tiny):
    judge = Evaluator(tiny, 3)
    plain = judge.rank(Counts(tiny, lambda a: a.astype(float)))
    found = judge.rank(Counts(tiny, FORMS[form]))
    for name in ('top', 'predicted', 'tied'):
        assert np.array_equal(getattr(found, name), getattr(plain, name))


NO_SCORES = {
    'complex128': lambda a: a + 0j,
    'complex64': lambda a: torch.tensor(a) + 0j,
    'their type is <U': lambda a: a.astype(str),
    'a str is not a number': lambda a: a.astype(str).astype(object),
    'a NoneType is not a number': lambda a: None,
    'a NAType is not a number': lambda a: pd.DataFrame(a).astype('Int64').replace(16, pd.NA),
    'datetime64': lambda a: a.astype('datetime64[s]'),
    'some are masked': lambda a: np.ma.masked_equal(a, a.max()),
    'a score is NaN': lambda a: np.where(a == a.max(), np.nan, a),
    'cannot tell numbers like': lambda a: a + 2**62,
    'in another order': lambda a: pd.DataFrame(a[:, ::-1], columns=np.arange(24)[::-1]),
    r'shape \(24, 40\)': lambda a: a.T,
    r'shape \(960,\)': lambda a: a.ravel(),
    r'shape \(40, 23\)': lambda a: a[:, 1:],
}


@pytest.mark.parametrize('message', NO_SCORES)
def test_what_cannot_be_ranked_is_refused_with_the_models_name(message, tiny):
    with pytest.raises(ValueError, match=f'^Counts: .*{message}') as caught:
        Evaluator(tiny, 3).rank(Counts(tiny, NO_SCORES[message]))
    assert '\n' not in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(['u1', 'u8', 'i1', 'i8']).flatmap(
        lambda kind: st.lists(
            st.integers(int(np.iinfo(kind).min), int(np.iinfo(kind).max)), min_size=1, max_size=8
        ).map(lambda values: (kind, values))
    )
)
def test_integers_to_their_ends_are_in_pythons_order_or_refused(drawn):
    kind, values = drawn
    scores = np.array([values], kind)
    try:
        top = top_k(scores, np.ones(scores.shape, bool), len(values))[0].tolist()
    except ValueError as error:
        assert 'cannot tell' in str(error) and len({float(v) for v in values}) < len(set(values))
        return
    assert top == sorted(range(len(values)), key=lambda n: (-values[n], n))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=7, max_size=7), min_size=1, max_size=4),
    st.integers(1, 4),
    st.sets(st.integers(0, 6), max_size=3),
)
def test_ties_at_the_end_of_a_list_are_what_a_plain_count_finds(rows, k, gone):
    "Also after items have left lists that are longer by as many."
    scores, absent = np.array(rows, float), np.isin(np.arange(7), list(gone))
    top = top_k(scores, np.ones(scores.shape, bool), k + len(gone) + 1)
    values = np.where(top >= 0, np.take_along_axis(scores, np.maximum(top, 0), 1), -1)
    tied = (values[:, 1:] == values[:, :-1]) & (top[:, 1:] >= 0)
    left = Ranked(top[:, :-1], np.array([]), tied).drop(absent)
    for found, row in zip(left.tied[:, k - 1], rows):
        ordered = sorted((s for n, s in enumerate(row) if n not in gone), reverse=True)
        assert found == (len(ordered) > k and ordered[k - 1] == ordered[k])


def test_an_evaluation_says_how_many_users_have_a_tie(tiny):
    judge, model = Evaluator(tiny, 3), Counts(tiny, lambda a: a)
    evaluation = judge(model)
    counts = tiny.train['item'].value_counts().reindex(tiny.items).to_numpy()
    masks = judge.candidate_mask(0, len(tiny.users))
    ordered = [np.sort(counts[mask])[::-1] for mask in masks]
    by_hand = sum(row[2] == row[3] for row in ordered)
    assert evaluation.ties == by_hand > 0
    said = f'{by_hand} users have a tie at place 3'
    assert said in repr(evaluation) and said in evaluation._repr_html_()
    distinct = judge(Table(tiny, np.random.default_rng(0).random((40, 24))))
    assert distinct.ties == 0 and 'tie' not in repr(distinct)
