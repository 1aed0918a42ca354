"""What the site is made from beside the pages of this folder.

The notebooks, parts of the README, the measured tables, and the API reference.
"""

import csv
import json
import os
import re
from itertools import groupby
from pathlib import Path

from reference import CITED, TITLE, Reference, chapter_of, in_order

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
FIRST = [
    'movielens_ncf',
    'amazon_ncf',
    'movielens_svd',
]  # the paper's sections before the other experiments
RUNS = Path(
    os.environ.get('OUT', ROOT / 'runs/reproduce')
)  # where `make reproduce` and the experiments leave what they make


def write(path: Path, text: str) -> Path:
    "Only what is new, so that Sphinx reads only that again."
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding='utf-8') != text:
        path.write_text(text, encoding='utf-8')
    return path


def linked(text: str) -> str:
    "Chapters that are named become links; code and what is linked already stay."

    def one(title):
        return f'[{title[0]}](/chapters/{chapter_of(ROOT / "nbs", title[1])}.ipynb)'

    def links(found):
        return TITLE.sub(one, found[0])

    kept = r'(^```.*?^```|`[^`\n]*`|\[[^\]]*\]\([^)]*\)|\$[^$]*\$)'  # code, links, formulas
    return ''.join(
        part if n % 2 else CITED.sub(links, part)
        for n, part in enumerate(re.split(kept, text, flags=re.M | re.S))
    )


def page(notebook: Path, note: str = '') -> str:
    "A notebook as the site shows it: without what is for nbdev, with a line under its title."
    nb = json.loads(notebook.read_text(encoding='utf-8'))
    cells = []
    for cell in nb['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'code':
            if re.match(r'#\|\s*hide\b', source):
                continue
            source = re.sub(r'^#\|.*\n?', '', source, flags=re.M).strip('\n')
            for out in cell['outputs']:
                (out.get('data') or {}).pop('application/vnd.jupyter.widget-view+json', None)
        elif cell['cell_type'] == 'markdown':
            source = linked(source)
        if source.strip():
            cells.append({**cell, 'source': source})
    if note:
        cells[0]['source'] += '\n\n' + note
    about = {
        'kernelspec': nb['metadata'].get(
            'kernelspec', {'name': 'python3', 'display_name': 'python3'}
        ),
        'language_info': {'name': 'python', 'pygments_lexer': 'ipython3'},
    }
    return json.dumps({**nb, 'cells': cells, 'metadata': about}, ensure_ascii=False, indent=1)


def executed(notebook: Path) -> Path | None:
    "The run of an experiment, where there is one of this very notebook."
    run = RUNS / notebook.name

    def code(path):
        return [
            ''.join(c['source'])
            for c in json.loads(path.read_text(encoding='utf-8'))['cells']
            if c['cell_type'] == 'code'
            and 'injected-parameters' not in c['metadata'].get('tags', [])
        ]

    return run if run.exists() and code(run) == code(notebook) else None


def section(heading: str) -> str:
    "A part of the README, its links those of the site."
    parts = dict(
        re.findall(
            r'^## (.*)\n((?:(?!## ).*\n)*)',
            (ROOT / 'README.md').read_text(encoding='utf-8'),
            flags=re.M,
        )
    )
    if heading not in parts:
        raise ValueError(
            (
                f'README.md has no section {heading!r}, which the site shows: name another '
                f'in docs/_ext/stage.py. It has {list(parts)}.'
            )
        )
    text = re.sub(r'\]\(nbs/(\d[\w/]+\.ipynb)\)', r'](/chapters/\1)', parts[heading])
    text = linked(re.sub(r'\]\(docs/([\w/]+\.md)\)', r'](/\1)', text))
    return re.sub(r'\]\((?!/|https?:)([\w./-]+)\)', r'](/../\1)', text)


def number(text: str) -> str:
    "Four significant digits of a measured number; anything else as it is."
    try:
        x = float(text)
    except ValueError:
        return text.replace('|', '\\|')
    return f'{int(x):,}' if x.is_integer() else f'{x:.4g}'


def line(cells) -> str:
    return '| ' + ' | '.join(cells) + ' |\n'


def table(path: Path) -> str:
    "A measured table in Markdown."
    with open(path, encoding='utf-8', newline='') as file:
        head, *rows = csv.reader(file)
    numeric = [
        all(re.fullmatch(r'-?[\d.]+(e-?\d+)?', r[n]) for r in rows) for n in range(len(head))
    ]
    return (
        line(head)
        + line('---:' if n else ':---' for n in numeric)
        + ''.join(line(map(number, r)) for r in rows)
    )


def actions(path: Path) -> str:
    """The table of actions in Markdown, narrow enough to be read.

    Under each of the paper's words, its lines.
    """
    with open(path, encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    own = {
        'action': '{action}',
        'done to': '{model}, {size}',
        'measured': '{metric}, {judged}',
        'before': '{before}',
        'effect (95 %)': '{effect (95 %)}',
        'at random (95 %)': '{at random (95 %)}',
        'verdict': '{verdict}',
    }
    parts = (
        (word, [line(number(cell.format(**r)) for cell in own.values()) for r in lines])
        for word, lines in groupby(rows, lambda r: r['paper'])
    )
    return (
        line(own)
        + line(':---' for _ in own)
        + ''.join(
            line([f'**{word}**', *[''] * (len(own) - 1)]) + ''.join(lines) for word, lines in parts
        )
    )


def situations(path: Path) -> str:
    "What people bring, a table a kind."
    with open(path, encoding='utf-8', newline='') as file:
        head, *rows = csv.reader(file)
    parts = []
    for kind, lines in groupby(rows, lambda r: r[0]):
        cells = [[r[1], *(plain(text) for text in r[2:])] for r in lines]
        parts.append(f'## {kind.partition(". ")[2]}\n\n' + line(head[1:]) + line([':---'] * 3))
        parts[-1] += ''.join(line(c.replace('|', '\\|') for c in row) for row in cells)
    return '\n'.join(parts)


def plain(text: str) -> str:
    "A text in which nothing is markup."
    return re.sub(r'([\\`*_\[\]<>{}$~#])', r'\\\1', text)


TABLES = {'actions': actions, 'situations': situations}  # of their own form


def stage():
    """Write everything that the pages of this folder do not say themselves.

    Returns the substitutions of the pages.
    """
    made = []
    contents = []
    for folder, chapters in groupby(in_order(ROOT / 'nbs'), lambda p: p.parent.name):
        room, rows = folder.partition('_')[2], []
        for path in chapters:
            module = f'{room}.{path.stem.partition("_")[2]}'
            note = f'Reference: [recinfluence.{module}](/api/{module}.rst)'
            made.append(write(DOCS / 'chapters' / folder / path.name, page(path, note)))
            rows.append(f'{folder}/{path.stem}')
        contents += ['```{toctree}', ':maxdepth: 1', f':caption: {room}', '', *rows, '```', '']
    made.append(write(DOCS / '_made/chapters.md', '\n'.join(contents)))
    lessons = sorted((ROOT / 'nbs/tutorials').glob('[0-9]*.ipynb'))
    for path in lessons:
        made.append(
            write(
                DOCS / 'course' / path.name,
                page(path, f'*A notebook to run and to change: `nbs/tutorials/{path.name}`.*'),
            )
        )
    experiments = sorted(
        (ROOT / 'nbs/experiments').glob('*.ipynb'),
        key=lambda p: (FIRST.index(p.stem) if p.stem in FIRST else len(FIRST), p.stem),
    )
    for path in experiments:
        run = executed(path)
        how = (
            'It is shown as it was run here.'
            if run
            else 'It is shown without results, as it is kept; running it makes them.'
        )
        made.append(
            write(
                DOCS / 'experiments' / path.name,
                page(run or path, f'*An experiment, `nbs/experiments/{path.name}`. {how}*'),
            )
        )
    for name, found in {'lessons': lessons, 'experiments': experiments}.items():
        made.append(
            write(
                DOCS / f'_made/{name}.md',
                '\n'.join(['```{toctree}', ':maxdepth: 1', '', *(p.stem for p in found), '```', ''])
                if found
                else 'There are none in this copy.\n',
            )
        )
    made += [
        write(DOCS / 'api' / f'{name}.rst', text)
        for name, text in Reference(ROOT / 'recinfluence', ROOT / 'nbs').pages().items()
    ]
    made += [
        write(DOCS / '_made' / f'{name}.md', section(heading))
        for name, heading in {
            'commands': 'Two commands',
            'first_look': 'A first look',
            'found': 'What it found in the paper',
            'costs': 'What a retraining costs',
            'rooms': 'The rooms',
        }.items()
    ]
    made += [
        write(DOCS / '_made' / f'{p.stem}.md', TABLES.get(p.stem, table)(p))
        for p in sorted((DOCS / 'measured').glob('*.csv'))
    ]
    for folder in (
        'chapters',
        'course',
        'experiments',
        'api',
        '_made',
    ):  # what an earlier build made from a file that is gone
        for path in (DOCS / folder).rglob('*'):
            if path.suffix in ('.ipynb', '.rst') or folder == '_made':
                if path not in made:
                    path.unlink()
    return json.loads((DOCS / 'measured/provenance.json').read_text(encoding='utf-8'))
