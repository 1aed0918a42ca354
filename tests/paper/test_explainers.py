"""Table 1, measured: SHAP and LIME against enumeration, counts against formulas."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from recinfluence.core.units import Unit
from recinfluence.data.interactions import Interactions
from recinfluence.data.splits import Split, chrono_split
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.models.svd import SVD
from recinfluence.reproduction.sections import run_experiment
from recinfluence.reproduction.verdicts import Verdict

pytestmark = pytest.mark.slow  # the experiment runs, reduced

shap = pytest.importorskip(
    'shap', reason='THE EXPLAINERS ARE NOT COMPARED: shap is missing (the extra explain)'
)
pytest.importorskip(
    'lime', reason='THE EXPLAINERS ARE NOT COMPARED: lime is missing (the extra explain)'
)

SIZES, PER_UNIT = [3, 5], 60


@pytest.fixture(scope='module')
def made(movielens, tmp_path_factory):
    out = tmp_path_factory.mktemp('explainers')

    def run():
        return (
            run_experiment('explainers', out, rated=[30, 40], sizes=SIZES, per_unit=PER_UNIT),
            {p.name: p.read_bytes() for p in (out / 'tables').glob('*.csv')},
        )[1]

    return out, run(), run


@pytest.fixture(scope='module')
def read(made):
    return lambda name, **kw: pd.read_csv(
        made[0] / 'tables' / f'{name}.csv', float_precision='round_trip', **kw
    )


@pytest.mark.slow
def test_counts_are_those_of_the_methods(read):
    counts = (
        read('explainers_measured').set_index(['model', 'method', 'engine', 'units']).retrainings
    )
    for model, n in itertools.product(['NCF', 'SVD'], SIZES):
        assert (
            counts[model, 'deletion', 'fast', n]
            == counts[model, 'deletion', 'reference', n]
            == n + 1
        )
        assert (
            counts[model, 'SHAP', 'fast', n] == 2 * PER_UNIT * n + 2
            and counts[model, 'LIME', 'fast', n] == 2 * PER_UNIT * n
        )


def test_values_against_all_subsets_trained_by_scikit_surprise(read, movielens):
    "Every subset of five users, trained and judged here without the notebook's function."
    # then Shapley's formula, and weighted least squares
    frame = movielens.frame
    frame = frame[
        frame.user.isin(range(1, 31)) & frame['item'].isin(frame['item'].value_counts().index[:40])
    ]
    split = chrono_split(Interactions(frame.reset_index(drop=True), 'slice'))
    players = split.users[:5].tolist()
    judged = Evaluator(
        Split(
            split.train,
            split.test[~split.test.user.isin(players)].reset_index(drop=True),
            split.interactions,
            split.protocol,
        )
    )
    value = {
        s: judged(
            SVD().fit_without(split.train, Unit(users=tuple(set(players) - set(s))), 0),
            Unit(users=tuple(set(players) - set(s))),
        ).metrics['ndcg']
        for r in range(6)
        for s in itertools.combinations(players, r)
    }
    kept = read('explainers_scores')
    kept = kept[(kept.model == 'SVD') & (kept.units == 5)]

    def of(method):
        return kept[(kept.method == method) & (kept.engine == 'fast')].set_index('unit').score

    with_, without = lambda s, u: tuple(sorted({*s, u})), tuple(players)
    for u in players:
        assert of('deletion')[u] == pytest.approx(
            value[without] - value[tuple(p for p in players if p != u)], abs=1e-9
        )

    def others(u):
        return [s for s in value if u not in s]

    def weight(group):
        size = len(group)
        return math.factorial(size) * math.factorial(4 - size) / math.factorial(5)

    exact = pd.Series(
        {u: sum(weight(s) * (value[with_(s, u)] - value[s]) for s in others(u)) for u in players}
    )
    assert exact.sum() == pytest.approx(value[without] - value[()]) and of(
        'SHAP'
    ).sum() == pytest.approx(exact.sum())
    gains = [value[with_(s, u)] - value[s] for u in players for s in others(u)]
    assert np.abs(of('SHAP')[players] - exact).max() < 4 * np.std(gains) / math.sqrt(
        PER_UNIT
    )  # sampled: within its error
    subsets = list(value)
    design = np.array([[u in s for u in players] for s in subsets], float)
    far = np.sqrt((1 - design).sum(1))
    w = np.exp(-(far**2) / (0.75 * math.sqrt(5)) ** 2)  # LIME's kernel, as documented
    line = np.linalg.lstsq(
        np.c_[np.ones(len(design)), design] * np.sqrt(w)[:, None],
        np.array([value[s] for s in subsets]) * np.sqrt(w),
        rcond=None,
    )[0][1:]
    assert np.corrcoef(of('LIME')[players], line)[0, 1] > 0.95


def test_what_the_report_needs_is_there_and_a_rerun_changes_nothing(made, read):
    out, tables, run = made
    table = read('table_01', index_col=0)
    assert list(table.index) == list(pd.read_csv('data/paper/table_01.csv').method) and [
        Verdict.from_text(x).kind for x in table.verdict
    ] == ['reproduced exactly', 'not reproducible', 'not reproducible']
    assert (out / 'figures' / 'explainers_cost.svg').exists() and (
        out / 'provenance' / 'explainers.json'
    ).exists()
    assert run() == tables
