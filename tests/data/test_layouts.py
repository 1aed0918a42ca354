"""Every layout is recognised, or refused with both readings."""

import gzip
import json

import numpy as np
import pytest
from reviews_on_disk import ITEMS, USERS, plain_rows, review_rows, write_reviews

from recinfluence.data.amazon import load_amazon
from recinfluence.data.interactions import DataError
from recinfluence.data.layouts import LineBlocks, find_layout


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


HEADER = 'user_id,parent_asin,rating,timestamp'


def write_parts(folder, rows, history, packed=False, name='Electronics'):
    "The reviews of 2023 cut into three, as last_out and timestamp_w_his have them."
    texts, before = {}, {}
    cuts = {'train': rows[:-8], 'valid': rows[-8:-4], 'test': rows[-4:]}
    for part, own in cuts.items():
        text = HEADER + ',history' * history + '\n'
        for user, item, rating, time in own:
            seen = before.setdefault(user, [])
            text += f'{user},{item},{float(rating)},{1000 * time}'
            text += f',{" ".join(seen)}' * history + '\n'
            seen.append(item)
        texts[f'{name}.{part}.csv'] = text
    folder.mkdir(exist_ok=True)
    for file, text in texts.items():
        if packed:
            (folder / f'{file}.gz').write_bytes(gzip.compress(text.encode()))
        else:
            (folder / file).write_text(text)
    return folder


@pytest.mark.parametrize('history', [False, True])
@pytest.mark.parametrize('packed', [False, True])
def test_the_parts_of_2023_together_are_all_reviews(tmp_path, history, packed):
    rows = review_rows(40)
    folder = write_parts(tmp_path / 'parts', rows, history, packed)
    whole = load_amazon(path=folder, core=None, block=90)
    assert find_layout(folder) == '2023'
    assert whole.frame.values.tolist() == plain_rows(rows, '2023')
    assert whole.source.count('SHA-256') == 3 and whole.timed
    train = load_amazon(path=next(folder.glob('*.train.csv*')), core=None)
    assert train.frame.values.tolist() == plain_rows(rows[:-8], '2023')


def test_parts_that_are_not_all_there_or_of_two_categories_are_refused(tmp_path):
    folder = write_parts(tmp_path / 'parts', review_rows(40), False)
    (folder / 'Electronics.train.csv').write_text(
        (folder / 'Electronics.train.csv').read_text()[:-6]
    )
    with pytest.raises(DataError, match='Electronics.train.csv, data row 32: .*cut off'):
        load_amazon(path=folder, core=None)
    (folder / 'Electronics.valid.csv').unlink()
    with pytest.raises(DataError, match='parts of Electronics without valid. Fetch'):
        load_amazon(path=folder)
    write_parts(folder, review_rows(40), True, name='Books')
    with pytest.raises(DataError, match='parts of 2 categories, Books, Electronics. Put'):
        load_amazon(path=folder)
    with pytest.raises(DataError, match="a folder, and layout='2018' is read from a file"):
        load_amazon(path=folder, layout='2018')


@pytest.mark.parametrize(
    'line, words',
    [
        ({'asin': 'B000000001', 'title': 'Cable', 'price': 3.5}, 'metadata'),  # 2014, 2018
        ({'main_category': 'AMP', 'title': 'Cable', 'parent_asin': 'B000000001'}, 'metadata'),
        ({'who': 'A', 'what': 'B'}, 'who, what. A review has reviewerID, asin, overall'),
        ({}, 'A review has'),
    ],
)
def test_json_that_is_no_review_is_refused_by_its_keys(tmp_path, line, words):
    for text in (json.dumps(line), repr(line)):
        (tmp_path / 'meta_X.jsonl').write_text(text + '\n')
        with pytest.raises(DataError, match=f'meta_X.jsonl: the first line tells.*{words}'):
            load_amazon(path=tmp_path / 'meta_X.jsonl')


@pytest.mark.parametrize(
    'content, words',
    [
        (b'[{"reviewerID": "A", "asin": "B"}]', "one list in json.*jq -c '.\\[\\]'"),
        (
            b'product/productId: B000GKXY4S\nproduct/title: x\n',
            'text form of 2013.*Fetch the json or csv of a later year',
        ),
        (b'x' * 200_000 + b'\n', 'neither json nor csv.*Name a file'),
        (b'"' + b'A,B\n' * 60_000, 'neither json nor csv|columns in the first row'),
        (b'marketplace\tcustomer_id\treview_id\n', '1 columns.*load_interactions'),
        (b'PAR1\x15\x04\x00\x00', 'load_interactions|neither'),
        (b'{"rating": 5.0, "user_id": "A', 'data row 1: .*is not a review.*cut off'),
        (b'\n\n', 'nothing in it'),
    ],
)
def test_other_files_are_refused_with_what_to_do(tmp_path, content, words):
    (tmp_path / 'some').write_bytes(content)
    with pytest.raises(DataError, match=f'some.*{words}'):
        load_amazon(path=tmp_path / 'some')


def test_a_first_line_longer_than_a_block_and_line_separators_in_texts(tmp_path):
    rows = review_rows(12)
    path = write_reviews(tmp_path, 'jsonl', rows)
    first, rest = path.read_text(encoding='utf-8').split('\n', 1)
    long = first.replace('a, \\"b', 'x' * 300_000 + '\u2028\u0085', 1)
    path.write_text(f'{long}\n{rest}', encoding='utf-8')
    assert len(path.read_text(encoding='utf-8')) > 300_000
    assert load_amazon(path=path, core=None).frame.values.tolist() == plain_rows(rows, 'jsonl')


def test_lists_tell_no_times(tmp_path):
    lists = load_amazon(path=write_reviews(tmp_path / 'lists', 'lists', review_rows()), core=None)
    assert not lists.timed and 'Lists tell no times' in lists.notes[-1]
    table = load_amazon(path=write_reviews(tmp_path, '2014', review_rows()), core=None)
    merged = 20 - len({row[:2] for row in review_rows()})
    assert table.timed and table.notes == (
        'Every review counts as 1: the stars are not used.',
        *(
            [f'Left out because their user had reviewed the product before: {merged}.']
            * (merged > 0)
        ),
    )
    assert set(table.frame.rating) == {1.0} and table.rating_scale is None and USERS
