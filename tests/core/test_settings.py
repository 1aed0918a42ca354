"""Keywords that become one object a set."""

import inspect
from dataclasses import dataclass

import pytest

from recinfluence.core.settings import accepts, read_settings


@dataclass(frozen=True)
class Taste:
    sugar: int = 1
    milk: bool = False


@dataclass(frozen=True)
class Place:
    table: str = 'window'

    def __post_init__(self):
        if not self.table:
            raise ValueError('table: which one?')


def test_each_keyword_goes_where_it_belongs():
    assert read_settings(dict(table='door', milk=True), Taste, Place) == [
        Taste(1, True),
        Place('door'),
    ]
    assert read_settings({}, Place, Taste) == [Place(), Taste()]


@pytest.mark.parametrize(
    'given, message',
    [
        (dict(suger=2), r'suger=2: no such setting\. Did you mean sugar\?'),
        (dict(xyz='a'), r"xyz='a': no such setting\. There are: sugar, milk, table\."),
        (dict(milk=True, tabel='x'), r'Did you mean table\?'),
    ],
)
def test_an_unknown_keyword_is_refused_with_the_nearest(given, message):
    with pytest.raises(TypeError, match=message):
        read_settings(given, Taste, Place)


def test_what_a_set_refuses_is_refused():
    with pytest.raises(ValueError, match='which one'):
        read_settings(dict(table=''), Taste, Place)


def test_the_signature_shows_the_keywords():
    @accepts(Taste, Place)
    def order(what, price=3, **settings):
        "Order it."
        return what, price, *read_settings(settings, Taste, Place)

    parameters = inspect.signature(order).parameters
    assert list(parameters) == ['what', 'price', 'sugar', 'milk', 'table']
    assert parameters['sugar'].default == 1 and parameters['table'].kind.name == 'KEYWORD_ONLY'
    assert order('tea', sugar=2) == ('tea', 3, Taste(2), Place())
    assert order.__doc__ == 'Order it.'


def test_settings_are_passed_on_as_keywords():
    taste = Taste(sugar=4)
    assert read_settings(vars(taste), Taste) == [taste]
