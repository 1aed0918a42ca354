"""Verdicts, and the experiment notebooks from end to end on a few units."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recinfluence.reproduction.paper import compare_with_paper, paper_table, verdict
from recinfluence.reproduction.sections import reproduce_section


@pytest.mark.parametrize(
    'paper, ours, sd, says',
    [
        ('0.047070', 0.0470704, None, 'reproduced exactly'),
        ('0.047070', 0.0470706, None, 'not reproducible, and no reason is known'),
        ('0.047070', 0.0480, 0.001, 'reproduced within noise (-0.9 sd, 12 seeds)'),
        (
            '0.047070',
            0.0494,
            0.001,
            'not reproducible, because it lies -2.3 sd from the mean of 12 seeds',
        ),
        ('100,000', 100_000, None, 'reproduced exactly'),
        ('-2.70%', -2.704, None, 'reproduced exactly'),
        ('3.67e-05', 3.674e-5, None, 'reproduced exactly'),
        ('3.67e-05', 3.68e-5, None, 'not reproducible, and no reason is known'),
    ],
)
def test_verdicts(paper, ours, sd, says):
    assert verdict(paper, ours, sd, 12) == says


@pytest.mark.parametrize('seeds', [2, 4, 12])
def test_a_further_draw_lies_within_noise_19_times_in_20(seeds):
    rng = np.random.default_rng(seeds)
    draws = rng.normal(5, 1, (4000, seeds + 1))
    said = [
        verdict(f'{d[0]:.6f}', d[1:].mean(), d[1:].std(ddof=1), seeds).startswith('reproduced')
        for d in draws
    ]
    assert abs(np.mean(said) - 0.95) < 4 * np.sqrt(0.05 * 0.95 / len(said))


def test_beside_keeps_what_was_printed():
    t = compare_with_paper(paper_table(12), pd.Series(np.arange(7.0)))
    assert (
        t.paper.tolist() == paper_table(12).value.tolist()
        and t.index[0] == 'MAP'
        and 'sd over seeds' not in t
    )


FEW = {
    '4.1': dict(
        users=[2, 273, 17, 775, 311, 583, *range(1, 11)],
        items=[905, 1342, 1518, 1380, 482, 1227, *range(1, 11)],
        replicates=1,
        full_seeds=2,
        check_seeds=1,
    ),
    '4.3': dict(users='named', items='first', replicates=1),
}


@pytest.fixture(scope='module', params=FEW)
def few(request, movielens, tmp_path_factory):
    "A section run on a few units, in one process, since two tests run side by side: its number, its folder, its notebook."
    out = tmp_path_factory.mktemp('few')
    return request.param, out, reproduce_section(request.param, out, jobs=1, **FEW[request.param])


def test_a_section_runs_whole_on_a_few_units(few, movielens):
    section, out, notebook = few
    tables, figures = {
        '4.1': (
            {'validation_users', 'validation_items', *('table_%02d' % n for n in range(2, 10))},
            {'figure_2', 'figure_3', 'figure_4', 'figure_5'},
        ),
        '4.3': ({'table_12', 'table_13', 'protocols'}, {'svd_users_by_influence'}),
    }[section]
    assert (
        tables <= {p.stem for p in (out / 'tables').iterdir()}
        and figures <= {p.stem for p in (out / 'figures').glob('*.svg')}
        and notebook.with_suffix('.html').stat().st_size > 100_000
    )
    text = json.loads(notebook.read_text())
    assert not [
        o for c in text['cells'] for o in c.get('outputs', []) if o['output_type'] == 'error'
    ]
    from recinfluence.reproduction.report import contents, report

    items = contents(out)
    assert (
        items.verdicts[items.section == section].notna().all()
        and report(out).stat().st_size > 20_000
    )
    if section == '4.3':
        from recinfluence.influence.saved import load_results

        saved = load_results(out / 'results/svd_users.parquet', 'rmse', movielens)
        assert (
            len(saved.frame) == 15
            and saved.frame.label.iloc[0].startswith('user')
            and saved.replicates == 1
        )
        a = pd.read_csv(out / 'tables/algorithms.csv')
        assert (
            sorted(set(a.algorithm)) == [1, 2]
            and a.difference.max() < 1e-12
            and a['written out'].abs().min() > 0
        )
        assert (
            pd.read_csv(out / 'tables/table_12.csv').verdict == 'reproduced exactly'
        ).all() and (pd.read_csv(out / 'tables/table_13.csv').ratings == 'reproduced exactly').all()

        def tables():
            return {p.name: p.read_bytes() for p in (out / 'tables').iterdir()}

        before = tables()
        done = {p: p.stat().st_size for p in (out / 'stores').glob('*.db')}
        reproduce_section(section, out, jobs=1, **FEW[section])
        assert (
            tables() == before
            and {p: p.stat().st_size for p in (out / 'stores').glob('*.db')} == done
        )  # a rerun: nothing computed again, the same bytes
    else:
        assert all(
            (pd.read_csv(out / f'tables/{t}.csv').ratings == 'reproduced exactly').all()
            for t in ('table_04', 'table_07')
        )
        v = pd.read_csv(out / 'tables/table_02.csv').set_index('metric').verdict
        assert (v.drop('Average # ratings/user') == 'reproduced exactly').all() and v[
            'Average # ratings/user'
        ].startswith('not reproducible, because 100,000 / 943')


@pytest.mark.parametrize('media, width', [('screen', 1280), ('print', 1031)])
def test_its_report_is_legible_on_a_screen_and_in_print(few, browser, media, width):
    "A4 across, less its margins of 12 mm, is 1,031 pixels. No table and no picture is cut off or shrunk beyond reading."
    from recinfluence.reproduction.report import report

    browser.execute_cdp_cmd(
        'Emulation.setDeviceMetricsOverride',
        {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': False},
    )
    browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': media})
    try:
        browser.get(report(few[1]).as_uri())
        wide, cut, small, pictures, tables = browser.execute_script("""
            const of = s => [...document.querySelectorAll(s)], named = e => (e.closest('.item, section, div')?.innerText ?? '').slice(0, 60);
            return [document.documentElement.scrollWidth, of('.wide, td, th, figure').filter(e => e.scrollWidth > e.clientWidth + 1).map(named),
                    of('table').filter(e => parseFloat(getComputedStyle(e).fontSize) < 11).map(named), of('img').map(e => [e.naturalWidth, e.getBoundingClientRect().width]), of('table').length]""")
        assert (
            wide <= width
            and not cut
            and not small
            and tables >= 8
            and all(real > 0 and shown > 300 for real, shown in pictures)
        )
    finally:
        browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})


@pytest.mark.parametrize('data', ['simulated', 'a sample of real reviews'])
def test_section_4_2_runs_whole(data, request, tmp_path):
    "Of the real sample every user and every item, both sweeps; simulated data are called so in every verdict."
    if data == 'simulated':
        given, n = dict(stand_in=dict(n_users=150, n_items=80, n_rows=2500), budget='3s'), (150, 80)
    else:
        real = request.getfixturevalue('small_real')
        (tmp_path / 'reviews').mkdir()
        busiest = sorted((real / 'train.txt').open(), key=lambda line: -line.count(' '))[:100]
        who = {
            line.split()[0] for line in busiest
        }  # their 10-core: 68 users, 74 items, small enough for four seeds of all on any machine
        for f, lines in (
            ('train.txt', busiest),
            ('test.txt', [l for l in (real / 'test.txt').open() if l.split()[0] in who]),
        ):
            (tmp_path / 'reviews' / f).write_text(''.join(lines))
        given, n = dict(path=str(tmp_path / 'reviews'), budget='12s'), (68, 74)
    notebook = reproduce_section('4.2', tmp_path / 'out', replicates=2, jobs=1, **given)

    def table(name):
        return pd.read_csv(tmp_path / 'out/tables' / f'{name}.csv', index_col=0)

    assert not [
        o
        for c in json.loads(notebook.read_text())['cells']
        for o in c.get('outputs', [])
        if o['output_type'] == 'error'
    ]
    assert {'figure_6', 'figure_7', 'figure_8'} <= {
        p.stem for p in (tmp_path / 'out/figures').glob('*.svg')
    }
    verdicts = [
        *table('table_10').verdict,
        *table('table_11').verdict,
        *table('amazon_statements').verdict,
    ]
    assert (
        set(verdicts) == {'not comparable, simulated data'}
        if data == 'simulated'
        else not any('simulated' in v for v in verdicts)
    )
    assert (
        table('table_10').ours[['# Users', '# Items']].tolist() == list(n)
        and table('table_11_readings')['share of ones'].iloc[0] == 1
    )
    if data == 'simulated':
        paper = {'table_10_implied', 'inconsistencies_2'}  # of the paper's figures alone
        assert not [
            p.stem
            for p in (tmp_path / 'out/tables').iterdir()
            if p.stem not in paper and 'simulated' not in p.read_text()
        ] and not [
            p.stem
            for p in (tmp_path / 'out/figures').glob('*.svg')
            if 'simulated' not in p.read_text().lower()
        ]
    from recinfluence.reproduction.report import report

    page = report(tmp_path / 'out').read_text()
    assert (
        all(f'>{r}<' in page for r in table('table_11_readings').index)
        and 'Table 11 above uses A' in page
    )
    if data != 'simulated':
        assert [len(table(f'{kind}_refined')) for kind in ('users', 'items')] == list(n) and table(
            'users_quote'
        ).loc['everything', 'seeds'] >= 4  # so small that the budget covers all


def test_no_section_overwrites_what_another_made():
    "All sections share one output folder: every name that is kept belongs to one notebook."
    import re
    from itertools import combinations

    from recinfluence.core.files import resource
    from recinfluence.reproduction.sections import SECTIONS

    names = {
        s: re.findall(
            r"out, '(\w+)'\)",
            ''.join(
                line
                for c in json.loads(resource('nbs/experiments', f'{n}.ipynb').read_text())['cells']
                for line in c['source']
            ),
        )
        for s, n in SECTIONS.items()
        if n
    }
    assert all(len(n) > 10 for n in names.values()) and not [
        (a, b) for a, b in combinations(names, 2) if set(names[a]) & set(names[b])
    ]


def test_every_experiment_says_what_it_was_made_from():
    "Each calls provenance with its own name (sections of the paper: theirs) and the time at which it began."
    import ast

    from recinfluence.core.files import resource
    from recinfluence.reproduction.sections import SECTIONS

    names = {
        p.stem for p in Path(resource('nbs/experiments', 'trust.ipynb')).parent.glob('*.ipynb')
    } - {'explorer'}
    assert names > {
        'actions',
        'planted',
        'variance',
        'benchmark',
        'faults',
        'cluster',
        'trust',
        *SECTIONS.values(),
    }
    for name in names:
        code = '\n'.join(
            line
            for c in json.loads(
                resource('nbs/experiments', f'{name}.ipynb').read_text(encoding='utf-8')
            )['cells']
            if c['cell_type'] == 'code'
            for line in ''.join(c['source']).split('\n')
            if not line.startswith('%')
        )
        calls = [
            n
            for n in ast.walk(ast.parse(code))
            if isinstance(n, ast.Call) and getattr(n.func, 'id', '') == 'provenance'
        ]
        assert len(calls) == 1, name
        out, section, sweep, seeds, stores, started, *jobs = map(ast.unparse, calls[0].args)
        assert (
            section.removeprefix('f')
            .strip("'")
            .startswith(next((s for s, n in SECTIONS.items() if n == name), name))
            and out == 'out'
            and started == 'started'
            and len(jobs) == 1
            and seeds
        ), name


def test_named_units_are_all_of_the_papers():
    from recinfluence.reproduction.paper import named_ids

    assert (
        named_ids('4.1', 'user') == [2, 17, 273, 311, 583, 775]
        and named_ids('4.1', 'item') == [482, 905, 1227, 1342, 1380, 1518]
        and named_ids('4.3', 'user') == [1, 50, 100, 258, 294, 309]
    )


def test_tens_judge_against_random_tens(tiny, monkeypatch):
    "The most influential ten under a noiseless model: `beyond random` is their change less the mean change of the random groups."
    from scipy import stats

    from recinfluence.metrics.metric import PAPER
    from recinfluence.models.popularity import Popularity
    from recinfluence.reproduction import schedule as reproduce
    from recinfluence.reproduction.statements import (
        extreme_groups,
        extreme_groups_table,
        percent_changes,
    )
    from recinfluence.sweep.run import deletion_sweep

    def run(units, **kw):
        return deletion_sweep(Popularity(), tiny, units, k=3, jobs=1, progress=False, **kw)

    influence = run('users').influence('map')
    groups = extreme_groups(influence, n_random=5, size=4)
    assert (
        list(groups)[:2] == ['most', 'least']
        and set(groups['most'].users) == set(influence.frame.id[:4])
        and set(groups['least'].users) == set(influence.frame.id[-4:])
    )
    fresh = run(list(groups.values()), seed=9, replicates=2)
    t = extreme_groups_table(
        5, groups, 'most', percent_changes(run([groups['most']]), groups['most']), fresh
    )
    own = fresh.frame().query('metric == "map"').groupby('unit')[['full', 'without']].first()
    change = 100 * (own.without - own['full']) / own['full']
    assert t['fresh seeds']['MAP'] == pytest.approx(change[groups['most'].key]) and t[
        'ten at random'
    ]['MAP'] == pytest.approx(
        np.mean([change[u.key] for n, u in groups.items() if n.startswith('random')])
    )
    assert (
        t['beyond random']['MAP']
        == pytest.approx(t['fresh seeds']['MAP'] - t['ten at random']['MAP'])
        and t['beyond random']['MAP'] < 0
        and (percent_changes(fresh, groups['most']).std() == 0).all()
    )
    assert (
        t['as the paper did']['MAP'] == pytest.approx(change[groups['most'].key])
        and (t['sd over seeds'] == 0).all()
        and t.verdict['MAP'] == 'not reproducible, and no reason is known'
    )
    alone = extreme_groups_table(
        5,
        groups,
        'most',
        percent_changes(run([groups['most']]), groups['most']),
        run(list(groups.values()), seed=9),
    )
    assert (
        alone['sd over seeds'].isna().all()
        and alone.verdict['MAP'] == 'not reproducible, because one seed alone was run here'
    )
    rng = np.random.default_rng(0)
    own, many = (
        pd.DataFrame(rng.normal(5, s, (n, 7)), columns=PAPER) for s, n in ((2.0, 3), (1.0, 9))
    )
    pooled = np.sqrt((2 * own.var() + 8 * many.var()) / 10)
    monkeypatch.setattr(reproduce, 'changes', lambda sweep, unit, side='without': many)
    t = extreme_groups_table(5, groups, 'most', own, None)
    assert np.allclose(t['sd over seeds'], pooled) and all(
        v.startswith('reproduced within')
        == (abs(float(p.rstrip('%')) - m) <= stats.t.ppf(0.975, 10) * s * np.sqrt(4 / 3))
        for v, p, m, s in zip(t.verdict, t.paper, own.mean(), pooled)
    )


def test_a_statement_about_a_rank_stands_falls_or_cannot_be_told(tiny):
    from dataclasses import replace

    from recinfluence.influence.reliability import summarise
    from recinfluence.models.popularity import Popularity
    from recinfluence.reproduction.statements import compare_rank, reliabilities
    from recinfluence.sweep.run import deletion_sweep

    sweep = deletion_sweep(Popularity(), tiny, replicates=2, k=3, jobs=1, progress=False)
    i = sweep.influence('map')

    def said(noise, id, end='best', n=40):
        table = np.arange(n)[::-1, None] + np.random.default_rng(0).normal(
            0, noise, (n, 4)
        )  # id 0 helps most, the last one least
        return compare_rank(
            replace(
                i,
                frame=summarise(table).assign(id=range(n)),
                table=pd.DataFrame(table),
                part='training',
            ),
            id,
            end,
        )

    assert (
        said(0.1, 0) == {'here': 'rank 1 (1 to 1) of 40', 'verdict': 'stands'}
        and said(0.1, 39, 'worst')['verdict'] == 'stands'
    )
    assert (
        said(0.1, 20)['verdict']
        == said(0.1, 20, 'worst')['verdict']
        == said(0.1, 0, 'worst')['verdict']
        == 'does not stand'
    )
    assert (
        said(5, 0)['verdict'] == 'cannot be told from the others'
        and said(1000, 20)['verdict'] == 'cannot be told: the order is noise'
    )
    t = reliabilities({'users': sweep})
    assert (
        t.loc['MAP', 'users, whole'] == str(i.reliability)
        and t.loc['MAP', 'users, training part'] == str(i.without_mechanical.reliability)
        and len(t) == 8
    )


def test_each_seed_names_its_own_ten(tiny):
    from recinfluence.models.svd import SVD
    from recinfluence.reproduction.statements import extreme_groups_by_seed
    from recinfluence.sweep.run import deletion_sweep

    sweep = deletion_sweep(
        SVD(n_factors=4, n_epochs=5), tiny, 'items', replicates=3, k=3, jobs=1, progress=False
    )
    own = extreme_groups_by_seed(sweep, 'rmse', 4)
    f = (
        sweep.frame()
        .query('metric == "rmse"')
        .pivot(index='unit', columns='seed', values='influence')
    )
    assert list(own) == [0, 1, 2]
    for s, ends in own.items():

        def by(unit):
            return f.loc[[f'item {i}' for i in unit.items], s]

        rest = f[s].drop(by(ends['most']).index)
        assert (
            len(ends['most'].items) == len(ends['least'].items) == 4
            and by(ends['most']).min() >= rest.max()
            and by(ends['least']).max() <= f[s].drop(by(ends['least']).index).min()
        )


def test_moved_counts_what_is_beyond_its_noise():
    from recinfluence.reproduction.statements import count_changed

    t = pd.DataFrame(
        {'beyond random': [1.0, -1, 0.1, 3, 0, 1, -1], 'se': [0.1] * 7}
    )  # the last, MAE, is better when lower
    assert count_changed(t) == (4, 1)


def test_a_profile_says_what_it_takes_before_it_starts(monkeypatch, tmp_path, capsys, movielens):
    "Two prices, half a second and two: the rest is arithmetic; then every notebook gets its parameters, in order."
    from recinfluence.decisions.budget import Price
    from recinfluence.models.svd import SVD
    from recinfluence.reproduction import schedule as reproduce

    monkeypatch.setattr(
        reproduce,
        'price',
        lambda model, *a, **k: Price(
            2.0 if isinstance(model, SVD) else 0.5, 1.0, None, 'fast', 4, 16
        ),
    )
    t = reproduce.duration('full', jobs=4)
    units = 943 + 1682
    compare_with_paper = {s: n for s, (_, n) in reproduce.BESIDE.items()}
    assert (
        t.retrainings['4.1'] == units * 16
        and t.minutes['4.1']
        == pytest.approx((units * 16 + compare_with_paper['4.1']) * 0.5 / 4 / 60)
        and t.minutes['4.3'] == pytest.approx((units * 8 + compare_with_paper['4.3']) * 2 / 4 / 60)
    )
    assert t.retrainings['trust'] == 640 * 64 and t.minutes['4.2'] == pytest.approx(
        40 + compare_with_paper['4.2'] * 0.5 / 4 / 60
    )
    ran = []
    monkeypatch.setattr(
        reproduce,
        'run_experiment',
        lambda name, out, **given: (
            ran.append((name, capsys.readouterr().err, given)) or tmp_path / name
        ),
    )
    reproduce.reproduce_all(tmp_path, 'full', amazon='reviews', budget='5min', jobs=4)
    assert [n for n, _, _ in ran] == [
        'explainers',
        'movielens_ncf',
        'amazon_ncf',
        'movielens_svd',
        'trust',
    ] and f'about {t.minutes.sum():.0f} minutes on 4 processes' in ran[0][1]
    given = {n: g for n, _, g in ran}
    asked = {n: g.pop('asked') for n, g in given.items()}
    assert (
        given['movielens_ncf']['replicates'] == 16
        and given['amazon_ncf'] == {'jobs': 4, 'budget': '5min', 'path': 'reviews', 'sample': None}
        and given['movielens_svd']['replicates'] == 8
    )
    assert (
        {a['profile'] for a in asked.values()} == {'full'}
        and asked['movielens_ncf']['replicates'] == 16
        and asked['movielens_svd']['price'] == 2
        and json.loads(json.dumps(asked)) == asked
    )
    ran.clear()
    reproduce.reproduce_all(tmp_path, sections=['4.3'])
    assert [n for n, _, _ in ran] == ['movielens_svd']
    ran.clear()
    reproduce.reproduce_all(tmp_path, 'full', ['4.1'], jobs=4)
    assert ran[0][2]['replicates'] == 16
    for wrong in (dict(profile='fast'), dict(sections=['5.1'])):
        with pytest.raises(ValueError, match='there are|choose one of'):
            reproduce.reproduce_all(tmp_path, **wrong)


@pytest.mark.parametrize('cost', [0.02, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 3.0])
def test_the_default_profile_takes_at_most_forty_minutes_where_it_can(
    monkeypatch, tmp_path, movielens, cost
):
    "Seeds of section 4.1 are as many as fit; a folder goes on with what it was begun with."
    from recinfluence.decisions.budget import Price
    from recinfluence.reproduction import schedule as reproduce

    now = [cost]
    monkeypatch.setattr(
        reproduce, 'price', lambda model, *a, **k: Price(now[0], 1.0, None, 'fast', 2, 16)
    )
    t = reproduce.duration('default', jobs=2)
    replicates = t.replicates['4.1']

    def total(r):
        return t.minutes.sum() + (r - replicates) * 2625 * cost / 2 / 60

    assert (
        replicates == next((r for r in (4, 3) if total(r) <= 40), 2)
        and {0.02: 4, 3.0: 2}.get(cost, replicates) == replicates
        and t.retrainings['4.1'] == 2625 * replicates
    )
    ran = {}
    monkeypatch.setattr(
        reproduce,
        'run_experiment',
        lambda name, out, **given: ran.update({name: given}) or tmp_path / name,
    )
    reproduce.reproduce_all(tmp_path, jobs=2)
    assert ran['movielens_ncf']['replicates'] == replicates
    (tmp_path / 'provenance').mkdir()
    (tmp_path / 'provenance/run.json').write_text(
        json.dumps({'4.1': ran['movielens_ncf']['asked']})
    )
    now[0] = 0.02
    reproduce.reproduce_all(tmp_path, jobs=2)
    assert ran['movielens_ncf']['replicates'] == replicates
    reproduce.reproduce_all(tmp_path, sections=['4.1'], jobs=2)
    assert ran['movielens_ncf']['replicates'] == replicates  # a section alone, too


def test_section_4_2_needs_no_movielens(monkeypatch, tmp_path):
    from recinfluence.data import movielens as datasets
    from recinfluence.reproduction import schedule as reproduce

    monkeypatch.setattr(
        datasets, 'load_movielens', lambda *a, **k: pytest.fail('MovieLens was asked for')
    )
    ran = {}
    monkeypatch.setattr(
        reproduce,
        'run_experiment',
        lambda name, out, **given: ran.update({name: given}) or tmp_path / name,
    )
    reproduce.reproduce_all(tmp_path, sections=['4.2'], amazon='reviews', budget='3min')
    assert list(ran) == ['amazon_ncf'] and ran['amazon_ncf']['path'] == 'reviews'


def test_every_page_says_its_command_and_a_folder_says_what_came_beside(tmp_path):
    "Provenance from what was asked for; `measured_beside` by hand."
    from types import SimpleNamespace

    from recinfluence.reproduction import schedule as reproduce

    identity = dict(
        data='d', data_hash='h' * 64, split='s', split_hash='t' * 64, engine='fast', version='1'
    )
    sweep = SimpleNamespace(store=SimpleNamespace(identity=identity))
    assert 'the notebook, run by hand' in reproduce.provenance(
        tmp_path, '4.1', sweep, '1', 'none.db', 0.0
    )
    (tmp_path / 'provenance/run.json').write_text(
        json.dumps(
            {
                '4.1': dict(
                    profile='full',
                    command='recinfluence reproduce 4.1 --out x',
                    price=0.5,
                    budget=0,
                    processes=2,
                    retrainings=1000,
                )
            }
        )
    )
    assert '`recinfluence reproduce 4.1 --out x`' in reproduce.provenance(
        tmp_path, '4.1', sweep, '1', 'none.db', 0.0
    )
    kept = tmp_path / 'provenance/4.1.json'
    said = json.loads(kept.read_text())
    assert said['profile'] == 'full' and said['command'] == 'recinfluence reproduce 4.1 --out x'
    kept.write_text(json.dumps({**said, 'minutes': 10.0}))
    assert reproduce.measured_beside(tmp_path)['4.1'] == 10 * 60 * 2 / 0.5 - 1000
