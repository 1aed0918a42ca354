"""The paper's sections: experiment notebooks from end to end on a few units."""

import json

import pandas as pd
import pytest

from recinfluence.influence.saved import load_results
from recinfluence.reproduction.contents import contents
from recinfluence.reproduction.report import report
from recinfluence.reproduction.sections import reproduce_section

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


@pytest.fixture(scope='module', params=[pytest.param('4.1', marks=pytest.mark.slow), '4.3'])
def few(request, movielens, tmp_path_factory):
    "A section run on a few units: its number, its folder, its notebook."
    # in one process, since two tests may run side by side
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
    items = contents(out)
    assert (
        items.verdicts[items.section == section].notna().all()
        and report(out).stat().st_size > 20_000
    )
    if section == '4.3':
        saved = load_results(out / 'results/svd_users.parquet', 'rmse', movielens)
        assert (
            len(saved.frame) == 15
            and saved.frame.label.iloc[0].startswith('user')
            and saved.replicates == 1
        )
        algorithms = pd.read_csv(out / 'tables/algorithms.csv')
        assert (
            sorted(set(algorithms.algorithm)) == [1, 2]
            and algorithms.difference.max() < 1e-12
            and algorithms['written out'].abs().min() > 0
        )
        assert (
            pd.read_csv(out / 'tables/table_12.csv').verdict == 'reproduced exactly'
        ).all() and (pd.read_csv(out / 'tables/table_13.csv').ratings == 'reproduced exactly').all()

    else:
        assert all(
            (pd.read_csv(out / f'tables/{t}.csv').ratings == 'reproduced exactly').all()
            for t in ('table_04', 'table_07')
        )
        verdicts = pd.read_csv(out / 'tables/table_02.csv').set_index('metric').verdict
        assert (verdicts.drop('Average # ratings/user') == 'reproduced exactly').all() and verdicts[
            'Average # ratings/user'
        ].startswith('not reproducible, because 100,000 / 943')


@pytest.mark.slow
def test_a_rerun_computes_nothing_again_and_writes_the_same_bytes(few):
    section, out, _ = few

    def tables():
        return {p.name: p.read_bytes() for p in (out / 'tables').iterdir()}

    before = tables()
    done = {p: p.stat().st_size for p in (out / 'stores').glob('*.db')}
    reproduce_section(section, out, jobs=1, **FEW[section])
    assert {p: p.stat().st_size for p in (out / 'stores').glob('*.db')} == done
    assert tables() == before


MEASURE = """
const of = s => [...document.querySelectorAll(s)];
const named = e => (e.closest('.item, section, div')?.innerText ?? '').slice(0, 60);
const cut = e => e.scrollWidth > e.clientWidth + 1;
const small = e => parseFloat(getComputedStyle(e).fontSize) < 11;
return [
    document.documentElement.scrollWidth,
    of('.wide, td, th, figure').filter(cut).map(named),
    of('table').filter(small).map(named),
    of('img').map(e => [e.naturalWidth, e.getBoundingClientRect().width]),
    of('table').length,
];
"""


@pytest.mark.parametrize('media, width', [('screen', 1280), ('print', 1031)])
def test_its_report_is_legible_on_a_screen_and_in_print(few, browser, media, width):
    "No table and no picture is cut off or shrunk beyond reading."
    # A4 across, less its margins of 12 mm, is 1,031 pixels
    browser.execute_cdp_cmd(
        'Emulation.setDeviceMetricsOverride',
        {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': False},
    )
    browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': media})
    try:
        browser.get(report(few[1]).as_uri())
        wide, cut, small, pictures, tables = browser.execute_script(MEASURE)
        assert (
            wide <= width
            and not cut
            and not small
            and tables >= 8
            and all(real > 0 and shown > 300 for real, shown in pictures)
        )
    finally:
        browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})


@pytest.mark.slow
@pytest.mark.parametrize('data', ['simulated', 'a sample of real reviews'])
def test_section_4_2_runs_whole(data, request, tmp_path):
    "Of the real sample all users and items; simulated data are called so in every verdict."
    if data == 'simulated':
        given, n = dict(stand_in=dict(n_users=150, n_items=80, n_rows=2500), budget='3s'), (150, 80)
    else:
        real = request.getfixturevalue('small_real')
        (tmp_path / 'reviews').mkdir()
        busiest = sorted((real / 'train.txt').open(), key=lambda line: -line.count(' '))[:100]
        who = {
            line.split()[0] for line in busiest
        }  # their 10-core: 68 users, 74 items, small enough for four seeds of all
        for file, lines in (
            ('train.txt', busiest),
            ('test.txt', [l for l in (real / 'test.txt').open() if l.split()[0] in who]),
        ):
            (tmp_path / 'reviews' / file).write_text(''.join(lines))
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
    page = report(tmp_path / 'out').read_text()
    assert (
        all(f'>{r}<' in page for r in table('table_11_readings').index)
        and 'Table 11 above uses A' in page
    )
    if data != 'simulated':
        assert [len(table(f'{kind}_refined')) for kind in ('users', 'items')] == list(n) and table(
            'users_quote'
        ).loc['everything', 'seeds'] >= 4  # so small that the budget covers all
