"""Methods that are attached to a class in later cells."""

from abc import ABC, abstractmethod

import pytest

from recinfluence.core.patching import patch_to


class Scale:
    def __init__(self, top):
        self.top = top


def price():
    return 'the function'


@patch_to(Scale)
def double(self):
    "Twice the top."
    return 2 * self.top


@patch_to(Scale, as_prop=True)
def half(self):
    return self.top / 2


@patch_to(Scale, cls_method=True)
def stars(cls):
    return cls(5)


@patch_to(Scale)
def price(self):  # noqa: F811 - the name is taken on purpose
    return 'the method'


def test_a_method_a_property_and_a_class_method():
    scale = Scale.stars()
    assert (scale.double(), scale.half) == (10, 2.5)
    with pytest.raises(AttributeError):
        scale.half = 3


def test_it_is_a_method_by_name_and_by_documentation():
    assert Scale.double.__qualname__ == 'Scale.double' and Scale.double.__doc__ == 'Twice the top.'


def test_a_name_that_was_taken_keeps_its_meaning():
    assert price() == 'the function' and Scale(1).price() == 'the method'
    assert double is None


def test_subclasses_have_it_and_may_replace_it():
    class Wide(Scale):
        def double(self):
            return 3 * self.top

    assert (Wide(2).double(), Wide(2).half, type(Wide.stars())) == (6, 1, Wide)


def test_an_abstract_method_that_is_attached_is_there():
    class Base(ABC):
        @abstractmethod
        def score(self): ...

    class Model(Base):
        pass

    with pytest.raises(TypeError, match='abstract'):
        Model()

    @patch_to(Model)
    def score(self):
        return 1

    assert Model().score() == 1
