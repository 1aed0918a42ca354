"""The command line: its JSON, its statuses, and that a mistake never ends in a traceback."""

import contextlib
import io
import json
import os
import subprocess
import sys

import pytest

from recinfluence.cli.main import main
from recinfluence.data.amazon import load_amazon
from recinfluence.data.simulated import planted_interactions, simulate_interactions
from recinfluence.metrics.metric import METRICS

SEVEN = ['map', 'map_at_k', 'ndcg', 'precision', 'recall', 'explained_variance', 'mae']


def shell(*args):
    return subprocess.run(
        [
            sys.executable,
            '-c',
            'import sys; from recinfluence.cli.main import main; sys.exit(main())',
            *map(str, args),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )


def cli(*args, cwd=None):
    "The same in this process, which spares the start of another one."
    out, err, before = io.StringIO(), io.StringIO(), os.getcwd()
    try:
        if cwd:
            os.chdir(cwd)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*map(str, args)])
    except SystemExit as e:
        code = e.code
    finally:
        os.chdir(before)
    return subprocess.CompletedProcess(args, code or 0, out.getvalue(), err.getvalue())


def parsed(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # exactly one object, nothing else


@pytest.fixture
def own(tmp_path):
    planted_interactions().to_csv(tmp_path / 'own.csv', index=False)
    return tmp_path / 'own.csv'


def test_data_summary(movielens):
    out = parsed(shell('data', 'summary', 'ml-100k', '--json'))
    assert (
        out['n_ratings'],
        out['n_items'],
        out['n_users'],
        out['max_ratings_per_item'],
        out['max_ratings_per_user'],
    ) == (100_000, 1_682, 943, 583, 737) and round(out['mean_rating'], 2) == 3.53


def test_evaluate_svd_under_the_papers_protocol(movielens):
    out = parsed(
        shell('evaluate', '--dataset', 'ml-100k', '--model', 'svd', '--protocol', 'paper', '--json')
    )
    assert list(out['metrics']) == list(METRICS) == [*SEVEN, 'rmse'] and [
        round(out['metrics'][m], 6) for m in SEVEN
    ] == [0.610440, 1, 1, 0.878556, 0.610440, 0.287167, 0.746868]
    assert (
        out['sees_model']['map'] is False
        and out['sees_model']['mae'] is True
        and out['candidates'] == 'test'
    )


def test_sweep_show_and_resume(own, tmp_path):
    sweep = [
        'sweep',
        '--dataset',
        own,
        '--model',
        'ncf',
        '--units',
        'users',
        '--ids',
        '1,2,5-7',
        '--replicates',
        2,
        '--seed',
        3,
        '--store',
        tmp_path / 's.db',
        '--jobs',
        1,
        '--engine',
        'reference',
        '--k',
        3,
    ]
    out = parsed(cli(*sweep, '--json'))
    assert out['units'] == 5 and out['seeds'] == [3, 4] and out['failed'] == []
    assert parsed(cli(*sweep, '--json'))['content_hash'] == out['content_hash']
    shown = parsed(cli('show', tmp_path / 's.db', '--metric', 'ndcg', '--top', 3, '--json'))
    assert (
        len(shown['rows']) == 3
        and {'unit', 'influence', 'n_ratings', 'mean_rating', 'std_rating'} <= set(shown['rows'][0])
        and shown['rows'][0]['influence'] >= shown['rows'][1]['influence']
    )
    assert {r['unit'] for r in shown['rows']} <= {1, 2, 5, 6, 7}
    worst = parsed(cli('show', tmp_path / 's.db', '--bottom', 1, '--json'))['rows'][0]
    assert worst['influence'] == min(
        r['influence']
        for r in parsed(cli('show', tmp_path / 's.db', '--top', 99, '--json'))['rows']
    )


def test_one_replicate_has_no_error_bar_and_json_says_null(own, tmp_path):
    parsed(
        cli(
            'sweep',
            '--dataset',
            own,
            '--model',
            'popularity',
            '--units',
            'items',
            '--ids',
            '1',
            '--store',
            tmp_path / 's.db',
            '--jobs',
            1,
            '--json',
        )
    )
    shown = parsed(cli('show', tmp_path / 's.db', '--json'))
    assert shown['rows'][0]['se'] is None and 'error bar' in shown['caution']


def test_report_lies_beside_the_store(own, tmp_path):
    parsed(
        cli(
            'sweep',
            '--dataset',
            own,
            '--model',
            'popularity',
            '--units',
            'users',
            '--ids',
            '1-5',
            '--replicates',
            2,
            '--k',
            3,
            '--metrics',
            'gini',
            '--store',
            tmp_path / 's.db',
            '--jobs',
            1,
            '--json',
        )
    )
    out = parsed(cli('report', tmp_path / 's.db', '--json'))
    page = tmp_path / 's.html'
    text = page.read_text(encoding='utf-8')
    shown = parsed(cli('show', tmp_path / 's.db', '--json'))
    assert (
        (out['report'], out['metric'], out['units'], out['failed']) == (str(page), 'map', 5, 0)
        and out['caution'] == shown['caution']
        and out['reliability'] == shown['reliability']
    )
    assert (
        all(f'{r["label"]}</th>' in text for r in shown['rows'])
        and 'Influence on MAP, Popularity on own' in text
    )
    done = cli('report', tmp_path / 's.db', '--metric', 'gini', '--out', tmp_path / 'new/page.html')
    assert (
        done.returncode == 0
        and str(tmp_path / 'new/page.html') in done.stdout
        and 'Influence on Gini' in (tmp_path / 'new/page.html').read_text(encoding='utf-8')
        and page.read_text(encoding='utf-8') == text
    )


@pytest.fixture
def reviews(tmp_path):
    "A file of ratings as published in 2014, of which all are in the 10-core."
    f = simulate_interactions(60, 40, 1200, (10, 30), (10, 50)).frame.sort_values('timestamp')
    f.assign(user=[f'A{u:013d}' for u in f.user], item=[f'B{i:09d}' for i in f['item']])[
        ['user', 'item', 'rating', 'timestamp']
    ].to_csv(tmp_path / 'ratings.csv', header=False, index=False)
    return tmp_path / 'ratings.csv'


def test_amazon_from_a_file(reviews, tmp_path):
    amazon = ['--dataset', 'amazon-electronics', '--path', reviews]
    data = load_amazon('Electronics', reviews)
    out = parsed(cli('data', 'summary', *amazon[1:], '--json'))
    assert (out['dataset'], out['n_ratings'], out['n_users'], out['n_items']) == (
        data.name,
        len(data),
        60,
        40,
    ) and data.name.startswith('Amazon Electronics')
    assert (
        parsed(cli('data', 'fetch', *amazon[1:], '--json'))['hash'] == data.hash
        and 'verified' not in cli('data', 'fetch', *amazon[1:]).stdout
    )  # no checksum is known
    assert (
        parsed(cli('evaluate', *amazon, '--model', 'popularity', '--json'))['metrics']['ndcg'] > 0
    )
    user = f'A{7:013d}'
    out = parsed(
        cli(
            'sweep',
            *amazon,
            '--model',
            'popularity',
            '--units',
            'users',
            '--ids',
            user,
            '--store',
            tmp_path / 'a.db',
            '--jobs',
            1,
            '--json',
        )
    )
    assert out['units'] == 1
    assert parsed(cli('report', tmp_path / 'a.db', '--json'))['units'] == 1 and user in (
        tmp_path / 'a.html'
    ).read_text(encoding='utf-8')


@pytest.mark.parametrize(
    'args, words',
    [
        ([], 'COMMAND'),
        (['evaluate', '--dataset', 'nowhere.csv', '--model', 'svd'], 'nowhere.csv'),
        (['evaluate', '--dataset', 'OWN', '--model', 'ncf', '--k', '0'], 'at least 1'),
        (['evaluate', '--dataset', 'OWN', '--model', 'als'], 'invalid choice'),
        (
            [
                'sweep',
                '--dataset',
                'OWN',
                '--model',
                'svd',
                '--units',
                'users',
                '--ids',
                '1,777',
                '--store',
                'x.db',
            ],
            'user 777 is not in own',
        ),
        (
            [
                'sweep',
                '--dataset',
                'OWN',
                '--model',
                'svd',
                '--units',
                'users',
                '--ids',
                ',',
                '--store',
                'x.db',
            ],
            '--ids names nobody',
        ),
        (
            [
                'sweep',
                '--dataset',
                'OWN',
                '--model',
                'svd',
                '--units',
                'users',
                '--ids',
                '1',
                '--store',
                '/proc/x/y.db',
            ],
            '/proc/x/y.db',
        ),
        (['show', 'nowhere.db'], 'no such store'),
        (['show', 'OWN'], 'cannot be used as a store'),
        (['report', 'nowhere.db'], 'no such store'),
        (['report', 'OWN'], 'cannot be used as a store'),
        (['report', 'nowhere.parquet'], 'nowhere.parquet'),
        (['report', 'x.db', '--out', 'x.db'], 'written over'),
        (['report', 'x.html'], 'written over'),
        (
            ['data', 'summary', 'amazon-electronics', '--path', 'nowhere.csv'],
            'nowhere.csv: no such file or folder',
        ),
        (['data', 'summary', 'amazon-electronics', '--path', 'OWN'], 'is neither user, item'),
        (
            ['data', 'summary', 'amazon-electronics', '--path', 'TWO'],
            '--path names a file or folder of reviews',
        ),
        (
            ['evaluate', '--dataset', 'OWN', '--path', 'x', '--model', 'svd'],
            'is for ml-100k and amazon-electronics',
        ),
        (['reproduce', '4.4', '--out', 'out'], 'invalid choice'),
        (['data', 'summary', 'BROKEN'], 'data row 2'),
    ],
)
def test_wrong_use_exits_2_with_one_clear_line(own, tmp_path, args, words):
    (tmp_path / 'broken.csv').write_text('user,item,rating,timestamp\n1,2,3,4\n1,3,,5\n')
    (tmp_path / 'two.csv').write_text('1,2,3,4\n2,3,4,5\n')
    done = cli(
        *[
            str(
                {'OWN': own, 'BROKEN': tmp_path / 'broken.csv', 'TWO': tmp_path / 'two.csv'}.get(
                    a, a
                )
            )
            for a in args
        ],
        cwd=tmp_path,
    )
    assert (
        done.returncode == 2
        and not done.stdout
        and words in done.stderr
        and 'Traceback' not in done.stderr
    )
    assert done.stderr.strip().splitlines()[-1].startswith('recinfluence')


def test_ctrl_c_ends_with_130_and_one_line(own, tmp_path):
    import signal
    import sqlite3
    import time

    store = tmp_path / 's.db'
    p = subprocess.Popen(
        [
            sys.executable,
            '-c',
            'import sys; from recinfluence.cli.main import main; sys.exit(main())',
            'sweep',
            '--dataset',
            str(own),
            '--model',
            'ncf',
            '--units',
            'users',
            '--replicates',
            '2000',
            '--engine',
            'reference',
            '--jobs',
            '2',
            '--store',
            str(store),
        ],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def rows():
        try:
            return (
                sqlite3.connect(f'file:{store}?mode=rw', uri=True, timeout=20)
                .execute('SELECT count(*) FROM retrainings')
                .fetchone()[0]
            )
        except sqlite3.Error:
            return 0

    while rows() < 3 and p.poll() is None:
        time.sleep(0.02)
    os.killpg(p.pid, signal.SIGINT)
    said = p.communicate(timeout=60)[1]
    assert (
        p.returncode == 130
        and 'stopped; what was finished is kept' in said
        and 'Traceback (most recent call last)' not in said.split('recinfluence: stopped')[-1]
    )


@pytest.mark.parametrize(
    'command',
    [
        [],
        ['data', 'fetch'],
        ['data', 'summary'],
        ['evaluate'],
        ['sweep'],
        ['show'],
        ['report'],
        ['reproduce'],
    ],
)
def test_help_teaches(command):
    done = cli(*command, '--help')
    assert done.returncode == 0 and len(done.stdout.splitlines()) > 8
