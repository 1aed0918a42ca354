"""The explorer's notebook in a running JupyterLab, clicked through in a headless browser.

What it shows is compared with the DataFrames.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

import pandas as pd
import pytest

pytest.importorskip('ipywidgets')
pytest.importorskip('jupyterlab')
pytest.importorskip('selenium')

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from recinfluence.core.files import resource
from recinfluence.core.units import Unit
from recinfluence.show.lists import unit_lines
from recinfluence.show.on_demand import influence_on_users, retrain_without
from recinfluence.show.unit_plots import every_metric

NOTEBOOK = resource('nbs/experiments', 'explorer.ipynb')
SIZE = 1280, 1500


@contextlib.contextmanager
def lab(folder):
    "JupyterLab on a free port, with settings of its own; gone afterwards, kernels included."
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    news = folder / 'settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings'
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    own = {
        v: str(folder / n)
        for v, n in (
            ('JUPYTER_CONFIG_DIR', 'config'),
            ('JUPYTER_RUNTIME_DIR', 'runtime'),
            ('JUPYTERLAB_SETTINGS_DIR', 'settings'),
            ('JUPYTERLAB_WORKSPACES_DIR', 'workspaces'),
            ('IPYTHONDIR', 'ipython'),
        )
    }
    (folder / 'work').mkdir()
    with open(folder / 'lab.log', 'w') as log:
        server = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'jupyterlab',
                '--no-browser',
                '--allow-root',
                '--ServerApp.ip=127.0.0.1',
                f'--ServerApp.port={port}',
                '--ServerApp.port_retries=0',
                f'--IdentityProvider.token={token}',
                f'--ServerApp.root_dir={folder / "work"}',
            ],
            env={**os.environ, **own},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        for _ in range(240):
            with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
                break
            if server.poll() is not None:
                break
            time.sleep(0.25)
        else:
            pytest.fail('JupyterLab did not start within a minute')
        if server.poll() is not None:
            pytest.fail(f'JupyterLab did not start: {(folder / "lab.log").read_text()[-2000:]}')
        yield folder / 'work', f'http://127.0.0.1:{port}', token
    finally:
        server.send_signal(signal.SIGTERM)  # shuts the kernels down
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@contextlib.contextmanager
def tab(browser):
    "A page of its own in a window of `SIZE`; afterwards the browser is as it was."
    before, size = browser.current_window_handle, browser.get_window_size()
    browser.switch_to.new_window('tab')
    browser.set_window_size(*SIZE)
    try:
        yield browser
    finally:
        browser.get_log('browser')  # what JupyterLab complained of is nobody else's
        browser.set_window_size(size['width'], size['height'])
        browser.close()
        browser.switch_to.window(before)


class Page:
    "What a person does with the explorer, and what they see."

    def __init__(self, browser):
        self.browser = browser

    def all(self, css):
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    def one(self, css):
        return self.wait(lambda: self.all(css))[0]

    def wait(self, what, seconds=60):
        "Until something is true; what is redrawn or covered meanwhile is tried again."
        return WebDriverWait(
            self.browser,
            seconds,
            0.1,
            [
                StaleElementReferenceException,
                ElementClickInterceptedException,
                ElementNotInteractableException,
            ],
        ).until(lambda _: what())

    def run_all(self):
        "By the menu; again where JupyterLab drops it, as it does while a kernel is starting."

        def prompts():
            return [e.text for e in self.all('.jp-Notebook .jp-InputPrompt')]

        def answered():
            "JupyterLab asks which kernel where it is told to run before the kernel is connected."
            for button in self.all('.jp-Dialog .jp-mod-accept'):
                button.click()
                time.sleep(0.5)
            return True

        self.wait(
            lambda: answered() and self.all('.jp-Notebook-ExecutionIndicator[data-status="idle"]'),
            120,
        )

        def run():
            answered()
            next(e for e in self.all('.lm-MenuBar-itemLabel') if e.text == 'Run').click()
            self.wait(
                lambda: [e for e in self.all('.lm-Menu-itemLabel') if e.text == 'Run All Cells']
            )[0].click()
            for _ in range(30):
                time.sleep(0.1)
                answered()
                if any('*' in p or re.search(r'\d', p) for p in prompts()):
                    started.append(1)
                elif started:
                    started.clear()
                    return False
                if len(started) >= 15 or any(re.search(r'\d', p) for p in prompts()):
                    return True
            return False

        started = []
        self.wait(run, 120)

    def control(self, name):
        "The control that a screen reader calls so."
        return next(
            e for e in self.all('.ri input, .ri select, .ri button') if e.accessible_name == name
        )

    def click(self, name):
        self.wait(lambda: self.control(name).is_enabled())
        self.control(name).click()

    def options(self):
        return self.browser.execute_script(
            "return [...document.querySelectorAll('.ri-list option')].map(o => o.text)"
        )

    def rows(self, caption):
        "A table of the page: its first column to the rest."
        js = """
            const t = [...document.querySelectorAll('.ri table')]
                .find(t => t.caption.innerText.startsWith(arguments[0]));
            const texts = r => [...r.cells].map(c => c.innerText);
            return t ? [...t.tBodies[0].rows].map(texts) : null"""
        return self.wait(
            lambda: (
                (found := self.browser.execute_script(js, caption)) and {r[0]: r[1:] for r in found}
            )
        )

    def type(self, name, text):
        field = self.control(name)
        field.send_keys(Keys.CONTROL, 'a')
        field.send_keys(Keys.BACKSPACE, text, Keys.TAB)

    def pick(self, *labels):
        """Click lines of the list, the others with Ctrl held.

        Each is waited for: the browser may send a click on a button before a choice in a list.
        """
        for n, label in enumerate(labels):
            option = next(
                o
                for o in self.all('.ri-list option')
                if o.text.replace('\xa0', ' ').startswith(label + ' ')
            )
            self.browser.execute_script("arguments[0].scrollIntoView({block: 'nearest'})", option)
            mouse = ActionChains(self.browser)  # an option's own click() would toggle it
            (
                mouse.key_down(Keys.CONTROL).click(option).key_up(Keys.CONTROL)
                if n
                else mouse.click(option)
            ).perform()
            self.wait(lambda: self.one('.ri .ri-who h3').text.startswith(label))


@pytest.fixture(scope='module')
def expected(tmp_path_factory, movielens):
    "What the notebook's cells make, all but the last, in this process."
    space = {}
    *cells, last = [
        ''.join(c['source'])
        for c in json.loads(NOTEBOOK.read_text(encoding='utf-8'))['cells']
        if c['cell_type'] == 'code'
    ]
    assert last == 'influence.explore(model, split)'
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp('expected'))
        for cell in cells:
            exec(cell, space)
    return space


@pytest.fixture(scope='module')
def page(tmp_path_factory, movielens, browser):
    folder = tmp_path_factory.mktemp('explorer')
    with lab(folder) as (work, address, token), tab(browser):
        shutil.copy(NOTEBOOK, work)
        browser.get(f'{address}/lab/tree/{NOTEBOOK.name}?token={token}')
        page = Page(browser)
        try:
            page.run_all()
            page.wait(lambda: len(page.options()) == 48, 180)
        except Exception:
            browser.save_screenshot(str(folder / 'failed.png'))
            print(folder, browser.page_source[-500:])
            raise
        yield page


def number(text):
    return float(text.replace('−', '-'))


def named(option):
    return option.replace('\xa0', ' ').split('  ')[0]


def test_the_list_is_the_frame_and_filters_by_typing(page, expected):
    influence, about = expected['influence'], expected['split'].interactions.items
    assert page.options() == unit_lines(influence.frame)
    page.type('Search', '1995 comedy')
    frame = influence.frame[
        [
            ('1995' in about.title[i] or '1995' in str(about.date[i]))
            and 'Comedy' in about.genres[i].split('|')
            for i in influence.frame.id
        ]
    ]
    page.wait(lambda: len(page.options()) == len(frame))
    assert 2 < len(frame) < 48
    assert page.options() == unit_lines(frame)  # digits are those that the listed units need
    assert [named(o)[:20].strip() for o in page.options()] == [l[:20].strip() for l in frame.label]
    assert [number(re.search(r'[+-]\d\.\d+', o)[0]) for o in page.options()] == pytest.approx(
        frame.estimate.tolist(), abs=5e-5
    )  # as many digits as are shown
    assert page.one('.ri [role=status]').text == f'{len(frame)} of 48 items'
    page.type('Search', '')
    page.wait(lambda: len(page.options()) == 48)
    Select(page.control('Sort by')).select_by_visible_text('hurts most')
    page.wait(
        lambda: page.options() == unit_lines(influence.frame.sort_values('estimate', kind='stable'))
    )
    gini = expected['sweep'].influence('gini').frame
    Select(page.control('Metric')).select_by_visible_text('Gini')
    page.wait(lambda: page.options() == unit_lines(gini.sort_values('estimate', kind='stable')))
    Select(page.control('Metric')).select_by_visible_text('NDCG')
    page.wait(
        lambda: page.options() == unit_lines(influence.frame.sort_values('estimate', kind='stable'))
    )


def test_picking_shows_who_it_is_and_what_its_deletion_changes(page, expected):
    influence = expected['influence']
    each = every_metric(influence)
    page.pick('Four Rooms (1995)')
    assert page.one('.ri .ri-who h3').text == 'Four Rooms (1995) (item 3)'
    shown = page.rows('Influence of Four Rooms (1995), mean of 3 replicates')
    frame = each.loc['item 3']
    assert list(shown) == [m.label for m in influence.metrics.values()] and len(shown) == 12
    assert [
        [number(v) for v in (e, *i.split(' to '), m, t)] for e, i, m, t, _ in shown.values()
    ] == [
        pytest.approx(list(r), abs=5.1e-7)
        for r in frame[['estimate', 'low', 'high', 'mechanical', 'training']].to_numpy()
    ]
    assert [r[-1] for r in shown.values()] == [
        'helps' if r.low > 0 else 'hurts' if r.high < 0 else 'unclear' for r in frame.itertuples()
    ]
    page.one('.ri summary').click()
    own = pd.concat([expected['split'].train, expected['split'].test])
    own = own[own.item == 3]
    assert {u: float(v[0]) for u, v in page.rows('Ratings of Four Rooms (1995)').items()} == {
        f'user {u}': x for u, x in zip(own.user, own.rating)
    } and len(own) > 50
    images = page.all('.ri img')
    assert len(images) == 2 and all(
        page.browser.execute_script(
            'return arguments[0].complete && arguments[0].naturalWidth > 100', i
        )
        for i in images
    )


def test_for_whom_is_computed_on_the_sweeps_seeds(page, expected):
    page.pick('Four Rooms (1995)')
    page.click('Show who is affected')
    shown = page.rows('Influence of Four Rooms (1995) on the NDCG')
    *_, (_, frame) = influence_on_users(
        expected['model'], expected['split'], Unit(items=(3,)), range(3)
    )
    assert len(shown) == 10 and {u: number(v[0]) for u, v in shown.items()} == pytest.approx(
        {f'user {u}': frame.estimate[u] for u in (int(u.split()[1]) for u in shown)}, abs=5.1e-5
    )
    ends = frame.estimate.sort_values()
    assert [number(v[0]) for v in shown.values()] == pytest.approx(
        [*ends.iloc[::-1].head(5), *ends.iloc[:5].iloc[::-1]], abs=5.1e-5
    )


def test_retraining_without_a_group_shows_progress_and_then_the_result(page, expected):
    page.browser.execute_script(
        """
        window.steps = [];
        const look = () => document.querySelectorAll('.ri progress')
            .forEach(p => window.steps.push([p.value, p.max]));
        new MutationObserver(look).observe(document.body, {childList: true, subtree: true})"""
    )
    page.pick('Babe (1995)', 'Copycat (1995)')
    page.click('Add to group')
    page.wait(
        lambda: [e for e in page.all('.ri [role=status]') if e.text.startswith('2 in the group')]
    )
    page.type('Replicates', '3')
    page.click('Retrain without the group')
    shown = page.rows('Deleting the 2 items')
    by = {l: i for i, l in expected['split'].interactions.items.title.items()}
    unit = Unit(items=(by['Babe (1995)'], by['Copycat (1995)']))
    *_, (_, frame) = retrain_without(
        expected['model'], expected['split'], unit, range(3, 6), metrics=expected['EXPOSURE']
    )
    assert list(shown) == frame.printed.tolist()
    assert [
        [number(v) for v in (full, without, e, *i.split(' to '))]
        for full, without, e, i, _ in shown.values()
    ] == [
        pytest.approx(list(r), abs=5.1e-7)
        for r in frame[['full', 'without', 'estimate', 'low', 'high']].to_numpy()
    ]
    said = page.wait(
        lambda: [
            e.text for e in page.all('.ri [role=alert]') if e.text.startswith('Without the 2 items')
        ]
    )[0]
    assert (
        f'from {frame.full["ndcg"]:.6f} to {frame.without["ndcg"]:.6f}' in said
        and '3 fresh replicates (seeds 3 to 5)' in said
    )
    steps = page.browser.execute_script('return window.steps')
    assert (
        {m for _, m in steps} == {3}
        and len({v for v, _ in steps}) > 1
        and sorted(v for v, _ in steps) == [v for v, _ in steps]
    )


def test_every_control_has_a_name_and_tables_and_figures_have_texts(page):
    controls = page.all('.ri input, .ri select, .ri button, .ri summary')
    names = [e.accessible_name for e in controls]
    assert len(controls) == 15 and all(names) and len(set(names)) == len(names)
    assert all(
        len(i.accessible_name) > 20 for i in page.all('.ri img')
    ) and page.browser.execute_script(
        """
        const headed = t => t.caption && t.querySelector('th[scope=col]')
            && t.querySelector('th[scope=row]');
        return [...document.querySelectorAll('.ri table')].every(headed)"""
    )


def test_it_can_be_worked_by_keyboard_alone(page, expected):
    def active():
        return page.browser.switch_to.active_element

    def press(*keys):
        ActionChains(page.browser).send_keys(*keys).perform()

    page.click('Empty the group')
    cells = len(page.all('.jp-Notebook .jp-Cell'))
    page.browser.execute_script('arguments[0].focus()', page.control('Search'))
    press('crime')
    page.wait(lambda: len(page.options()) < 20)
    order = ['Search']
    while order[-1] != 'Show who is affected' and len(order) < 30:
        if order[-1].startswith('Items: '):
            press(Keys.HOME)
            page.wait(lambda: page.all('.ri-list option')[0].is_selected())
            press(Keys.ARROW_DOWN)
            page.wait(lambda: page.all('.ri-list option')[1].is_selected())
            press('b')
            assert (
                len(page.all('.jp-Notebook .jp-Cell')) == cells
            )  # in JupyterLab's command mode this key inserts a cell
            picked = [
                l
                for o in page.all('.ri-list option')
                if o.is_selected()
                for l in expected['influence'].frame.label
                if l.startswith(named(o.text).rstrip('…'))
            ]
            page.wait(lambda: page.one('.ri .ri-who h3').text.startswith(picked[0]))
        if order[-1] == 'Add to group':
            press(Keys.ENTER)
            page.wait(
                lambda: [
                    e
                    for e in page.all('.ri [role=status]')
                    if e.text == f'1 in the group: {picked[0]}.'
                ]
            )
        press(Keys.TAB)
        order.append(active().accessible_name)
    assert [n.split(':')[0] for n in order] == [
        'Search',
        'Metric',
        'Sort by',
        'Ratings from',
        'Ratings up to',
        'Only those told from zero (q < 0.05)',
        'Items',
        'Add to group',
        'Remove from group',
        'All ratings',
        'Show who is affected',
    ]
    press(Keys.TAB, Keys.TAB)
    assert active().accessible_name == 'Retrain without the group'
    press(Keys.SPACE)
    page.rows(f'Deleting {picked[0]}: means over 3 replicates')
    press(Keys.TAB)
    assert active().accessible_name  # the focus is still in the explorer
