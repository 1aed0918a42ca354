"""Models by name, and that a new library is known without an edit elsewhere."""

import pytest

from recinfluence.adapters.adapter import Adapter
from recinfluence.adapters.names import by_name, libraries
from recinfluence.adapters.surprise import Surprise


def test_a_new_adapter_is_known_by_its_class_alone(monkeypatch):
    monkeypatch.setattr(Adapter, 'registered', dict(Adapter.registered))

    class Mine(Adapter):
        library, known = 'mine', {'OrderedDict': 'collections'}

    class Variant(Mine):
        paired = True

    assert libraries()['mine'] is Mine
    assert type(by_name('mine:OrderedDict')) is Mine
    assert list(libraries()) == ['implicit', 'lenskit', 'mine', 'surprise']


def test_wrong_names_are_refused():
    with pytest.raises(ValueError, match='choose one of the libraries'):
        by_name('spotlight:BPR')
    with pytest.raises(ValueError, match='choose one of'):
        Surprise('KNN')
