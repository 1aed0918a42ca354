"""Files as people have them: rows and fields in are rows and fields out, or the line is named."""

import bz2
import csv
import gzip
import io
import lzma
import zipfile

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from recinfluence.data.interactions import DataError, load_interactions
from recinfluence.data.tables import read_table

ROWS = [('u1', 'i1', '5', '10'), ('u1', 'i2', '3', '20'), ('u2', 'i1', '4', '30')]
NAMES = ('user', 'item', 'rating', 'timestamp')
PLAIN = ''.join(','.join(row) + '\n' for row in (NAMES, *ROWS))


def write(folder, content, name='own.csv'):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


def rows_of(data):
    frame = data.frame
    return [
        (user, item, f'{rating:g}', str(time))
        for user, item, rating, time in frame.itertuples(index=False)
    ]


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr('inside.csv', content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    'content',
    [
        PLAIN,
        PLAIN.replace(',', ';'),
        PLAIN.replace(',', '\t'),
        PLAIN.replace(',', '::'),
        PLAIN.replace(',', '|'),
        PLAIN.replace(',', ' '),
        PLAIN.replace(',', '   '),
        PLAIN.replace('\n', '\r\n'),
        PLAIN.replace('\n', '\r'),
        PLAIN.replace('\n', '\n\n'),
        PLAIN.replace('\n', ',\n'),
        PLAIN.replace('\n', ',\n').replace('timestamp,', 'timestamp'),
        PLAIN.rstrip('\n'),
        '\ufeff' + PLAIN,
        PLAIN.encode('utf-16'),
        PLAIN.encode('utf-16-le'),
        PLAIN.encode('utf-32'),
        gzip.compress(PLAIN.encode()),
        gzip.compress(bz2.compress(PLAIN.encode())),
        lzma.compress(PLAIN.encode()),
        zipped(PLAIN),
        '\n'.join(','.join(f'"{field}"' for field in row) for row in (NAMES, *ROWS)),
    ],
    ids=range(22),
)
def test_the_same_rows_come_out_of_every_form(tmp_path, content):
    assert rows_of(load_interactions(write(tmp_path, content))) == ROWS


@pytest.mark.parametrize(
    'content, words',
    [
        (PLAIN + 'u3,i1,2\n', ['line 5', '3 fields where the header has 4', 'u3 | i1 | 2']),
        (PLAIN + 'u3,i1,2,3,4\n', ['line 5', '5 fields']),
        (PLAIN.replace('u1,i2', 'u1,i2,'), ['line 3', '5 fields']),
        (gzip.compress(PLAIN.encode() * 50)[:-30], ['packed', 'Fetch it again']),
        (b'PK\x03\x04 no zip', ['cannot be unpacked']),
        ('<!DOCTYPE html>', ['a web page']),
        (b'SQLite format 3\x00', ['SQLite', 'csv']),
        (b'\x00\x00\x01\x00\x07\x00\x00', ['not a text']),
        ('u1,i1,5,10\nu2,i1,4,30\n', ['first row is no header', "columns=['user'"]),
        ('a,b\nc,d\n', ['whether', 'header=True', 'header=False']),
        ('user\nann\n', ['one field in each line']),
        ('user,user,item,rating,timestamp\n1,2,3,4,5\n', ['more than once']),
        ('user,User Id,item,rating,timestamp\n1,2,3,4,5\n', ['no column']),
        ('{"user": 1, "item": 2}\n{"user": 1', ['line 2', 'not a JSON object']),
    ],
    ids=range(14),
)
def test_what_cannot_be_read_is_refused_with_its_address(tmp_path, content, words):
    if 'User Id' in str(content):  # a fifth column is no reason to refuse
        assert len(load_interactions(write(tmp_path, content))) == 1
        return
    with pytest.raises(DataError) as error:
        load_interactions(write(tmp_path, content))
    told = str(error.value)
    assert 'own.csv' in told and '\n' not in told and all(word in told for word in words), told


def test_the_remedy_followed_to_the_letter_loses_no_row(tmp_path):
    path = write(tmp_path, ''.join(','.join(row) + '\n' for row in ROWS))
    with pytest.raises(DataError, match='header=False, columns=') as error:
        load_interactions(path)
    remedy = str(error.value).partition('such as ')[2].partition(';')[0]
    assert rows_of(eval(f'load_interactions(path, {remedy})')) == ROWS
    by_place = {'user': 0, 'item': 1, 'rating': 2, 'timestamp': 3}
    assert rows_of(load_interactions(path, by_place, header=False)) == ROWS


def test_quotation_marks_in_a_tsv_are_letters(tmp_path):
    "Five rows become two for a parser that lets a mark open a field."
    lines = [
        'user\titem\trating\ttimestamp',
        '1\t"A\t3\t1',
        '2\tB\t4\t2',
        '3\tC"\t5\t3',
        '4\tD\t1\t4',
    ]
    data = load_interactions(write(tmp_path, '\n'.join(lines), 'own.tsv'))
    assert data.frame['item'].tolist() == ['"A', 'B', 'C"', 'D'] and data.notes


def test_encodings_are_found_out_and_said(tmp_path):
    text = PLAIN.replace('u1', 'Zoë')
    data = load_interactions(write(tmp_path, text.encode('latin-1')))
    assert data.frame.user.tolist() == ['Zoë', 'Zoë', 'u2'] and 'cp1252' in data.notes[0]
    assert load_interactions(tmp_path / 'own.csv', encoding='latin-1').notes == ()
    with pytest.raises(DataError, match="line 2: not in the encoding 'utf-8'.*latin-1"):
        load_interactions(tmp_path / 'own.csv', encoding='utf-8')
    with pytest.raises(DataError, match="no encoding is called 'klingon'"):
        load_interactions(tmp_path / 'own.csv', encoding='klingon')


FIELD = st.text(
    st.characters(codec='utf-8', exclude_categories=['Cc', 'Zl', 'Zp', 'Cs']),
    min_size=1,
    max_size=5,
).filter(lambda text: text.strip() == text and '\x85' not in text)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=2, max_size=8),
    separator=st.sampled_from([',', ';', '\t', '|']),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(['\n', '\r\n']),
)
def test_any_table_that_csv_writes_is_read_as_csv_reads_it(tmp_path, rows, separator, quoting, end):
    "Against the standard library, with marks, separators and letters of all kinds in the fields."
    written = io.StringIO(newline='')
    csv.writer(written, delimiter=separator, quoting=quoting, lineterminator=end).writerows(rows)
    text = written.getvalue()
    read = [tuple(row) for row in csv.reader(io.StringIO(text, newline=''), delimiter=separator)]
    assume(read == rows and not text.startswith(('{', '[', '<', '\ufeff', '%PDF')))
    try:
        table = read_table(write(tmp_path, text), separator, header=False)
    except DataError as error:
        raise AssertionError(f'{text!r}: {error}') from None
    assert [tuple(row) for row in table.frame.to_numpy()] == rows, text


def test_a_frame_is_not_shared(tmp_path):
    frame = pd.DataFrame(
        {'user': [1, 2], 'item': [3, 4], 'rating': [1.0, 2.0], 'timestamp': [5, 6]}
    )
    data = load_interactions(frame)
    frame.loc[:, 'rating'] = 9.0
    assert data.frame.rating.tolist() == [1.0, 2.0]
