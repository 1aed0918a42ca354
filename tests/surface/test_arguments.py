"""Any argument of anything public works, or is refused by the package itself in a sentence.

Every parameter of every function, class and method of `surface.calls` is given every value of
`surface.nasty` in turn, the others as they should be. There is no chance in it: what fails here
fails again.
"""

import inspect
import math
import random
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surface.calls import all_calls, functions
from surface.judge import outcome
from surface.nasty import nasty_values

import recinfluence as ri
from recinfluence.models.base import Recommender

pytestmark = pytest.mark.filterwarnings('ignore')
PARTS = 12  # of the calls, so that two processes share them
VALUES = nasty_values()
NOT_CALLED = {  # public names that are not in the table of calls
    'CANDIDATES': 'a table of words',
    'EXPOSURE': 'a table of metrics',
    'METRICS': 'a table of metrics',
    'KINDS': 'a table of words',
    'DataError': 'an error',
    'StoreError': 'an error',
    'Estimator': 'ScikitLearn by another name',
    'Recommender': 'what models are derived from',
    'Recommended': 'made by evaluators, read by metrics',
    'Metric': 'checked where it is used, by `own_metrics`',
    'Evaluation': 'made by evaluators',
    'Deletion': 'made by Replicate.delete',
    'Sweep': 'made by deletion_sweep',
    'Reliability': 'made by reliability',
    'Influence': 'made by sweeps; its methods are called',
    'Validation': 'made by validate; its methods are called',
    'Planted': 'made by plant; its methods are called',
    'Action': 'made by the functions of the rooms; its methods are called',
    'Measured': 'made by measure; its methods are called',
    'Split': 'made by the splits; its methods are called',
}


def cases(name: str) -> list[tuple]:
    "(parameter, name of a value) of one call."
    return [(parameter, value) for parameter in all_calls()[name].parameters for value in VALUES]


def failures(name: str, chosen: list[tuple]) -> list[str]:
    "What is wrong, a line a case."
    call, found = all_calls()[name], []
    for parameter, value in chosen:
        if wrong := outcome(call, parameter, VALUES[value]()):
            found.append(f'{name}({parameter} = {value}): {wrong}')
    return found


@pytest.mark.slow
@pytest.mark.parametrize('part', range(PARTS))
def test_every_value_in_every_place(part):
    names = sorted(all_calls())
    assert [wrong for name in names[part::PARTS] for wrong in failures(name, cases(name))] == []


def test_there_are_enough_cases():
    assert sum(len(cases(name)) for name in all_calls()) >= 20_000


def test_some_values_in_every_place():
    "Eight of the same cases for each call, drawn once."
    drawn, wrong = random.Random(18), []
    for name in sorted(all_calls()):
        many = cases(name)
        wrong += failures(name, drawn.sample(many, min(len(many), 8)))
    assert wrong == []


def test_everything_works_with_the_arguments_that_are_then_replaced():
    "Else a refusal would tell nothing of the argument that was replaced."
    told = ('load_movielens', 'load_amazon', 'newcomers', 'SVD.load', 'Store.rescue')
    for name, call in all_calls().items():
        if name not in told:  # these name a file that is not there, or data that is too small
            call.run()


def test_nothing_public_is_left_out():
    assert set(ri.__all__) == set(functions()) | set(NOT_CALLED)
    assert not set(functions()) & set(NOT_CALLED)


HELD = (ri.Unit, ri.Interactions, ri.Split, ri.Evaluator, ri.Replicate, ri.Influence)
HELD += (ri.Deletion, ri.Validation, ri.Planted, ri.Action, ri.Measured, ri.Sweep, ri.Reliability)
INNER = {  # methods that other modules of the package call, and nobody else
    'Evaluator.candidate_mask',
    'Evaluator.hits',
    'Evaluator.keep',
    'Evaluator.measure',
    'Deletion.change',
    'Measured.effect_of',
    'Validation.controls',
    'Validation.findings',
    'Validation.poor_matches',
    'Sweep.recognise',
}


def test_no_method_with_arguments_is_left_out():
    left_out = set()
    for cls in HELD:
        for name, method in inspect.getmembers(cls, callable):
            if name.startswith('_') or isinstance(inspect.getattr_static(cls, name), type):
                continue
            parameters = set(inspect.signature(method).parameters) - {'self'}
            if parameters and f'{cls.__name__}.{name}' not in all_calls():
                left_out.add(f'{cls.__name__}.{name}')
    assert left_out == INNER


NESTED = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-99, 30)  # a million users are no mistake, and take their memory
    | st.sampled_from([2**63, -(2**70), 1e300, math.inf, -math.inf, math.nan])
    | st.floats(-30, 30)
    | st.text(max_size=4)
    | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=6,
)
LONG = ('run.py', 'stopping.py', 'validation.py', 'budget.py', 'page.py', 'measured.py')


@cache
def places() -> list[tuple[str, str]]:
    "(call, parameter) of what takes next to no time when it works."
    found = []
    for name in sorted(all_calls()):
        call = all_calls()[name]
        if Path(inspect.getfile(inspect.unwrap(call.function))).name not in LONG:
            found += [(name, parameter) for parameter in call.parameters]
    return found


@pytest.mark.slow
@settings(max_examples=3000, derandomize=True, deadline=None, database=None)
@given(st.integers(0, 10**6), NESTED)
def test_values_within_values(place, value):
    name, parameter = places()[place % len(places())]
    wrong = outcome(all_calls()[name], parameter, value)
    assert not wrong, f'{name}({parameter} = {value!r}): {wrong}'


def test_a_model_that_was_not_fitted_says_so():
    for model in (ri.Popularity(), ri.ItemMean(), ri.EASE(), ri.ItemKNN(), ri.SVD(), ri.NCF()):
        with pytest.raises(ValueError, match=r'is not fitted: it has no \w+_\. Call fit'):
            model.score([1], [1])
        assert not hasattr(model, 'anything_') and not hasattr(Recommender(), 'other')
