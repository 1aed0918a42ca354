"""The text of a file: every letter, or the line at fault."""

import pytest

from recinfluence.data.interactions import load_interactions
from recinfluence.data.texts import DataError, decode, lines_of

PLAIN = 'user,item,rating\n' + ''.join(f'{n},7,3\n' for n in range(1, 3000))


@pytest.mark.parametrize('at', [3, 17, 5000, len(PLAIN) - 4])
def test_a_zero_byte_is_refused_wherever_it_stands(tmp_path, at):
    "A parser ends the field at it: user 20, a zero byte and 00 would be user 20."
    text = PLAIN[:at] + '\x00' + PLAIN[at:]
    (tmp_path / 'own.csv').write_text(text)
    line = text[:at].count('\n') + 1
    with pytest.raises(DataError, match=f'own.csv, line {line:,}: not a text .*zero bytes'):
        load_interactions(tmp_path / 'own.csv')


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-le', 'utf-16-be', 'utf-32', 'utf-8-sig'])
def test_zeros_of_an_encoding_are_letters(tmp_path, encoding):
    (tmp_path / 'own.csv').write_bytes(PLAIN.replace('\n1,', '\nZoë,').encode(encoding))
    users = load_interactions(tmp_path / 'own.csv').frame.user
    assert users.tolist() == ['Zoë', *map(str, range(2, 3000))]


@pytest.mark.parametrize('sign', list('\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\x1f'))
def test_lines_end_only_where_lines_of_files_end(sign):
    "Against bytes, which know no other ends than files do."
    text = f'a{sign}b\r\n{sign}\rc\n\nd{sign}\n'
    assert lines_of(text) == [line.decode() for line in text.encode().splitlines()]


@pytest.mark.parametrize(
    'content, encoding, words',
    [
        (b'\xef\xbb\xbfuser', 'latin-1', 'the mark of utf-8-sig'),
        ('user'.encode('utf-16'), 'cp1252', 'the mark of utf-16'),
        ('user'.encode('utf-16'), 'utf-8', "not in the encoding 'utf-8'"),
        ('Zoë'.encode('latin-1'), 'ascii', "not in the encoding 'ascii'"),
    ],
)
def test_an_encoding_that_the_file_contradicts(content, encoding, words):
    with pytest.raises(DataError, match=words):
        decode(content, encoding, 'own.csv', [])


def test_an_encoding_that_is_named_and_doubted():
    said = []
    assert decode('Zoë'.encode(), 'latin-1', 'own.csv', said) == 'ZoÃ«'
    assert said == ['the file is read as latin-1, as was said; its letters are right as UTF-8']
    for content, encoding in (
        ('Zoë'.encode('latin-1'), 'latin-1'),
        (b'Zoe', 'latin-1'),
        ('\ufeffZoë'.encode(), 'utf-8'),
        ('Zoë'.encode('utf-16'), 'utf-16'),
        ('Zoë'.encode('utf-32'), 'utf-32'),
    ):
        said = []
        assert decode(content, encoding, 'own.csv', said) in ('Zoë', 'Zoe') and said == []
