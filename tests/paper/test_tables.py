"""The published tables are transcribed without error, and their own arithmetic is known."""

import re
from pathlib import Path

import pandas as pd
import pytest

from recinfluence.reproduction.paper import paper_table
from recinfluence.show.html import read_printed

TEXT = Path(__file__).resolve().parents[3] / 'shared/paper/paper.txt'


def tables_in_the_text():
    "Every table of the paper's text as rows of cells, separators left out."
    if not TEXT.exists():
        pytest.skip(f"the paper's text is not at {TEXT}: transcription is not compared")
    found, rows = [], []
    for line in [*TEXT.read_text(encoding='utf-8').splitlines(), '']:
        if line.startswith('|'):
            rows.append(line)
        else:
            if any(r.startswith('|---') for r in rows):
                found.append(
                    [
                        [c.strip() for c in r.strip()[1:-1].split('|')]
                        for r in rows
                        if not r.startswith('|---')
                    ]
                )
            rows = []
    return found


def test_every_cell_of_tables_2_to_13_is_as_printed():
    found = tables_in_the_text()
    assert len(found) == 13
    for number, rows in enumerate(found[1:], 2):
        ours = paper_table(number)
        head = 3 if number in (5, 6, 8, 9) else 1  # those four print their header over three lines
        assert ours.to_numpy().tolist() == [[c for c in r if c] for r in rows[head:]], number


def test_table_1_keeps_its_words():
    def words(cells):
        return sorted(w for c in cells for w in re.findall(r'\w+', c))

    for ours, theirs in zip(paper_table(1).to_numpy().tolist(), tables_in_the_text()[0][1:]):
        assert words(ours) == words(theirs)


@pytest.mark.parametrize('number, slips', [(5, set()), (6, set()), (8, set()), (9, set())])
def test_differences_follow_from_the_values(number, slips):
    table = paper_table(number)
    wrong = set()
    for _, row in table.iterrows():
        (first, _), (second, _), (difference, digits) = (
            read_printed(row[c]) for c in ('without', 'original', 'difference')
        )
        if abs(100 * (first - second) / second - difference) > 0.5 * 10**-digits + 1e-9:
            wrong.add(row.metric)
    assert wrong == slips


def test_originals_are_table_3():
    for number in (5, 6, 8, 9):
        assert paper_table(number).original.tolist() == paper_table(3).value.tolist()


def test_known_inconsistencies_of_table_10_are_still_there():
    values = {r.metric: read_printed(r.value)[0] for _, r in paper_table(10).iterrows()}
    assert (
        values['# Ratings'] == 168_919
        and round(values['# Users'] * values['Average # ratings/user']) == 266_855
        and round(values['# Items'] * values['Average # ratings/item']) == 292_425
    )
    assert all(
        abs(n / values['# Users'] / values['# Items'] / values['Density'] - 1) > 10
        for n in (168_919, 266_855, 292_425)
    )


def test_claims_about_movielens_users_and_items(movielens):
    "What the text says of the ratings of those it names; the two slips are known."
    claims = paper_table('claims')
    claims = claims[(claims.dataset == 'MovieLens 100K') & claims.kind.isin(['user', 'item'])]
    slips = set()
    for _, claim in claims.iterrows():
        profile = movielens.profile(claim.kind).loc[int(claim.entity)]
        for column in ('n_ratings', 'mean_rating', 'std_rating'):
            if (
                claim[column]
                and round(profile[column], read_printed(claim[column])[1])
                != read_printed(claim[column])[0]
            ):
                slips.add((claim.entity, column))
    assert slips == {('2', 'mean_rating'), ('309', 'n_ratings'), ('309', 'mean_rating')}


TIDY = {
    1: (3, ['method', 'complexity', 'notes']),
    2: (11, ['metric', 'value']),
    4: (5, ['user_id', 'n_ratings', 'mean_rating', 'std_rating']),
    7: (5, ['item_id', 'n_ratings', 'mean_rating', 'std_rating']),
    10: (10, ['metric', 'value']),
    13: (5, ['user_id', 'n_ratings', 'mean_rating', 'std_rating']),
    **{n: (7, ['metric', 'value']) for n in (3, 11, 12)},
    **{n: (7, ['metric', 'without', 'original', 'difference']) for n in (5, 6, 8, 9)},
}


@pytest.mark.parametrize('number', range(1, 14))
def test_shape_names_and_numbers(number):
    table = paper_table(number)
    rows, names = TIDY[number]
    assert len(table) == rows and list(table.columns) == names
    if number == 1:
        assert (table.complexity == '').all()
        return  # the formulas are missing in the text form
    for column in names[0 if names[0].endswith('_id') else 1 :]:
        for cell in table[column]:
            assert cell.isascii() and pd.notna(read_printed(cell)[0])


def test_the_seven_metrics_come_in_one_order():
    for number in (5, 6, 8, 9, 11, 12):
        assert paper_table(number).metric.tolist() == paper_table(3).metric.tolist()


def test_claims_are_quotes():
    if not TEXT.exists():
        pytest.skip(f"the paper's text is not at {TEXT}: quotes are not compared")
    text = TEXT.read_text(encoding='utf-8')
    assert [c for c in paper_table('claims').claim if c not in text] == []


def test_claims_and_figures_are_well_formed():
    claims, figures = paper_table('claims'), paper_table('figures')
    assert (
        claims.id.tolist() == [str(i + 1) for i in range(len(claims))]
        and set(claims.section) == {'4.1', '4.2', '4.3'}
        and set(claims.kind) == {'user', 'item', 'metric', 'text'}
    )
    assert all(e.isdigit() for e in claims[claims.kind.isin(['user', 'item'])].entity)
    assert figures.figure.tolist() == [str(i) for i in range(1, 9)] and (figures != '').all(
        axis=None
    )


def test_claimed_changes_are_in_the_tables():
    "Every signed percentage that the text quotes, and how many metrics got worse or better."
    claims = paper_table('claims')
    group = {
        5: '10 most influential users',
        6: '10 least influential users',
        8: '10 most influential items',
        9: '10 least influential items',
    }
    difference = {
        g: [read_printed(d)[0] for d in paper_table(n).difference] for n, g in group.items()
    }
    quoted = claims[claims.value.str.fullmatch(r'[+-]\d+\.\d\d%')]
    assert len(quoted) == 4
    for _, claim in quoted.iterrows():
        assert read_printed(claim.value)[0] in difference[claim.entity], claim.claim
    better = {
        g: sum(x > 0 for x in d[:-1]) + (d[-1] < 0) for g, d in difference.items()
    }  # a smaller MAE is better
    assert list(better.values()) == [2, 7, 2, 6]


def test_where_the_text_overstates_the_least_influential():
    "It calls their deletion the stronger one; these metrics say the opposite."
    size = {
        n: {r.metric: abs(read_printed(r.difference)[0]) for _, r in paper_table(n).iterrows()}
        for n in (5, 6, 8, 9)
    }

    def weaker(most, least):
        return {m for m in size[most] if size[least][m] < size[most][m]}

    assert weaker(5, 6) == {'Recall@K', 'MAE'} and weaker(8, 9) == {'NDCG', 'Explained Var'}
