"""From file to report by the command line alone, on made-up rows of the shapes of five public data
sets; figures against plain counts of the rows that were made.
"""

import csv
from collections import Counter

import numpy as np
import pytest
from terminal import cli, parsed


def pairs(rng, users, items, n):
    "Distinct pairs, every user and item at least once where there is room."
    chosen = rng.choice(users * items, n, replace=False)
    return [(int(code) // items, int(code) % items) for code in chosen]


def half_stars(path, rng):
    "100,026 rows with a header, times in seconds."
    stamps = rng.integers(8e8, 15e8, 100_026).tolist()
    stars = (rng.integers(1, 11, 100_026) / 2).tolist()
    rows = [
        (f'{u + 1}', f'{10 * i}', r, t)
        for (u, i), r, t in zip(pairs(rng, 610, 2500, 100_026), stars, stamps)
    ]
    with open(path, 'w', newline='') as file:
        csv.writer(file).writerows([('userId', 'movieId', 'rating', 'timestamp'), *rows])
    return rows, []


def blanks(path, rng):
    "35,494 rows without a header, three pairs of them twice."
    grades = (rng.integers(1, 9, 35_491) / 2).tolist()
    rows = [(f'{u}', f'{i}', r, None) for (u, i), r in zip(pairs(rng, 1508, 900, 35_491), grades)]
    again = [(*rows[n][:2], 0.5 if rows[n][2] > 2 else 4.0, None) for n in (5, 700, 30_000)]
    lines = [f'{u} {i} {r:g}' for u, i, r, _ in rows + again]
    path.write_text('\n'.join(lines) + '\n')
    kept = {(u, i): r for u, i, r, _ in rows + again}  # the last that was said
    rows = [(u, i, kept[u, i], None) for u, i, _, _ in rows if (u, i) not in {a[:2] for a in again}]
    return rows + again, ['--columns', 'user,item,rating', '--header', 'no', '--repeated', 'last']


def plays(path, rng):
    "92,834 counts of up to 352,698, with a header and tabs."
    counts = np.minimum(np.exp(rng.normal(5.5, 1.6, 92_834)).astype(int) + 1, 352_697)
    counts[17] = 352_698
    chosen = pairs(rng, 1892, 1200, 92_834)
    rows = [(f'{u + 2}', f'{i}', float(c), None) for (u, i), c in zip(chosen, counts.tolist())]
    lines = ['userID\tartistID\tweight', *(f'{u}\t{i}\t{c:.0f}' for u, i, c, _ in rows)]
    path.write_text('\n'.join(lines) + '\n')
    return rows, ['--columns', 'user=userID,item=artistID,rating=weight']


def books(path, rng):
    "Ratings 0 to 10, every field between marks, marks doubled, rows that are empty."
    grades = rng.integers(0, 11, 20_000).tolist()
    rows = [
        (f'{u + 1}', f'03{i:07d}X "{i}"', float(r), None)
        for (u, i), r in zip(pairs(rng, 900, 700, 20_000), grades)
    ]
    lines = ['"User-ID";"ISBN";"Book-Rating"']
    for n, (user, item, rating, _) in enumerate(rows):
        lines.append(';'.join((f'"{user}"', '"' + item.replace('"', '""') + '"', f'"{rating:g}"')))
        lines += [''] * (n % 1000 == 0)
    path.write_bytes('\r\n'.join(lines).encode('latin-1'))
    return rows, ['--columns', 'user=User-ID,item=ISBN,rating=Book-Rating']


def places(path, rng):
    "1,161 rows of 0 to 2 with text ids and further columns."
    grades = rng.integers(0, 3, 1161).tolist()
    rows = [
        (f'U{1001 + u}', f'{132_560 + i}', float(r), None)
        for (u, i), r in zip(pairs(rng, 138, 130, 1161), grades)
    ]
    with open(path, 'w', newline='') as file:
        head = ('userID', 'placeID', 'rating', 'food_rating')
        csv.writer(file).writerows([head, *((u, i, int(r), 2) for u, i, r, _ in rows)])
    return rows, ['--columns', 'user=userID,item=placeID,timestamp=none']


def by_time(rows):
    "Each user's earlier three quarters, and the rest."
    train, test, by_user = [], [], {}
    for row in rows:
        by_user.setdefault(row[0], []).append(row)
    for own in by_user.values():
        own.sort(key=lambda row: row[3])
        cut = round(0.75 * len(own))
        train, test = train + own[:cut], test + own[cut:]
    return train, test


def at_random(rows):
    order = np.random.RandomState(42).permutation(len(rows)).tolist()
    cut = len(rows) - int(0.75 * len(rows))
    return [rows[n] for n in order[cut:]], [rows[n] for n in order[:cut]]


def error(train, test):
    "Mean absolute difference between an item's number of rows and the ratings."
    counts = Counter(row[1] for row in train)
    return sum(abs(counts[row[1]] - row[2]) for row in test) / len(test)


@pytest.mark.parametrize('shape', [half_stars, blanks, plays, books, places])
def test_from_file_to_report(shape, tmp_path):
    rows, words = shape(tmp_path / 'own.txt', np.random.default_rng(7))
    told = parsed(cli('data', 'summary', 'own.txt', *words, '--json', cwd=tmp_path))
    users, items = ({row[n] for row in rows} for n in (0, 1))
    grades = [row[2] for row in rows]
    counts = told['n_ratings'], told['n_users'], told['n_items']
    assert counts == (len(rows), len(users), len(items))
    assert told['mean_rating'] == pytest.approx(sum(grades) / len(rows), rel=1e-12)
    assert told['rating_scale'] == [min(grades), max(grades)]
    train, test = by_time(rows) if rows[0][3] else at_random(rows)
    seen = {row[0] for row in train}, {row[1] for row in train}
    test = [row for row in test if row[0] in seen[0] and row[1] in seen[1]]
    gone = train[0][0]
    asked = ['--model', 'popularity', '--units', 'users', '--ids', gone, '--jobs', '1']
    dataset = ['--dataset', 'own.txt', *words]
    done = cli('sweep', *dataset, *asked, '--store', 's.db', '--json', cwd=tmp_path)
    assert parsed(done)['units'] == 1
    (row,) = parsed(cli('show', 's.db', '--metric', 'mae', '--json', cwd=tmp_path))['rows']
    without = [[row for row in fold if row[0] != gone] for fold in (train, test)]
    assert row['influence'] == pytest.approx(error(*without) - error(train, test), rel=1e-9)
    page = cli('report', 's.db', '--metric', 'mae', '--out', 'page.html', cwd=tmp_path)
    assert page.returncode == 0, page.stderr
    text = (tmp_path / 'page.html').read_text(encoding='utf-8')
    assert f'user {gone}' in text and 'own' in text
