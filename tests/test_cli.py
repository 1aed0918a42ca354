"""The command line: its JSON, its statuses, and that a mistake never ends in a traceback."""
import contextlib, io, json, os, subprocess, sys

import pytest

from recinfluence.cli import main
from recinfluence.metrics import METRICS
from recinfluence.recommenders import planted_interactions

SEVEN = ['map', 'map_at_k', 'ndcg', 'precision', 'recall', 'explained_variance', 'mae']


def shell(*args): return subprocess.run([sys.executable, '-c', 'import sys; from recinfluence.cli import main; sys.exit(main())', *map(str, args)], capture_output=True, text=True, timeout=300)


def cli(*args, cwd=None):
    "The same in this process, which spares the start of another one."
    out, err, before = io.StringIO(), io.StringIO(), os.getcwd()
    try:
        if cwd: os.chdir(cwd)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err): code = main([*map(str, args)])
    except SystemExit as e: code = e.code
    finally: os.chdir(before)
    return subprocess.CompletedProcess(args, code or 0, out.getvalue(), err.getvalue())


def parsed(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)                 # exactly one object, nothing else


@pytest.fixture
def own(tmp_path):
    planted_interactions().to_csv(tmp_path/'own.csv', index=False); return tmp_path/'own.csv'


def test_data_summary(movielens):
    out = parsed(shell('data', 'summary', 'ml-100k', '--json'))
    assert (out['n_ratings'], out['n_items'], out['n_users'], out['max_ratings_per_item'], out['max_ratings_per_user']) == (100_000, 1_682, 943, 583, 737) and round(out['mean_rating'], 2) == 3.53


def test_evaluate_svd_under_the_papers_protocol(movielens):
    out = parsed(shell('evaluate', '--dataset', 'ml-100k', '--model', 'svd', '--protocol', 'paper', '--json'))
    assert list(out['metrics']) == list(METRICS) == [*SEVEN, 'rmse'] and [round(out['metrics'][m], 6) for m in SEVEN] == [.610440, 1, 1, .878556, .610440, .287167, .746868]
    assert out['sees_model']['map'] is False and out['sees_model']['mae'] is True and out['candidates'] == 'test'


def test_sweep_show_and_resume(own, tmp_path):
    sweep = ['sweep', '--dataset', own, '--model', 'ncf', '--units', 'users', '--ids', '1,2,5-7', '--replicates', 2, '--seed', 3, '--store', tmp_path/'s.db', '--jobs', 1, '--engine', 'reference', '--k', 3]
    out = parsed(cli(*sweep, '--json'))
    assert out['units'] == 5 and out['seeds'] == [3, 4] and out['failed'] == []
    assert parsed(cli(*sweep, '--json'))['content_hash'] == out['content_hash']
    shown = parsed(cli('show', tmp_path/'s.db', '--metric', 'ndcg', '--top', 3, '--json'))
    assert len(shown['rows']) == 3 and {'unit', 'influence', 'n_ratings', 'mean_rating', 'std_rating'} <= set(shown['rows'][0]) and shown['rows'][0]['influence'] >= shown['rows'][1]['influence']
    assert {r['unit'] for r in shown['rows']} <= {1, 2, 5, 6, 7}
    worst = parsed(cli('show', tmp_path/'s.db', '--bottom', 1, '--json'))['rows'][0]
    assert worst['influence'] == min(r['influence'] for r in parsed(cli('show', tmp_path/'s.db', '--top', 99, '--json'))['rows'])


def test_one_replicate_has_no_error_bar_and_json_says_null(own, tmp_path):
    parsed(cli('sweep', '--dataset', own, '--model', 'popularity', '--units', 'items', '--ids', '1', '--store', tmp_path/'s.db', '--jobs', 1, '--json'))
    shown = parsed(cli('show', tmp_path/'s.db', '--json'))
    assert shown['rows'][0]['se'] is None and 'error bar' in shown['caution']


@pytest.mark.parametrize('args, words', [
    ([], 'COMMAND'),
    (['evaluate', '--dataset', 'nowhere.csv', '--model', 'svd'], 'nowhere.csv'),
    (['evaluate', '--dataset', 'OWN', '--model', 'ncf', '--k', '0'], 'at least 1'),
    (['evaluate', '--dataset', 'OWN', '--model', 'als'], 'invalid choice'),
    (['sweep', '--dataset', 'OWN', '--model', 'svd', '--units', 'users', '--ids', '1,777', '--store', 'x.db'], 'user 777 is not in own'),
    (['sweep', '--dataset', 'OWN', '--model', 'svd', '--units', 'users', '--ids', ',', '--store', 'x.db'], '--ids names nobody'),
    (['sweep', '--dataset', 'OWN', '--model', 'svd', '--units', 'users', '--ids', '1', '--store', '/proc/x/y.db'], '/proc/x/y.db'),
    (['show', 'nowhere.db'], 'no such store'),
    (['show', 'OWN'], 'cannot be used as a store'),
    (['reproduce', '4.4', '--out', 'out'], 'invalid choice'),
    (['data', 'summary', 'BROKEN'], 'data row 2'),
])
def test_wrong_use_exits_2_with_one_clear_line(own, tmp_path, args, words):
    (tmp_path/'broken.csv').write_text('user,item,rating,timestamp\n1,2,3,4\n1,3,,5\n')
    done = cli(*[str(own) if a == 'OWN' else str(tmp_path/'broken.csv') if a == 'BROKEN' else a for a in args], cwd=tmp_path)
    assert done.returncode == 2 and not done.stdout and words in done.stderr and 'Traceback' not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith('recinfluence')


def test_ctrl_c_ends_with_130_and_one_line(own, tmp_path):
    import signal, sqlite3, time
    store = tmp_path/'s.db'
    p = subprocess.Popen([sys.executable, '-c', 'import sys; from recinfluence.cli import main; sys.exit(main())', 'sweep', '--dataset', str(own), '--model', 'ncf', '--units', 'users', '--replicates', '2000', '--engine', 'reference',
                          '--jobs', '2', '--store', str(store)], stderr=subprocess.PIPE, text=True, start_new_session=True)
    def rows():
        try: return sqlite3.connect(f'file:{store}?mode=ro', uri=True).execute('SELECT count(*) FROM retrainings').fetchone()[0]
        except sqlite3.Error: return 0
    while rows() < 3 and p.poll() is None: time.sleep(.02)
    os.killpg(p.pid, signal.SIGINT); said = p.communicate(timeout=60)[1]
    assert p.returncode == 130 and 'stopped; what was finished is kept' in said and 'Traceback (most recent call last)' not in said.split('recinfluence: stopped')[-1]


@pytest.mark.parametrize('command', [[], ['data', 'fetch'], ['data', 'summary'], ['evaluate'], ['sweep'], ['show'], ['reproduce']])
def test_help_teaches(command):
    done = cli(*command, '--help')
    assert done.returncode == 0 and len(done.stdout.splitlines()) > 8
