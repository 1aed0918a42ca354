"""Bad files are refused with file, row and remedy."""

import pytest

from recinfluence.data.amazon import load_amazon
from recinfluence.data.interactions import DataError

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
