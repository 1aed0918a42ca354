"""Bad and hostile input.

Whatever comes in, it is either used as it is meant or refused with a message, and nothing is run or
written that should not be.
"""

import contextlib
import io
import json
import math
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recinfluence.data.movielens as datasets
from recinfluence.cli.main import main
from recinfluence.data.interactions import COLUMNS, DataError, load_interactions
from recinfluence.data.splits import chrono_split, k_core, leave_last_out, random_split
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import METRICS, RANKING
from recinfluence.models.base import Recommender
from recinfluence.models.popularity import Popularity
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store, StoreError

settings.register_profile(
    'stable',
    derandomize=True,
    deadline=None,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile('stable')
QUIET = 'ignore:.*:RuntimeWarning'

ID = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.text(
        st.characters(codec='utf-8', exclude_characters='\r\n\x00'), min_size=1, max_size=6
    ).filter(lambda s: s.strip()),
    st.sampled_from(
        [
            'a,b',
            '"',
            "O'Brien",
            '用户',
            'ü',
            '007',
            '1e5',
            'NaN',
            '; rm -rf /',
            '$(id)',
            '../..',
            "'); DROP TABLE units; --",
            '-1',
            'all',
        ]
    ),
)
RATING = st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6), st.just(3.0))
STAMP = st.one_of(st.integers(-(2**40), 2**40), st.integers(-3, 3))


@st.composite
def tables(draw, kinds=(ID,), rows=(1, 14), most=5):
    """Interactions of a few users with a few items, each pair once.

    One user, one item and all ties among them.
    """
    kind = draw(st.sampled_from(kinds))

    def one():
        return draw(st.lists(kind, min_size=1, max_size=most, unique_by=str))

    users, items = one(), one()
    if not all(isinstance(u, int) for u in users):
        users = [str(u) for u in users]
    if not all(isinstance(i, int) for i in items):
        items = [str(i) for i in items]
    pairs = draw(
        st.lists(
            st.tuples(st.sampled_from(users), st.sampled_from(items)),
            min_size=rows[0],
            max_size=rows[1],
            unique=True,
        )
    )
    tie = draw(st.booleans())
    return pd.DataFrame(
        [(u, i, 3.0 if tie else draw(RATING), 0 if tie else draw(STAMP)) for u, i in pairs],
        columns=COLUMNS,
    )


@given(tables())
def test_what_is_written_to_a_file_comes_back_whole(tmp_path, frame):
    given = load_interactions(frame)
    for name, write in (
        ('x.csv', lambda p: frame.to_csv(p, index=False)),
        ('x.tsv', lambda p: frame.to_csv(p, index=False, sep='\t')),
        ('x.parquet', frame.to_parquet),
    ):
        write(tmp_path / name)
        try:
            back = load_interactions(tmp_path / name)
        except DataError as error:
            assert name in str(error) and re.search(r'row \d|cannot be read|cuts off', str(error))
            continue
        assert [str(u) for u in back.frame.user] == [str(u) for u in frame.user] and [
            str(i) for i in back.frame['item']
        ] == [str(i) for i in frame['item']]
        assert (
            back.frame.rating.tolist() == frame.rating.tolist()
            and back.frame.timestamp.tolist() == frame.timestamp.tolist()
            and back.hash == given.hash
        )


@given(
    tables(),
    st.sampled_from(['user', 'item', 'rating', 'timestamp']),
    st.sampled_from([None, float('nan'), float('inf'), -float('inf'), '', ' ', 'x', True, 1.5]),
)
def test_a_bad_value_is_named_with_its_row_or_does_no_harm(frame, column, value):
    bad = frame.astype(object)
    bad.loc[len(bad) - 1, column] = value
    try:
        good = load_interactions(bad)
    except DataError as error:
        assert column in str(error) or 'before' in str(error)
    else:
        assert (
            np.isfinite(good.frame.rating).all()
            and np.isfinite(good.frame.timestamp.astype(float)).all()
            and len(good) == len(frame)
        )
        assert (
            not good.frame[['user', 'item']].isna().any(axis=None)
            and (good.frame.user.astype(str).str.strip() != '').all()
        )


@given(
    st.binary(max_size=300),
    st.sampled_from(['x.csv', 'x.tsv', 'x.parquet', 'x.csv.gz', 'x.txt', 'ml-100k.zip']),
)
def test_any_bytes_are_data_or_a_clear_error(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    load = datasets.load_movielens if name.endswith('.zip') else None
    with pytest.raises(DataError, match=re.escape(name)):
        load('100k', path=tmp_path / name) if load else load_interactions(tmp_path / name)


@given(tables(), st.sampled_from([chrono_split, random_split, leave_last_out]))
def test_a_split_invents_and_loses_no_row(frame, split):
    data = load_interactions(frame)
    try:
        made = split(data)
    except ValueError as error:
        assert str(error)
        return

    def key(frame):
        return set(zip(frame.user, frame['item']))

    assert (
        len(made.train) + len(made.test) + made.dropped == len(data)
        and not key(made.train) & key(made.test)
        and key(made.train) | key(made.test) <= key(data.frame)
    )
    assert set(made.test.user) <= set(made.train.user) and set(made.test['item']) <= set(
        made.train['item']
    )
    u, i = made.codes(made.train)
    assert (made.users[u] == made.train.user).all() and (made.items[i] == made.train['item']).all()
    try:
        core = k_core(data, 2).frame
    except DataError:
        return
    assert core.user.value_counts().min() >= 2 and core['item'].value_counts().min() >= 2


class Given(Recommender):
    "Scores that are given."

    def __init__(self, table):
        self.table = table

    def score(self, users, items):
        return self.table[: len(users), : len(items)]


SCORE = st.one_of(st.floats(-1e300, 1e300), st.just(0.0), st.just(math.inf), st.just(-math.inf))


@pytest.mark.filterwarnings(QUIET)
@given(tables(rows=(4, 20)), st.integers(1, 4), st.sampled_from(['catalogue', 'test']), st.data())
def test_ranking_metrics_stay_between_0_and_1_and_equal_a_plain_count(frame, k, candidates, data):
    try:
        split = chrono_split(load_interactions(frame))
        evaluator = Evaluator(split, k, candidates)
    except ValueError as err:
        assert str(err)
        return
    table = np.array(data.draw(st.lists(SCORE, min_size=25, max_size=25))).reshape(5, 5)
    values = evaluator(Given(table)).metrics
    assert list(values) == list(METRICS) and all(0 <= values[n] <= 1 + 1e-12 for n in RANKING)
    hits = []  # recall, counted by hand
    for n, user in enumerate(split.users):
        own = split.test[split.test.user == user]['item'].tolist()
        seen = set(split.train[split.train.user == user]['item'])
        if not own:
            continue
        pool = [
            j
            for j, i in enumerate(split.items)
            if (i in own if candidates == 'test' else i not in seen)
        ]
        best = sorted(pool, key=lambda j: (-table[n, j], j))[:k]
        hits.append(len({split.items[j] for j in best} & set(own)) / len(own))
    assert values['recall'] == pytest.approx(np.mean(hits))


def test_scores_that_are_no_numbers_are_refused(tiny):
    with pytest.raises(ValueError, match='NaN'):
        Evaluator(tiny, 3)(Given(np.full((40, 24), np.nan)))


@settings(max_examples=25)
@pytest.mark.filterwarnings(QUIET)
@given(tables(rows=(6, 16)), st.sampled_from(['users', 'items']))
def test_any_sweep_is_whole_and_its_store_reads_back(tmp_path, frame, units):
    try:
        split = chrono_split(load_interactions(frame))
        Evaluator(split)
    except ValueError as err:
        assert str(err)
        return
    path = tmp_path / 's.db'
    path.unlink(missing_ok=True)
    sweep = deletion_sweep(Popularity(), split, units, store=path, k=2, jobs=1, progress=False)
    done, failed = {u for u, _ in sweep.store.done()}, set(sweep.failures().unit)
    assert (
        not done & failed
        and done | failed == {'nothing', *sweep.units}
        and all('nothing is left' in r for r in sweep.failures().reason)
    )
    again = Store(path)
    assert again.content_hash() == sweep.store.content_hash()
    wanted = sorted(map(str, frame[units[:-1]].unique().tolist()))
    assert sorted(
        str((json.loads(u) or json.loads(i) or ['nothing'])[0])
        for u, i in zip(again.units_table().users, again.units_table()['items'])
    ) == sorted(['nothing', *wanted])


@settings(max_examples=60)
@given(st.binary(max_size=5000), st.integers(0, 30_000))
def test_a_store_with_foreign_bytes_in_it_is_refused_or_unchanged(tmp_path, content, at):
    calm = tmp_path / 'calm.db'
    path = tmp_path / 's.db'
    if not calm.exists():
        from recinfluence.data.simulated import planted_interactions

        deletion_sweep(
            Popularity(),
            chrono_split(load_interactions(planted_interactions())),
            ids=range(6),
            store=calm,
            k=3,
            jobs=1,
            progress=False,
        )
    whole = bytearray(calm.read_bytes())
    whole[at : at + len(content)] = content
    path.write_bytes(whole)
    try:
        assert Store(path).content_hash() == Store(calm).content_hash()
    except StoreError as error:
        assert 's.db' in str(error)


def said(*args):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(a) for a in args])
        except SystemExit as error:
            code = error.code
    return code, out.getvalue(), err.getvalue()


@settings(max_examples=40)
@pytest.mark.filterwarnings(QUIET)
@given(
    tables(rows=(4, 14)),
    st.one_of(ID.map(str), st.just('all')),
    st.sampled_from(['users', 'items']),
)
def test_the_command_line_does_what_is_asked_or_says_why_not(tmp_path, frame, who, units):
    (tmp_path / 'own.csv').unlink(missing_ok=True)
    (tmp_path / 's.db').unlink(missing_ok=True)
    frame.to_csv(tmp_path / 'own.csv', index=False)
    code, out, err = said(
        'sweep',
        '--dataset',
        tmp_path / 'own.csv',
        '--model',
        'popularity',
        '--units',
        units,
        f'--ids={who}',
        '--store',
        tmp_path / 's.db',
        '--jobs',
        1,
        '--json',
    )
    assert code in (0, 1, 2) and 'Traceback' not in err
    if code == 2:
        assert not out and err.strip().splitlines()[-1].startswith('recinfluence')
    else:
        assert (json.loads(out)['failed'] == []) == (code == 0)
    assert {p.name for p in tmp_path.iterdir()} <= {
        'own.csv',
        's.db',
        's.db.lock',
    }  # no file where a name says


def test_ids_on_the_command_line(tmp_path):
    from recinfluence.data.simulated import planted_interactions

    frame = planted_interactions()
    frame.to_csv(tmp_path / 'own.csv', index=False)

    def run(ids, data='own.csv'):
        return said(
            'sweep',
            '--dataset',
            tmp_path / data,
            '--model',
            'popularity',
            '--units',
            'users',
            f'--ids={ids}',
            '--store',
            tmp_path / f'{data}.db',
            '--jobs',
            1,
            '--json',
        )

    assert (
        run('0-99999999999999')[0] == 2 and 'more than the 40 users' in run('0-99999999999999')[2]
    )  # not a list of so many
    frame['user'] = [f'Müller, "{u}-1"' for u in frame.user]
    frame.to_csv(tmp_path / 'text.csv', index=False)
    code, out, _ = run('Müller, "3-1"', 'text.csv')
    assert (
        code == 0
        and json.loads(out)['units'] == 1
        and 'user Müller, "3-1"' in Store(tmp_path / 'text.csv.db').units_table().index
    )


@pytest.mark.parametrize(
    'name',
    [
        '$(touch hit)',
        '; touch hit',
        '`touch hit`',
        '| touch hit',
        "'; touch hit; '",
        '\n touch hit',
    ],
)
def test_no_shell_sees_what_a_user_says(tmp_path, monkeypatch, name):
    from recinfluence.data.simulated import planted_interactions

    monkeypatch.chdir(tmp_path)
    frame = planted_interactions()
    frame['user'] = [f'{name}{u}' for u in frame.user]
    frame.to_csv(tmp_path / f'{name.replace("/", "")}.csv', index=False)
    for args in (
        ['data', 'summary', f'{name}.csv'],
        [
            'sweep',
            '--dataset',
            f'{name}.csv',
            '--model',
            'popularity',
            '--units',
            'users',
            f'--ids={name}1',
            '--store',
            f'{name}.db',
            '--jobs',
            '1',
            '--executor',
            f'dask://{name}',
        ],
        ['data', 'summary', 'ml-100k', '--path', name],
    ):
        said(*args)
    assert not (tmp_path / 'hit').exists()


def test_nothing_in_the_package_starts_a_shell_or_opens_a_foreign_pickle():
    import ast

    import recinfluence

    found = []
    for path in Path(recinfluence.__file__).parent.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if (
                name in ('os.system', 'os.popen', 'eval', 'subprocess.getoutput')
                or options.get('shell') == 'True'
                or options.get('allow_pickle') == 'True'
            ):
                found.append((path.name, name))
            if name in (
                'pickle.load',
                'pickle.loads',
                'cloudpickle.load',
                'cloudpickle.loads',
                'joblib.load',
                'torch.load',
                'pd.read_pickle',
            ):
                found.append((path.name, name))
            if (
                name.endswith(('.extractall', '.extract'))
                and not name.startswith('pd')
                and '.str.' not in name
            ):
                found.append((path.name, name))
    ours = {
        ('processes.py', 'pickle.load'),
        ('processes.py', 'pickle.loads'),
        ('conformance.py', 'pickle.loads'),
        ('arguments.py', 'eval'),
        # pipes of its own children, loads whose checksum it knows,
        # what `conformance` has just pickled itself, annotations of its own signatures
    }
    assert set(found) <= ours


class Bomb:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def test_archives_cannot_write_outside_and_pickles_are_not_opened(tmp_path):
    inside = tmp_path / 'in'
    inside.mkdir()
    hit = tmp_path / 'hit'
    with zipfile.ZipFile(inside / 'ml-100k.zip', 'w') as archive:
        for member in ('../hit', '/tmp/hit-by-zip', 'ml-100k/../../u.data', '..\\hit'):
            archive.writestr(member, 'x')
    with pytest.raises(DataError, match='not the published file'):
        datasets.load_movielens('100k', path=inside / 'ml-100k.zip')
    for name in ('x.parquet', 'x.csv', 'u.data'):
        (inside / name).write_bytes(pickle.dumps(Bomb(hit)))
    for name in ('x.parquet', 'x.csv'):
        with pytest.raises(DataError):
            load_interactions(inside / name)
    with pytest.raises(DataError):
        datasets.load_movielens('100k', path=inside)
    from recinfluence.core.files import load_arrays

    np.savez(inside / 'm.npz', config=np.array([Bomb(hit)], dtype=object))
    with pytest.raises(ValueError, match='not a saved recommender'):
        load_arrays(inside / 'm.npz')
    assert (
        not hit.exists()
        and not Path('/tmp/hit-by-zip').exists()
        and {p.name for p in tmp_path.iterdir()} == {'in'}
    )


def test_a_download_that_was_altered_or_cut_off_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv('RECINFLUENCE_CACHE', str(tmp_path / 'cache'))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, 'w') as archive:
        archive.writestr('ml-100k/u.data', '1\t2\t3\t4\n' * 100_000)

    def no_wheel(*args):
        raise DataError('no registry here')

    monkeypatch.setattr(datasets, 'download_wheel', no_wheel)
    for content, word in (
        (packed.getvalue(), 'altered'),
        (packed.getvalue()[:200], 'not a whole zip'),
    ):
        monkeypatch.setattr(datasets, 'download', lambda url, c=content: c)
        with pytest.raises(DataError, match=word):
            datasets.load_movielens('100k')
        assert not (tmp_path / 'cache').exists()
