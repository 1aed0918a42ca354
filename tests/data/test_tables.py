"""Files as people have them: rows and fields in are rows and fields out, or the line is named."""

import bz2
import csv
import gzip
import io
import lzma
import random
import re
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
        ('sep=;\n', ['nothing in it']),
        ('sep=;', ['nothing in it']),
        ('""\n""\n', ['nothing in it']),
        (';;\n;;\n', ['nothing in it']),
        ('# a\n;;\n', ['one field in each line']),
        ('%%MatrixMarket matrix\n3 3 1\n1 2 5\n', ['a matrix', 'mmread']),
    ],
    ids=range(20),
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


JSON = '{"user": 1, "item": 2, "rating": 3}\n{"user": 2, "item": 2, "rating": 4}\n'
OPTIONS = [{'separator': ','}, {'header': True}, {'header': False}, {'encoding': 'utf-8'}]


@pytest.mark.parametrize('given', OPTIONS, ids=str)
@pytest.mark.parametrize('form', ['frame', 'parquet', 'packed', 'jsonl', 'json', 'jsonl.gz'])
def test_options_that_would_do_nothing_are_refused(tmp_path, given, form):
    frame = pd.DataFrame({'user': [1, 2], 'item': [2, 2], 'rating': [3, 4]})
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    data = {
        'frame': frame,
        'parquet': buffer.getvalue(),
        'packed': gzip.compress(buffer.getvalue()),
        'jsonl': JSON,
        'json': frame.to_json(orient='records'),
        'jsonl.gz': gzip.compress(JSON.encode()),
    }[form]
    data = data if form == 'frame' else write(tmp_path, data)
    with pytest.raises(DataError, match=f'{next(iter(given))}= is for .*Leave it out'):
        load_interactions(data, **given)
    assert len(load_interactions(data)) == 2


def test_an_encoding_is_of_use_for_json_that_is_not_in_utf_8(tmp_path):
    path = write(tmp_path, JSON.replace('1', '"Zoë"', 1).encode('latin-1'))
    assert load_interactions(path, encoding='latin-1').frame.user.tolist() == ['Zoë', '2']


@pytest.mark.parametrize('first', ['[a]', '{a}', '[1]', '{"a"}'])
def test_a_table_that_begins_like_json(tmp_path, first):
    path = write(tmp_path, f'{first};7;3\n{first[:-1]}b{first[-1]};7;4\n')
    with pytest.raises(DataError, match='if it is a table of text, say separator='):
        load_interactions(path, columns=['user', 'item', 'rating'])
    data = load_interactions(path, columns=['user', 'item', 'rating'], separator=';')
    assert data.frame.user[0] == first.replace('"', '') or data.frame.user[0] == first


@pytest.mark.parametrize(
    'line, words',
    [
        ('{"user": 1, "user": 2, "item": 3}', "line 1: .*the key 'user' is there twice"),
        ('[{"user": 1, "item": 3, "item": 3}]', "the key 'item' is there twice"),
        ('{"user": {"id": 1}, "item": 3}', 'the user id .* is a dict'),
        ('{"user": [1], "item": 3}', 'the user id .* is a list'),
        ('{"user": true, "item": 3}', 'true/false'),
        ('{"user": 1, "item": 3, "rating": false}', 'true/false'),
        ('{"user": 1, "item": 3, "rating": NaN}', 'the rating is missing'),
        ('{"user": 1, "item": 3, "rating": Infinity}', 'the rating is infinite'),
    ],
)
def test_json_that_would_be_read_as_something_else(tmp_path, line, words):
    with pytest.raises(DataError, match=words):
        load_interactions(write(tmp_path, line + '\n'))


@pytest.mark.parametrize('index', [['user'], ['user', 'item'], ['item']], ids=str)
def test_what_pandas_keeps_as_index_is_a_column_of_parquet(tmp_path, index):
    frame = pd.DataFrame({'user': [1, 2], 'item': [7, 8], 'rating': [3.0, 4.0]})
    frame.set_index(index).to_parquet(tmp_path / 'own.parquet')
    assert load_interactions(tmp_path / 'own.parquet').hash == load_interactions(frame).hash


def test_large_ids_in_json_are_exact(tmp_path):
    lines = ''.join(f'{{"user": {2**53 + n}, "item": 7}}\n' for n in range(3))
    assert load_interactions(write(tmp_path, lines)).frame.user.tolist() == [
        2**53 + n for n in range(3)
    ]


SHAPES = {
    'half stars': ['userId,movieId,rating,timestamp', '1,2,0.5,1', '1,3,4.5,2', '2,2,5.0,3'],
    'blanks, repeated': ['1 2 4', '1 3 3.5', '1 2 2', '2 2 1'],
    'counts': ['userID\tartistID\tweight', '1\t2\t352698', '1\t3\t1', '2\t2\t77'],
    'doubled quotes': ['u;i;r', '1;"The ""A""";0', '', ';;', '1;"B;C";10', '2;"The ""A""";7', ''],
    'text ids': ['uid,iid,rating', 'ann,tt01,0', 'bob,tt02,2', 'ann,tt02,1'],
}
EXPECTED = {
    'half stars': [(1, 2, 0.5), (1, 3, 4.5), (2, 2, 5.0)],
    'blanks, repeated': [(1, 3, 3.5), (1, 2, 2.0), (2, 2, 1.0)],
    'counts': [(1, 2, 352698.0), (1, 3, 1.0), (2, 2, 77.0)],
    'doubled quotes': [(1, 'The "A"', 0.0), (1, 'B;C', 10.0), (2, 'The "A"', 7.0)],
    'text ids': [('ann', 'tt01', 0.0), ('bob', 'tt02', 2.0), ('ann', 'tt02', 1.0)],
}
READ = {
    'blanks, repeated': {'columns': ['user', 'item', 'rating'], 'repeated': 'last'},
    'counts': {'columns': {'rating': 'weight'}},
    'doubled quotes': {'columns': {'user': 'u', 'item': 'i', 'rating': 'r'}},
}
PACKED = {
    'plain': bytes,
    'gzip': gzip.compress,
    'bzip2': bz2.compress,
    'xz': lzma.compress,
    'zip': zipped,
    'twice': lambda content: gzip.compress(zipped(content)),
}


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('packed', PACKED)
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be'])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_five_public_shapes_in_every_wrapping(tmp_path, shape, packed, encoding, end):
    content = PACKED[packed](end.join([*SHAPES[shape], '']).encode(encoding))
    data = load_interactions(write(tmp_path, content, f'{packed}.csv'), **READ.get(shape, {}))
    rows = data.frame[['user', 'item', 'rating']]
    assert list(rows.itertuples(index=False, name=None)) == EXPECTED[shape]
    assert data.timed == (shape == 'half stars')


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('at', range(4))
def test_a_field_too_many_is_named_in_every_shape(tmp_path, shape, at):
    "Whichever line it is: no other separator is found that the lines agree on."
    lines = [line for line in SHAPES[shape] if line.strip(';')]
    separator = next(s for s in ('\t', ';', ',', ' ') if s in lines[1])
    lines[at] = f'{lines[at]}{separator}9'
    with pytest.raises(DataError, match='line [1-4]: [345] fields where'):
        load_interactions(write(tmp_path, '\n'.join(lines)), **READ.get(shape, {}))


ODD = ['ann lee', 'o"neil', 'a,b', 'x;y', 'p|q', '#tag', '%x', 'é', 'tab\tx', '1.0', '007', "d'or"]
IDS = {
    'whole': lambda rng: str(rng.randint(1, 9)),
    'texts': lambda rng: f'u{rng.randint(1, 9)}',
    'with point': lambda rng: f'{rng.randint(1, 9)}.0',
    'odd': lambda rng: rng.choice([*ODD, '  pad']),
}
TIMES = [
    '{seconds}',
    '{seconds}000',
    '{seconds}.5',
    '2024-01-0{day}',
    '2024-01-0{day} 10:00:0{day}',
]


def some_rows(rng):
    "Rows of one style for each column, each pair once."
    user, item, time = (rng.choice(list(kinds)) for kinds in (IDS, IDS, TIMES))
    comma, rows = rng.random() < 0.2, {}
    for n in range(rng.randint(1, 7)):
        pair = IDS[user](rng), IDS[item](rng)
        rating = rng.choice(['1', '2.5', '3.0', '10', '352698'])
        when = time.format(seconds=1_700_000_000 + n, day=n + 1)
        rows.setdefault(pair, [*pair, rating.replace('.', ',') if comma else rating, when])
    return [*rows.values()]


def written(rows, separator, rng):
    "The rows as a program writes them; None: it cannot, with this separator."
    if len(separator) == 1 and separator != ' ':
        text = io.StringIO(newline='')
        quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        csv.writer(text, delimiter=separator, lineterminator='\n', quoting=quoting).writerows(rows)
        return text.getvalue()
    fields = [field for row in rows for field in row]
    if any('"' in f or separator in f or separator == ' ' and f.split() != [f] for f in fields):
        return None
    return ''.join(separator.join(row) + '\n' for row in rows)


def dressed(text, separator, rng):
    "The same table with what programs add to it."
    if rng.random() < 0.2:
        text = '# made, by; hand\n' + text
    if rng.random() < 0.1:
        text = text.replace('\n', '\n\n')
    if rng.random() < 0.1 and separator != ' ':
        text = text.replace('\n', f'{separator}\n')
    if rng.random() < 0.2:
        text = text.replace('\n', '\r\n')
    return '\ufeff' + text if rng.random() < 0.1 else text


def meant(values):
    "Ids as they are meant: whole numbers if all of them are."
    if all(re.fullmatch(r'(0|[1-9]\d*)(\.0)?', value) for value in values):
        return [int(float(value)) for value in values]
    return values


@pytest.mark.parametrize(
    'seed', [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 40))]
)
def test_a_file_is_read_as_it_was_meant_or_refused(tmp_path, seed):
    "Never other rows than those that were written, whatever has to be guessed."
    rng, read = random.Random(seed), 0
    for _ in range(250):
        width, separator = rng.choice([3, 4]), rng.choice([',', ';', '\t', '|', '::', ' '])
        rows = [row[:width] for row in some_rows(rng)]
        names, header = list(NAMES[:width]), rng.random() < 0.6
        text = written([names, *rows] if header else rows, separator, rng)
        if text is None:
            continue
        given = {} if header else {'columns': names}
        given |= {'separator': separator} if rng.random() < 0.2 else {}
        given |= {'header': header} if rng.random() < 0.2 else {}
        text = dressed(text, separator, rng)
        try:
            data = load_interactions(write(tmp_path, text), **given).frame
        except DataError as error:
            assert 'own.csv' in str(error) and '\n' not in str(error)
            continue
        users, items, ratings = list(zip(*rows))[:3]
        assert data.user.tolist() == list(meant(users)), (text, given)
        assert data['item'].tolist() == list(meant(items)), (text, given)
        assert data.rating.tolist() == [float(rating) for rating in ratings], (text, given)
        read += 1
    assert read > 120
