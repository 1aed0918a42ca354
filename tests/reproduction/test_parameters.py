"""What papermill hands over: read as what the parameter is, or refused before anything runs."""

import ast
import json

import papermill
import pytest

from recinfluence.core.files import resource
from recinfluence.reproduction.parameters import (
    ParameterError,
    parameters_of,
    read_parameter,
    read_parameters,
)
from recinfluence.reproduction.sections import run_experiment

EXPERIMENTS = sorted(
    p.stem for p in resource('nbs/experiments', 'trust.ipynb').parent.glob('*.ipynb')
)


def cells(experiment):
    book = json.loads(resource('nbs/experiments', f'{experiment}.ipynb').read_text('utf-8'))
    return book['cells']


@pytest.mark.parametrize('experiment', EXPERIMENTS)
def test_every_experiment_reads_what_it_declares(experiment):
    "Names as papermill itself finds them; the defaults come out as they are."
    book = cells(experiment)
    at = next(n for n, cell in enumerate(book) if 'parameters' in cell['metadata'].get('tags', []))
    assert f"read_parameters('{experiment}', globals())" in ''.join(book[at + 1]['source'])
    known = parameters_of(experiment)
    path = resource('nbs/experiments', f'{experiment}.ipynb')
    assert {'out', *known} == {'out', *papermill.inspect_notebook(str(path))}
    read = read_parameters(experiment, {})
    for name, parameter in known.items():
        default = parameter.default
        assert read[name] == (list(default) if isinstance(default, range) else default)
    tree = ast.parse(''.join(book[at]['source']))
    assert len(known) == sum(isinstance(node, (ast.Assign, ast.AnnAssign)) for node in tree.body)


@pytest.mark.parametrize(
    'experiment, name, given, read',
    [
        ('explorer', 'ids', '[1,2,3]', [1, 2, 3]),
        ('explorer', 'ids', '1,2,3', [1, 2, 3]),
        ('explorer', 'ids', '1-3, 7', [1, 2, 3, 7]),
        ('explorer', 'ids', 7, [7]),
        ('explorer', 'ids', 'None', None),
        ('movielens_ncf', 'users', '1,2,3', [1, 2, 3]),
        ('movielens_ncf', 'users', '12', [12]),
        ('movielens_ncf', 'users', 'named', 'named'),
        ('movielens_ncf', 'replicates', 2.0, 2),
        ('movielens_ncf', 'replicates', '2', 2),
        ('movielens_ncf', 'replicates', '1e2', 100),
        ('movielens_ncf', 'jobs', '', None),
        ('cluster', 'simulated', 'true', True),
        ('cluster', 'simulated', 'False', False),
        ('cluster', 'network', '12.5', 12.5),
        ('actions', 'svd', "{'n_factors': 5}", {'n_factors': 5}),
        ('planted', 'models', 'NCF', ['NCF']),
        ('planted', 'models', 'NCF,SVD', ['NCF', 'SVD']),
    ],
)
def test_texts_are_read(experiment, name, given, read):
    found = read_parameter(parameters_of(experiment)[name], given)
    assert found == read and type(found) is type(read)


@pytest.mark.parametrize(
    'experiment, name, given, words',
    [
        ('movielens_ncf', 'users', 'everyone', "'all' or 'named'"),
        ('movielens_ncf', 'replicates', 2.5, 'a whole number'),
        ('movielens_ncf', 'replicates', '[1, 2]', 'a whole number'),
        ('movielens_ncf', 'replicates', True, 'a whole number'),
        ('movielens_ncf', 'replicates', None, 'a whole number'),
        ('movielens_ncf', 'replicates', float('inf'), 'a whole number'),
        ('movielens_ncf', 'engine', 'quick', "'auto' or 'reference' or 'fast'"),
        ('movielens_ncf', 'metric', '', 'no such'),
        ('cluster', 'simulated', 'perhaps', 'true or false'),
        ('cluster', 'network', 'nan', 'a number'),
        ('actions', 'svd', '[5]', 'settings such as'),
        ('explorer', 'ids', '[1, 2', 'a list such as'),
        ('explorer', 'units', 'user', "'users' or 'items'"),
    ],
)
def test_what_a_parameter_cannot_be_is_refused(experiment, name, given, words):
    known = parameters_of(experiment)
    if name not in known:
        with pytest.raises(ParameterError, match='There are|Did you mean'):
            read_parameters(experiment, {'In': [f'# Parameters\n{name} = {given!r}']})
        return
    with pytest.raises(ParameterError, match=name) as error:
        read_parameter(known[name], given)
    assert words in str(error.value) and '\n' not in str(error.value)


def test_misspelt_names_and_missing_kernels_are_told_before_anything_runs(tmp_path):
    with pytest.raises(ParameterError, match='Did you mean replicates'):
        run_experiment('explorer', tmp_path / 'out', replicate=2)
    with pytest.raises(ParameterError, match='a whole number'):
        run_experiment('explorer', tmp_path / 'out', replicates=2.5)
    with pytest.raises(ParameterError, match="no experiment 'explore'"):
        run_experiment('explore', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    with pytest.raises(ValueError, match='no such kernel, only .*python3') as error:
        run_experiment('explorer', tmp_path / 'out', kernel='julia')
    assert '\n' not in str(error.value)


@pytest.mark.slow
def test_papermill_itself_stops_at_a_misspelt_name(tmp_path):
    "By papermill's own command, whose parameters are texts."
    import subprocess
    import sys

    notebook = resource('nbs/experiments', 'explorer.ipynb')
    words = [sys.executable, '-m', 'papermill', str(notebook), str(tmp_path / 'out.ipynb')]
    done = subprocess.run([*words, '-p', 'replicate', '2'], capture_output=True, text=True)
    assert done.returncode and 'Did you mean replicates?' in done.stderr
