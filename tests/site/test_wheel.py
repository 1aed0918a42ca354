"""What is installed: every module, without what only the notebooks need; names at their homes."""

import subprocess
import sys
import zipfile
from pathlib import Path

import house
import pytest

import recinfluence

ROOT = Path(__file__).resolve().parents[2]
IMPORT_ALL = """
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, *rest):
        if name.split('.')[0] in ('nbdev', 'execnb', 'fastcore', 'ruff', 'pytest', 'sphinx'):
            raise ImportError(f'{name} is not installed where the package is used')

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
import recinfluence
assert recinfluence.__file__.startswith(sys.argv[1]), recinfluence.__file__
for module in pkgutil.walk_packages(recinfluence.__path__, 'recinfluence.'):
    importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if name.startswith('recinfluence.')))
"""


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    "The package as it is installed, built from a copy of what is kept."
    folder = tmp_path_factory.mktemp('wheel')
    kept = ['setup.py', 'settings.ini', 'pyproject.toml', 'README.md', 'LICENSE', 'recinfluence']
    copy = folder / 'copy'
    copy.mkdir()
    for name in [*kept, 'data', 'nbs']:
        (copy / name).symlink_to(ROOT / name)
    command = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-build-isolation']
    done = subprocess.run(
        [*command, '--disable-pip-version-check', '--wheel-dir', str(folder), str(copy)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return next(folder.glob('*.whl'))


def test_a_wheel_holds_every_room_and_what_travels_with_them(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {f'recinfluence/{n.replace(".", "/")}.py' for n in house.modules()} <= held
    for folder, name in (
        ('nbs/experiments', 'experiments'),
        ('data/paper', 'paper'),
        ('data/shipped', 'shipped'),
    ):
        there = [p.name for p in (ROOT / folder).iterdir() if p.is_file()]
        assert there and {f'recinfluence/{name}/{n}' for n in there} <= held


def test_every_module_of_a_wheel_is_imported_without_what_notebooks_need(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / 'site')
    done = subprocess.run(
        [sys.executable, '-c', IMPORT_ALL, str(tmp_path / 'site')],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={'PATH': '', 'HOME': str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert {f'recinfluence.{name}' for name in house.modules()} <= set(done.stdout.split())


def test_everyday_names_stand_where_they_are_told():
    for module, names in recinfluence._HOMES.items():
        for name in names:
            thing = getattr(recinfluence, name)
            if callable(thing):
                assert thing.__module__ == f'recinfluence.{module}', name


def test_the_readme_calls_the_benchmark_as_it_did():
    from recinfluence.bench import bench, processor

    assert callable(bench) and processor()
