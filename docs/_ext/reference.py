"""The API reference, read from the source.

Signatures, the comments beside parameters, docstrings. Nothing is imported.
"""

import ast
import io
import json
import re
import tokenize
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path

from docutils.nodes import make_id

PACKAGE = 'recinfluence'
CHAPTERS = Path(__file__).resolve().parents[2] / 'nbs'
TITLE = re.compile(r'\*([^*\n]+)\*')
CITED = re.compile(r'\b[Cc]hapters?(?:(?:,| and| or| to)? \*[^*\n]+\*)+')


def in_order(chapters: Path) -> list[Path]:
    "The notebooks of the rooms, as one reads them."
    found = chapters.glob('[0-9]*/[0-9]*.ipynb')
    return sorted(found, key=lambda p: (p.parent.name, int(p.stem.partition('_')[0]), p.stem))


@cache
def titles(chapters: Path) -> dict[str, str]:
    "Where each chapter is, such as '01_core/3_units', by its H1."
    out = {}
    for path in in_order(chapters):
        first = json.loads(path.read_text(encoding='utf-8'))['cells'][0]['source']
        out[''.join(first).split('\n')[0].removeprefix('# ')] = f'{path.parent.name}/{path.stem}'
    return out


def chapter_of(
    chapters: Path,
    title: str,  # its H1
) -> str:
    "The chapter of that title; a title that no chapter has is an error of the build."
    if title not in titles(chapters):
        raise ValueError(f'a chapter *{title}* is cited, and none has that title')
    return titles(chapters)[title]


@dataclass
class Parameter:
    name: str  # with its stars
    type: ast.expr | None = None
    default: ast.expr | None = None
    says: str = ''  # the comment beside it
    separator: bool = False  # not a parameter: a bare * or /


@dataclass
class Module:
    name: str
    path: Path
    tree: ast.Module = field(init=False)
    comments: dict = field(init=False)  # line: the comment at its end
    notebook: str = field(init=False)  # the chapter it is exported from, '01_core/2_units'

    def __post_init__(self):
        text = self.path.read_text(encoding='utf-8')
        self.tree = ast.parse(text)
        self.comments = {
            t.start[0]: t.string.lstrip('#').strip()
            for t in tokenize.generate_tokens(io.StringIO(text).readline)
            if t.type == tokenize.COMMENT and not t.string.startswith(('# %%', '#|'))
        }
        self.notebook = re.search(r'File to edit: \S*?nbs/(\w+/\w+)\.ipynb', text)[1]
        self.defined = {}
        for node in self.tree.body:
            if patch := patched(node):
                attach(self.defined[patch.args[0].id], node, patch)
                continue
            for name in _names(node):
                self.defined[name] = node

    @property
    def imports(self) -> dict[str, str]:
        "The module of this package that each imported name comes from."
        out, here = {}, f'{PACKAGE}.{self.name}'.split('.')
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                start = here[: len(here) - node.level] if node.level else []
                module = '.'.join([*start, *filter(None, [node.module])])
                for name in node.names:
                    out[name.asname or name.name] = module.removeprefix(f'{PACKAGE}.')
        return out

    @property
    def public(self) -> list[str]:
        return ast.literal_eval(self.defined['__all__'].value)

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.tree) or ''


def patched(node) -> ast.Call | None:
    "The `patch_to(Class)` above a function, if there is one."
    for decorator in getattr(node, 'decorator_list', []):
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == 'patch_to':
            return decorator
    return None


def attach(cls: ast.ClassDef, function: ast.FunctionDef, patch: ast.Call):
    "Make the function a method of the class, as `patch_to` does."
    given = {k.arg for k in patch.keywords if ast.unparse(k.value) == 'True'}
    names = {'as_prop': 'property', 'cls_method': 'classmethod'}
    function.decorator_list = [ast.Name(names[g]) for g in given]
    cls.body.append(function)


def accepted(node: ast.FunctionDef) -> list[str]:
    "The settings that `accepts` says a function takes as keywords."
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == 'accepts':
            return [ast.unparse(a) for a in decorator.args]
    return []


def _names(node):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def modules(package: Path) -> dict[str, Module]:
    "The modules that notebooks export, by name."
    return {
        f'{p.parent.name}.{p.stem}': Module(f'{p.parent.name}.{p.stem}', p)
        for p in sorted(package.glob('*/*.py'))
        if 'AUTOGENERATED' in p.read_text(encoding='utf-8')[:400] and not p.stem.startswith('_')
    }


def parameters(module: Module, node: ast.FunctionDef, bound: bool) -> list[Parameter]:
    "Of a function; without `self` where it is bound."
    args, body = node.args, node.body[0].lineno
    plain = args.posonlyargs + args.args
    defaults = [None] * (len(plain) - len(args.defaults)) + args.defaults

    def one(arg, default=None, stars=''):
        end = max((n.end_lineno for n in (arg, default) if n is not None))
        header = node.returns.end_lineno if node.returns else None
        return Parameter(
            stars + arg.arg,
            arg.annotation,
            default,
            module.comments.get(end, '') if end < body and end != header else '',
        )

    out = []
    for n, (arg, default) in enumerate(zip(plain, defaults)):
        out.append(one(arg, default))
        if args.posonlyargs and n == len(args.posonlyargs) - 1:
            out.append(Parameter('/', separator=True))
    if args.vararg:
        out.append(one(args.vararg, stars='*'))
    elif args.kwonlyargs:
        out.append(Parameter('*', separator=True))
    out += [one(*pair) for pair in zip(args.kwonlyargs, args.kw_defaults)]
    if args.kwarg:
        out.append(one(args.kwarg, stars='**'))
    return out[1:] if bound else out


def _decorators(node):
    return [ast.unparse(d) for d in node.decorator_list]


class Reference:
    "Writes the pages."

    def __init__(self, package: Path, chapters: Path):
        self.modules = modules(package)
        self.chapters = chapters
        self.everyday = ast.literal_eval(
            next(
                n.value
                for n in ast.parse((package / '__init__.py').read_text(encoding='utf-8')).body
                if '_HOMES' in _names(n)
            )
        )
        self.home = self.everywhere()

    # Which name is meant

    def everywhere(self) -> dict[str, str]:
        "The module of each public name; of two that share a name, the everyday one."
        out = {name: m.name for m in self.modules.values() for name in self.own(m)}
        return out | {name: module for module, names in self.everyday.items() for name in names}

    def own(self, module: Module) -> list[str]:
        "The public names that a module defines."
        return [name for name in module.public if name in module.defined]

    def enter(self, module: Module):
        "Read names as this module does: its own, those that it imports, and those of the package."
        own = {name: module.name for name in self.own(module)}
        taken = {n: place for n, place in module.imports.items() if place in self.modules}
        taken = {n: place for n, place in taken.items() if n in self.own(self.modules[place])}
        self.home = {**self.everywhere(), **taken, **own}

    def class_named(self, name: str, module: Module) -> tuple[Module, ast.ClassDef] | None:
        "The class of this package that a module means by a name."
        place = self.modules.get(module.imports.get(name, self.everywhere().get(name)))
        place = module if name in module.defined else place
        node = place.defined.get(name) if place else None
        return (place, node) if isinstance(node, ast.ClassDef) else None

    # What is written in words

    def text(self, says: str, own=()) -> str:
        """A docstring or comment as reStructuredText.

        Code stays code, public names and chapters become links.
        """
        out = []
        for n, part in enumerate(says.split('`')):
            if n % 2:
                out.append(
                    self.link(part)
                    if part in self.home and part not in own
                    else f'``{part}``'
                    if part.strip()
                    else ''
                )
            else:
                out.append(self.cited(part))
        joined = ''
        for n, part in enumerate(out):
            joined += (
                part if not joined or not part else ('\\ ' if n % 2 or out[n - 1] else '') + part
            )
        return joined

    def cited(self, text: str) -> str:
        "Words as reStructuredText, each chapter that they cite a link."
        out, at = '', 0
        for found in CITED.finditer(text):
            for name in TITLE.finditer(text, found.start(), found.end()):
                place = chapter_of(self.chapters, name[1])
                out += self.plain(text[at : name.start()])
                out += f'\\ :doc:`{name[1]} </chapters/{place}>`\\ '
                at = name.end()
        return out + self.plain(text[at:])

    def plain(self, text: str) -> str:
        "Words in which nothing is meant as markup."
        return re.sub(r'([\\*_|])', r'\\\1', text)

    def link(self, name):
        return f':py:obj:`~{PACKAGE}.{self.home[name]}.{name}`'

    def typed(self, expr) -> str:
        "A type, each public name in it a link."
        if expr is None:
            return ''
        runs = ['']
        for part in re.split(r'([\w.]+)', ast.unparse(expr)):
            part = part.removeprefix(f'{PACKAGE}.')
            if part in self.home:
                runs += [part, '']
            else:
                runs[-1] += part
        return '\\ '.join(
            self.link(r) if n % 2 else f'``{r.strip()}``' for n, r in enumerate(runs) if r.strip()
        )

    def qualified(self, expr) -> str:
        "A type with the full names of this package's classes, so that Sphinx can link them."
        package = self.home

        class Full(ast.NodeTransformer):
            def visit_Name(self, node):
                return (
                    ast.Name(f'{PACKAGE}.{package[node.id]}.{node.id}')
                    if node.id in package
                    else node
                )

            def visit_Attribute(self, node):
                if ast.unparse(node.value) == PACKAGE:
                    return self.visit_Name(ast.Name(node.attr))
                return node

        return ast.unparse(Full().visit(ast.parse(ast.unparse(expr), mode='eval').body))

    # One entry

    def signature(self, parameters) -> str:
        return ', '.join(
            p.name + (f'={ast.unparse(p.default)}' if p.default is not None else '')
            for p in parameters
        )

    def table(self, parameters, indent) -> str:
        rows = [p for p in parameters if not p.separator]
        if not any(p.type is not None or p.says for p in rows):
            return ''
        own = {p.name for p in rows}

        def code(node):
            return f'``{ast.unparse(node)}``' if node is not None else ''

        columns = {
            'Parameter': [f'``{p.name}``' for p in rows],
            'Type': [self.typed(p.type) for p in rows],
            'Default': [code(p.default) for p in rows],
            'What it is': [self.text(p.says, own) for p in rows],
        }
        columns = {k: v for k, v in columns.items() if any(v)}
        lines = ['.. list-table::', '   :header-rows: 1', '   :class: parameters', '']
        for row in [list(columns), *zip(*columns.values())]:
            lines += [f'   {"*" if n == 0 else " "} - {cell}' for n, cell in enumerate(row)]
        return ''.join(f'{indent}{l}\n' if l else '\n' for l in lines) + '\n'

    def function(self, module: Module, node: ast.FunctionDef, indent='', kind='function') -> str:
        decorators = _decorators(node)
        inner = indent + '   '
        doc = ast.get_docstring(node) or ''
        if kind != 'function' and any(d.endswith('property') for d in decorators):
            out = f'{indent}.. py:property:: {node.name}\n' + (
                f'{inner}:type: {self.qualified(node.returns)}\n' if node.returns else ''
            )
            return out + '\n' + (f'{inner}{self.text(doc)}\n\n' if doc else '')
        static = 'staticmethod' in decorators
        ps = parameters(module, node, kind == 'method' and not static)
        if settings := accepted(node):
            ps = [p for p in ps if not p.name.startswith('**')]
            ps += [Parameter('*', separator=True)]
            ps += [p for name in settings for p in self.fields(*self.class_named(name, module))]
        flags = ''.join(
            f'{inner}:{flag}:\n'
            for flag, there in (
                ('classmethod', 'classmethod' in decorators),
                ('staticmethod', static),
            )
            if there
        )
        out = (
            f'{indent}.. py:{kind}:: {node.name}({self.signature(ps)})'
            + (
                f' -> {self.qualified(node.returns)}'
                if node.returns and not isinstance(node.returns, ast.Constant)
                else ''
            )
            + f'\n{flags}\n'
        )
        for paragraph in doc.split('\n\n') if doc else []:
            out += f'{inner}{self.text(" ".join(paragraph.split()), {p.name for p in ps})}\n\n'
        out += self.table(ps, inner)
        says = (
            module.comments.get(node.returns.end_lineno, '')
            if node.returns and node.returns.end_lineno < node.body[0].lineno
            else ''
        )
        return out + (
            f'{inner}**Returns:** {self.text(says, {p.name for p in ps})}\n\n' if says else ''
        )

    def fields(self, module: Module, node: ast.ClassDef) -> list[Parameter]:
        "What a dataclass is made from, its bases' fields first."
        out = {}
        for base in node.bases:
            if found := self.class_named(ast.unparse(base), module):
                out |= {p.name: p for p in self.fields(*found)}
        if any('dataclass' in d for d in _decorators(node)):
            for statement in node.body:
                if not isinstance(statement, ast.AnnAssign) or 'ClassVar' in ast.unparse(
                    statement.annotation
                ):
                    continue
                default = statement.value
                if isinstance(default, ast.Call) and ast.unparse(default.func) == 'field':
                    given = {k.arg: k.value for k in default.keywords}
                    if ast.unparse(given.get('init', ast.Constant(True))) == 'False':
                        continue
                    default = given.get(
                        'default', ast.Constant(...) if 'default_factory' in given else None
                    )
                out[statement.target.id] = Parameter(
                    statement.target.id,
                    statement.annotation,
                    default,
                    module.comments.get(statement.end_lineno, ''),
                )
        return list(out.values())

    def made_from(self, module: Module, node: ast.ClassDef) -> list[Parameter] | None:
        """Of a class: its own `__init__`, or its fields, or what its base is made from.

        None: a built-in's.
        """
        init = next(
            (s for s in node.body if isinstance(s, ast.FunctionDef) and s.name == '__init__'), None
        )
        if init:
            return parameters(module, init, True)
        if fields := self.fields(module, node):
            return fields
        bases = [self.class_named(ast.unparse(b), module) for b in node.bases]
        bases = [found for found in bases if found]
        return self.made_from(*bases[0]) if bases else None if node.bases else []

    def cls(self, module: Module, node: ast.ClassDef) -> str:
        ps = self.made_from(module, node)
        doc = ast.get_docstring(node) or ''
        out = (
            f'.. py:class:: {node.name}'
            + (f'({self.signature(ps)})' if ps is not None else '')
            + '\n\n'
        )
        bases = [
            self.link(b) if b in self.home else f'``{b}``' for b in map(ast.unparse, node.bases)
        ]
        if bases:
            out += f'   A kind of {", ".join(bases)}.\n\n'
        for paragraph in doc.split('\n\n') if doc else []:
            out += f'   {self.text(" ".join(paragraph.split()))}\n\n'
        out += self.section(module, node.name) + self.table(ps or [], '   ')
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef) and not statement.name.startswith('_'):
                out += self.function(module, statement, '   ', 'method')
        return out

    def data(self, module: Module, name: str, node) -> str:
        value = ast.unparse(node.value) if node.value is not None else ''
        value = value if len(value) <= 80 else value[:77] + '...'
        out = (
            f'.. py:data:: {name}\n' + (f'   :value: {value}\n' if '\n' not in value else '') + '\n'
        )
        if says := module.comments.get(node.end_lineno):
            out += f'   {self.text(says)}\n\n'
        return out + self.section(module, name)

    def section(self, module: Module, name: str, indent='   ') -> str:
        "The place in the chapter where it is made."
        title, at = self.places(module.notebook).get(name, (None, None))
        return (
            (
                f'{indent}.. container:: from-chapter\n\n{indent}   Explained under '
                f'`{self.text(title)} <../chapters/{module.notebook}.html#{at}>`__.\n\n'
            )
            if title
            else ''
        )

    def places(self, notebook) -> dict[str, tuple[str, str]]:
        "Name: the heading above the cell that defines it, and its anchor."
        out, title = {}, None
        for cell in json.loads((self.chapters / f'{notebook}.ipynb').read_text(encoding='utf-8'))[
            'cells'
        ]:
            source = ''.join(cell['source'])
            if cell['cell_type'] == 'markdown':
                for line in source.split('\n'):
                    if line.startswith('#'):
                        title = line.lstrip('#').strip()
            elif source.startswith('#| export') and title and '`' not in title and '$' not in title:
                for node in ast.parse(
                    '\n'.join(l for l in source.split('\n') if not l.startswith('#|'))
                ).body:
                    for name in _names(node):
                        out.setdefault(name, (title, make_id(title)))
        return out

    def page(self, module: Module) -> str:
        self.enter(module)
        title = f'{PACKAGE}.{module.name}'
        out = (
            f'{title}\n{"=" * len(title)}\n\n.. py:module:: '
            f'{title}\n\n{self.text(module.doc)}.\n\n.. container:: from-chapter\n\n   The '
            f'chapter that makes and explains it: :doc:`/chapters/{module.notebook}`\n\n'
        )
        for name in module.public:
            node = module.defined[name]
            out += (
                self.cls(module, node)
                if isinstance(node, ast.ClassDef)
                else self.function(module, node).rstrip('\n') + '\n\n' + self.section(module, name)
                if isinstance(node, ast.FunctionDef)
                else self.data(module, name, node)
            )
        return out

    def index(self) -> str:
        self.home = self.everywhere()
        lines = [
            'API reference',
            '=============',
            '',
            (
                "Every public name, read from the package's source: the signature, what "
                'stands beside each parameter, and a link to the source.'
            ),
            '',
            'Everyday names',
            '--------------',
            '',
            f'``from {PACKAGE} import *`` brings these.',
            '',
            '.. list-table::',
            '   :header-rows: 1',
            '   :class: names',
            '',
            '   * - Name',
            '     - What it is',
        ]
        for module, names in self.everyday.items():
            for name in names:
                node = self.modules[module].defined[name]
                says = (
                    ast.get_docstring(node)
                    if isinstance(node, (ast.FunctionDef, ast.ClassDef))
                    else self.modules[module].comments.get(node.end_lineno, '')
                )
                lines += [
                    f'   * - {self.link(name)}',
                    f'     - {self.text((says or "").split(chr(10))[0])}',
                ]
        place = [f'{p.parent.name}/{p.stem}' for p in in_order(self.chapters)]
        order = sorted(self.modules.values(), key=lambda m: place.index(m.notebook))
        lines += ['', 'Modules', '-------', '', 'Room by room, in the order of the chapters.', '']
        for room, made in groupby(order, lambda m: m.name.split('.')[0]):
            lines += ['.. toctree::', '   :maxdepth: 1', f'   :caption: {room}', '']
            lines += [*(f'   {m.name}' for m in made), '']
        lines += ['.. toctree::', '   :maxdepth: 1', '   :caption: terminal', '', '   commands', '']
        return '\n'.join(lines)

    def pages(self) -> dict[str, str]:
        return {
            'index': self.index(),
            'commands': commands(),
            **{m.name: self.page(m) for m in self.modules.values()},
        }


def commands() -> str:
    "What each command's --help says."
    from recinfluence.cli.main import make_parser

    parser = make_parser()
    parser.prog = PACKAGE
    title = 'The command line'

    def walk(parser):
        yield parser
        for action in parser._actions:
            if action.__class__.__name__ == '_SubParsersAction':
                yield from (q for sub in action.choices.values() for q in walk(sub))

    chapter = chapter_of(CHAPTERS, 'The command line')
    out = (
        f'{title}\n{"=" * len(title)}\n\nThe same calls from a terminal '
        f'(:doc:`/chapters/{chapter}`). '
        'Each command says this when it is given ``--help``.\n\n'
    )
    for each in walk(parser):
        out += (
            f'``{each.prog}``\n{"-" * (len(each.prog) + 4)}\n\n.. code-block:: text\n\n'
            + ''.join(f'   {l}\n' if l else '\n' for l in each.format_help().split('\n'))
            + '\n'
        )
    return out
