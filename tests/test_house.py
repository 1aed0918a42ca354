"The gates themselves: what they refuse, and what they let through."

import ast

import house
import pytest


@pytest.mark.parametrize(
    'text',
    [
        'f = 1',
        'f: int = 1',
        'with open(path) as f:\n    pass',
        'try:\n    pass\nexcept OSError as e:\n    pass',
        'def read(f):\n    pass',
        'def read(*a):\n    pass',
        'def f():\n    pass',
        'import numpy as m',
        'for name, (x, v) in pairs:\n    pass',
        'def inner():\n    if (m := 3):\n        pass',
        'match shape:\n    case [a, *_]:\n        pass',
        'N = 3',
    ],
)
def test_a_name_of_one_letter_is_refused_wherever_it_is_bound(text):
    (refusal,) = house.one_letter('tests/some.py', [text])
    assert refusal.startswith('tests/some.py: ') and refusal.endswith('give it a telling name')


@pytest.mark.parametrize(
    'text',
    [
        '[f for f in frames]',
        '{a: b for a, b in pairs}',
        'key = lambda r, *a: r[0]',
        'for i, _ in pairs:\n    n = i',
        'def top(scores, k):\n    return scores[:k]',
        'import numpy as np',
        'print(f)',
        'frame.f = 1',
    ],
)
def test_a_short_scope_and_a_letter_that_all_know_are_let_through(text):
    assert house.one_letter('tests/some.py', [text]) == []


def test_formulas_keep_their_letters_and_notebooks_say_the_cell():
    ((name, letters), *_) = house.FORMULAS.items()
    assert house.one_letter(name, [f'{letters[0]} = 1']) == []
    assert house.one_letter('nbs/some.ipynb', ['x = 1', '\ns = 2']) == [
        'nbs/some.ipynb: s (line 2 of code cell 2) is one letter: give it a telling name'
    ]


def test_every_place_is_looked_at_and_no_letter_is_excused_in_vain():
    found = house.sources()
    for place in (
        'nbs/0',
        'nbs/tutorials/',
        'nbs/experiments/',
        'tests/',
        'docs/',
        'recinfluence/',
    ):
        assert any(name.startswith(place) for name in found), place
    for name, letters in house.FORMULAS.items():
        used = {letter for cell in found[name] for letter, _ in house.bound(ast.parse(cell))}
        assert set(letters) <= used and not set(letters) & house.LETTERS, name
