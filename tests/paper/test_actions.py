"""The experiment `actions`, run whole at reduced size, beside plain computations."""

import re
import sqlite3
from contextlib import closing

import gates
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recinfluence.decisions.planted import KINDS

pytestmark = pytest.mark.slow  # the experiment runs, reduced

TEXT = gates.ROOT.parent / 'shared/paper/paper.txt'
LISTS = {
    '4.1': [
        'Data filtering',
        'Adaptive weighting',
        'Targeted enrichment',
        'Segment-specific tuning',
        'Catalog curation',
        'Inventory pruning',
        'Cold-start optimization',
        'Exposure control',
    ],
    '4.2': [
        'Noise reduction in sparse data',
        'Reviewer credibility scoring',
        'Dynamic weighting in live systems',
    ],
}
COVERED = {f'{name.lower()} ({section})' for section, names in LISTS.items() for name in names}
WORDS = {
    f'{does}; {beside} chance'
    for does in ('helps', 'hurts', 'no effect seen')
    for beside in ('better than', 'worse than', 'no different from')
} | {'moves nothing'}
FOUND = {
    f'{said} ({how})'
    for said in ('found; better than by counting', 'counting is better', 'no better than counting')
    for how in ('activity', 'popularity', 'deviation', 'rdma')
}
BETTER = {'RMSE': -1, 'Gini': -1, 'Popularity': -1, 'NDCG': 1, 'Coverage': 1}
REDUCED = dict(
    svd=dict(n_factors=4, n_epochs=5),
    ncf=dict(n_epochs=1),
    alone=64,
    user_seeds=2,
    item_seeds=2,
    group_seeds=2,
    check_seeds=2,
    n_random=3,
    users=8,
    items=6,
    plantings=2,
    planted=2,
    sample=12,
    jobs=1,
)
KEPT = """pd.to_pickle(
    [
        {
            'paper': p,
            'action': m.action.name,
            'model': m.model,
            'metric': m.metrics[x].label,
            'judged': j,
            'doses': m.action.doses,
            'chosen on': list(m.action.influence.seeds),
            'values': m.values[(m.values.judged == j) & (m.values.metric == x)],
        }
        for p, lines in paper.items()
        for m, x, j in lines
    ],
    Path(out) / 'lines.pickle',
)"""


@pytest.fixture(scope='module')
def folder(movielens, tmp_path_factory):
    "What a reduced run leaves, with the numbers of every seed and dealing behind its lines."
    import nbformat
    import papermill

    out = tmp_path_factory.mktemp('actions')
    nb = nbformat.read(gates.ROOT / 'nbs/experiments/actions.ipynb', 4)
    nb.cells.append(nbformat.v4.new_code_cell(KEPT))
    nbformat.write(nb, out / 'in.ipynb')
    papermill.execute_notebook(
        str(out / 'in.ipynb'),
        str(out / 'out.ipynb'),
        {**REDUCED, 'out': str(out)},
        kernel_name='python3',
        cwd=str(out),
        progress_bar=False,
    )
    return out


@pytest.fixture(scope='module')
def table(folder):
    return pd.read_csv(folder / 'tables/actions.csv')


@pytest.fixture(scope='module')
def lines(folder):
    return pd.read_pickle(folder / 'lines.pickle')


def test_these_are_the_papers_lists():
    if not TEXT.exists():
        pytest.skip(f"the paper's text is not at {TEXT}: its lists are not compared")
    parts = re.split(r'^(4\.\d) .*\n', TEXT.read_text(encoding='utf-8'), flags=re.M)
    named = {
        s: re.findall(r'^\d\.\n([^:\n]+): ', text, re.M)
        for s, text in zip(parts[1::2], parts[2::2])
    }
    assert {s: n for s, n in named.items() if n} == LISTS


@pytest.mark.slow
def test_every_action_of_the_lists_has_its_line_and_every_line_all_it_must(table):
    assert set(table.paper) == COVERED | {'popularity bias (audit)'}
    assert table['size'].str.fullmatch(r'1 (user|item)|[\d,]+ (users|items)').all() and table[
        ['action', 'model', 'judged', 'metric']
    ].notna().all(axis=None)
    numbers = table[['effect', 'low', 'high', 'random', 'random_low', 'random_high']]
    assert np.isfinite(numbers).all(axis=None)
    assert (
        (table.low <= table.effect).all()
        and (table.effect <= table.high).all()
        and (table.random_low <= table.random).all()
        and (table.random <= table.random_high).all()
    )
    asked = table.paper.str.startswith('reviewer credibility')
    assert set(table.verdict[~asked]) <= WORDS and set(table.verdict[asked]) <= FOUND
    assert (
        asked.sum() == sum(d < 0 for d in KINDS.values()) == 10
        and table[asked].effect.between(0, 1).all()
        and (table[asked].random == 0.5).all()
        and set(table.model) == {'SVD', 'NCF'}
    )


def test_the_short_table_says_the_same(folder, table):
    short = pd.read_csv(folder / 'tables/actions_short.csv')
    same = ['action', 'paper', 'model', 'size', 'judged', 'metric', 'verdict']
    assert short[same].equals(table[same])
    for name, columns in (
        ('effect (95 %)', ['effect', 'low', 'high']),
        ('at random (95 %)', ['random', 'random_low', 'random_high']),
    ):
        said = np.array(
            [re.fullmatch(r'(\S+) \((\S+) to (\S+)\)', s).groups() for s in short[name]], float
        )
        assert np.allclose(said, table[columns], rtol=0.06, atol=1e-12)


def test_numbers_and_verdicts_follow_from_the_seeds(lines, table):
    "Effect, intervals, q and verdict again, from what each seed and each dealing gave."
    chance, rows = [], []
    for own in lines:
        change = (
            BETTER[own['metric']]
            * own['values']
            .set_index(['seed', 'arm'])
            .eval('after - before')
            .unstack('arm')
            .to_numpy()
        )
        chosen, lots = change[:, 0], change[:, 1:]
        replicates, draws = change.shape[0], lots.shape[1]
        assert (replicates, draws) == (REDUCED['check_seeds'], REDUCED['n_random'])
        half = stats.t.ppf(0.975, replicates - 1) * chosen.std(ddof=1) / np.sqrt(replicates)
        sd = lots.mean(0).std(ddof=1) * np.sqrt(1 + 1 / draws)
        wide = stats.t.ppf(0.975, draws - 1) * sd
        ahead = (chosen - lots.mean(1)).mean()
        chance.append(
            2 * stats.t.sf(abs(ahead) / sd, draws - 1)
            if sd > 1e-12 * abs(ahead)
            else 1 / (draws + 1)
            if ahead
            else 1.0
        )
        rows.append(
            [
                chosen.mean(),
                chosen.mean() - half,
                chosen.mean() + half,
                lots.mean(),
                lots.mean() - wide,
                lots.mean() + wide,
                ahead,
            ]
        )
    ours, listed = np.array(rows), table[: len(lines)]
    assert [
        tuple(own[c] for c in ('paper', 'action', 'model', 'judged', 'metric')) for own in lines
    ] == list(
        listed[['paper', 'action', 'model', 'judged', 'metric']].itertuples(index=False, name=None)
    )
    assert np.allclose(
        ours[:, :6],
        listed[['effect', 'low', 'high', 'random', 'random_low', 'random_high']],
        rtol=1e-7,
        atol=1e-12,
    )
    order = np.argsort(chance)
    q = np.empty(len(chance))
    q[order] = np.minimum(
        1,
        np.minimum.accumulate(
            (np.sort(chance) * len(chance) / np.arange(1, len(chance) + 1))[::-1]
        )[::-1],
    )
    assert np.allclose(q, listed.q, atol=1e-9)
    for (effect, low, high, _, lot_low, lot_high, ahead), q, verdict in zip(
        ours, q, listed.verdict
    ):
        does = 'helps' if low > 0 else 'hurts' if high < 0 else 'no effect seen'
        beside = 'no different from' if q >= 0.05 else 'better than' if ahead > 0 else 'worse than'
        assert verdict == (
            'moves nothing' if effect == lot_low == lot_high == 0 else f'{does}; {beside} chance'
        )


def test_no_seed_both_chose_and_judged(folder, lines):
    "Seeds as the stores hold them; what a line was measured on is in none of them."
    stores = {}
    for path in (folder / 'stores').glob('*.db'):
        with closing(sqlite3.connect(path)) as db:
            stores[path.stem] = {s for (s,) in db.execute('SELECT DISTINCT seed FROM retrainings')}
    assert set(stores) == {'users', 'items', 'groups', 'sparse', 'past'} and set.union(
        *stores.values()
    ) == {s for own in lines for s in own['chosen on']}
    for own in lines:
        assert own['chosen on'] and not set(own['values'].seed) & set.union(*stores.values()), own[
            'action'
        ]


def test_a_line_by_plain_fits(lines, movielens):
    "Who is left out is who the store says, and what it does is what reference fits give."
    from recinfluence.data.splits import chrono_split
    from recinfluence.models.svd import SVD

    own = lines[0]
    assert (own['action'], own['model'], own['metric'], own['judged']) == (
        'leave out the worst',
        'SVD',
        'RMSE',
        'the others',
    )
    split = chrono_split(movielens).halve_test()[1]
    out = own['doses'].index
    test = split.test[~split.test.user.isin(out)]
    effects = []
    for seed in sorted(set(own['values'].seed)):

        def rmse(train):
            model = SVD(**REDUCED['svd']).fit(train, seed)
            scores = model.score(split.users, split.items).clip(1, 5)
            return np.sqrt(
                np.mean(
                    (
                        scores[
                            np.searchsorted(split.users, test.user),
                            np.searchsorted(split.items, test['item']),
                        ]
                        - test.rating
                    )
                    ** 2
                )
            )

        effects.append(rmse(split.train) - rmse(split.train[~split.train.user.isin(out)]))
    assert (
        own['values'].groupby('seed').first().eval('before - after').to_numpy()
        == pytest.approx(effects, abs=1e-9)
        and (own['doses'] == 0).all()
        and len(out) == REDUCED['users']
    )


def test_the_worst_are_the_stores_worst(folder, lines):
    "The eight whose deletion lowers the RMSE of the others most, on average over seeds."
    with closing(sqlite3.connect(folder / 'stores/users.db')) as db:
        frame = pd.read_sql(
            "SELECT unit, held, without FROM measures WHERE metric = 'rmse' AND unit != 'nothing'",
            db,
        )
    change = (frame.without - frame.held).groupby(frame.unit).mean()
    worst = change.nsmallest(REDUCED['users']).index
    assert len(change) == REDUCED['alone']
    assert set(worst) == {f'user {u}' for u in lines[0]['doses'].index}


def test_the_table_on_the_site_covers_the_lists():
    kept = pd.read_csv(gates.ROOT / 'docs/measured/actions.csv')
    assert COVERED <= set(kept.paper)
    asked = kept.paper.str.startswith('reviewer credibility')
    assert set(kept.verdict[~asked]) <= WORDS and set(kept.verdict[asked]) <= FOUND
    assert (
        kept[['effect (95 %)', 'at random (95 %)']]
        .apply(lambda c: c.str.fullmatch(r'[+-]\S+ \(\S+ to \S+\)'))
        .all(axis=None)
    )
