"""Formulas as MathML, which every browser draws itself: no script, no network."""

import re

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

OTHERWISE = {
    r'\\[bB]ig+[lr]?(?![a-z])': '',
    r'\\[lr]Vert\b': r'\\Vert ',
    r'\\;': r'\\ ',
}  # what the converter does not know, and what it does: delimiters stretch by themselves


def mathml(text: str, block: bool = False) -> str:
    for old, new in OTHERWISE.items():
        text = re.sub(old, new, text)
    return tex2mathml(text).replace('<math ', '<math display="block" ' if block else '<math ', 1)


def inline(self, node):
    self.body.append(mathml(node.astext()))
    raise SkipNode


def block(self, node):
    self.body.append(f'<div class="math">{mathml(node.astext(), True)}</div>')
    raise SkipNode


def setup(app):
    app.add_html_math_renderer('mathml', (inline, None), (block, None))
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
