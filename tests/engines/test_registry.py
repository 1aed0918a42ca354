"""Engines agree with the reference and with each other, and lanes do not know their neighbours."""

import numpy as np
import pytest
import torch

from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.designs.single import single_units
from recinfluence.engines.deletion import Replicate
from recinfluence.engines.fast_ncf import FastNCF
from recinfluence.engines.fast_svd import FastSVD
from recinfluence.engines.reference import ReferenceEngine
from recinfluence.engines.registry import find_engine
from recinfluence.engines.stacked_ncf import StackedNCF
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import METRICS
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep

UNITS = [
    Unit(),
    Unit(users=(5,)),
    Unit(items=(7,)),
    Unit(users=(1, 8, 30), name='three'),
    Unit(users=(4,), items=(2, 3)),
    Unit(users=(0,)),
]
SMALL = dict(n_epochs=3, batch_size=32, dtype='float64')


def same(engine, recommender, split, tolerance, seed=2, k=3):
    "Every deletion of `UNITS`, all parts and metrics, as one retraining at a time gives them."
    evaluator = Evaluator(split, k)
    ours = engine(recommender, evaluator, seed).delete(UNITS)
    slow = Replicate(recommender, evaluator, seed)
    for deletion in ours:
        wanted = slow.delete(deletion.unit)
        for side in ('full', 'held', 'without'):
            assert getattr(deletion, side) == {
                m: pytest.approx(v, abs=tolerance) for m, v in getattr(wanted, side).items()
            }, (deletion.unit.key, side)


@pytest.mark.parametrize(
    'model',
    [
        NCF(**SMALL),
        NCF('gmf', n_factors=6, **SMALL),
        NCF('mlp', layer_sizes=(10, 7, 5, 3), **SMALL),
        NCF('mlp', layer_sizes=(6,), **SMALL),
        NCF(
            'neumf',
            n_factors=3,
            layer_sizes=(24, 20),
            learning_rate=0.01,
            beta1=0.5,
            beta2=0.9,
            epsilon=1e-4,
            n_neg=2,
            **SMALL,
        ),
    ],
    ids=repr,
)
@pytest.mark.parametrize('engine', [FastNCF, StackedNCF])
def test_ncf_engines_agree_with_the_reference(engine, model, tiny):
    same(engine, model, tiny, 1e-10)


@pytest.mark.parametrize(
    'engine, model',
    [
        (FastNCF, NCF(**SMALL)),
        (StackedNCF, NCF(**SMALL)),
        (FastSVD, SVD(n_factors=6, n_epochs=3)),
        (ReferenceEngine, Popularity()),
    ],
)
@pytest.mark.parametrize('unit', [Unit(), Unit(users=(1, 8))])
def test_an_engine_gives_the_model_itself(engine, model, unit, tiny):
    left = np.setdiff1d(tiny.users, unit.users)
    ours, plain = (
        engine(model, Evaluator(tiny, 3), 4).fit_without(unit),
        model.fresh().fit_without(tiny.train, unit, 4),
    )
    assert (
        type(ours) is type(model)
        and np.abs(ours.score(left, tiny.items) - plain.score(left, tiny.items)).max() < 1e-10
    )


@pytest.mark.parametrize(
    'model',
    [
        SVD(n_factors=f, n_epochs=4, biased=b, start=s)
        for f, b, s in (
            (1, True, 'keyed'),
            (20, True, 'surprise'),
            (33, False, 'keyed'),
            (200, True, 'keyed'),
            (7, False, 'surprise'),
        )
    ],
    ids=repr,
)
def test_svd_engine_agrees_with_the_reference(model, tiny):
    same(FastSVD, model, tiny, 1e-10)


def test_svd_engine_agrees_under_the_papers_candidates(tiny):
    evaluator = Evaluator(tiny, 3, 'test')
    model = SVD(n_factors=8, n_epochs=3)
    for fast, plain in zip(
        FastSVD(model, evaluator, 0).delete(UNITS),
        ReferenceEngine(model, evaluator, 0).delete(UNITS),
    ):
        assert fast.without == {
            m: pytest.approx(v, abs=1e-10) for m, v in plain.without.items()
        } and fast.held == {m: pytest.approx(v, abs=1e-10) for m, v in plain.held.items()}


@pytest.mark.slow
def test_ncf_on_movielens_agrees_over_all_steps(ml_chrono):
    "14,640 steps in double precision: parameters to 1e-8, metrics to 1e-10."
    model, unit, evaluator = (
        NCF(dtype='float64'),
        Unit(users=(13,), items=(50,)),
        Evaluator(ml_chrono),
    )
    fast = FastNCF(model, evaluator, 11)
    slow = model.fresh().fit_without(ml_chrono.train, unit, 11)
    params = fast.parameters([unit])
    assert max(np.abs(params[k][..., 0] - slow.params_[k]).max() for k in params) < 1e-8
    assert fast.delete([unit])[0].without == {
        m: pytest.approx(v, abs=1e-10) for m, v in evaluator(slow, unit).metrics.items()
    }


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_lanes_and_their_order_do_not_matter(tiny, dtype):
    engine = FastNCF(NCF(n_epochs=2, batch_size=16, dtype=dtype), Evaluator(tiny, 3), 1)
    units = single_units(tiny, 'users') + single_units(tiny, 'items')
    whole = {d.unit: d for d in engine.delete(units)}
    order = np.random.default_rng(0).permutation(len(units))
    for deletion in [
        d
        for n in range(0, len(units), 7)
        for d in engine.delete([units[i] for i in order[n : n + 7]])
    ]:
        assert (
            deletion.without == whole[deletion.unit].without
            and deletion.held == whole[deletion.unit].held
        )
    assert all(engine.delete([Unit()])[0].influence(m) == 0.0 for m in METRICS)


@pytest.mark.parametrize(
    'recommender', [NCF(n_epochs=2, batch_size=32), SVD(n_factors=5, n_epochs=3)], ids=repr
)
def test_fast_sweeps_are_the_same_however_they_run(tiny, recommender, tmp_path):
    def run(jobs, ids=range(20), **kw):
        return deletion_sweep(
            recommender,
            tiny,
            ids=ids,
            replicates=2,
            k=3,
            jobs=jobs,
            engine='fast',
            progress=False,
            **kw,
        ).store

    run(1, range(3, 8), store=tmp_path / 's.db')
    assert (
        run(1).content_hash()
        == run(2).content_hash()
        == run(1, store=tmp_path / 's.db').content_hash()
    )


@pytest.mark.parametrize(
    'engine, model',
    [(FastNCF, NCF(**SMALL)), (FastSVD, SVD(n_factors=9, n_epochs=3)), (StackedNCF, NCF(**SMALL))],
)
def test_text_ids(engine, model):
    frame = planted_interactions()
    frame['user'] = [f'ü,{u}"' for u in frame.user]
    frame['item'] = [f'項 {i}' for i in frame['item']]
    evaluator = Evaluator(chrono_split(load_interactions(frame)), 3)
    units = [Unit(users=('ü,5"',)), Unit(items=('項 7', '項 8'))]
    for fast, plain in zip(
        engine(model, evaluator, 0).delete(units),
        ReferenceEngine(model, evaluator, 0).delete(units),
    ):
        assert (
            fast.without
            == {m: pytest.approx(v, abs=1e-10) for m, v in plain.without.items()}
            != fast.full
        )


def test_auto_takes_what_applies():
    tiny = chrono_split(load_interactions(planted_interactions()))
    evaluator, paper = Evaluator(tiny), Evaluator(tiny, candidates='test')

    class Mine(NCF):
        pass

    assert [
        find_engine(r, v)
        for r, v in (
            (NCF(), evaluator),
            (SVD(), evaluator),
            (SVD(), paper),
            (NCF(), paper),
            (Popularity(), evaluator),
            (Mine(), evaluator),
            (NCF(device='cuda'), evaluator),
        )
    ] == [FastNCF, FastSVD, FastSVD, ReferenceEngine, ReferenceEngine, ReferenceEngine, StackedNCF]
    with pytest.raises(ValueError, match='does not know Popularity'):
        find_engine(Popularity(), evaluator, 'fast')


@pytest.mark.parametrize('engine', [FastNCF, FastSVD, StackedNCF])
def test_memory_is_stated(engine, tiny, ml_chrono):
    model = SVD() if engine is FastSVD else NCF()
    small, large = (engine.memory(model, Evaluator(s)) for s in (tiny, ml_chrono))
    assert 0 < small < large < 2


@pytest.mark.skipif(
    not torch.cuda.is_available(),
    reason='no CUDA device here: the stacked engine is tested on the CPU only',
)
def test_stacked_on_cuda(tiny):
    cpu, cuda = (
        StackedNCF(NCF(device=d, **SMALL), Evaluator(tiny, 3), 0).parameters(UNITS)
        for d in ('cpu', 'cuda')
    )
    assert max(np.abs(cpu[k] - cuda[k]).max() for k in cpu) < 1e-9
