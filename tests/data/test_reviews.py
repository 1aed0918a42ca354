"""Bad files are refused with file, row and remedy."""

import pytest

from recinfluence.data.amazon import load_amazon
from recinfluence.data.interactions import DataError

NEW = (
    '{"rating": 5.0, "title": "t", "parent_asin": "B", "user_id": "A", '
    '"timestamp": 1500000000000}\n'
)
JSON = '{"reviewerID": "A", "asin": "B", "overall": 5, "unixReviewTime": 1}\n'


@pytest.mark.parametrize(
    'text, words',
    [
        ('', ['nothing in it']),
        ('a,b,c\n', ['3 columns', 'load_interactions']),
        ('who,what,stars,when\nA,B,1,2\n', ['who,what,stars,when', 'load_interactions']),
        ('user_id,parent_asin,rating,timestamp\n', ['no interaction']),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\nAKM1MP6P0OYPR,0132793041,good,1365811200\n',
            ['data row 2', "'good'", 'not a number'],
        ),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\nAK\u2028YPR,0132793040,5.0,1365811200\n'
            'AKM1MP6P0OYPR,0132793041,good,1365811200\n',
            ['data row 3', "'good'", 'not a number'],
        ),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\nAKM1MP6P0OYPR,0132793041,1365811200,5\n',
            ['data row 2', '1 to 5 stars'],
        ),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\nAKM1MP6P0OYPR,0132793041,5.0,\n',
            ['data row 2', 'timestamp'],
        ),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\n' * 2 + ',0132793041,5.0,1365811200\n',
            ['data row 3', 'user id is missing'],
        ),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\nAKM1MP6P0OYPR,01327',
            ['data row 2', '2 columns', 'cut off'],
        ),
        (
            'AKM1MP6P0OYPR,0132793040,5.0,1365811200\nAKM1MP6P0OYPR,0132793041,5.0,13658',
            ['data row 2', '13658', 'cut off'],
        ),
        (
            JSON + '{"reviewerID": "A", "asin": "C", "over',
            ['data row 2', 'not a review', 'cut off'],
        ),
        (
            JSON + '{"reviewerID": "A", "overall": 5, "unixReviewTime": 1}\n',
            ['data row 2', 'item is missing'],
        ),
        (
            JSON.replace('"', "'") + "{'reviewerID': 'A', 'asin': 'B', 'overall': 5}\n",
            ['data row 2', 'unixReviewTime is None'],
        ),
        (NEW + NEW.replace('5.0', '7'), ['data row 2', 'the rating is 7.0', '1 to 5 stars']),
        (NEW + NEW.replace('"B"', 'null'), ['data row 2', 'the item is missing']),
        (NEW + NEW.replace('"B"', '17'), ['data row 2', 'parent_asin is 17']),
        (NEW + NEW.replace('"B"', '" "'), ['data row 2', 'the item id is missing']),
        (NEW + NEW.replace('"A"', r'"\ud83d"'), ['data row 2', 'user_id is']),
        (NEW + NEW.replace('5.0', '"5.0"'), ['data row 2', "rating is '5.0'"]),
        (NEW + NEW.replace('5.0', 'true'), ['data row 2', 'rating is True']),
        (NEW + NEW.replace('5.0', 'NaN'), ['data row 2', 'the rating is nan']),
        (NEW + NEW.replace('1500000000000', '1.5'), ['data row 2', 'timestamp is 1.5']),
        (NEW + NEW.replace('1500000000000', '1e999'), ['data row 2', 'timestamp is inf']),
        (NEW + NEW.replace('1500000000000', '"today"'), ['data row 2', "timestamp is 'today'"]),
        (NEW + NEW.replace('"timestamp"', '"time"'), ['data row 2', 'timestamp is missing']),
        (NEW + NEW[:-12] + '}', ['data row 2', 'before Amazon was founded', 'cut off']),
        (NEW + NEW[:40], ['data row 2', 'is not a review', 'cut off']),
        (
            "{'reviewerID': 'A', 'asin': __import__('os').getcwd(), "
            "'overall': 5, 'unixReviewTime': 1}\n",
            ['data row 1', 'not a review'],
        ),
    ],
)
def test_bad_files_are_refused_with_file_row_and_remedy(tmp_path, text, words):
    path = tmp_path / 'some.csv'
    path.write_text(text)
    for layout in (None, *(['2014'] if text.startswith('A') else [])):
        with pytest.raises(DataError) as error:
            load_amazon(path=path, layout=layout, core=None)
        assert 'some.csv' in str(error.value) and all(w in str(error.value) for w in words), (
            error.value
        )


OF_2018 = (
    '{"overall": 5.0, "vote": "2", "verified": true, "reviewTime": "09 1, 2016", '
    '"reviewerID": "A3CIUOJXQ5VDQ2", "asin": "B0000530HU", "style": {"Size:": " 7.0 oz"}, '
    '"reviewerName": "Shelly F", "reviewText": "As advertised", "summary": "Five Stars", '
    '"unixReviewTime": 1472688000}\n'
)


@pytest.mark.parametrize(
    'text, rows',
    [
        (OF_2018, [['A3CIUOJXQ5VDQ2', 'B0000530HU', 1.0, 1472688000]]),
        (  # without vote, style and text; the later of two reviews of a pair comes first
            OF_2018.replace('1472688000', '1572688000')
            + '{"overall": 1.0, "reviewerID": "A3CIUOJXQ5VDQ2", "asin": "B0000530HU", '
            '"unixReviewTime": 1472688000}\n',
            [['A3CIUOJXQ5VDQ2', 'B0000530HU', 1.0, 1472688000]],
        ),
        (
            "{'reviewerID': 'AO94DHGC771SJ', 'asin': '0528881469', 'reviewerName': 'amazdnu', "
            "'helpful': [0, 0], 'reviewText': \"it's\", 'overall': 5.0, 'summary': 'Gotta have', "
            "'unixReviewTime': 1370131200, 'reviewTime': '06 2, 2013'}\n",
            [['AO94DHGC771SJ', '0528881469', 1.0, 1370131200]],
        ),
        (NEW, [['A', 'B', 1.0, 1500000000000]]),
        (NEW.replace('1500000000000', '1.5e12'), [['A', 'B', 1.0, 1500000000000]]),
        (NEW.replace('"title": "t", ', ''), [['A', 'B', 1.0, 1500000000000]]),
        (NEW.replace('"parent', '"asin": "V", "parent'), [['A', 'B', 1.0, 1500000000000]]),
        (NEW + '\n\n', [['A', 'B', 1.0, 1500000000000]]),
        ('\ufeff' + NEW.replace('\n', '\r\n'), [['A', 'B', 1.0, 1500000000000]]),
        (NEW.replace('5.0', '0.0'), [['A', 'B', 1.0, 1500000000000]]),
    ],
)
def test_json_as_it_was_published(tmp_path, text, rows):
    path = tmp_path / 'some.json'
    path.write_bytes(text.encode())
    assert load_amazon(path=path, core=None).frame.values.tolist() == rows
