"""What is refused and how it is said; files of every kind; nothing half-written."""

import gzip
import hashlib
import os
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recinfluence.core.files import write_atomic
from recinfluence.data.interactions import (
    DataError,
    check_interactions,
    load_interactions,
)


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
    with pytest.raises(DataError) as error:
        check_interactions(bad, 'some.csv')
    assert 'some.csv' in str(error.value) and all(w in str(error.value) for w in words)


def test_files_of_every_kind_give_the_same_interactions(tmp_path):
    table = frame()
    table.to_csv(tmp_path / 'a.csv', index=False)
    table.to_csv(tmp_path / 'a.tsv', index=False, sep='\t')
    table.to_csv(tmp_path / 'a.csv.gz', index=False)
    table.to_parquet(tmp_path / 'a.parquet')
    hashes = {
        load_interactions(tmp_path / n).hash for n in ('a.csv', 'a.tsv', 'a.csv.gz', 'a.parquet')
    } | {load_interactions(table).hash}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    'name, content, words',
    [
        ('empty.csv', b'', ['nothing in it', 'written to its end']),
        ('short.csv.gz', None, ['packed, and cut off or damaged', 'Fetch it again']),
        ('no.parquet', b'PAR1 nonsense', ['parquet, and cut off or damaged']),
        ('ratings.xls', b'\xd0\xcf\x11\xe0 x', ['Excel workbook', 'as csv']),
    ],
)
def test_broken_files_are_refused(tmp_path, name, content, words):
    if content is None:
        content = gzip.compress(frame().to_csv(index=False).encode() * 200)[:-40]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as error:
        load_interactions(tmp_path / name)
    assert name in str(error.value) and all(w in str(error.value) for w in words)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(DataError, match='Check the path'):
        load_interactions(tmp_path / 'nowhere.csv')


def look(text):
    "What is seen of a text: two that look alike are refused, as other tests say."
    seen = ''.join(sign for sign in text if unicodedata.category(sign) != 'Cf')
    return unicodedata.normalize('NFC', seen).strip().removesuffix('.0').lstrip('+')


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(
                st.characters(exclude_characters='\x00', exclude_categories=['Cs']), min_size=1
            ).filter(lambda s: s.strip()),
            st.integers(-(2**62), 2**62),
            st.floats(-1e6, 1e6),
        ),
        min_size=1,
        max_size=30,
        unique_by=lambda r: r[:2],
    )
)
def test_any_clean_rows_survive_the_check(rows):
    users = {user for user, _, _ in rows}
    assume(len(set(map(look, users))) == len(users))
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


def test_the_content_is_hashed_as_it_always_was(tmp_path):
    "Against the digest that MovieLens-like rows had before; and text ids by their texts."
    rows = frame(user=['ann', 'ann', 'bob'])
    digest = hashlib.sha256(b'ann\x00ann\x00bob')
    for values, kind in (([10, 11, 10], 'i8'), ([4, 3, 5], 'f8'), ([1, 2, 3], 'i8')):
        digest.update(np.array(values, kind).tobytes())
    assert load_interactions(rows).hash == digest.hexdigest()


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'fsync', lambda fd: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / 'x', b'half')
    assert not list(tmp_path.iterdir())
