"""The gates on the shape of the house: rooms, arrows, sizes, citations.

`python tests/house.py` checks everything, `python tests/house.py data metrics` these rooms alone.
An exception stands on the line of its `def` or `class` as `# exception: why`.
"""

import ast
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = [
    'kernels', 'core', 'data', 'metrics', 'models', 'adapters', 'designs', 'engines',
    'sweep', 'influence', 'decisions', 'actions', 'show', 'reproduction', 'cli',
]  # fmt: skip
MOST = {'cell': 40, 'function': 40, 'class': 150, 'module': 400}
MAY_REACH_UP = {'influence', 'plot', 'explore'}  # methods, when they are called
LETTERS = set('ijknpqtuwxyz')  # indices, counts, lengths, factors, time, coordinates, weights
FORMULAS = {  # modules that write out a formula in its own letters
    'nbs/04_models/9_ease.ipynb': 'b',  # EASE's matrix of weights, B
    'nbs/07_engines/1_deletion.ipynb': 'gmv',  # Adam's gradient and two moments
    'nbs/07_engines/5_fast_ncf.ipynb': 'abds',  # the terms that a resting entry's steps sum to
    'recinfluence/kernels/lazy_adam.py': 'acds',  # the same, and Chebyshev coefficients
    'recinfluence/kernels/simd.py': 'arv',  # operands: an array, a remainder, a vector type
    'recinfluence/kernels/svd.py': 'PQ',  # matrices of factors, named so in generated code
    'recinfluence/kernels/swaps.py': 'abfv',  # rows a and b swap, of users u and v; feature f
    'tests/kernels/test_lazy_adam.py': 'abs',  # the terms of the kernel, summed one by one
    'tests/kernels/test_svd.py': 'aber',  # users, items, ratings; factors and error of one step
    'tests/kernels/test_svd_gradient.py': 'eho',  # error, its adjoint, second adjoint of one step
}
CITED = re.compile(r'\b[Cc]hapters? \d')
CITED_BY_NAME = re.compile(r'\b[Cc]hapters?(?:(?:,| and| or| to)? \*[^*\n]+\*)+')


def code(notebook: Path) -> list[str]:
    "The sources of the code cells."
    cells = json.loads(notebook.read_text(encoding='utf-8'))['cells']
    return [''.join(c['source']) for c in cells if c['cell_type'] == 'code']


def notebooks() -> dict[str, Path]:
    "The notebooks of the rooms, by the name of their module."
    found, paths = {}, (ROOT / 'nbs').glob('[0-9][0-9]_*/[0-9]*.ipynb')
    for path in sorted(paths, key=lambda p: (p.parent.name, int(p.stem.partition('_')[0]))):
        room, name = path.parent.name.partition('_')[2], path.stem.partition('_')[2]
        found[f'{room}.{name}'] = path
    return found


def title(notebook: Path) -> str:
    "Its H1."
    cells = json.loads(notebook.read_text(encoding='utf-8'))['cells']
    return ''.join(cells[0]['source']).split('\n')[0].removeprefix('# ')


def modules() -> dict[str, Path]:
    "The modules of the rooms, by name."
    paths = sorted((ROOT / 'recinfluence').glob('*/*.py'))
    return {f'{p.parent.name}.{p.stem}': p for p in paths if p.stem != '__init__'}


def lines_of(node: ast.AST) -> int:
    "How long a definition is, its decorators included."
    first = min([node.lineno, *(d.lineno for d in getattr(node, 'decorator_list', []))])
    return node.end_lineno - first + 1


def patched(node: ast.AST) -> str | None:
    "The class that a function is attached to by `patch_to`."
    for decorator in getattr(node, 'decorator_list', []):
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == 'patch_to':
            return ast.unparse(decorator.args[0])
    return None


def too_long(name: str, path: Path) -> list[str]:
    "Functions, classes and modules over their sizes."
    text = path.read_text(encoding='utf-8')
    lines, tree, classes = text.splitlines(), ast.parse(text), {}
    found = []
    if len(lines) > MOST['module']:
        found.append(f'{name}: {len(lines)} lines, at most {MOST["module"]}')
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            classes[node.name] = [lines_of(node), node]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            excused = '# exception: ' in lines[node.lineno - 1]
            if lines_of(node) > MOST['function'] and not excused:
                found.append(f'{name}.{node.name}: {lines_of(node)} lines, at most 40')
    for node in tree.body:
        if (cls := patched(node)) in classes:
            classes[cls][0] += lines_of(node)
    for cls, (size, node) in classes.items():
        if size > MOST['class'] and '# exception: ' not in lines[node.lineno - 1]:
            found.append(f'{name}.{cls}: {size} lines, at most {MOST["class"]}')
    return found


def crowded(name: str, path: Path) -> list[str]:
    "Exported cells that are too long, or hold more than one public definition."
    found = []
    for text in code(path):
        if not re.match(r'#\|\s*exporti?\b', text):
            continue
        lines = [line for line in text.strip().splitlines() if not line.startswith('#|')]
        body = ast.parse(text).body
        imports = all(isinstance(n, ast.Import | ast.ImportFrom) for n in body)
        kinds = (ast.FunctionDef, ast.ClassDef)
        defined = [n.name for n in body if isinstance(n, kinds)]
        public = [n for n in defined if not n.startswith('_')]
        first = (defined or lines)[0]
        if len(lines) > MOST['cell'] and not imports and '# exception: ' not in text:
            found.append(f'{name}: the cell of {first} has {len(lines)} lines, at most 40')
        if len(public) > 1:
            found.append(f'{name}: one cell defines {", ".join(public)}')
    return found


def imported(name: str, path: Path):
    "(statement, module, names, the functions it stands in) of imports from this package."

    def walk(node, inside):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ImportFrom):
                module = child.module or ''
                if child.level:
                    parents = f'recinfluence.{name}'.split('.')[: -child.level]
                    module = '.'.join(filter(None, [*parents, module]))
                if module.startswith('recinfluence.'):
                    yield module.removeprefix('recinfluence.'), child, inside
            is_function = isinstance(child, ast.FunctionDef)
            yield from walk(child, [*inside, child.name] if is_function else inside)

    yield from walk(ast.parse(path.read_text(encoding='utf-8')), [])


def arrows(name: str, path: Path, order: dict[str, int]) -> list[str]:
    "Imports that point to a lower room or a later chapter, or take what is private."
    found, here = [], ROOMS.index(name.split('.')[0])
    for module, node, inside in imported(name, path):
        room = module.split('.')[0]
        names = [a.name for a in node.names]
        private = [n for n in names if n.startswith('_')]
        if private:
            found.append(f'{name} takes the private {", ".join(private)} of {module}')
        if room not in ROOMS:
            found.append(f'{name} imports {module}, which is in no room')
        elif MAY_REACH_UP & set(inside):
            continue
        elif ROOMS.index(room) > here:
            found.append(f'{name} reaches up to {module}')
        elif ROOMS.index(room) == here and order.get(module, -1) > order.get(name, 10**9):
            found.append(f'{name} imports {module}, a later chapter of its room')
    return found


def cited_by_number() -> list[str]:
    "Chapters are cited by name."
    places = ['nbs/**/*.ipynb', 'docs/**/*.md', 'tests/**/*.py', 'docs/**/*.py', '*.md']
    found = []
    for pattern in places:
        for path in sorted(ROOT.glob(pattern)):
            name = str(path.relative_to(ROOT))
            if name == 'CHANGELOG.md' or '.ipynb_checkpoints' in name or 'docs/_made' in name:
                continue
            if hit := CITED.search(path.read_text(encoding='utf-8')):
                found.append(f'{name} cites a chapter by number: {hit[0]}')
    return found


def cited_by_wrong_name() -> list[str]:
    "Chapters that are cited and are not there."
    titles = [title(path) for path in notebooks().values()]
    found = [f'two chapters are called *{t}*' for t in set(titles) if titles.count(t) > 1]
    for pattern in ['nbs/**/*.ipynb', 'docs/**/*.md', 'tests/**/*.py', 'recinfluence/kernels/*.py']:
        for path in sorted(ROOT.glob(pattern)):
            if '.ipynb_checkpoints' in str(path) or path.is_relative_to(ROOT / 'docs/_made'):
                continue
            name = path.relative_to(ROOT)
            cited = ' '.join(CITED_BY_NAME.findall(path.read_text(encoding='utf-8')))
            found += [
                f'{name} cites *{one}*, and no chapter is called so'
                for one in re.findall(r'\*([^*]+)\*', cited)
                if one not in titles
            ]
    return found


def bound(tree: ast.AST):
    "Names that are bound, with their line, but for those of comprehensions and lambdas."
    short = set()
    for node in ast.walk(tree):
        places = [loop.target for loop in getattr(node, 'generators', [])]
        places += [node.args] if isinstance(node, ast.Lambda) else []
        short |= {id(part) for place in places for part in ast.walk(place)}
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    captured = (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
    for node in ast.walk(tree):
        name = None
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            name = node.id
        elif isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.alias):
            name = node.asname
        elif isinstance(node, defined + captured):
            name = node.name
        if name and id(node) not in short:
            yield name, node.lineno


def sources() -> dict[str, list[str]]:
    "What is written by hand in Python, by path: a file's text, a notebook's cells without magics."
    places = ['nbs/**/*.ipynb', 'tests/**/*.py', 'docs/**/*.py', 'recinfluence/kernels/*.py']
    found = {}
    for path in sorted(path for place in places for path in ROOT.glob(place)):
        if '.ipynb_checkpoints' in str(path) or path.is_relative_to(ROOT / 'docs/_made'):
            continue
        cells = [path.read_text(encoding='utf-8')]
        if path.suffix == '.ipynb':
            python = ['' if cell.startswith('%%') else cell for cell in code(path)]
            cells = [re.sub(r'^(\s*)[%!].*', r'\1pass', cell, flags=re.M) for cell in python]
        found[path.relative_to(ROOT).as_posix()] = cells
    return found


def one_letter(name: str, cells: list[str]) -> list[str]:
    "Names of one letter that stand for no count, index, length or letter of a formula."
    allowed = {'_', *LETTERS, *FORMULAS.get(name, '')}
    return [
        f'{name}: {letter} (line {line}{f" of code cell {n}" if len(cells) > 1 else ""}) '
        'is one letter: give it a telling name'
        for n, cell in enumerate(cells, 1)
        for letter, line in sorted(set(bound(ast.parse(cell))), key=lambda found: found[1])
        if len(letter) == 1 and letter not in allowed
    ]


def failures(rooms: list[str] | None = None) -> list[str]:
    "One line for each thing that is not as the house wants it."
    rooms, found = rooms or ROOMS, []
    books = notebooks()
    order = {name: n for n, name in enumerate(books)}
    for name, path in modules().items():
        if name.split('.')[0] in rooms:
            found += too_long(name, path) + arrows(name, path, order)
    for name, path in books.items():
        if name.split('.')[0] in rooms:
            found += crowded(name, path)
    if rooms == ROOMS:
        found += cited_by_number() + cited_by_wrong_name()
        for name, cells in sources().items():
            found += one_letter(name, cells)
    return found


if __name__ == '__main__':
    found = failures(sys.argv[1:])
    print('\n'.join(found) or 'the house is in order')
    sys.exit(bool(found))
