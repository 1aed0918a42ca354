"""`make situations`: run all of them and keep the table that the site shows."""

import csv
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests'))

from situations.told import COLUMNS, rows  # noqa: E402

if __name__ == '__main__':
    made = rows()
    with open(ROOT / 'docs/measured/situations.csv', 'w', encoding='utf-8', newline='') as file:
        csv.writer(file, lineterminator='\n').writerows([COLUMNS, *made])
