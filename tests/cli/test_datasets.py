"""Anybody's file by the words of a command line: each word does what it says, or is refused."""

import csv

import pytest
from terminal import cli, parsed

from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split, leave_last_out, random_split

ASKED = ['--model', 'popularity', '--json']


def evaluated(folder, *words):
    return parsed(cli('evaluate', '--dataset', 'own.csv', *ASKED, *words, cwd=folder))


@pytest.mark.parametrize(
    'words, split',
    [
        ([], chrono_split),
        (['--split', 'chrono', '--train', '0.5'], lambda d: chrono_split(d, 0.5)),
        (['--split', 'random'], random_split),
        (
            ['--split', 'random', '--train', '0.6', '--split-seed', '3'],
            lambda d: random_split(d, 0.6, 3),
        ),
        (['--split', 'leave-last-out', '--last', '2'], lambda d: leave_last_out(d, 2)),
    ],
)
def test_splits(own, tmp_path, words, split):
    "The popularity of an item is its train rows: the metric is counted from the split itself."
    made = split(load_interactions(own))
    out = evaluated(tmp_path, *words)
    assert out['split'] == made.protocol
    counts = made.train['item'].value_counts()
    off = made.test.rating - made.test['item'].map(counts)
    assert out['metrics']['mae'] == pytest.approx(off.abs().mean(), rel=1e-12)


@pytest.mark.parametrize(
    'words, option',
    [
        (['--split', 'chrono', '--split-seed', '3'], '--split-seed'),
        (['--split', 'leave-last-out', '--train', '0.5'], '--train'),
        (['--split', 'random', '--last', '2'], '--last'),
        (['--protocol', 'paper', '--split', 'random'], '--split'),
        (['--path', 'x'], '--path'),
        (['--writes', 'lists'], '--writes'),
        (['--limit', '3'], '--limit'),
        (['--paired'], '--paired'),
    ],
)
def test_a_word_that_would_do_nothing_is_refused(own, tmp_path, words, option):
    done = cli('evaluate', '--dataset', 'own.csv', *ASKED, *words, cwd=tmp_path)
    assert done.returncode == 2 and option in done.stderr and not done.stdout


@pytest.mark.parametrize(
    'words',
    [
        ['--columns', 'user,item,rating,timestamp'],
        ['--separator', ';'],
        ['--header', 'no'],
        ['--encoding', 'latin-1'],
        ['--rating-scale', '1', '5'],
        ['--repeated', 'last'],
    ],
)
def test_published_data_are_read_as_published(words):
    done = cli('data', 'summary', 'ml-100k', *words)
    assert done.returncode == 2 and words[0] in done.stderr and 'as it was published' in done.stderr


def test_every_word_for_files_does_what_it_says(tmp_path):
    "A file that needs them all, against the same rows as they were made."
    rows = planted_interactions(seed=3)
    with open(tmp_path / 'own.txt', 'w', newline='', encoding='latin-1') as file:
        writer = csv.writer(file, delimiter=';')
        for row in rows.itertuples():
            writer.writerow([row.rating, f'Zoë {row.item}', f'{row.user}'])
        writer.writerow([5, f'Zoë {row.item}', f'{row.user}'])
    out = parsed(
        cli(
            *('data', 'summary', 'own.txt', '--columns', 'rating,item,user', '--header', 'no'),
            *('--separator', 'semicolon', '--encoding', 'latin-1', '--repeated', 'first'),
            *('--rating-scale', '0', '6', '--json'),
            cwd=tmp_path,
        )
    )
    assert (out['n_ratings'], out['n_users']) == (len(rows), rows.user.nunique())
    assert out['n_items'] == rows['item'].nunique()
    assert out['mean_rating'] == pytest.approx(rows.rating.mean(), rel=1e-12)
    assert out['rating_scale'] == [0, 6] and out['timed'] is False


def test_without_times_rows_are_drawn_at_random_and_that_is_said(tmp_path):
    planted_interactions().drop(columns='timestamp').to_csv(tmp_path / 'own.csv', index=False)
    done = cli('evaluate', '--dataset', 'own.csv', *ASKED, cwd=tmp_path)
    assert parsed(done)['split']['method'] == 'random'
    assert 'has no timestamps, so it is split at random' in done.stderr
    done = cli('evaluate', '--dataset', 'own.csv', *ASKED, '--split', 'chrono', cwd=tmp_path)
    assert done.returncode == 2 and 'random' in done.stderr
