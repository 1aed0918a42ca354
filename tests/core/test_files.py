"""Files are written whole or not at all, and read without running what they hold."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recinfluence.core import files
from recinfluence.core.files import (
    cache_dir,
    load_arrays,
    resource,
    save_arrays,
    sha256_of,
    write_atomic,
)


def test_whole_or_in_pieces_the_same_bytes(tmp_path):
    whole = write_atomic(tmp_path / 'new' / 'folder' / 'a', b'abc')
    pieces = write_atomic(str(tmp_path / 'b'), (bytes([x]) for x in b'abc'))
    assert whole.read_bytes() == pieces.read_bytes() == b'abc'
    assert write_atomic(tmp_path / 'b', b'').read_bytes() == b''


@pytest.mark.parametrize('kind', [KeyboardInterrupt, OSError])
@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_an_interrupted_write_leaves_what_was_there(kind, step, tmp_path, monkeypatch):
    def fail(*_):
        raise kind('stopped')

    path = write_atomic(tmp_path / 'x', b'before')
    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(kind):
        write_atomic(path, b'after')
    assert [p.name for p in tmp_path.iterdir()] == ['x'] and path.read_bytes() == b'before'


def test_content_that_breaks_off_leaves_nothing(tmp_path):
    def content():
        yield b'half'
        raise ConnectionError

    with pytest.raises(ConnectionError):
        write_atomic(tmp_path / 'x', content())
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == 'nt', reason='processes are killed by signal')
def test_a_killed_process_leaves_the_file_as_it_was(tmp_path):
    path = write_atomic(tmp_path / 'x', b'before')
    program = (
        'import os, signal, sys\n'
        'from recinfluence.core.files import write_atomic\n'
        'def content():\n'
        '    yield b"half"\n'
        '    os.kill(os.getpid(), signal.SIGKILL)\n'
        'write_atomic(sys.argv[1], content())\n'
    )
    root = str(Path(files.__file__).parents[2])
    environment = os.environ | {'PYTHONPATH': root}
    ended = subprocess.run([sys.executable, '-c', program, str(path)], env=environment)
    assert ended.returncode == -signal.SIGKILL and path.read_bytes() == b'before'


def test_arrays_come_back_as_they_were(tmp_path):
    given = {'f': np.eye(3, dtype=np.float32), 'i': np.arange(4), 't': np.array(['ü', 'b'])}
    path = save_arrays(tmp_path / 'm.npz', {'k': 3, 'nested': [1, None]}, given)
    config, arrays = load_arrays(path)
    assert config == {'k': 3, 'nested': [1, None]} and arrays.keys() == given.keys()
    for name, array in given.items():
        assert arrays[name].dtype == array.dtype and np.array_equal(arrays[name], array)


def test_text_kept_as_objects_becomes_text(tmp_path):
    ids = np.array(['Ana', 'Ben'], object)
    _, arrays = load_arrays(save_arrays(tmp_path / 'm.npz', {}, {'ids': ids}))
    assert arrays['ids'].dtype.kind == 'U' and arrays['ids'].tolist() == ['Ana', 'Ben']


def test_what_is_not_a_saved_model_is_refused(tmp_path):
    (tmp_path / 'text').write_text('hello')
    np.savez(tmp_path / 'other.npz', a=np.ones(2))
    np.savez(tmp_path / 'pickle.npz', config=np.array([{'a': 1}], object))
    whole = save_arrays(tmp_path / 'whole.npz', {}, {'a': np.arange(99)}).read_bytes()
    (tmp_path / 'half.npz').write_bytes(whole[: len(whole) // 2])
    for name in ('text', 'other.npz', 'pickle.npz', 'half.npz'):
        with pytest.raises(ValueError, match='not a saved recommender'):
            load_arrays(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        load_arrays(tmp_path / 'none.npz')


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv('RECINFLUENCE_CACHE', str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv('RECINFLUENCE_CACHE')
    monkeypatch.setenv('LOCALAPPDATA' if os.name == 'nt' else 'XDG_CACHE_HOME', str(tmp_path))
    assert cache_dir() == tmp_path / 'recinfluence'


def test_checksum():
    "The published one of the empty text."
    assert sha256_of(b'').startswith('e3b0c44298fc1c149afbf4c8996fb924')


def test_resources_are_found_in_the_checkout_or_in_the_package(tmp_path, monkeypatch):
    assert resource('data/paper', 'table_01.csv').is_file()
    package = tmp_path / 'site' / 'recinfluence'
    copy = write_atomic(package / 'paper' / 'table_01.csv', b'installed')
    monkeypatch.setattr(files.recinfluence, '__file__', str(package / '__init__.py'))
    assert resource('data/paper', 'table_01.csv') == copy
    with pytest.raises(FileNotFoundError, match='neither at .* nor at .*Reinstall'):
        resource('data/paper', 'table_99.csv')
