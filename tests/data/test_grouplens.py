"""Ratings, films and people in GroupLens' forms, against csv and str.split."""

import csv
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from movielens_on_disk import FILMS, FORMS, PEOPLE, films_text, ratings_text

from recinfluence.data.grouplens import (
    AGES,
    OCCUPATIONS,
    VARIANTS,
    find_variant,
    line_blocks,
    read_films,
    read_people,
    read_ratings,
)
from recinfluence.data.interactions import DataError

ROWS = st.lists(
    st.tuples(
        st.integers(1, 400_000),
        st.integers(1, 300_000),
        st.integers(1, 5),
        st.integers(789_652_004, 2**31 - 1),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[:2],
)


def plain_ratings(name, content):
    "The same file, read by csv or str.split."
    text = content.decode()
    if VARIANTS[name].separator == ',':
        lines = list(csv.reader(io.StringIO(text, newline='')))[1:]
    else:
        lines = [line.split(VARIANTS[name].separator) for line in text.splitlines()]
    return [[int(u), int(i), float(r), int(t)] for u, i, r, t in lines]


@settings(max_examples=200, deadline=None)
@given(ROWS, st.sampled_from(list(VARIANTS)), st.booleans(), st.booleans(), st.integers(1, 300))
def test_ratings_are_those_of_a_plain_reading(rows, name, crlf, end, size):
    step = VARIANTS[name].step
    rows = [(u, i, r - 0.5 if step == 0.5 and r % 2 else r, t) for u, i, r, t in rows]
    content = ratings_text(name, rows, crlf, end)
    kept = read_ratings(io.BytesIO(content), VARIANTS[name], 'a file', size)
    assert kept.values.tolist() == plain_ratings(name, content)
    assert [str(t) for t in kept.dtypes] == ['int64', 'int64', 'float64', 'int64']


@pytest.mark.parametrize('name', VARIANTS)
@pytest.mark.parametrize(
    'harm, words',
    [
        (lambda line, sep: sep.join(line.split(sep)[:3]), '3 columns'),
        (lambda line, sep: line + sep + '7', '5 columns'),
        (lambda line, sep: '', None),  # an empty line is none
        (lambda line, sep: line.replace('978300000', ''), "timestamp is ''"),
        (lambda line, sep: line.replace('978300000', '97830O000'), "timestamp is '97830O000'"),
        (lambda line, sep: line.replace('77', '99999999999'), "item is '99999999999'"),
        (lambda line, sep: line.replace('77', 'tt'), "item is 'tt'"),
        (lambda line, sep: re.sub(f'{sep}4(.0)?{sep}', f'{sep}5.5{sep}', line), "rating is '5.5'"),
        (lambda line, sep: re.sub(f'{sep}4(.0)?{sep}', f'{sep}3.7{sep}', line), "rating is '3.7'"),
        (lambda line, sep: re.sub(f'{sep}4(.0)?{sep}', f'{sep}0{sep}', line), "rating is '0'"),
        (lambda line, sep: re.sub(f'{sep}4(.0)?{sep}', f'{sep}nan{sep}', line), "rating is 'nan'"),
        (lambda line, sep: re.sub(f'{sep}4(.0)?{sep}', f'{sep}{sep}', line), "rating is ''"),
        (lambda line, sep: line.replace('77', '"77"'), 'item is \'"77"\''),
    ],
)
def test_a_bad_row_is_named(name, harm, words):
    rows = [(u, i, 4, 978_300_000) for u in range(1, 5) for i in (10, 77)]
    head, *lines = ratings_text(name, rows).decode().split('\n')
    if VARIANTS[name].separator != ',':
        lines, head = [head, *lines], None
    lines[3] = harm(lines[3], VARIANTS[name].separator)
    content = '\n'.join(lines if head is None else [head, *lines]).encode()
    read = lambda: read_ratings(io.BytesIO(content), VARIANTS[name], 'the file')  # noqa: E731
    if words is None:
        assert len(read()) == len(rows) - 1
        return
    with pytest.raises(DataError, match=r'^the file, data row 4: .*fetch it again\.$') as error:
        read()
    assert words in str(error.value)


def test_half_stars_are_given_where_they_can_be():
    rows = [(1, 2, 3.5, 978_300_000), (1, 3, 0.5, 978_300_001)]
    for name in FORMS:
        if name == '1m':
            with pytest.raises(DataError, match="data row 1: the rating is '3.5'.*1 to 5 by 1"):
                read_ratings(io.BytesIO(ratings_text(name, rows)), VARIANTS[name], 'x')
        else:
            read = read_ratings(io.BytesIO(ratings_text(name, rows)), VARIANTS[name], 'x')
            assert read.rating.tolist() == [3.5, 0.5]


def test_a_pair_that_stands_twice_and_a_time_cut_off_are_refused():
    rows = [(1, 2, 3, 978_300_000), (1, 3, 3, 978_300_000), (1, 2, 4, 978_300_009)]
    with pytest.raises(DataError, match='data row 3: user 1 has rated film 2 before'):
        read_ratings(io.BytesIO(ratings_text('1m', rows)), VARIANTS['1m'], 'x')
    with pytest.raises(DataError, match='data row 2: the last row.*9783, before MovieLens began'):
        read_ratings(io.BytesIO(ratings_text('1m', rows[:2])[:-6]), VARIANTS['1m'], 'x')


@pytest.mark.parametrize(
    'content', [b'', b'\n', b'user,film\n1,2\n', b'\x1f\x8b\x08\x00', b'1::2::3::978300760\n']
)
def test_what_is_no_csv_of_ratings_is_refused(content):
    with pytest.raises(DataError, match='^the file: '):
        read_ratings(io.BytesIO(content), VARIANTS['25m'], 'the file')


def test_a_line_without_end_is_not_collected_for_ever():
    sizes = [len(block) for block in line_blocks(io.BytesIO(b'x' * 1000), 10, longest=50)]
    assert max(sizes) <= 60 and sum(sizes) == 1000


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 300_000),
            st.text(
                st.characters(min_codepoint=32, max_codepoint=255, exclude_characters='\x7f:\x85'),
                min_size=1,
            ),
            st.sampled_from(['Drama', 'Drama|War', '(no genres listed)']),
        ),
        min_size=1,
        unique_by=lambda film: film[0],
    ),
    st.sampled_from(FORMS),
    st.booleans(),
)
def test_films_are_those_of_a_plain_reading(films, name, crlf):
    table = read_films(films_text(name, films, crlf), VARIANTS[name], 'a file')
    assert list(zip(table.index, table.title, table.genres)) == films
    assert table.index.dtype == np.int64 and table.index.name == 'item'


def test_titles_and_years():
    for name in FORMS:
        films = [film for film in FILMS if name != '1m' or '–' not in film[1]]
        table = read_films(films_text(name, films), VARIANTS[name], 'a file')
        assert table.title.tolist() == [title for _, title, _ in films]
        years = table.date.dt.year.fillna(0).astype(int).tolist()
        assert years == [1995, 1995, 1995, 1957, 0, 0, *([2006] * (name != '1m'))]
        assert (table.date.dropna().dt.dayofyear == 1).all()


def test_titles_in_other_encodings():
    in_utf, in_latin = (films_text(name, FILMS[:3]) for name in ('10m', '1m'))
    assert in_utf != in_latin
    for content in (in_utf, in_latin, b'\xef\xbb\xbf' + in_utf):
        assert read_films(content, VARIANTS['1m'], 'x').title[73] == 'Misérables, Les (1995)'
    with pytest.raises(DataError, match=r'movies.dat: not in UTF-8.*byte \d+ is 0xe9'):
        read_films(in_latin, VARIANTS['10m'], 'movies.dat')


@pytest.mark.parametrize(
    'content, words',
    [
        (b'', 'data row 1'),
        (b'movieId,title,genres\n', 'data row 1'),
        (b'movieId,title,genres\n1,Heat (1995),Drama\n2,American President, The,Drama\n', 'row 2'),
        (b'movieId,title,genres\n1,Heat (1995),Drama\n1,Heat (1995),Drama\n', 'film 1 .*twice'),
        (b'movieId,title,genres\ntt1,Heat (1995),Drama\n', 'data row 1: .tt1'),
    ],
)
def test_films_that_are_none(content, words):
    with pytest.raises(DataError, match=f'^movies.csv.*{words}'):
        read_films(content, VARIANTS['25m'], 'movies.csv')


def test_people_have_the_names_of_the_readme():
    content = ''.join('::'.join(map(str, who)) + '\r\n' for who in PEOPLE).encode()
    table = read_people(content, VARIANTS['1m'], 'users.dat')
    assert table.loc[1].tolist() == ['Under 18', 'F', 'K-12 student', '48067']
    assert table.loc[2].tolist() == ['56+', 'M', 'self-employed', '02108-1234']
    assert table.loc[3].tolist() == ['25-34', 'M', 'writer', '70072']
    assert len(OCCUPATIONS) == 21 and len(AGES) == 7
    for wrong in (b'1::F::2::10::48067\n', b'1::F::1::21::48067\n', b'1::F::1::10\n'):
        with pytest.raises(DataError, match='users.dat, data row 1: .*is not user, gender, age'):
            read_people(wrong, VARIANTS['1m'], 'users.dat')


@pytest.mark.parametrize('name', ['1m', 'ml-1m', 'ML-1M', 'ml_1m', 'MovieLens-1M'])
def test_names(name):
    assert find_variant(name) is VARIANTS['1m']


@pytest.mark.parametrize('name', ['', '1', 'ml-latest', '100', None, 1, 'netflix'])
def test_other_names_are_refused_with_a_list(name):
    with pytest.raises(DataError, match="'100k', 'latest-small', '1m', '10m', '20m', '25m', '32m'"):
        find_variant(name)
