"""Whatever people bring: each line of the table is right, or refused by an error that helps."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from situations.told import COLUMNS, KINDS, REFUSED, cut, every_situation

TABLE = Path(__file__).resolve().parents[2] / 'docs/measured/situations.csv'


def kept():
    with open(TABLE, encoding='utf-8', newline='') as file:
        head, *lines = csv.reader(file)
    assert tuple(head) == COLUMNS
    return {(kind, brought): (now, right) for kind, brought, now, right in lines}


def test_every_kind_has_three_inputs_and_the_table_has_them_all():
    found = every_situation()
    assert min(Counter(one.kind for one in found)[kind] for kind in KINDS) >= 3
    named = [(f'{one.kind}. {KINDS[one.kind]}', one.brought) for one in found]
    assert len(set(named)) == len(named) and list(kept()) == named


@pytest.mark.filterwarnings('ignore::pandas.errors.SettingWithCopyWarning')
@pytest.mark.parametrize('one', every_situation(), ids=lambda one: f'{one.kind}: {one.brought}')
def test_it_is_right_or_refused_and_the_table_says_so(one):
    now, right = one.run()
    assert now == right or now.startswith(REFUSED)
    line = kept()[f'{one.kind}. {KINDS[one.kind]}', one.brought]
    assert line == (cut(now), cut(right)), 'run make situations'
