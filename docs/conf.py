"""The site: `make docs`.

What is not in this folder is staged from the notebooks, the README and the package before Sphinx
reads it (_ext/stage.py).
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / '_ext'), str(HERE.parent)]

import stage

measured = stage.stage()
report = stage.RUNS / 'report.html'
here = report.exists()
if not here:
    report = HERE / 'measured/report.html'  # the one that is kept

project, author, language = 'recinfluence', 'The recinfluence authors', 'en'
copyright = re.search(
    r'^copyright = (.*)$', (HERE.parent / 'settings.ini').read_text(encoding='utf-8'), re.M
)[1]
version = release = re.search(
    r'^version = (.*)$', (HERE.parent / 'settings.ini').read_text(encoding='utf-8'), re.M
)[1]

extensions = ['myst_nb', 'sphinx.ext.viewcode', 'mathml']
viewcode_follow_imported_members = False  # nothing is imported
exclude_patterns = ['_made', '_ext', 'measured', '**.ipynb_checkpoints']
nitpicky, nitpick_ignore_regex = (
    True,
    [('py:.*', r'(?!recinfluence\b).*')],
)  # types of Python and of other libraries are named, not linked
viewcode_follow_imported_members = False  # a name's source is where it is told
add_module_names, toc_object_entries_show_parents, python_use_unqualified_type_names = (
    False,
    'hide',
    True,
)
python_maximum_signature_line_length, modindex_common_prefix = 100, ['recinfluence.']

highlight_language, smartquotes = 'none', False  # quotes here are often code
linkcheck_timeout, linkcheck_retries, linkcheck_workers = 20, 2, 4  # `make links`
nb_execution_mode, nb_ipywidgets_js = (
    'off',
    {},
)  # notebooks are shown as they are kept; no script from elsewhere
myst_enable_extensions, myst_heading_anchors = ['dollarmath', 'substitution', 'colon_fence'], 3
kept = f'The report that is kept, made with {measured["reproduce"]["made_with"]}'
shown = 'The report of the run on this machine' if here else kept
myst_substitutions = {
    'faults_made_with': measured['faults']['made_with'],
    'faults_says': measured['faults']['says'][-1],
    'faults_pages': measured['faults']['says'][0],
    'cluster_measured_on': measured['cluster']['says'][0],
    'cluster_says': measured['cluster']['says'][-1],
    'cluster_shared': measured['cluster']['shared'],
    'actions_made_with': measured['actions']['made_with'],
    'actions_command': f'`{measured["actions"]["command"]}`',
    'actions_trust': measured['actions']['says'][0],
    'actions_says': measured['actions']['says'][1],
    'actions_run': measured['actions']['says'][-1],
    'report': f'<p><a class="report" href="../report.html">{shown}</a></p>',
    'version': version,
}
html_extra_path = [str(report)]

html_theme, html_title, html_static_path, html_css_files = (
    'pydata_sphinx_theme',
    'recinfluence',
    ['_static'],
    ['site.css'],
)
html_js_files, html_context = ['from_disk.js'], {'default_mode': 'auto'}
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    'logo': {'text': 'recinfluence'},
    'navbar_end': ['theme-switcher'],
    'navbar_persistent': ['search-button'],
    'header_links_before_dropdown': 6,
    'show_prev_next': True,
    'show_toc_level': 2,
    'footer_start': ['copyright'],
    'footer_end': [],
    'secondary_sidebar_items': {'**': ['page-toc'], 'experiments/actions_measured': []},
    'navigation_with_keys': False,
    'pygments_light_style': 'a11y-high-contrast-light',
    'pygments_dark_style': 'a11y-high-contrast-dark',
}


def source_of(app, module):
    "Where viewcode finds a module's text, so that nothing has to be imported."
    from sphinx.pycode import ModuleAnalyzer

    path = HERE.parent / (module.replace('.', '/') + '.py')
    if not path.exists():
        return None
    found = ModuleAnalyzer.for_file(path, module)
    found.find_tags()
    return found.code, found.tags


def cite(app, page, source):
    "Chapters that a page of this folder names become links; what is staged has its links."
    if (HERE / f'{page}.md').exists():
        source[0] = stage.linked(source[0])


def setup(app):
    app.connect('source-read', cite)
    app.connect('viewcode-find-source', source_of)
