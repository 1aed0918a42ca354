"""All commands: statuses, help, and that a mistake never ends in a traceback."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from terminal import START, cli

from recinfluence.cli import subcommands


@pytest.mark.parametrize(
    'args, words',
    [
        ([], 'COMMAND'),
        (['evaluate', '--dataset', 'nowhere.csv', '--model', 'svd'], 'nowhere.csv'),
        (['evaluate', '--dataset', 'OWN', '--model', 'ncf', '--k', '0'], 'at least 1'),
        (['evaluate', '--dataset', 'OWN', '--model', 'als'], 'invalid choice'),
        (
            [
                'sweep',
                '--dataset',
                'OWN',
                '--model',
                'svd',
                '--units',
                'users',
                '--ids',
                '1,777',
                '--store',
                'x.db',
            ],
            'user 777 is not in own',
        ),
        (
            [
                'sweep',
                '--dataset',
                'OWN',
                '--model',
                'svd',
                '--units',
                'users',
                '--ids',
                ',',
                '--store',
                'x.db',
            ],
            '--ids names nobody',
        ),
        (
            [
                'sweep',
                '--dataset',
                'OWN',
                '--model',
                'svd',
                '--units',
                'users',
                '--ids',
                '1',
                '--store',
                '/proc/x/y.db',
            ],
            '/proc/x/y.db',
        ),
        (['show', 'nowhere.db'], 'no such store'),
        (['show', 'OWN'], 'cannot be used as a store'),
        (['report', 'nowhere.db'], 'no such store'),
        (['report', 'OWN'], 'cannot be used as a store'),
        (['report', 'nowhere.parquet'], 'nowhere.parquet'),
        (['report', 'x.db', '--out', 'x.db'], 'written over'),
        (['report', 'x.html'], 'written over'),
        (
            ['data', 'summary', 'amazon-electronics', '--path', 'nowhere.csv'],
            'nowhere.csv: no such file or folder',
        ),
        (['data', 'summary', 'amazon-electronics', '--path', 'OWN'], 'is neither user, item'),
        (
            ['data', 'summary', 'amazon-electronics', '--path', 'TWO'],
            '--path names a file or folder of reviews',
        ),
        (
            ['evaluate', '--dataset', 'OWN', '--path', 'x', '--model', 'svd'],
            'amazon-electronics. Name a file of your own',
        ),
        (['reproduce', '4.4', '--out', 'out'], 'invalid choice'),
        (['data', 'summary', 'BROKEN'], 'data row 2'),
    ],
)
def test_wrong_use_exits_2_with_one_clear_line(own, tmp_path, args, words):
    (tmp_path / 'broken.csv').write_text('user,item,rating,timestamp\n1,2,3,4\n1,3,,5\n')
    (tmp_path / 'two.csv').write_text('1,2,3,4\n2,3,4,5\n')
    done = cli(
        *[
            str(
                {'OWN': own, 'BROKEN': tmp_path / 'broken.csv', 'TWO': tmp_path / 'two.csv'}.get(
                    a, a
                )
            )
            for a in args
        ],
        cwd=tmp_path,
    )
    assert (
        done.returncode == 2
        and not done.stdout
        and words in done.stderr
        and 'Traceback' not in done.stderr
    )
    assert done.stderr.strip().splitlines()[-1].startswith('recinfluence')


def test_ctrl_c_ends_with_130_and_one_line(own, tmp_path):
    store = tmp_path / 's.db'
    process = subprocess.Popen(
        [
            sys.executable,
            '-c',
            START,
            'sweep',
            '--dataset',
            str(own),
            '--model',
            'ncf',
            '--units',
            'users',
            '--replicates',
            '2000',
            '--engine',
            'reference',
            '--jobs',
            '2',
            '--store',
            str(store),
        ],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def rows():
        try:
            return (
                sqlite3.connect(f'file:{store}?mode=rw', uri=True, timeout=20)
                .execute('SELECT count(*) FROM retrainings')
                .fetchone()[0]
            )
        except sqlite3.Error:
            return 0

    while rows() < 3 and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert (
        process.returncode == 130
        and 'stopped; what was finished is kept' in said
        and 'Traceback (most recent call last)' not in said.split('recinfluence: stopped')[-1]
    )


@pytest.mark.parametrize(
    'command',
    [
        [],
        ['data', 'fetch'],
        ['data', 'summary'],
        ['evaluate'],
        ['sweep'],
        ['show'],
        ['report'],
        ['reproduce'],
    ],
)
def test_help_teaches(command):
    done = cli(*command, '--help')
    assert done.returncode == 0 and len(done.stdout.splitlines()) > 8


def test_a_new_command_is_found_by_itself(monkeypatch):
    monkeypatch.setattr(subcommands, 'REGISTERED', dict(subcommands.REGISTERED))

    def name_option(parser):
        parser.add_argument('name')

    @subcommands.subcommand('greet', 'greet somebody', options=name_option)
    def greet(args):
        print(f'hello {args.name}')
        return 1

    done = cli('greet', 'Mei')
    assert (done.returncode, done.stdout) == (1, 'hello Mei\n')
    listed = [made.name for made in subcommands.subcommands()]
    assert listed == [
        *('fetch', 'summary', 'evaluate', 'sweep', 'show', 'report'),
        *('bench', 'reproduce', 'greet'),
    ]
