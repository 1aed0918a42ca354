"""All models of all libraries: the suite, their pairing, and arguments that are refused."""

import math
import sys

import pytest

from recinfluence.adapters.implicit import Implicit
from recinfluence.adapters.lenskit import LensKit
from recinfluence.adapters.names import by_name, libraries
from recinfluence.adapters.surprise import Surprise
from recinfluence.data.simulated import planted_interactions
from recinfluence.models.conformance import PAIRING, conformance

MODELS = [(library, name) for library, cls in libraries().items() for name in cls.known]
SETTINGS = {'BiasedSVDScorer': {'embedding_size': 5}}


@pytest.mark.parametrize('library, name', MODELS)
def test_every_model_conforms_and_pairing_is_as_claimed(library, name):
    pytest.importorskip(library)
    model = libraries()[library](name, **SETTINGS.get(name, {}))
    report = conformance(model)
    assert report.passed.drop(PAIRING).all(), report[~report.passed.astype(bool)]
    assert report.passed[PAIRING] or not model.paired  # an over-claim fails
    assert by_name(f'{library}:{name}').config()['recommender'] == f'{library} {name}'


def test_draws_by_position_are_found_out():
    "The three that are not paired lie near the root of two; claiming that they are is noticed."
    pytest.importorskip('implicit')
    pytest.importorskip('lenskit')
    for cls, name in (
        (Implicit, 'BayesianPersonalizedRanking'),
        (Implicit, 'LogisticMatrixFactorization'),
        (LensKit, 'FunkSVDScorer'),
    ):
        claims = type('Claims', (cls,), {'paired': True})
        said = conformance(claims(name)).loc[PAIRING]
        assert (
            not said.passed
            and abs(float(said.detail.split()[0]) - math.sqrt(2)) < 0.35
            and 'it says paired = True' in said.detail
        )


@pytest.mark.parametrize(
    'cls, argument, words',
    [
        (Surprise, 'random_state', 'the seed of each retraining comes from the sweep'),
        (Surprise, 'verbose', 'none of them says anything'),
        (Implicit, 'random_state', 'the seed of each retraining comes from the sweep'),
        (Implicit, 'num_threads', 'as many processes as its jobs'),
        *(
            (LensKit, a, 'the seed of each retraining comes from the sweep')
            for a in ('rng', 'random_state', 'seed')
        ),
        (LensKit, 'num_threads', 'as many processes'),
        (LensKit, 'config', 'arguments of their own'),
    ],
)
def test_arguments_that_are_not_for_the_user_are_refused_before_training(cls, argument, words):
    for name in cls.known:
        with pytest.raises(
            ValueError,
            match=rf"{cls.__name__}\('{name}', {argument}=3\): leave {argument} out; .*{words}",
        ):
            cls(name, **{argument: 3})


@pytest.mark.parametrize('library, name', MODELS)
def test_whatever_an_adapter_sets_itself_is_refused_from_others(monkeypatch, library, name):
    "What it hands to the library beside the user's arguments, as seen when it trains."
    pytest.importorskip(library)
    cls, handed = libraries()[library], set()
    make = cls.make
    monkeypatch.setattr(
        cls, 'make', lambda self, **more: (handed.update(more), make(self, **more))[1]
    )
    cls(name, **SETTINGS.get(name, {})).fit(planted_interactions(), 1)
    assert handed <= set(cls.taken), f'{name}: {handed - set(cls.taken)} would be given twice'


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    for name in [n for n in sys.modules if n.split('.')[0] == 'implicit']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'implicit', None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'recinfluence\[implicit\]'"):
        Implicit('BM25Recommender').fit(planted_interactions())
