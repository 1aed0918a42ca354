"""Engines agree with the reference and with each other, and lanes do not know their neighbours."""

import numpy as np
import pytest
import surprise
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
from recinfluence.kernels import simd
from recinfluence.kernels import svd as kernel
from recinfluence.kernels.topk import top_k as compiled_top_k
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import METRICS
from recinfluence.metrics.ranking import top_k
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
    for d in ours:
        s = slow.delete(d.unit)
        for side in ('full', 'held', 'without'):
            assert getattr(d, side) == {
                m: pytest.approx(v, abs=tolerance) for m, v in getattr(s, side).items()
            }, (d.unit.key, side)


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
    e = Evaluator(tiny, 3, 'test')
    model = SVD(n_factors=8, n_epochs=3)
    for d, s in zip(FastSVD(model, e, 0).delete(UNITS), ReferenceEngine(model, e, 0).delete(UNITS)):
        assert d.without == {
            m: pytest.approx(v, abs=1e-10) for m, v in s.without.items()
        } and d.held == {m: pytest.approx(v, abs=1e-10) for m, v in s.held.items()}


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
    for d in [
        d
        for n in range(0, len(units), 7)
        for d in engine.delete([units[i] for i in order[n : n + 7]])
    ]:
        assert d.without == whole[d.unit].without and d.held == whole[d.unit].held
    assert all(engine.delete([Unit()])[0].influence(m) == 0.0 for m in METRICS)


@pytest.mark.parametrize(
    'recommender', [NCF(n_epochs=2, batch_size=32), SVD(n_factors=5, n_epochs=3)], ids=repr
)
def test_fast_sweeps_are_the_same_however_they_run(tiny, recommender, tmp_path):
    run = lambda jobs, ids=range(20), **kw: (
        deletion_sweep(
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
    )
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
    f = planted_interactions()
    f['user'] = [f'ü,{u}"' for u in f.user]
    f['item'] = [f'項 {i}' for i in f['item']]
    evaluator = Evaluator(chrono_split(load_interactions(f)), 3)
    units = [Unit(users=('ü,5"',)), Unit(items=('項 7', '項 8'))]
    for d, s in zip(
        engine(model, evaluator, 0).delete(units),
        ReferenceEngine(model, evaluator, 0).delete(units),
    ):
        assert d.without == {m: pytest.approx(v, abs=1e-10) for m, v in s.without.items()} != d.full


def test_auto_takes_what_applies():
    tiny = chrono_split(load_interactions(planted_interactions()))
    e, paper = Evaluator(tiny), Evaluator(tiny, candidates='test')

    class Mine(NCF):
        pass

    assert [
        find_engine(r, v)
        for r, v in (
            (NCF(), e),
            (SVD(), e),
            (SVD(), paper),
            (NCF(), paper),
            (Popularity(), e),
            (Mine(), e),
            (NCF(device='cuda'), e),
        )
    ] == [FastNCF, FastSVD, FastSVD, ReferenceEngine, ReferenceEngine, ReferenceEngine, StackedNCF]
    with pytest.raises(ValueError, match='does not know Popularity'):
        find_engine(Popularity(), e, 'fast')


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


# ---- the SVD kernel against scikit-surprise itself
def surprise_fit(rows, n_factors, biased, rates, n_epochs=5):
    trainset = surprise.Dataset.load_from_df(
        rows, surprise.Reader(rating_scale=(1, 5))
    ).build_full_trainset()
    model = surprise.SVD(
        n_factors=n_factors, n_epochs=n_epochs, biased=biased, random_state=3, **rates
    ).fit(trainset)
    u, i, r = (np.array(a) for a in zip(*trainset.all_ratings()))
    rng = np.random.RandomState(3)
    start = (
        rng.normal(0, 0.1, (trainset.n_users, n_factors)),
        rng.normal(0, 0.1, (trainset.n_items, n_factors)),
    )
    return model, (u, i, r, *start, trainset.global_mean if biased else 0.0)


@pytest.mark.parametrize('n_factors', [1, 2, 7, 8, 20, 100, 200, 300])
@pytest.mark.parametrize('biased', [True, False])
def test_svd_kernel_is_scikit_surprise(n_factors, biased, tiny):
    rates = dict(
        lr_bu=0.01,
        lr_bi=0.004,
        lr_pu=0.006,
        lr_qi=0.007,
        reg_bu=0.03,
        reg_bi=0.01,
        reg_pu=0.05,
        reg_qi=0.015,
    )
    model, arrays = surprise_fit(tiny.train[['user', 'item', 'rating']], n_factors, biased, rates)
    pu, qi, bu, bi = kernel.train(*arrays, kernel.SGD(5, biased, **rates))
    for ours, theirs in ((pu, model.pu), (qi, model.qi), (bu, model.bu), (bi, model.bi)):
        assert np.abs(ours - theirs).max() < 1e-12


def plain_sgd(u, i, r, pu, qi, mu, s):
    pu, qi, bu, bi = pu.copy(), qi.copy(), np.zeros(len(pu)), np.zeros(len(qi))
    for _ in range(s.n_epochs):
        for a, b, x in zip(u, i, r):
            e = x - (mu + bu[a] + bi[b] + pu[a] @ qi[b])
            if s.biased:
                bu[a] += s.lr_bu * (e - s.reg_bu * bu[a])
                bi[b] += s.lr_bi * (e - s.reg_bi * bi[b])
            pu[a], qi[b] = (
                pu[a] + s.lr_pu * (e * qi[b] - s.reg_pu * pu[a]),
                qi[b] + s.lr_qi * (e * pu[a] - s.reg_qi * qi[b]),
            )
    return pu, qi, bu, bi


@pytest.mark.parametrize('registers', [32, 16])
@pytest.mark.parametrize('lanes', [8, 4, 2])
def test_svd_kernel_on_ungrouped_rows_and_narrower_registers(lanes, registers, monkeypatch):
    monkeypatch.setattr(simd, 'width', lambda dtype: min(lanes, simd.register_bytes() // 8))
    monkeypatch.setattr(simd, 'n_registers', lambda: registers)
    kernel._kernel.cache_clear()
    rng = np.random.default_rng(0)
    u, i = rng.integers(0, 9, 200), rng.integers(0, 14, 200)
    r = rng.integers(1, 6, 200).astype(float)
    start = rng.normal(0, 0.1, (9, 70)), rng.normal(0, 0.1, (14, 70))
    settings = kernel.SGD(3)
    for ours, slow in zip(
        kernel.train(u, i, r, *start, 3.3, settings), plain_sgd(u, i, r, *start, 3.3, settings)
    ):
        assert np.abs(ours - slow).max() < 1e-12
    kernel._kernel.cache_clear()


def test_svd_kernel_in_single_precision_is_close():
    rng = np.random.default_rng(1)
    u, i = np.sort(rng.integers(0, 9, 200)), rng.integers(0, 14, 200)
    r = rng.integers(1, 6, 200).astype(float)
    start = rng.normal(0, 0.1, (9, 30)), rng.normal(0, 0.1, (14, 30))
    single, double = (
        kernel.train(u, i, r, *start, 3.3, kernel.SGD(5), t) for t in (np.float32, np.float64)
    )
    assert (
        single[0].dtype == np.float32
        and 0 < max(np.abs(a - b).max() for a, b in zip(single, double)) < 1e-4
    )


@pytest.mark.parametrize('users, items', [([0, 9], [0, 0]), ([0, 1], [0, -1])])
def test_svd_kernel_refuses_positions_outside_its_tables(users, items):
    with pytest.raises(ValueError, match='outside'):
        kernel.train(
            np.array(users),
            np.array(items),
            np.ones(2),
            np.zeros((2, 3)),
            np.zeros((1, 3)),
            0.0,
            kernel.SGD(),
        )


# ---- the compiled search for the best items
@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(1, 10),
    st.integers(0, 2**31),
    st.sampled_from([np.float32, np.float64]),
)
def test_compiled_top_k_is_the_plain_one(n_users, n_items, k, seed, dtype):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-2, 3, (n_users, n_items)).astype(dtype)  # many ties
    seen = rng.random((n_users, n_items)) < 0.3
    keep_items, keep_users = rng.random(n_items) < 0.8, rng.random(n_users) < 0.8
    plain = top_k(scores, ~seen & keep_items & keep_users[:, None], k)
    indptr = np.concatenate([[0], np.cumsum(seen.sum(1))])
    assert np.array_equal(
        compiled_top_k(scores, indptr, np.nonzero(seen)[1], keep_users, keep_items, k), plain
    )


def test_compiled_top_k_refuses_nan():
    with pytest.raises(ValueError, match='NaN'):
        compiled_top_k(
            np.array([[1.0, np.nan]]),
            np.array([0, 0]),
            np.array([], int),
            np.array([True]),
            np.array([True, True]),
            1,
        )
