"""Every layout is recognised, or refused with both readings."""

import numpy as np
import pytest
from reviews_on_disk import ITEMS, review_rows, write_reviews

from recinfluence.data.amazon import load_amazon
from recinfluence.data.interactions import DataError
from recinfluence.data.layouts import LineBlocks


@pytest.mark.parametrize(
    'rows',
    [
        [(str(k % 3), str(k % 5), 4, 10**9 + k) for k in range(9)],  # ids of one's own
        [('AKM1MP6P0OYPR', 'x', 4, 10**9), ('b', 'B000000001', 4, 10**9)],  # half of each
        review_rows(10) + [(i, u, r, t) for u, i, r, t in review_rows(2)],
    ],
)  # two files in one
def test_an_ambiguous_csv_is_refused_with_both_readings_and_layout_settles_it(tmp_path, rows):
    path = write_reviews(tmp_path, '2014', rows)
    with pytest.raises(DataError) as error:
        load_amazon(path=path)
    assert all(
        w in str(error.value)
        for w in (
            str(path),
            "layout='2014'",
            "layout='2018'",
            f'user {rows[0][0]!r}',
            f'user {rows[0][1]!r}',
            'layout=',
        )
    )
    if rows[0][0] == '0':
        old, new = (load_amazon(path=path, layout=l, core=None).frame for l in ('2014', '2018'))
        assert (
            old.user.tolist() == new['item'].tolist() == [r[0] for r in rows]
            and old['item'].tolist() == new.user.tolist()
        )


def test_columns_that_change_places_are_found_wherever_they_do(tmp_path):
    rows = review_rows(3000)
    turned = rows[:2500] + [(i, u, r, t) for u, i, r, t in rows[2500:]]
    path = write_reviews(tmp_path, '2014', turned)
    with pytest.raises(DataError, match=r'data row 2,501.*an item.s id.*Are the columns swapped'):
        load_amazon(path=path, block=10_000)
    with pytest.raises(DataError, match='data row 1: .*layout=.2018'):
        load_amazon(path=write_reviews(tmp_path, '2018', rows), layout='2014')
    wrong = write_reviews(tmp_path, '2023', [(i, u, r, t) for u, i, r, t in rows])
    with pytest.raises(DataError, match='data row 1: .*Correct the header'):
        load_amazon(path=wrong)


def test_lists_that_are_not_lists(tmp_path):
    with pytest.raises(DataError, match=r'no train.txt.*Name a folder'):
        load_amazon(path=tmp_path)
    write_reviews(tmp_path, 'train', review_rows())
    (tmp_path / 'test.txt').write_text('1 2\n3 four\n')
    with pytest.raises(DataError, match=r"test.txt, data row 2: '3 four'"):
        load_amazon(path=tmp_path)
    (tmp_path / 'test.txt').write_text('1 2\n3\n')
    assert (
        3 not in load_amazon(path=tmp_path, core=None).frame.user[20:].tolist()
    )  # a user without items


@pytest.mark.parametrize('cut', [1, 4, 8, 40, 5000])
def test_a_truncated_gz_is_refused_wherever_it_ends(tmp_path, cut):
    rng = np.random.default_rng(0)
    path = write_reviews(
        tmp_path,
        '2014',
        [(f'A{rng.integers(10**12):013d}', ITEMS[0], 5, 1_300_000_000) for _ in range(3000)],
        packed=True,
    )
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match='cannot be read to its end.*cut off or damaged'):
        load_amazon(path=path)


def test_a_line_without_end_is_not_collected_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(LineBlocks, 'longest', 1000)
    path = tmp_path / 'x.csv'
    path.write_bytes(b'A' * 5000)
    with pytest.raises(DataError, match='a line of more than'):
        load_amazon(path=path, layout='2014', block=100)
