"""A file of settings says what the words of a command line would say."""

import pytest
from terminal import cli, parsed

from recinfluence.cli.config import options_of
from recinfluence.cli.subcommands import subcommands

SETTINGS = """
dataset = 'own.csv'
columns = {user = 'user', item = 'item', rating = 'rating', timestamp = 'none'}
rating_scale = [0, 9]
model = 'popularity'
units = 'users'
ids = [1, 2]
replicates = 2
k = 3
jobs = 1
store = 'own.db'
"""
SAID = (
    '--columns user=user,item=item,rating=rating,timestamp=none --rating-scale 0 9 '
    '--model popularity --k 3'
).split()


@pytest.fixture
def folder(own, tmp_path):
    (tmp_path / 'run.toml').write_text(SETTINGS)
    return tmp_path


def test_a_file_says_what_the_words_say(folder):
    told = ['sweep', '--dataset', 'own.csv', *SAID, '--units', 'users', '--ids', '1,2']
    told += ['--replicates', 2, '--jobs', 1, '--store', 'told.db', '--json']
    by_words = parsed(cli(*told, cwd=folder))
    by_file = parsed(cli('sweep', '--config', 'run.toml', '--json', cwd=folder))
    assert by_file['seeds'] == [0, 1] and by_file['units'] == 2
    assert by_file['content_hash'] == by_words['content_hash']


def test_words_go_before_the_file_and_one_file_serves_all_commands(folder):
    out = parsed(cli('data', 'summary', '--config', 'run.toml', '--json', cwd=folder))
    assert out['rating_scale'] == [0, 9] and out['timed'] is False
    out = parsed(
        cli('sweep', '--config', 'run.toml', '--replicates', 1, '--ids=3', '--json', cwd=folder)
    )
    assert out['seeds'] == [0] and out['units'] == 1
    assert parsed(cli('report', '--config', 'run.toml', '--json', cwd=folder))['units'] == 1
    out = parsed(cli('evaluate', '--config', 'run.toml', '--model', 'svd', '--json', cwd=folder))
    assert out['model'] == 'svd' and out['k'] == 3


@pytest.mark.parametrize(
    'text, words',
    [
        ('replicate = 2', 'Did you mean replicates?'),
        ('replicates = 2.5', 'invalid at_least_one value'),
        ('replicates = [1, 2]', 'invalid at_least_one value'),
        ("dataset = 'own.csv", 'not TOML'),
        ("paired = 'perhaps'", 'paired is true or false'),
        ("split = 'by time'", 'invalid choice'),
        ('[sweep]\nk = 3', "no command has the setting 'sweep'"),
        ("config = 'other.toml'", "no command has the setting 'config'"),
    ],
)
def test_what_no_command_understands_is_refused(own, tmp_path, text, words):
    (tmp_path / 'run.toml').write_text(text)
    done = cli('sweep', '--config', 'run.toml', cwd=tmp_path)
    assert done.returncode == 2 and words in done.stderr and 'Traceback' not in done.stderr


def test_every_command_reads_settings():
    for command in subcommands():
        taken = options_of(command)
        assert 'json' in taken, command.name
        done = cli(*([command.group.name] if command.group else []), command.name, '--help')
        assert '--config' in done.stdout and done.returncode == 0
