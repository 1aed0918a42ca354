"""Amazon: every layout read back whatever the block size, everything doubtful refused, margins of the stand-in exact and its tastes learnable."""

import csv
import gzip
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from amazon_at_size import measure, write_ratings
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import recinfluence.data.amazon as am
from recinfluence.core.machine import processor
from recinfluence.data.amazon import load_amazon
from recinfluence.data.interactions import DataError, summary
from recinfluence.data.layouts import LAYOUTS, find_layout
from recinfluence.data.simulated import implied_ratings, simulate_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity

ROOT = Path(__file__).resolve().parents[2]
USERS, ITEMS = (
    [f'A{n:013d}' for n in range(7)] + ['AE22236AFRRSMQIKGG7TPTB75QEA'],
    ['0132793040', '059400232X', '1400532655'] + [f'B{n:09d}' for n in range(5)],
)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(USERS),
        st.sampled_from(ITEMS),
        st.integers(1, 5),
        st.integers(900_000_000, 1_700_000_000),
    ),
    min_size=1,
    max_size=40,
)


def write(folder, layout, rows, packed=False, end=True):
    "Rows in a layout, as the published files have it; returns what to name to the loader."
    if layout == 'lists':
        folder.mkdir(exist_ok=True)
        for part, own in (('train', rows[::2]), ('test', rows[1::2])):
            write(folder, part, own, packed)
        return folder
    if layout in ('train', 'test'):
        text = ''.join(f'{USERS.index(u)} {ITEMS.index(i)}\n' for u, i, _, _ in rows)
    elif layout == 'json':
        text = ''.join(
            json.dumps(
                {
                    'reviewerID': u,
                    'asin': i,
                    'helpful': [0, 1],
                    'reviewText': 'a, "b"\n\\',
                    'overall': float(r),
                    'unixReviewTime': t,
                }
            )
            + '\n'
            for u, i, r, t in rows
        )
    elif layout == 'old json':
        text = ''.join(
            repr(
                {
                    'reviewerID': u,
                    'asin': i,
                    'helpful': [0, 1],
                    'reviewText': "it's",
                    'overall': float(r),
                    'unixReviewTime': t,
                }
            )
            + '\n'
            for u, i, r, t in rows
        )
    else:
        order = {
            '2014': lambda u, i: (u, i),
            '2018': lambda u, i: (i, u),
            '2023': lambda u, i: (u, i),
        }[layout]
        text = 'user_id,parent_asin,rating,timestamp\n' * (layout == '2023') + ''.join(
            f'{",".join(order(u, i))},{float(r)},{t * (1000 if layout == "2023" else 1)}\n'
            for u, i, r, t in rows
        )
    data = (text if end else text.rstrip('\n')).encode()
    path = folder / (
        {'json': 'r.json', 'old json': 'r.json'}.get(layout)
        or f'{layout}.{"txt" if layout in ("train", "test") else "csv"}'
    )
    if packed:
        path = path.with_name(path.name + '.gz')
        data = gzip.compress(data)
    path.write_bytes(data)
    return path


def plainly(rows, layout):
    "The same by a slow, plain reading: the earliest of each pair, in file order."
    if layout == 'lists':
        rows = [
            (USERS.index(u), ITEMS.index(i), r, n)
            for n, (u, i, r, _) in enumerate(rows[::2] + rows[1::2])
        ]
    if layout == '2023':
        rows = [(u, i, r, 1000 * t) for u, i, r, t in rows]
    best = {}
    for n, (u, i, _, t) in enumerate(rows):
        if (u, i) not in best or t < best[u, i][0]:
            best[u, i] = t, n
    return [[u, i, 1.0, t] for (u, i), (t, n) in sorted(best.items(), key=lambda x: x[1][1])]


@settings(max_examples=150, deadline=None)
@given(
    ROWS, st.sampled_from([*LAYOUTS, 'old json']), st.booleans(), st.booleans(), st.integers(1, 400)
)
def test_what_is_written_is_read_back_in_blocks_of_any_size(
    tmp_path_factory, rows, layout, packed, end, block
):
    path = write(tmp_path_factory.mktemp('amazon'), layout, rows, packed, end)
    assert find_layout(path) == layout.removeprefix('old ')
    data = load_amazon(path=path, core=None, block=block)
    assert (
        data.frame.values.tolist() == plainly(rows, layout)
        and data.frame.dtypes['rating'] == float
        and data.frame.dtypes['timestamp'] == 'int64'
    )
    assert (
        f'{len(rows):,} rows, {len(rows) - len(data):,} merged' in data.source
        and data.hash == load_amazon(path=path, core=None).hash
    )


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(1, 3))
def test_the_core_is_that_of_chapter_01(tmp_path_factory, rows, k):
    path = write(tmp_path_factory.mktemp('amazon'), '2018', rows)
    left = [r for r in plainly(rows, '2018')]
    while bad := [
        r
        for r in left
        if sum(q[0] == r[0] for q in left) < k or sum(q[1] == r[1] for q in left) < k
    ]:
        left.remove(bad[0])
    if left:
        assert load_amazon(path=path, core=k).frame.values.tolist() == left
    else:
        with pytest.raises(DataError, match='core is empty.*core='):
            load_amazon(path=path, core=k)


# ---- recognised, or refused with both readings
def rows_of(n=20):
    return [(USERS[k % 7], ITEMS[(k * k) % 8], 1 + k % 5, 1_300_000_000 + k) for k in range(n)]


@pytest.mark.parametrize(
    'rows',
    [
        [(str(k % 3), str(k % 5), 4, 10**9 + k) for k in range(9)],  # ids of one's own
        [('AKM1MP6P0OYPR', 'x', 4, 10**9), ('b', 'B000000001', 4, 10**9)],  # half of each
        rows_of(10) + [(i, u, r, t) for u, i, r, t in rows_of(2)],
    ],
)  # two files in one
def test_an_ambiguous_csv_is_refused_with_both_readings_and_layout_settles_it(tmp_path, rows):
    path = write(tmp_path, '2014', rows)
    with pytest.raises(DataError) as e:
        load_amazon(path=path)
    assert all(
        w in str(e.value)
        for w in (
            str(path),
            "layout='2014'",
            "layout='2018'",
            f'user {rows[0][0]!r}',
            f'user {rows[0][1]!r}',
            'layout=',
        )
    )
    if rows[0][0] == '0':
        a, b = (load_amazon(path=path, layout=l, core=None).frame for l in ('2014', '2018'))
        assert (
            a.user.tolist() == b['item'].tolist() == [r[0] for r in rows]
            and a['item'].tolist() == b.user.tolist()
        )


def test_columns_that_change_places_are_found_wherever_they_do(tmp_path):
    rows = rows_of(3000)
    turned = rows[:2500] + [(i, u, r, t) for u, i, r, t in rows[2500:]]
    path = write(tmp_path, '2014', turned)
    with pytest.raises(DataError, match=r'data row 2,501.*an item.s id.*Are the columns swapped'):
        load_amazon(path=path, block=10_000)
    with pytest.raises(DataError, match='data row 1: .*layout=.2018'):
        load_amazon(path=write(tmp_path, '2018', rows), layout='2014')
    wrong = write(tmp_path, '2023', [(i, u, r, t) for u, i, r, t in rows])
    with pytest.raises(DataError, match='data row 1: .*Correct the header'):
        load_amazon(path=wrong)


@pytest.mark.parametrize(
    'text, words',
    [
        ('', ['nothing in it']),
        ('a,b,c\n', ['3 columns', 'load_interactions']),
        ('who,what,stars,when\nA,B,1,2\n', ['who,what,stars,when', 'load_interactions']),
        ('user_id,parent_asin,rating,timestamp\n', ['no interaction']),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\nAKM1MP6P0OYPR,0132793041,good,1365811200\n',
            ['data row 2', "'good'", 'not a number'],
        ),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\nAKM1MP6P0OYPR,0132793041,1365811200,5\n',
            ['data row 2', '1 to 5 stars'],
        ),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\nAKM1MP6P0OYPR,0132793041,5.0,\n',
            ['data row 2', 'timestamp'],
        ),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\n' * 2 + ',0132793041,5.0,1365811200\n',
            ['data row 3', 'user id is missing'],
        ),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\nAKM1MP6P0OYPR,01327',
            ['data row 2', '2 columns', 'cut off'],
        ),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\nAKM1MP6P0OYPR,0132793041,5.0,13658',
            ['data row 2', '13658', 'cut off'],
        ),
        (
            '{"reviewerID": "A", "asin": "B", "overall": 5, "unixReviewTime": 1}\n{"reviewerID": "A", "asin": "C", "over',
            ['data row 2', 'not a review', 'cut off'],
        ),
        (
            '{"reviewerID": "A", "asin": "B", "overall": 5, "unixReviewTime": 1}\n{"reviewerID": "A", "overall": 5, "unixReviewTime": 1}\n',
            ['data row 2', 'item is missing'],
        ),
        (
            "{'reviewerID': 'A', 'asin': 'B', 'overall': 5, 'unixReviewTime': 1}\n{'reviewerID': 'A', 'asin': 'B', 'overall': 5}\n",
            ['data row 2', 'unixReviewTime is None'],
        ),
        (
            "{'reviewerID': 'A', 'asin': __import__('os').getcwd(), 'overall': 5, 'unixReviewTime': 1}\n",
            ['data row 1', 'not a review'],
        ),
    ],
)
def test_bad_files_are_refused_with_file_row_and_remedy(tmp_path, text, words):
    path = tmp_path / 'some.csv'
    path.write_text(text)
    for layout in (None, *(['2014'] if text.startswith('A') else [])):
        with pytest.raises(DataError) as e:
            load_amazon(path=path, layout=layout, core=None)
        assert 'some.csv' in str(e.value) and all(w in str(e.value) for w in words), e.value


def test_lists_that_are_not_lists(tmp_path):
    with pytest.raises(DataError, match=r'no train.txt.*Name a folder'):
        load_amazon(path=tmp_path)
    write(tmp_path, 'train', rows_of())
    (tmp_path / 'test.txt').write_text('1 2\n3 four\n')
    with pytest.raises(DataError, match=r"test.txt, data row 2: '3 four'"):
        load_amazon(path=tmp_path)
    (tmp_path / 'test.txt').write_text('1 2\n3\n')
    assert (
        3 not in load_amazon(path=tmp_path, core=None).frame.user[20:].tolist()
    )  # a user without items


@pytest.mark.parametrize(
    'options, words', [(dict(layout='2015'), 'choose from'), (dict(memory='much'), "'2GiB'")]
)
def test_wrong_options(tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        load_amazon(path=write(tmp_path, '2014', rows_of()), **options)


@pytest.mark.parametrize('cut', [1, 4, 8, 40, 5000])
def test_a_truncated_gz_is_refused_wherever_it_ends(tmp_path, cut):
    rng = np.random.default_rng(0)
    path = write(
        tmp_path,
        '2014',
        [(f'A{rng.integers(10**12):013d}', ITEMS[0], 5, 1_300_000_000) for _ in range(3000)],
        packed=True,
    )
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match='cannot be read to its end.*cut off or damaged'):
        load_amazon(path=path)


def test_a_line_without_end_is_not_collected_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(am._Stream, 'longest', 1000)
    path = tmp_path / 'x.csv'
    path.write_bytes(b'A' * 5000)
    with pytest.raises(DataError, match='a line of more than'):
        load_amazon(path=path, layout='2014', block=100)


# ---- published names carry published counts
def test_a_file_of_a_published_name_has_the_published_counts(tmp_path):
    part = write(tmp_path, '2014', rows_of()).rename(tmp_path / 'ratings_Electronics.csv')
    with pytest.raises(DataError, match='20 rows.*instead of 7,824,482 rows.*another name'):
        load_amazon(path=part, core=None)


# ---- the download: whole or not at all, and not twice
@pytest.fixture
def served(tmp_path, monkeypatch):
    "A host that serves a small file as the published one; the state of the test decides what it does."
    monkeypatch.setenv('RECINFLUENCE_CACHE', str(tmp_path / 'cache'))
    rows = [(USERS[u], i, 5, 1_300_000_000) for u in range(7) for i in ITEMS]

    class State:
        content, cut, asked, cached = (
            gzip.compress(write(tmp_path, 'json', rows).read_bytes()),
            0,
            0,
            lambda self: [p for p in (tmp_path / 'cache').rglob('*') if p.is_file()],
        )

    state = State()

    class Host(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state.asked += 1
            self.send_response(200)
            self.send_header('Content-Length', str(len(state.content)))
            self.end_headers()
            self.wfile.write(state.content[: len(state.content) - state.cut])

        def log_message(self, *a):
            pass

    host = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Host)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    monkeypatch.setattr(
        am, 'AMAZON_URL', f'http://127.0.0.1:{host.server_port}/reviews_Electronics_5.json.gz'
    )
    monkeypatch.setattr(am, 'AMAZON_COUNTS', {'reviews_Electronics_5.json': (56, 7, 8)})
    yield state
    host.shutdown()
    host.server_close()


def test_it_is_fetched_once_and_recorded(served):
    import hashlib

    a, b = load_amazon(core=7), load_amazon(core=7)
    assert (
        a.hash == b.hash
        and len(a) == 56
        and served.asked == 1
        and hashlib.sha256(served.content).hexdigest() in a.source
        and '56 rows, 0 merged' in a.source
    )


def test_a_broken_download_leaves_no_cache(served):
    served.cut = 100
    with pytest.raises(DataError, match='broke off.*\nFetch http.*path='):
        load_amazon()
    assert not served.cached()


def test_a_file_without_the_published_counts_leaves_no_cache(served, monkeypatch):
    monkeypatch.setattr(am, 'AMAZON_COUNTS', {'reviews_Electronics_5.json': (57, 7, 8)})
    with pytest.raises(DataError, match='56 rows.*instead of 57 rows.*taken out of the cache'):
        load_amazon()
    assert not served.cached()


def test_a_truncated_gz_from_the_host_leaves_no_cache(served):
    served.content = served.content[:-30]
    with pytest.raises(DataError, match='cannot be read to its end'):
        load_amazon()
    assert not served.cached()


@pytest.mark.parametrize(
    'options, words',
    [(dict(core=8), 'core is empty'), (dict(memory='1MiB'), "more than memory='1MiB'")],
)
def test_what_is_no_fault_of_the_file_keeps_it(served, options, words):
    with pytest.raises(DataError, match=words):
        load_amazon(**options)
    assert len(served.cached()) == 1


def test_without_internet_the_file_to_fetch_is_named_within_seconds(served, monkeypatch):
    import time

    monkeypatch.setattr(am, 'AMAZON_URL', 'http://127.0.0.1:9/reviews_Electronics_5.json.gz')
    start = time.monotonic()
    with pytest.raises(DataError) as e:
        load_amazon()
    assert (
        all(
            w in str(e.value)
            for w in (
                'http://127.0.0.1:9/reviews_Electronics_5.json.gz',
                "path='reviews_Electronics_5.json.gz'",
            )
        )
        and time.monotonic() - start < 8
        and not served.cached()
    )
    with pytest.raises(DataError, match='only Electronics.*path='):
        load_amazon('Books')


# ---- bounded memory
def test_memory_is_as_stated_and_a_larger_file_is_refused(tmp_path):
    path = write_ratings(tmp_path / 'r.csv', rows=300_000, users=200_000, items=20_000)
    with pytest.raises(
        DataError,
        match=r"r.csv: with its first [\d,]+ rows \(\d+% of the file\).*more than memory='220MiB'.*Allow more",
    ):
        load_amazon(path=path, memory='220MiB')
    cost = measure(path, core=None, memory='400MiB')  # in a process of its own
    stated = (am._LIBRARIES + am._PER_ROW * 300_000 + am._PER_ID * 220_000) / 2**30
    assert cost['GiB at most'] < stated < 0.4 and '300,000 rows' in cost['source']


def test_what_reading_cost_is_kept_as_it_was(tmp_path):
    path, kept = (
        write_ratings(tmp_path / 'r.csv', rows=30_000, users=9_000, items=2_000),
        tmp_path / 'kept.csv',
    )
    here = ROOT / 'tests/amazon_at_size.py'
    for more in (['--path', str(path)], ['--rows', '30000', '--users', '9000', '--items', '2000']):
        done = subprocess.run(
            [sys.executable, str(here), *more, '--core', '3', '--keep', str(kept)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, 'PYTHONPATH': str(here.parents[1])},
        )
        said, told = (
            dict(csv.reader(kept.open(encoding='utf-8', newline=''))),
            json.loads(done.stdout),
        )
        assert (
            said['its SHA-256'] == hashlib.sha256(path.read_bytes()).hexdigest()
            and int(said['rows']) == len(path.read_text().splitlines()) == 30_000
            and float(said['MB of the file']) == round(path.stat().st_size / 1e6, 1)
        )
        assert (
            said['read'] == str(load_amazon(path=path, core=3)) == told['data']
            and all(
                float(said[k]) == told[k] > 0
                for k in ('CPU seconds', 'seconds by the clock', 'GiB at most')
            )
            and said['command'].split()[-2:] == ['--keep', str(kept)]
        )
        assert (
            said['processor'] == processor()
            and told['CPU seconds'] <= told['seconds by the clock'] + 0.05
        )  # one core
    ids = [line.split(',') for line in path.read_text().splitlines()]
    assert (int(said['users']), int(said['items'])) == tuple(
        len({r[n] for r in ids}) for n in (0, 1)
    ) and said['made of'] == 'simulated'


def test_memory_does_not_grow_with_repeated_ids():
    import pyarrow as pa

    codes = am._Codes()
    some = pa.chunked_array([[f'A{n:013d}' for n in range(300_000)]])
    for _ in range(20):
        codes.add(some)
        assert codes.held <= 2 * 300_000 + (1 << 20) + 300_000
    numbers, ids = codes.done()
    assert len(ids) == 300_000 and np.array_equal(numbers, np.tile(np.arange(300_000), 20))


# ---- the small real set
def test_the_small_real_set(small_real):
    plain = [
        (int(l.split()[0]), int(i))
        for part in ('train', 'test')
        for l in (small_real / f'{part}.txt').read_text().splitlines()
        for i in l.split()[1:]
    ]
    data = load_amazon(path=small_real, core=None)
    assert list(
        zip(data.frame.user, data.frame['item'])
    ) == plain and data.frame.timestamp.tolist() == list(range(len(plain)))
    assert summary(data)[
        ['# Users', '# Items', '# Ratings', 'Min # ratings/user', 'Min # ratings/item']
    ].tolist() == [1_435, 1_522, 35_931, 13, 9]
    core = summary(load_amazon(path=small_real))
    assert (
        min(core['Min # ratings/user'], core['Min # ratings/item']) >= 10
        and core['# Items'] == 1_520
    )


# ---- Table 10
def paper(n):
    return pd.read_csv(ROOT / f'data/paper/table_{n:02d}.csv', index_col='metric', dtype=str).value


def test_table_10_contradicts_itself_and_table_2_nearly_does_not():
    t = implied_ratings(paper(10))
    names = ['# Ratings', 'Density', 'Average # ratings/item', 'Average # ratings/user']
    assert (
        all(set(t.contradicts[n].split(', ')) >= set(names) - {n} for n in names)
        and t.contradicts['Min and max # ratings/user'] == 'Density'
    )
    assert t.loc['Average # ratings/user', ['at least', 'at most']].tolist() == [
        266_778,
        266_932,
    ]  # 15,551 × 17.155 and × 17.165
    two = implied_ratings(paper(2)).contradicts
    assert (
        '# Ratings' in two['Average # ratings/user']
        and two['Density'] == two['Average # ratings/item'] == ''
    )  # 106.05 is 106.04


# ---- the stand-in
def test_the_defaults_are_table_10():
    import inspect

    text = paper(10).str.replace(',', '')
    size = inspect.signature(simulate_interactions).parameters
    assert size['n_users'].default == int(text['# Users']) and size['n_items'].default == int(
        text['# Items']
    )
    assert size['n_rows'].default == round(
        int(text['# Users']) * float(text['Average # ratings/user'])
    )
    s = summary(simulate_interactions())
    assert (
        all(
            s[n] == int(text[n])
            for n in text.index
            if n.startswith(('Min', 'Max')) or n in ('# Users', '# Items')
        )
        and round(s['Average # ratings/user'], 2) == float(text['Average # ratings/user'])
        and s['Average rating'] == 1
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_margins_are_exact_where_a_table_has_them(data):
    users, items = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))

    def limits(n, others):
        return st.tuples(st.integers(1, others), st.integers(1, others)).map(
            lambda x: tuple(sorted(x))
        )

    u, i = data.draw(limits(users, items)), data.draw(limits(items, users))
    least, most = (
        max((users - 1) * u[0] + u[1], (items - 1) * i[0] + i[1]),
        min((users - 1) * u[1] + u[0], (items - 1) * i[1] + i[0]),
    )
    assume(least <= most)
    rows = data.draw(st.integers(least, most))
    try:
        f = simulate_interactions(users, items, rows, u, i, seed=data.draw(st.integers(0, 9))).frame
    except ValueError as e:
        assert 'no table of' in str(e)
        assume(False)
    per_user, per_item = f.user.value_counts(), f['item'].value_counts()
    assert (len(f), len(per_user), len(per_item)) == (rows, users, items) and not f.duplicated(
        ['user', 'item']
    ).any()
    assert (
        (per_user.min(), per_user.max(), per_item.min(), per_item.max()) == (*u, *i)
        and set(f.rating) == {1.0}
        and sorted(f.timestamp) == list(range(rows))
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
    st.integers(1, 8),
)
def test_a_table_is_found_whenever_gale_and_ryser_say_there_is_one(users, random, n_items):
    users = np.array(sorted(users, reverse=True))
    items = np.unique([random.randrange(n_items) for _ in range(users.sum())], return_counts=True)[
        1
    ]
    items = -np.sort(-items)
    exists = all(users[:k].sum() <= np.minimum(items, k).sum() for k in range(1, len(users) + 1))
    found = am._any_table(users, items)
    assert (found is not None) == exists
    if exists:
        assert np.array_equal(np.bincount(found, minlength=len(items)), items) and all(
            len(set(p)) == n for p, n in zip(np.split(found, np.cumsum(users)[:-1]), users)
        )


@pytest.mark.parametrize(
    'options, words',
    [
        (dict(n_rows=10), 'from .* are possible'),
        (dict(per_item=(10, 999)), 'no table of'),
        (dict(per_user=(0, 20)), 'impossible'),
    ],
)
def test_impossible_margins_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        simulate_interactions(**{**dict(n_users=100, n_items=50, n_rows=1500), **options})


@pytest.mark.parametrize(
    'size', [(50, 30, 400), (10, 60, 200), (200, 100, 3_000), (500, 4_000, 50_000)]
)
def test_any_size_by_name_seed_and_label(size):
    a, b, c = (simulate_interactions(*size, seed=s) for s in (0, 0, 1))
    assert a.hash == b.hash != c.hash and a.name.startswith('simulated') and 'seed 1' in c.source
    assert (a.frame.user.nunique(), a.frame['item'].nunique(), len(a)) == size


def test_without_tastes_every_table_is_as_likely():
    "All 3 × 3 tables with two in each row and column: there are six."
    seen = pd.Series(
        [
            tuple(sorted(zip(f.user, f['item'])))
            for f in (
                simulate_interactions(3, 3, 6, (2, 2), (2, 2), taste=0, seed=s).frame
                for s in range(600)
            )
        ]
    ).value_counts()
    assert (
        len(seen) == 6 and ((seen - 100) ** 2 / 100).sum() < 20.5
    )  # chi square, 5 degrees of freedom: 0.001


def test_exchanges_follow_the_tastes():
    "The share of the tables is as the exponential of their fit, on a chain long enough to count."
    from recinfluence.kernels.swaps import swap

    rng = np.random.default_rng(0)
    user, item, start = np.array([0, 1]), np.array([0, 1]), np.array([0, 1, 2])
    likes, has = np.array([[1.0], [0.0]]), np.array([[0.0], [0.7]])
    straight = 0
    for _ in range(20_000):
        swap(user, item, start, likes, has, np.array([[0, 1]]), rng.standard_exponential(1))
        straight += item[0] == 0
    assert abs(straight / 20_000 - 1 / (1 + np.exp(0.7))) < 0.02  # fits 0 and 0.7


def test_tastes_can_be_learned_and_their_shuffled_null_cannot():
    def map_of(model, data):
        split = chrono_split(data)
        return Evaluator(split)(model.fit(split.train, 0))['map']

    tastes = simulate_interactions(600, 200, 12_000, per_user=(10, 100), per_item=(10, 150))
    null = simulate_interactions(
        600, 200, 12_000, per_user=(10, 100), per_item=(10, 150), taste=0
    )  # the same margins, and nothing else
    assert sorted(tastes.frame.user.value_counts()) == sorted(
        null.frame.user.value_counts()
    ) and sorted(tastes.frame['item'].value_counts()) == sorted(null.frame['item'].value_counts())
    gain = {
        name: map_of(NCF(), d) / map_of(Popularity(), d)
        for name, d in (('tastes', tastes), ('null', null))
    }
    assert gain['tastes'] > 1.5 and gain['null'] < 1.1, gain
