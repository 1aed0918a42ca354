"""The gates of `make test`.

The house is in order, notebooks are clean and formatted, the package is what they export, the
README is the index notebook with the rooms as they are, and lessons say where they can be run.

Run with --write-readme to write the table of rooms, README.md from nbs/index.ipynb, and the
lessons' launch lines from settings.ini, instead of checking them.
"""

import ast
import configparser
import filecmp
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote, urlparse

import house

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def readme() -> str:
    "README.md as nbs/index.ipynb says it: its markdown, its code, and the text its code shows."
    parts = []
    for cell in json.loads((ROOT / 'nbs/index.ipynb').read_text(encoding='utf-8'))['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'markdown':
            parts.append(source)
            continue
        if source.startswith('#| hide'):
            continue
        source = '\n'.join(
            line for line in source.split('\n') if not line.startswith('#| ')
        )  # nbdev's directives are not for readers
        parts.append(f'```python\n{source}\n```')
        for out in cell['outputs']:
            text = ''.join(
                out.get('text')
                or out.get('data', {}).get('text/markdown')
                or out.get('data', {}).get('text/plain')
                or ''
            )
            if not text:
                continue
            parts.append(
                text.strip()
                if 'text/markdown' in out.get('data', {})
                else '```\n' + text.rstrip() + '\n```'
            )
    return (
        '<!-- Made from nbs/index.ipynb by `make prepare`: edit there. -->\n\n'
        + '\n\n'.join(p.strip() for p in parts)
        + '\n'
    )


def rooms() -> str:
    "The table of rooms: what each says of itself, and its chapters."
    chapters = {room: [] for room in house.ROOMS}
    for name, path in house.notebooks().items():
        title = house.title(path)
        chapters[name.split('.')[0]].append(f'[{title}]({path.relative_to(ROOT)})')
    lines = ['| room | what is in it | chapters |', '| --- | --- | --- |']
    for room, links in chapters.items():
        source = (ROOT / f'recinfluence/{room}/__init__.py').read_text(encoding='utf-8')
        about = ast.get_docstring(ast.parse(source)).split('\n')[0]
        lines.append(f'| `{room}` | {about} | {" · ".join(links) or "plain modules"} |')
    return '\n'.join(lines)


def table_of_rooms(write: bool = False) -> bool:
    "Whether nbs/index.ipynb shows the rooms as they are; `write`: make it so."
    path, table = ROOT / 'nbs/index.ipynb', rooms()
    book = json.loads(path.read_text(encoding='utf-8'))
    cells = [c for c in book['cells'] if ''.join(c['source']).startswith('| room |')]
    same = [''.join(cell['source']) for cell in cells] == [table]
    if write and len(cells) == 1 and not same:
        cells[0]['source'] = table.splitlines(keepends=True)
        text = json.dumps(book, ensure_ascii=False, indent=1, sort_keys=True)
        path.write_text(text + '\n', encoding='utf-8')
    return same


def dead_links() -> list[str]:
    "Files that the README links to and that are not there."
    links = re.findall(r'\]\(([\w./-]+)\)', readme())
    return [link for link in links if not (ROOT / link).exists()]


def launch(
    name: str,  # of a lesson's file
    url: str,  # the repository's public address; '': not known
    branch: str,
) -> str:
    "The line of a lesson that says where it can be run."
    here = '**Run it** with `make lab`, in JupyterLab on your own computer'
    if not url:
        return (
            f'{here}. (Links that launch it in a browser, on Binder or Colab, will stand '
            'here when the repository is public: `make prepare` writes them from `git_url` '
            'in settings.ini.)'
        )
    url, path = url.rstrip('/').removesuffix('.git'), f'nbs/tutorials/{name}'
    owned = urlparse(url).path.strip('/')
    hub = urlparse(url).netloc == 'github.com'
    place = f'gh/{owned}' if hub else f'git/{quote(url, safe=str())}'
    binder = f'[Binder](https://mybinder.org/v2/{place}/{branch}?labpath={quote(path)})'
    colab = (
        (
            ' or '
            f'[Colab](https://colab.research.google.com/github/{owned}/blob/{branch}/{path}) '
            f'(there, first: `%pip install git+{url}`)'
        )
        if hub
        else ''
    )
    return f'{here}, or in the browser on {binder}{colab}.'


def launch_lines(write: bool = False) -> list[str]:
    "The lessons whose launch line is not what settings.ini says; `write`: which are put right."
    read = configparser.ConfigParser(interpolation=None)
    read.read(ROOT / 'settings.ini')
    settings, wrong = read['DEFAULT'], []
    for path in sorted((ROOT / 'nbs/tutorials').glob('[0-9]*.ipynb')):
        text = path.read_text(encoding='utf-8')
        nb = json.loads(text)
        line = launch(path.name, settings['git_url'], settings['branch'])
        cells = [
            c
            for c in nb['cells']
            if c['cell_type'] == 'markdown' and ''.join(c['source']).startswith('**Run it**')
        ]
        if len(cells) == 1 and ''.join(cells[0]['source']) == line:
            continue
        wrong.append(path.name)
        if write and len(cells) == 1:
            cells[0]['source'] = [line]
            path.write_text(
                json.dumps(nb, ensure_ascii=False, indent=1, sort_keys=True) + '\n',
                encoding='utf-8',
            )
    return wrong


def differing(one: Path, other: Path, pattern: str) -> list[str]:
    "Files that are not the same in two folders."
    names = {
        p.relative_to(d)
        for d in (one, other)
        for p in d.rglob(pattern)
        if '.ipynb_checkpoints' not in p.parts and '__pycache__' not in p.parts
    }
    return sorted(
        str(n)
        for n in names
        if not (
            (one / n).exists()
            and (other / n).exists()
            and filecmp.cmp(one / n, other / n, shallow=False)
        )
    )


def badly_written() -> list[str]:
    "What ruff says of form and rules; of exported modules it is said of their notebooks."
    places = ['nbs', 'tests', 'docs', 'recinfluence/kernels', 'setup.py']
    found = []
    for command in (['format', '--check'], ['check', '--output-format', 'concise']):
        done = subprocess.run(
            [str(BIN / 'ruff'), *command, *places], cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode:
            found += (done.stdout + done.stderr).strip().splitlines()
    return found


def failures() -> list[str]:
    "One line for each gate that does not hold."
    return [*house.failures(), *badly_written(), *not_exported(), *not_written()]


def not_exported() -> list[str]:
    "Notebooks that are not clean, modules that are not what they export."
    found = []
    with tempfile.TemporaryDirectory() as tmp:
        copy = Path(tmp) / 'copy'  # a copy is cleaned and exported, the checkout stays as it is
        copy.mkdir()
        for name in ('nbs', 'recinfluence'):
            shutil.copytree(
                ROOT / name,
                copy / name,
                ignore=shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints'),
            )
        for name in ('settings.ini', 'setup.py', 'README.md'):
            shutil.copy(ROOT / name, copy / name)
        for path in (copy / 'recinfluence').glob('*/*.py'):
            if path.parent.name != 'kernels' and path.stem != '__init__':
                path.unlink()  # so that nothing stale can pass
        for command in ('nbdev_clean', 'nbdev_export'):
            done = subprocess.run([str(BIN / command)], cwd=copy, capture_output=True, text=True)
            if done.returncode:
                found.append(f'{command} failed: {done.stderr.strip()[-800:]}')
        found += [
            f'nbs/{n} is not clean: run `make prepare`'
            for n in differing(ROOT / 'nbs', copy / 'nbs', '*.ipynb')
        ]
        found += [
            f'recinfluence/{n} is not what the notebooks export: run `make prepare`'
            for n in differing(ROOT / 'recinfluence', copy / 'recinfluence', '*.py')
        ]
    return found


def not_written() -> list[str]:
    "Texts that are written from elsewhere and differ from it."
    found = [
        f'nbs/tutorials/{n}: its one cell that starts with **Run it** is not what '
        'settings.ini says: run `make prepare`'
        for n in launch_lines()
    ]
    if not table_of_rooms():
        found.append('nbs/index.ipynb does not show the rooms as they are: run `make prepare`')
    found += [f'README.md links to {link}, which is not there' for link in dead_links()]
    if (ROOT / 'README.md').read_text(encoding='utf-8') != readme():
        found.append('README.md is not nbs/index.ipynb: run `make prepare`')
    return found


if __name__ == '__main__':
    if '--write-readme' in sys.argv:
        table_of_rooms(write=True)
        (ROOT / 'README.md').write_text(readme(), encoding='utf-8')
        launch_lines(write=True)
        sys.exit()
    found = failures()
    well = 'the house is in order, notebooks are clean, the package is what they export'
    print('\n'.join(found) or well)
    sys.exit(bool(found))
