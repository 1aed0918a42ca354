"""The documentation site.

Built once, strictly; its links, its reference, its search, its pages in a browser, and the code on
them.
"""

import contextlib
import csv
import functools
import http.server
import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import house
import pytest

pytest.importorskip('sphinx', reason='the site is built with Python 3.11 or newer')
pytestmark = pytest.mark.slow  # all of it stands on one build

ROOT = Path(__file__).resolve().parents[2]
MODULES = list(house.notebooks())
AT = {house.title(p): f'chapters/{p.parent.name}/{p.stem}.html' for p in house.notebooks().values()}
LESSON = {
    'cells': [
        {
            'cell_type': 'markdown',
            'id': 'a',
            'metadata': {},
            'source': '# A planted lesson\n\nSee chapters *Deletion* and *Random groups*, '
            'not `chapter *Units*`.',
        },
        {
            'cell_type': 'code',
            'id': 'b',
            'metadata': {},
            'execution_count': None,
            'outputs': [],
            'source': '#| hide\nsecret = 1',
        },
        {
            'cell_type': 'code',
            'id': 'c',
            'metadata': {},
            'execution_count': None,
            'outputs': [],
            'source': '#| eval: false\nshown = 2',
        },
    ],
    'metadata': {},
    'nbformat': 4,
    'nbformat_minor': 5,
}


class Page(HTMLParser):
    "Ids, links and what is loaded."

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loaded, self.text = set(), [], [], []
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if given.get('id'):
            self.ids.add(given['id'])
        if tag == 'a' and given.get('href'):
            self.links.append(given['href'])
        elif (
            tag == 'link'
            and given.get('rel')
            not in ('canonical', 'next', 'prev', 'index', 'search', 'author', 'copyright')
            and given.get('href')
        ):
            self.loaded.append(given['href'])
        if tag in ('script', 'img', 'iframe', 'source', 'video', 'embed', 'object') and (
            given.get('src') or given.get('data')
        ):
            self.loaded.append(given.get('src') or given.get('data'))

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """Built from a copy of the checkout, with a lesson and a report put there.

    Every warning is an error.
    """
    copy = tmp_path_factory.mktemp('docs') / 'copy'
    copy.mkdir()
    kept = subprocess.run(
        [
            'git',
            'ls-files',
            '--others',
            '--cached',
            '--exclude-standard',
            'docs',
            'nbs',
            'recinfluence',
            'data/paper',
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    names = (
        kept.stdout.split('\n')
        if kept.returncode == 0
        else [
            str(p.relative_to(ROOT))
            for d in ('docs', 'nbs', 'recinfluence', 'data/paper')
            for p in (ROOT / d).rglob('*')
            if p.is_file()
        ]
    )
    for name in [n for n in names if n and (ROOT / n).is_file()] + [
        'README.md',
        'LICENSE',
        'CITATION.cff',
        'settings.ini',
    ]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    (copy / 'nbs/tutorials').mkdir(exist_ok=True)
    (copy / 'nbs/tutorials/9_planted.ipynb').write_text(json.dumps(LESSON))
    (copy / 'runs/reproduce').mkdir(parents=True)
    (copy / 'runs/reproduce/report.html').write_text(
        '<!doctype html><title>Report</title><p id="unseen">A report.'
    )
    built = subprocess.run(
        [
            sys.executable,
            '-m',
            'sphinx',
            '-b',
            'html',
            '-W',
            '--keep-going',
            '-n',
            '-q',
            '-j',
            '2',
            '-d',
            '../trees',
            'docs',
            '../out/site',
        ],
        cwd=copy,
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k != 'OUT'},
    )
    assert built.returncode == 0 and not built.stderr, (
        f'the site cannot be built without warnings:\n{built.stderr[-4000:]}'
    )
    return copy.parent / 'out/site'


@pytest.fixture(scope='module')
def pages(site):
    return {
        p.relative_to(site).as_posix(): Page(p)
        for p in site.rglob('*.html')
        if '_static' not in p.parts
    }


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site, pages):
    broken, outside = [], set()
    for name, page in pages.items():
        for link in page.links + page.loaded:
            at = urlsplit(link)
            if at.scheme == 'data':
                continue
            if at.scheme or at.netloc:
                outside.add(link)
                if link in page.loaded:
                    broken.append((name, link, 'loaded from elsewhere'))
                continue
            target = (site / name).parent / unquote(at.path) if at.path else site / name
            if target.is_dir():
                target /= 'index.html'
            if not target.is_file():
                broken.append((name, link, 'no such file'))
                continue
            fragment = unquote(at.fragment)
            known = pages.get(target.resolve().relative_to(site.resolve()).as_posix())
            if fragment and known and fragment not in known.ids:
                broken.append((name, link, 'no such place'))
    assert not broken, broken[:20]
    assert len(pages) > 200 and sum(len(p.links) for p in pages.values()) > 5000
    print('links that leave the site, not tried:', *sorted(outside), sep='\n')


def test_make_links_tries_what_leads_elsewhere_and_fails_where_it_leads_nowhere(site, tmp_path):
    """Two links to a server of our own.

    All others meet a closed door, so that nothing outside is asked.
    """

    class Here(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200 if self.path == '/there' else 404)
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *args):
            pass

    copy = site.parents[1] / 'copy'
    page, made = copy / 'docs/howto/outside.md', copy / 'build/docs'
    made.mkdir(parents=True)
    (made / 'trees').symlink_to(site.parents[1] / 'trees')
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Here)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    there, gone = (f'http://127.0.0.1:{server.server_port}/{n}' for n in ('there', 'gone'))
    page.write_text(
        f'---\norphan: true\n---\n# Outside\n\n[there]({there}) [gone]({gone}) [within](index.md)\n'
    )
    try:
        done = subprocess.run(
            [
                'make',
                '-f',
                str(ROOT / 'Makefile'),
                '-o',
                '.venv/.ready',
                f'BIN={Path(sys.executable).parent}',
                'links',
            ],
            cwd=copy,
            capture_output=True,
            text=True,
            timeout=500,
            env={**os.environ, 'https_proxy': 'http://127.0.0.1:9', 'no_proxy': '127.0.0.1'},
        )
    finally:
        server.shutdown()
        server.server_close()
        page.unlink()
    tried = {
        r['uri']: r['status']
        for r in map(
            json.loads, (made / 'links/output.json').read_text(encoding='utf-8').splitlines()
        )
    }
    assert (
        done.returncode
        and tried[there] == 'working'
        and tried[gone] == 'broken'
        and gone in done.stdout + done.stderr
    )
    assert {u for u in tried if u.startswith('https:')} and all(
        tried[u] == 'broken' for u in tried if u.startswith('https:')
    )


def test_no_stylesheet_loads_from_elsewhere(site):
    for sheet in site.rglob('*.css'):
        assert not re.search(
            r'(url\(|@import)\s*["\']?(https?:)?//', sheet.read_text(encoding='utf-8')
        ), sheet


def test_notebooks_are_shown_without_what_is_for_nbdev(site, pages):
    own = ROOT / 'nbs'
    assert set(AT.values()) | {
        f'experiments/{p.stem}.html' for p in (own / 'experiments').glob('*.ipynb')
    } | {f'course/{p.stem}.html' for p in (own / 'tutorials').glob('[0-9]*.ipynb')} <= set(pages)
    for name, page in pages.items():
        if name.startswith(('chapters/', 'course/', 'experiments/')):
            assert not re.search(r'#\|\s*(export|hide|default_exp|eval)', ''.join(page.text)), name
    planted = pages['course/9_planted.html']
    text = ''.join(planted.text)
    assert 'shown = 2' in text and 'secret' not in text and 'chapter *Units*' in text
    assert {f'../{AT[t]}' for t in ('Deletion', 'Random groups')} <= set(planted.links)
    assert 'course/9_planted.html' in pages['index.html'].links + [
        f'course/{l}' for l in pages['course/index.html'].links
    ]
    assert (
        any(l.endswith('report.html') for l in pages['experiments/reproduction.html'].links)
        and (site / 'report.html').exists()
    )


def entries(site, module):
    """What the reference shows of a module.

    Id -> (parameters of the signature, {parameter: what it is}, all text).
    """
    from bs4 import BeautifulSoup

    out = {}
    for dt in BeautifulSoup(
        (site / f'api/{module}.html').read_text(encoding='utf-8'), 'html.parser'
    ).select('dl.py > dt[id]'):
        dd = dt.find_next_sibling('dd')
        table = next((t for t in dd.select('table.parameters') if t.find_parent('dd') is dd), None)
        rows = {}
        if table:
            head = [th.get_text(strip=True) for th in table.select('thead th')]
            rows = {
                r[0].get_text(strip=True): r[head.index('What it is')].get_text()
                if 'What it is' in head
                else ''
                for r in ([*tr.select('td')] for tr in table.select('tbody tr'))
            }
        out[dt['id']] = (
            [
                p.select_one('.n').get_text()
                for p in dt.select('em.sig-param')
                if p.select_one('.n')
            ],
            rows,
            dd.get_text(' ', strip=True),
            bool(dt.select_one('a[href*="_modules/"]')),
        )
    return out


def words(text):
    return re.findall(r'\w+', text)


@pytest.mark.parametrize('module', MODULES)
def test_the_reference_has_every_public_name_as_inspect_sees_it(site, module):
    made = importlib.import_module(f'recinfluence.{module}')
    shown = entries(site, module)
    docments = pytest.importorskip('fastcore.docments').docments
    for name in made.__all__:
        thing = getattr(made, name)
        params, says, text, source = shown[f'recinfluence.{module}.{name}']
        if not (inspect.isfunction(thing) or inspect.isclass(thing)):
            continue
        assert source, f'{name} has no link to its source'
        doc = ' '.join(words((thing.__doc__ or '').strip().split('\n')[0]))
        if doc and not doc.startswith(f'{name} '):
            assert doc in ' '.join(words(text)), (
                name
            )  # what a dataclass says of itself is not a docstring
        if inspect.isclass(thing):
            methods = {
                n
                for n, f in vars(thing).items()
                if not n.startswith('_')
                and n not in getattr(thing, '__dataclass_fields__', ())
                and n not in getattr(thing, '__dataclass_fields__', ())
                and (
                    inspect.isfunction(f)
                    or isinstance(
                        f, (property, functools.cached_property, classmethod, staticmethod)
                    )
                )
            }
            assert {f'recinfluence.{module}.{name}.{n}' for n in methods} <= set(shown), name
        if inspect.isfunction(thing) or '__init__' in vars(thing):
            assert params == list(inspect.signature(thing).parameters), name
        if inspect.isfunction(thing):
            for parameter, comment in docments(thing).items():
                if comment and parameter != 'return':
                    assert words(
                        says[parameter]
                        if parameter in says
                        else says.get('*' + parameter) or says['**' + parameter]
                    ) == words(comment), (name, parameter)


def test_the_reference_lists_the_everyday_names(pages):
    import recinfluence

    linked = {l.rpartition('#')[2] for l in pages['api/index.html'].links}
    assert {f'recinfluence.{recinfluence._HOME[n]}.{n}' for n in recinfluence.__all__} <= linked


def test_the_cluster_page_keeps_measured_and_projected_apart(pages):
    text = ' '.join(' '.join(pages['experiments/cluster_measured.html'].text).split())
    with open(ROOT / 'docs/measured/cluster_measured.csv', encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    assert {r['executor'] for r in rows} == {'this process', 'local processes', 'Dask'} and len(
        {r['retrainings'] for r in rows}
    ) == 1
    assert (
        'PROJECTED' in text
        and json.loads((ROOT / 'docs/measured/provenance.json').read_text(encoding='utf-8'))[
            'cluster'
        ]['says'][-1][:40]
        in text
    )


def test_the_actions_page_has_every_line_and_says_how_it_was_made(pages):
    text = ' '.join(' '.join(pages['experiments/actions_measured.html'].text).split())
    about = json.loads((ROOT / 'docs/measured/provenance.json').read_text(encoding='utf-8'))[
        'actions'
    ]
    with open(ROOT / 'docs/measured/actions.csv', encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    assert (
        len(rows) > 40
        and [
            r
            for r in rows
            if ' '.join(
                [r['action'], f'{r["model"]}, {r["size"]}', f'{r["metric"]}, {r["judged"]}']
            )
            not in text
            or r['effect (95 %)'] not in text
            or r['verdict'] not in text
        ]
        == []
    )
    given = re.findall(r'(\w+)=([^,\']+)', about['command'])
    assert (
        about['command'].startswith('make actions')
        and about['command'] in text
        and about['made_with'] in text
    )
    assert (
        all(
            f'{name}={value}' in about['says'][-1] and f'{name}={value}' in text
            for name, value in given
        )
        and 'measured on seeds' in about['says'][-1]
    )


def test_amazons_file_is_read_in_a_minute_and_two_gib(pages):
    with open(ROOT / 'docs/measured/amazon_at_size.csv', encoding='utf-8', newline='') as file:
        said = {r['what']: r['here'] for r in csv.DictReader(file)}
    assert (
        [int(said[k]) for k in ('rows', 'users', 'items')] == [7_824_482, 4_201_696, 476_002]
        and said['made of'] == 'simulated'
        and '10-core' in said['read']
    )
    assert (
        0 < float(said['CPU seconds']) <= float(said['seconds by the clock']) + 0.05
        and float(said['CPU seconds']) < 60
        and 0 < float(said['GiB at most']) < 2
        and said['memory allowed'] == '2GiB'
        and said['cores used'] == '1'
    )
    recipe = re.search(
        r'^amazon_at_size:.*\n\t.*?/(python .*)$',
        (ROOT / 'Makefile').read_text(encoding='utf-8'),
        re.M,
    )[1]
    assert said['command'] == recipe
    text = ' '.join(' '.join(pages['experiments/amazon_measured.html'].text).split())
    assert '7,824,482' in text and said['processor'] in text and 'simulated' in text


# In a browser


@pytest.fixture(scope='module')
def address(site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(
        ('127.0.0.1', 0), functools.partial(Quiet, directory=str(site))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize('served', [True, False], ids=['served', 'from the disk'])
def test_a_search_finds_the_chapter(browser, address, site, served):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get((address if served else site.as_uri()) + '/search.html')
    field = next(
        e for e in browser.find_elements(By.CSS_SELECTOR, 'input[name=q]') if e.is_displayed()
    )
    field.send_keys('random groups', Keys.ENTER)
    found = WebDriverWait(browser, 30).until(
        lambda b: (
            'q=random' in b.current_url
            and 'finished' in b.find_element(By.ID, 'search-results').text
            and [
                e.get_attribute('href')
                for e in b.find_elements(By.CSS_SELECTOR, '#search-results li a')
            ]
        )
    )
    assert any(AT['Random groups'] in link for link in found[:10]), found[:10]


def shown(pages):
    "The pages that are shown, but for the sources of modules."
    others = ('_modules/', 'report.html', 'py-modindex.html')
    return [name for name in pages if not name.startswith(others)]


WIDTHS = [1400, 1100, 390]  # with both sidebars, with one, on a telephone
LOOK = """
return {
    wide: document.documentElement.scrollWidth,
    loaded: performance.getEntriesByType('resource').map(e => e.name),
    cut: [...document.querySelectorAll('.cell_input pre, .highlight-python pre')]
        .filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent),
}
"""


def test_pages_fit_the_screen_cut_no_code_and_stay_at_home(browser, address, pages):
    with contextlib.suppress(Exception):
        browser.get_log('browser')
    found = []
    for name in shown(pages):
        browser.get(f'{address}/{name}')
        for width in WIDTHS:
            shape = {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': width < 500}
            browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', shape)
            seen = browser.execute_script(LOOK)
            if seen['wide'] > width:
                found.append(f'{name} is {seen["wide"]} wide on a screen of {width}')
            if seen['cut'] and width > 500:
                found.append(f'{name} cuts code on a screen of {width}: {seen["cut"][0]}')
        found += [
            f'{name} loads {link}'
            for link in seen['loaded']
            if not link.startswith((address, 'data:'))
        ]
    assert not found, '\n'.join(found)
    said = [one for one in browser.get_log('browser') if 'favicon.ico' not in one['message']]
    assert not said  # the icon, which there is none of, is asked for at the first visit
