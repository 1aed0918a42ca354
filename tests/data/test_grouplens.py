"""MovieLens in all sizes, on made-up files in GroupLens' own forms."""

import csv
import hashlib
import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import recinfluence.data.grouplens as grouplens
from recinfluence.data.grouplens import SIZES, find_movielens, load_variant
from recinfluence.data.movielens import DataError, load_movielens

FILMS = [
    (11, 'American President, The (1995)', 'Comedy|Drama|Romance'),
    (12, 'Misérables, Les (1995)', 'Drama|War'),
    (7, 'The "Untitled" One', '(no genres listed)'),
]
PEOPLE = [(1, 'F', 1, 10, '48067'), (2, 'M', 56, 16, '06070')]


def rows(variant):
    step = 1 if variant.scale[0] == 1 else 0.5
    rng, half = np.random.default_rng(0), int((5 - variant.scale[0]) / step) + 1
    pairs = [(user, item) for user in (1, 2, 9) for item, _, _ in FILMS]
    return [
        (user, item, variant.scale[0] + step * int(rng.integers(half)), 964_982_703 + n)
        for n, (user, item) in enumerate(pairs)
    ]


def number(value):
    return f'{value:g}'


def write_colons(table, variant):
    lines = ['::'.join(number(v) if not isinstance(v, str) else v for v in row) for row in table]
    return ('\n'.join(lines) + '\n').encode(variant.encoding)


def write_csv(table, names, end='\r\n'):
    written = io.StringIO(newline='')
    writer = csv.writer(written, lineterminator=end)
    writer.writerow(names)
    writer.writerows(table)
    return written.getvalue().encode()


def files_of(variant):
    if variant.colons:
        plain = [
            (user, item, number(rating), str(time)) for user, item, rating, time in rows(variant)
        ]
        files = {
            'ratings.dat': write_colons(plain, variant),
            'movies.dat': write_colons(FILMS, variant),
        }
        if variant.name == '1m':
            files['users.dat'] = write_colons(PEOPLE, variant)
        return files
    names = ['userId', 'movieId', 'rating', 'timestamp']
    films = write_csv(FILMS, ['movieId', 'title', 'genres'])
    return {'ratings.csv': write_csv(rows(variant), names), 'movies.csv': films}


def archive_of(variant):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name, content in files_of(variant).items():
            archive.writestr(f'{variant.folder}/{name}', content)
    return buffer.getvalue()


@pytest.fixture(params=SIZES)
def variant(request, tmp_path, monkeypatch):
    "As published, but for rows and checksum, which are those of the made-up file."
    monkeypatch.setenv('RECINFLUENCE_CACHE', str(tmp_path / 'cache'))
    made = replace(SIZES[request.param], rows=9)
    if made.md5 is not None:
        made = replace(made, md5=hashlib.md5(archive_of(made)).hexdigest())
    monkeypatch.setitem(SIZES, request.param, made)
    return made


def check(data, variant):
    assert [tuple(row) for row in data.frame.to_numpy()] == [
        (user, item, float(rating), time) for user, item, rating, time in rows(variant)
    ]
    assert data.scale == variant.scale and data.timed
    assert data.items.title.to_dict() == {item: title for item, title, _ in FILMS}
    assert data.items.genres.to_dict() == {item: genres for item, _, genres in FILMS}
    assert data.items.date.dt.year.fillna(0).astype(int).tolist() == [1995, 1995, 0]


def test_folder_file_and_archive_give_what_was_written(variant, tmp_path):
    inner = tmp_path / 'unpacked' / variant.folder
    inner.mkdir(parents=True)
    for name, content in files_of(variant).items():
        (inner / name).write_bytes(content)
    packed = tmp_path / f'ml-{variant.name}.zip'
    packed.write_bytes(archive_of(variant))
    ratings = inner / variant.file('ratings')
    for path in (inner, inner.parent, ratings, packed):
        check(load_movielens(f'ML-{variant.name}', path), variant)
    data = load_movielens(variant.name, packed)
    if variant.name == '1m':
        assert data.users.occupation.tolist() == ['K-12 student', 'self-employed']
        assert data.users.zip.tolist() == ['48067', '06070']
    else:
        assert data.users is None


def test_the_cache_holds_what_was_fetched_and_verified(variant, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(grouplens, 'download', lambda url: asked.append(url) or archive_of(variant))
    first, second = load_variant(variant), load_variant(variant)
    check(second, variant)
    assert asked == [variant.url] and first.hash == second.hash and 'cache' in second.source


def test_what_is_not_whole_is_refused_and_not_kept(variant, tmp_path, monkeypatch):
    monkeypatch.setattr(grouplens, 'download', lambda url: archive_of(variant)[:-40])
    with pytest.raises(DataError, match='could not be fetched') as error:
        load_variant(variant)
    assert variant.url in str(error.value) and "path='ml-" in str(error.value)
    assert not list(tmp_path.glob('cache/**/*.zip'))
    name = variant.file('ratings')
    (tmp_path / name).write_bytes(files_of(variant)[name].rpartition(b'\n')[0].rpartition(b'\n')[0])
    with pytest.raises(DataError, match='truncated: 8 of 9 rows|truncated: 7 of 9 rows'):
        load_variant(variant, tmp_path)
    (tmp_path / name).write_bytes(b'no table')
    with pytest.raises(DataError, match=name):
        load_variant(variant, tmp_path)


def test_wrong_paths_say_what_to_name(variant, tmp_path):
    for path in (tmp_path, tmp_path / 'nowhere', tmp_path / 'tags.csv'):
        if path.name == 'tags.csv':
            path.write_text('x')
        with pytest.raises(DataError, match=f'ml-{variant.name}.zip'):
            find_movielens(variant, path)
    if variant.md5:
        (tmp_path / 'other.zip').write_bytes(archive_of(replace(variant, folder='other')))
        with pytest.raises(DataError, match='not the published archive'):
            find_movielens(variant, tmp_path / 'other.zip')


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(DataError, match="latest-small.*'1m'.*32m"):
        load_movielens('2m')
