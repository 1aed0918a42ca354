"""Which sign separates, and which lines are rows: found out and said, or asked."""

import ast
import csv
import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recinfluence.data.interactions import load_interactions
from recinfluence.data.lines import SEPARATORS, find_header, find_separator, split_rows
from recinfluence.data.names import KNOWN
from recinfluence.data.tables import read_table
from recinfluence.data.texts import DataError

ORDER = ['user', 'item', 'rating', 'timestamp']


def load(folder, text, **settings):
    (folder / 'own.csv').write_text(text, newline='')
    return load_interactions(folder / 'own.csv', **settings)


def rows_of(data):
    return list(data.frame[['user', 'item', 'rating']].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    'text, separator',
    [
        ('1;2,0;3,5\n1;3,0;4,5\n2;2,0;3,0\n', ';'),
        ('1;2;3,5\n1;3;4,5\n', ';'),
        ('1\t2\t3,5\n1\t3\t4,5\n', '\t'),
        ('1 2 3,5\n1 3 4,5\n', ' '),
        ('1|2,5|3,5\n1|3,5|4,5\n', '|'),
        ('1::2,5::3,5\n1::3,5::4,5\n', '::'),
        ('1;2;3,5\n1;3;4,5;\n2;2;3,0\n', ';'),
        ('ann;tea;2,5\nbob;pie;3,0\n', ';'),
        ('ann::tea::2,5\nbob::pie::3,0\n', '::'),
        ('ann tea 2,5\nbob pie 3,0\n', ' '),
        ('a b,tea,2\nc d,pie,3\n', ','),
        ('user;item;rating\n1;2;3,5\n2;2;4,0\n', ';'),
        ('user;title, long;rating\nA, b;c, d;3\nB, c;d, e;4\n', ';'),
        ('1,2,3,2024-01-01 10:00:00\n1,3,4,2024-01-01 11:00:00\n', ','),
        ('1,2,a|b|c|d|e\n2,2,f|g|h|i|j\n', ','),
        ('1, 2, 3\n2, 3, 4\n', ','),
        ('1\t2\t2024-01-01 10:00:00\n2\t2\t2024-01-02 10:00:00\n', '\t'),
        ('ann::A: b, c::3\nbob::B: d, e::4\n', '::'),
    ],
)
def test_readings_are_compared(text, separator):
    assert find_separator(text, 'own.csv', KNOWN, []) == separator


@pytest.mark.parametrize(
    'text',
    [
        'ann lee,tea\nbob ray,pie\n',
        'a,b;c,d\ne,f;g,h\n',
        'u|i;r\n1|2;3\n2|3;4\n',
        '1,2;3,4\n5,6;7,8\n',
        'a\tb|c\nd\te|f\n',
    ],
)
def test_two_readings_that_are_equally_good_are_a_question(tmp_path, text):
    with pytest.raises(DataError, match='own.csv: nobody can tell whether .*separator=') as error:
        load(tmp_path, text, columns=ORDER[:2])
    remedy = ast.literal_eval(str(error.value).partition('separator=')[2].split(', or')[0])
    table = read_table(tmp_path / 'own.csv', remedy, header=False).frame
    assert table.to_numpy().tolist() == [line.split(remedy) for line in text.splitlines()]


def test_what_was_found_out_is_said():
    said = []
    find_separator('1;2,0;3,5\n1;3,0;4,5\n', 'own.csv', KNOWN, said)
    find_separator('1,2\n3,4\n', 'own.csv', KNOWN, said)
    find_separator('1\t2\n3\t4\n', 'own.tsv', KNOWN, said)
    assert said == ['fields are separated by semicolons, not by commas']


@settings(derandomize=True, deadline=None, max_examples=150, database=None)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 99),
            st.text('abc,;|: ', min_size=1, max_size=6).filter(lambda text: text.strip() == text),
            st.decimals(0, 5, places=1).map(str),
        ),
        min_size=3,
        max_size=9,
    ),
    separator=st.sampled_from([s for s in SEPARATORS if len(s) == 1]),
    comma=st.booleans(),
)
def test_a_separator_that_csv_wrote_is_found_or_asked_for(rows, separator, comma):
    "Never another one: with decimal commas and separators inside of quoted titles."
    rows = [(str(u), title, r.replace('.', ',') if comma else r) for u, title, r in rows]
    assume(separator != ' ' or all(' ' not in title for _, title, _ in rows))
    written = io.StringIO(newline='')
    csv.writer(written, delimiter=separator, lineterminator='\n').writerows(
        [('user', 'item', 'rating'), *rows]
    )
    assume(separator != ' ' or '"' not in written.getvalue())
    assert find_separator(written.getvalue(), 'own.csv', KNOWN, []) == separator
    assert split_rows(written.getvalue(), separator, [])[0][1:] == [list(row) for row in rows]


@pytest.mark.parametrize(
    'rows, header',
    [
        ([['ann', 'x', '?'], ['bob', 'y', '3']], True),
        ([['1', 'x', '?'], ['2', 'y', '3']], False),
        ([['ann', 'x', ''], ['bob', 'y', '3']], False),
        ([['', 'a', 'b'], ['0', '7', '3'], ['1', '8', '4']], True),
        ([['who', 'what'], ['ann', 'tea']], None),
        ([['1', '2'], ['3', '4']], False),
        ([['userId', 'movieId'], ['ann', 'tea']], True),
        ([['ann', 'book'], ['bob', 'tea']], None),
        ([['ann', 'x', '0,5'], ['bob', 'y', '3']], False),
        ([['ann', 'x', '2024-01-01'], ['bob', 'y', '2024-01-02']], False),
        ([['who', 'what', 'when'], ['bob', 'y', '2024-01-02']], True),
    ],
)
def test_a_first_row_with_a_number_or_a_gap_is_no_header(rows, header):
    assert find_header(rows, KNOWN) is header


def test_no_first_row_is_lost_as_a_header(tmp_path):
    with pytest.raises(DataError, match="data row 1: the rating is '\\?', not a number"):
        load(tmp_path, '1,2,?\n1,3,4\n', columns=ORDER[:3])
    with pytest.raises(DataError, match='data row 1: the rating is missing'):
        load(tmp_path, 'ann,x,\nbob,y,3\n', columns=ORDER[:3])
    data = load(tmp_path, 'who,what,mark\n1,3,4\n', columns=ORDER[:3])
    assert len(data) == 1 and "'who | what | mark' are read as names" in data.notes[0]
    data = load(tmp_path, 'user,item\nann,x\n', columns=ORDER[:2], header=False)
    assert len(data) == 2 and 'it looks like names' in data.notes[0]
    data = load(tmp_path, 'ann,book\nbob,tea\n', columns=ORDER[:2])
    assert len(data) == 2 and "'ann | book', is read as a row" in data.notes[0]
    names = {'user': 'who', 'item': 'what'}
    assert len(load(tmp_path, 'who,what\nann,tea\n', columns={**names, 'rating': None})) == 1
    data = load(tmp_path, '1,2\n3,4\n', columns=ORDER[:2], header=True)
    assert len(data) == 1 and 'it holds values' in data.notes[0]


TABLE = 'user,item,rating\n1,2,3\n2,2,4\n'
ROWS = [(1, 2, 3.0), (2, 2, 4.0)]


@pytest.mark.parametrize(
    'text, left_out',
    [
        ('# made by hand\n' + TABLE, 1),
        ('# made by hand\r\n# on Monday\r\n' + TABLE.replace('\n', '\r\n'), 2),
        ('# one, two, three\n' + TABLE, 1),
        ('% "a mark that is not closed\n' + TABLE, 1),
        ('# made on Monday\n' + TABLE.replace(',', ' '), 1),
        ('# a, mean, word\n' + TABLE, 1),
        (TABLE.replace('\n2,', '\n# a pause\n2,'), 1),
        (TABLE + '# the end\n', 1),
        ('# first\n' + TABLE + '# last\n', 1),
        (TABLE.replace(',', ';').replace('\n1', '\n#,,,\n1'), 1),
    ],
)
def test_comments_are_left_out_and_said(tmp_path, text, left_out):
    data = load(tmp_path, text)
    assert rows_of(data) == ROWS
    words = '1 line that begins' if left_out == 1 else f'{left_out} lines that begin'
    assert any(note.startswith(words) for note in data.notes)


def test_what_begins_like_a_comment_and_is_none(tmp_path):
    assert rows_of(load(tmp_path, '#' + TABLE)) == ROWS
    assert rows_of(load(tmp_path, '# note\n#' + TABLE)) == ROWS
    values = TABLE.partition('\n')[2]
    for columns in (ORDER[:3], {'user': 0, 'item': 1, 'rating': 2}):
        data = load(tmp_path, '# who made, it, today\n' + values, columns=columns, header=False)
        assert rows_of(data) == ROWS
    data = load(tmp_path, '#who,what,mark\n' + values, columns=ORDER[:3], header=True)
    assert rows_of(data) == ROWS
    data = load(tmp_path, '#1,2,3\n' + values.replace('1,', 'x,'), columns=ORDER[:3])
    assert data.frame.user.tolist() == ['#1', 'x', '2']
    assert rows_of(load(tmp_path, TABLE.replace('\n1,', '\n#1,').replace('\n2,', '\n#2,'))) == [
        ('#1', 2, 3.0),
        ('#2', 2, 4.0),
    ]
    data = load(tmp_path, 'user,item,rating\n#love,2,3\ntea,2,4\n')
    assert data.frame.user.tolist() == ['#love', 'tea'] and '1 rows begin with #' in data.notes[0]
    with pytest.raises(DataError, match="line 3: begins with '# x', where the others begin with a"):
        load(tmp_path, 'user,item,rating\n1,2,3\n# x,2,3\n2,2,4\n')
    with pytest.raises(DataError, match='line 5: 2 fields where the header has 3'):
        load(tmp_path, '# two\n' + TABLE + '3,2\n')


@pytest.mark.parametrize('first', ['sep=;', 'SEP=;', '"sep=;"', 'sep=;\r'])
@pytest.mark.parametrize('separator', [None, ';'])
def test_the_first_line_of_excel(tmp_path, first, separator):
    data = load(tmp_path, f'{first}\n' + TABLE.replace(',', ';'), separator=separator)
    assert (
        rows_of(data) == ROWS and data.notes[0] == f'the first line is for Excel: {first.strip()}'
    )
    with pytest.raises(DataError, match='line 4: 2 fields where the header has 3'):
        load(tmp_path, f'{first}\n' + TABLE.replace(',', ';').replace('2;2;4', '2;2'))


@pytest.mark.parametrize('sign', list('\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\x1f'))
@pytest.mark.parametrize('form', ['{},7,3\nb,7,4\n', '"{}",7,3\nb,"7",4\n', 'b,7,4\n# c\n{},7,3\n'])
def test_signs_that_end_no_line_stay_in_fields(tmp_path, sign, form):
    "In names of columns, ids and quoted fields, on the fast and the slow way."
    value = f'a{sign}b'
    data = load(tmp_path, f'user,it{sign}em,rating\n' + form.format(value))
    assert sorted(data.frame.user) == [value, 'b'] and data.frame['item'].tolist() == [7, 7]


@pytest.mark.parametrize('sign', list('\u2028\u2029\x85'))
def test_signs_that_end_no_line_stay_in_json(tmp_path, sign):
    lines = f'{{"user": "a{sign}b", "item": 1}}\n{{"user": "c", "item": 1}}\n'
    (tmp_path / 'own.jsonl').write_text(lines)
    users = load_interactions(tmp_path / 'own.jsonl').frame.user
    assert users.tolist() == [f'a{sign}b', 'c']
