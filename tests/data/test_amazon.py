"""Amazon: every layout read back in blocks of any size, fetched whole or not at all, in bounds."""

import csv
import gzip
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from amazon_at_size import measure, write_ratings
from hypothesis import given, settings
from hypothesis import strategies as st
from reviews_on_disk import ITEMS, USERS, plain_rows, review_rows, write_reviews

import recinfluence.data.amazon as amazon
from recinfluence.core.machine import processor
from recinfluence.data.amazon import IdColumn, load_amazon, memory_needed
from recinfluence.data.interactions import DataError, summary
from recinfluence.data.layouts import LAYOUTS, find_layout

ROOT = Path(__file__).resolve().parents[2]


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


@settings(max_examples=150, deadline=None)
@given(
    ROWS, st.sampled_from([*LAYOUTS, 'old json']), st.booleans(), st.booleans(), st.integers(1, 400)
)
def test_what_is_written_is_read_back_in_blocks_of_any_size(
    tmp_path_factory, rows, layout, packed, end, block
):
    path = write_reviews(tmp_path_factory.mktemp('amazon'), layout, rows, packed, end)
    assert find_layout(path) == layout.removeprefix('old ')
    data = load_amazon(path=path, core=None, block=block)
    assert (
        data.frame.values.tolist() == plain_rows(rows, layout)
        and data.frame.dtypes['rating'] == float
        and data.frame.dtypes['timestamp'] == 'int64'
    )
    assert (
        f'{len(rows):,} rows, {len(rows) - len(data):,} merged' in data.source
        and data.hash == load_amazon(path=path, core=None).hash
    )


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(1, 3))
def test_the_core_is_that_of_a_split(tmp_path_factory, rows, k):
    path = write_reviews(tmp_path_factory.mktemp('amazon'), '2018', rows)
    left = [r for r in plain_rows(rows, '2018')]
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


@pytest.mark.parametrize(
    'options, words', [(dict(layout='2015'), 'choose from'), (dict(memory='much'), "'2GiB'")]
)
def test_wrong_options(tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        load_amazon(path=write_reviews(tmp_path, '2014', review_rows()), **options)


def test_a_file_of_a_published_name_has_the_published_counts(tmp_path):
    part = write_reviews(tmp_path, '2014', review_rows()).rename(
        tmp_path / 'ratings_Electronics.csv'
    )
    with pytest.raises(DataError, match='20 rows.*instead of 7,824,482 rows.*another name'):
        load_amazon(path=part, core=None)


@pytest.fixture
def served(tmp_path, monkeypatch):
    "A host that serves a small file as the published one; its state decides what it does."
    monkeypatch.setenv('RECINFLUENCE_CACHE', str(tmp_path / 'cache'))
    rows = [(USERS[u], i, 5, 1_300_000_000) for u in range(7) for i in ITEMS]

    class State:
        content, cut, asked, cached = (
            gzip.compress(write_reviews(tmp_path, 'json', rows).read_bytes()),
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

        def log_message(self, *args):
            pass

    host = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Host)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    monkeypatch.setattr(
        amazon, 'AMAZON_URL', f'http://127.0.0.1:{host.server_port}/reviews_Electronics_5.json.gz'
    )
    monkeypatch.setattr(amazon, 'AMAZON_COUNTS', {'reviews_Electronics_5.json': (56, 7, 8)})
    yield state
    host.shutdown()
    host.server_close()


def test_it_is_fetched_once_and_recorded(served):
    first, second = load_amazon(core=7), load_amazon(core=7)
    assert (
        first.hash == second.hash
        and len(first) == 56
        and served.asked == 1
        and hashlib.sha256(served.content).hexdigest() in first.source
        and '56 rows, 0 merged' in first.source
    )


def test_a_broken_download_leaves_no_cache(served):
    served.cut = 100
    with pytest.raises(DataError, match='broke off.*\nFetch http.*path='):
        load_amazon()
    assert not served.cached()


def test_a_file_without_the_published_counts_leaves_no_cache(served, monkeypatch):
    monkeypatch.setattr(amazon, 'AMAZON_COUNTS', {'reviews_Electronics_5.json': (57, 7, 8)})
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
    monkeypatch.setattr(amazon, 'AMAZON_URL', 'http://127.0.0.1:9/reviews_Electronics_5.json.gz')
    start = time.monotonic()
    with pytest.raises(DataError) as error:
        load_amazon()
    assert (
        all(
            w in str(error.value)
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


def test_memory_is_as_stated_and_a_larger_file_is_refused(tmp_path):
    path = write_ratings(tmp_path / 'r.csv', rows=300_000, users=200_000, items=20_000)
    with pytest.raises(
        DataError,
        match=r'r.csv: with its first [\d,]+ rows \(\d+% of the file\).*'
        "more than memory='220MiB'.*Allow more",
    ):
        load_amazon(path=path, memory='220MiB')
    cost = measure(path, core=None, memory='400MiB')  # in a process of its own
    stated = memory_needed(300_000, 220_000) / 2**30
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
    codes = IdColumn()
    some = pa.chunked_array([[f'A{n:013d}' for n in range(300_000)]])
    for _ in range(20):
        codes.add(some)
        assert codes.held <= 2 * 300_000 + (1 << 20) + 300_000
    numbers, ids = codes.done()
    assert len(ids) == 300_000 and np.array_equal(numbers, np.tile(np.arange(300_000), 20))


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
