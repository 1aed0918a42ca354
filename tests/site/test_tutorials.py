"""The lessons, run whole with their solutions: their numbers by other means."""

import pickle
import re

import gates
import numpy as np
import pytest

FOLDER = gates.ROOT / 'nbs/tutorials'
LESSONS = sorted(p.stem for p in FOLDER.glob('[0-9]*.ipynb'))
REDUCED = {
    '2': dict(n_epochs=2, users=12),
    '3': dict(n_users=12, n_seeds=4, n_epochs=2, dtype='float64', steady_seeds=2, jobs=1),
    '4': dict(n_users=45, replicates=6, per_seed=30, n_epochs=4, fresh_seeds=2, jobs=1),
    '5': dict(n_users=40, n_items=24, replicates=4, adapters=False),
    '6': dict(n_users=70, replicates=2, fresh_seeds=2, n_random=3, size=10, jobs=1),
}


def solutions(cell):
    "The code that is folded away in a markdown cell."
    text = cell['source']
    return (
        re.findall(r'```python\n(.*?)```', text, re.S)
        if cell['cell_type'] == 'markdown' and '<details>' in text
        else []
    )


def run(number, folder, *wanted):
    "What a lesson's expressions are worth after all its cells and solutions, at reduced size."
    import nbformat
    import papermill

    lesson = next(s for s in LESSONS if s.startswith(number))
    nb = nbformat.read(FOLDER / f'{lesson}.ipynb', 4)
    cells = []
    for cell in nb.cells:
        cells += [cell, *(nbformat.v4.new_code_cell(code) for code in solutions(cell))]
    pairs = ', '.join(f'{w!r}: {w}' for w in wanted)
    cells.append(
        nbformat.v4.new_code_cell(
            'import pickle\nfrom pathlib import Path\n_ = '
            f'Path({str(folder / "found.pickle")!r}).write_bytes(pickle.dumps({{{pairs}}}))'
        )
    )
    nb.cells = cells
    nbformat.write(nb, folder / 'in.ipynb')
    papermill.execute_notebook(
        str(folder / 'in.ipynb'),
        str(folder / 'out.ipynb'),
        REDUCED.get(number, {}),
        kernel_name='python3',
        cwd=str(folder),
        progress_bar=False,
    )
    return list(pickle.loads((folder / 'found.pickle').read_bytes()).values())


# ---- plain computations, that share no code with the package ----


def plain_list(scores, seen, items, k):
    "Positions of the k highest scores among items that were not seen; ties to the first."
    return [n for n in np.argsort(-np.asarray(scores), kind='stable') if items[n] not in seen][:k]


def plain_map(listed, wanted):
    return np.mean(
        [
            1 / (own.index(wanted[u]) + 1) if wanted[u] in own else 0.0
            for u, own in listed.items()
            if u in wanted
        ]
    )


def plain_ndcg(listed, relevant):
    "Mean over users of NDCG; `relevant`: user -> set of items."
    each = [
        sum(1 / np.log2(n + 2) for n, i in enumerate(own) if i in relevant[u])
        / sum(1 / np.log2(n + 2) for n in range(min(len(own), len(relevant[u]))))
        for u, own in listed.items()
        if relevant.get(u)
    ]
    return np.mean(each)


def anova(table):
    "Reliability of row means from the sums of squares of a two-way table."
    n, k = table.shape
    rows, columns = table.mean(1), table.mean(0)
    grand = table.mean()
    ms_rows = k * ((rows - grand) ** 2).sum() / (n - 1)
    ms_error = ((table - rows[:, None] - columns[None] + grand) ** 2).sum() / ((n - 1) * (k - 1))
    return 1 - ms_error / ms_rows


def by_user(frame):
    return {u: set(g) for u, g in frame.groupby('user')['item']}


# ---- the lessons ----


@pytest.mark.slow
def test_1_both_parts_of_everybody_s_influence_by_plain_counting_and_by_ridge_regressions(tmp_path):
    text, counting, similar = run('1', tmp_path, 'TABLE', 'counting', 'similar')
    head, *lines = [line.split() for line in text.strip().splitlines()]
    users, train, wanted = (
        [u for u, *_ in lines],
        {
            u: {i for i, c in zip(head, cells) if c[0] != '.' and '?' not in c}
            for u, *cells in lines
        },
        {u: next(i for i, c in zip(head, cells) if '?' in c) for u, *cells in lines},
    )

    def counts(users, items):
        return {u: [sum(i in train[v] for v in users) for i in items] for u in users}

    def ridges(users, items):
        "What the others say about each film: ridge regression on the other columns, penalty 1."
        x = np.array([[float(i in train[u]) for i in items] for u in users])
        out = np.zeros_like(x)
        for j in range(len(items)):
            rest = np.arange(len(items)) != j
            out[:, j] = x[:, rest] @ np.linalg.solve(
                x[:, rest].T @ x[:, rest] + np.eye(rest.sum()), x[:, rest].T @ x[:, j]
            )
        return dict(zip(users, np.round(out, 10)))

    def value(model, gone, trained_without):
        there = [u for u in users if u != gone]
        left = [i for i in head if i != gone]
        scores = (
            model(there, left)
            if trained_without
            else {u: s for u, s in model(users, head).items() if u != gone}
        )
        if not trained_without:
            scores = {u: [x for x, i in zip(s, head) if i != gone] for u, s in scores.items()}
        lists = {u: [left[n] for n in plain_list(scores[u], train[u], left, 3)] for u in there}
        return plain_map(lists, {u: i for u, i in wanted.items() if u != gone and i != gone})

    for model, found in ((counts, counting), (ridges, similar)):
        full = value(model, None, False)
        for unit in users + head:
            held, without = value(model, unit, False), value(model, unit, True)
            assert np.allclose(
                found.loc[unit, ['mechanical', 'training', 'influence']].astype(float),
                [full - held, held - without, full - without],
                atol=1e-9,
            ), unit
    assert (
        set(counting.index) == set(users + head)
        and (counting.training[users] < 0).any()
        and (counting.training[users] > 0).any()
    )


def test_2_random_scores_fill_table_12_and_are_worth_little_where_all_films_compete(
    tmp_path, ml_random
):
    table, seen, verdict, blind = run(
        '2',
        tmp_path,
        'table',
        'seen',
        "verdict['sees the model']",
        'blind[["id", "estimate", "training"]]',
    )
    relevant, train = by_user(ml_random.test), by_user(ml_random.train)
    rng = np.random.default_rng(7)
    shuffled = {
        u: [own[n] for n in rng.permutation(len(own))][:10]
        for u, own in ((u, sorted(i)) for u, i in relevant.items())
    }
    precision = np.mean([len(own) / 10 for own in shuffled.values()])
    recall = np.mean([len(own) / len(relevant[u]) for u, own in shuffled.items()])
    plain = {
        'map': recall,
        'map_at_k': 1,
        'ndcg': plain_ndcg(shuffled, relevant),
        'precision': precision,
        'recall': recall,
    }
    for name in table:
        assert np.allclose([table.loc[m, name] for m in plain], list(plain.values()), atol=1e-12), (
            name
        )
    assert (verdict[['MAP', 'MAP@K', 'NDCG', 'Precision@K', 'Recall@K']] == 'NO').all() and (
        verdict[['MAE', 'RMSE', 'Explained Var']] == 'yes'
    ).all()
    items = sorted(set(ml_random.train['item']))
    counts = ml_random.train['item'].value_counts().reindex(items).to_numpy()
    lists = {u: [items[n] for n in plain_list(counts, train[u], items, 10)] for u in relevant}
    assert (
        np.isclose(seen.loc['ndcg', 'count of ratings'], plain_ndcg(lists, relevant))
        and seen.loc['ndcg', 'random numbers'] < 0.05
    )
    for user, estimate, training in blind.itertuples(index=False):
        assert training == pytest.approx(0, abs=1e-12) and estimate == pytest.approx(
            precision - np.mean([len(own) / 10 for v, own in shuffled.items() if v != user]),
            abs=1e-12,
        )


@pytest.mark.slow
def test_3_pairing_gains_and_one_retraining_by_the_reference_engine(tmp_path, ml_chrono):
    from recinfluence import NCF, Evaluator, Replicate, Unit

    ids, paired, unpaired, gain, frame, repeated, steady, table = run(
        '3',
        tmp_path,
        'ids',
        'paired',
        'unpaired',
        'gain',
        'sweep.frame()',
        'influence.reliability.estimate',
        'steady.reliability.estimate',
        'steady.table.to_numpy()',
    )
    assert (
        paired.shape == unpaired.shape == (12, 4)
        and gain == pytest.approx(np.var(unpaired, 1).mean() / np.var(paired, 1).mean())
        and gain > 3
    )
    assert (
        repeated == pytest.approx(anova(paired))
        and steady == pytest.approx(anova(table))
        and steady > 0.8
    )
    assert np.allclose(
        paired.mean(1), unpaired.mean(1), atol=1e-12
    )  # the same trainings, put together otherwise
    slow = Replicate(NCF(n_epochs=2, dtype='float64'), Evaluator(ml_chrono), 1).delete(
        Unit(users=(ids[5],))
    )
    fast = frame[(frame.unit == f'user {ids[5]}') & (frame.seed == 1)].set_index('metric').training
    assert (
        fast['map'] == pytest.approx(slow.training('map'), abs=1e-9)
        and abs(slow.training('map')) > 1e-6
        and paired[5, 1] == fast['map']
    )


@pytest.mark.slow
def test_4_the_same_budget_is_more_reliable_by_random_groups(tmp_path):
    one, many, said, n, spent, history, few, alone = run(
        '4',
        tmp_path,
        'one.table.to_numpy()',
        'many.table.to_numpy()',
        '[one.reliability.estimate, many.reliability.estimate]',
        '[single.store.done().__len__(), groups.store.done().__len__()]',
        'screened.spent',
        'screened.history',
        '(few.train, few.test)',
        'alone',
    )
    assert said == pytest.approx([anova(one), anova(many)]) and said[1] > said[0]
    assert n[0] - 6 == n[1] == 45 * 6  # full models aside
    left = [45, *history['units left']]
    replicates = [3, *np.diff(history.index)]
    assert (
        spent == sum(a * b for a, b in zip(left, replicates)) and sorted(left, reverse=True) == left
    )
    train, test = few
    items, relevant = sorted(set(train['item'])), by_user(test)

    def ndcg(gone, trained_without):
        rows = train[train.user != gone] if trained_without else train
        users, left = sorted(set(rows.user)), sorted(set(rows['item']))
        own = by_user(rows)
        x = np.array([[float(i in own[u]) for i in left] for u in users])
        score = {}
        weights = np.zeros((len(left), len(left)))
        for j in range(len(left)):
            rest = np.arange(len(left)) != j
            weights[rest, j] = np.linalg.solve(
                x[:, rest].T @ x[:, rest] + 5 * np.eye(rest.sum()), x[:, rest].T @ x[:, j]
            )
        for u, scores in zip(users, np.round(x @ weights, 10)):
            score[u] = [dict(zip(left, scores)).get(i, 0.0) for i in items]
        return plain_ndcg(
            {
                u: [items[n] for n in plain_list(score[u], own[u], items, 3)]
                for u in users
                if u != gone
            },
            relevant,
        )

    for u in alone.index:
        assert alone[u] == pytest.approx(ndcg(u, False) - ndcg(u, True), abs=1e-9), u


@pytest.mark.slow
def test_5_a_model_of_one_s_own_and_its_metrics_in_plain_loops(tmp_path):
    train, test, judged, se, line = run(
        '5', tmp_path, 'split.train', 'split.test', 'judged.metrics', 'mean_se', 'line'
    )
    users, items, own, relevant = (
        sorted(set(train.user)),
        sorted(set(train['item'])),
        by_user(train),
        by_user(test),
    )
    rating = {(u, i): r for u, i, r in train[['user', 'item', 'rating']].itertuples(index=False)}
    x = {u: np.array([rating.get((u, i), 0.0) for i in items]) for u in users}
    lists = {}
    for u in users:
        near = {v: x[u] @ x[v] / np.sqrt((x[u] @ x[u]) * (x[v] @ x[v])) for v in users if v != u}
        least = sorted([*near.values(), 0.0], reverse=True)[10]
        near = {v: s for v, s in near.items() if s >= least}
        lists[u] = [
            items[n]
            for n in plain_list(
                sum(s * x[v] for v, s in near.items()) / (sum(near.values()) + 1e-9),
                own[u],
                items,
                5,
            )
        ]
    shown = np.array([sum(i in own for own in lists.values()) for i in items])
    assert judged['hit_rate'] == pytest.approx(
        np.mean([bool(relevant[u] & set(lists[u])) for u in relevant]), abs=0.03
    )  # .03: a tie between neighbours falls either way by rounding
    assert judged['gini'] == pytest.approx(
        np.abs(shown[:, None] - shown).mean() / (2 * shown.mean()), abs=0.03
    )
    assert se['paired'] < 0.8 * se['by position'] and set(line.values()) == {
        'not tried (parameter adapters=False)'
    }


@pytest.mark.slow
def test_6_the_effect_of_pruning_by_refitting_and_striking_films_off(tmp_path):
    from recinfluence import SVD

    train, test, ids, effect, flattered, chosen = run(
        '6',
        tmp_path,
        'judge_on.train',
        'judge_on.test',
        "list(actions['prune'].doses.index)",
        'honest',
        'self_judged',
        'list(actions["leave out"].doses.index)',
    )
    users, items, own, relevant = (
        sorted(set(train.user)),
        sorted(set(train['item'])),
        by_user(train),
        by_user(test),
    )
    effects = []
    for seed in (70_000, 70_001):
        scores = (
            SVD(n_factors=20, n_epochs=10).fit(train, seed).score(np.array(users), np.array(items))
        )
        lists = [
            {
                u: [items[n] for n in plain_list(s, own[u] | gone, items, 10)]
                for u, s in zip(users, scores)
            }
            for gone in (set(), set(ids))
        ]
        effects.append(plain_ndcg(lists[1], relevant) - plain_ndcg(lists[0], relevant))
    assert (
        len(ids) == len(chosen) == 10
        and effect == pytest.approx(np.mean(effects), abs=1e-6)
        and flattered > effect
    )


# ---- their form ----


@pytest.mark.parametrize('lesson', LESSONS)
def test_a_lesson_has_parameters_exercises_and_solutions_and_was_run_whole(lesson):
    import nbformat

    nb = nbformat.read(FOLDER / f'{lesson}.ipynb', 4)
    code = [c for c in nb.cells if c.cell_type == 'code']
    text = '\n'.join(c.source for c in nb.cells if c.cell_type == 'markdown')
    assert [c for c in nb.cells if 'parameters' in c.metadata.get('tags', [])] == code[
        :1
    ] and REDUCED.get(lesson[0], {}).keys() <= set(re.findall(r'^(\w+) =', code[0].source, re.M))
    n = len(re.findall(r'^\*\*\d\.\*\*', text, re.M))
    assert (
        n >= 3
        and sum(len(solutions(c)) for c in nb.cells)
        == text.count('<summary>')
        == text.count('</details>')
        == n
        and text.count('What do you expect') >= 3
    )
    assert (
        not [o for c in code for o in c.outputs if o.output_type == 'error']
        and sum(len(o.get('data', {}).get('image/png', '')) > 0 for c in code for o in c.outputs)
        >= 2
    )
    assert (FOLDER / f'{lesson}.ipynb').stat().st_size < 600_000
    for link in re.findall(r'\]\(([^)h][^)]*)\)', text):
        assert (FOLDER / link).exists(), link


def test_there_are_six():
    assert [s[0] for s in LESSONS] == list('123456')


@pytest.mark.parametrize(
    'url, has, has_not',
    [
        ('', 'make prepare', '://'),
        (
            'https://github.com/a/b.git',
            'https://mybinder.org/v2/gh/a/b/main?labpath=nbs/tutorials/x.ipynb',
            'b.git',
        ),
        (
            'https://github.com/a/b',
            'https://colab.research.google.com/github/a/b/blob/main/nbs/tutorials/x.ipynb',
            '(https://mybinder.org/v2/git',
        ),
        ('https://codes.example/a/b', 'v2/git/https%3A%2F%2Fcodes.example%2Fa%2Fb/main?', 'colab'),
    ],
)
def test_the_launch_line_has_links_only_where_an_address_is_known(url, has, has_not):
    line = gates.launch('x.ipynb', url, 'main')
    assert has in line and has_not not in line and line.startswith('**Run it**')
