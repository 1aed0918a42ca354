"""What the tests share.

MovieLens 100K by the package's own loader, and a small planted data set.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
    os.environ.setdefault(name, '1')
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # begun in the background of a shell, which has Ctrl-C ignored, here and in all that is started
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pandas as pd
import pytest

from recinfluence.data.interactions import DataError, load_interactions
from recinfluence.data.movielens import load_movielens
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split, random_split


@pytest.fixture(scope='session')
def movielens():
    try:
        return load_movielens('100k')
    except DataError as error:
        pytest.skip(f'MovieLens 100K cannot be had here, real-data tests are skipped: {error}')


@pytest.fixture(scope='session')
def ml_chrono(movielens):
    return chrono_split(movielens)


@pytest.fixture(scope='session')
def ml_random(movielens):
    return random_split(movielens)


@pytest.fixture(scope='session')
def tiny():
    return chrono_split(load_interactions(planted_interactions(), name='planted'))


@pytest.fixture(scope='session')
def skewed():
    "400 users whose train rows follow a long tail, over 60 items."
    rng = np.random.default_rng(0)
    n = np.minimum(5 + rng.pareto(1.2, 400) * 8, 55).astype(int)
    share = 1 / (1 + np.arange(60))
    share /= share.sum()
    rows = pd.DataFrame(
        [
            (u, int(i), 3.0, t)
            for u in range(400)
            for t, i in enumerate(rng.choice(60, n[u], replace=False, p=share))
        ],
        columns=['user', 'item', 'rating', 'timestamp'],
    )
    return chrono_split(load_interactions(rows, name='skewed'))


@pytest.fixture(scope='session')
def small_real():
    "The folder of a small real set of Amazon reviews."
    root = Path(__file__).parents[1]
    folder = next(
        (
            p
            for p in (
                Path(os.environ.get('AMAZON_LISTS', '')),
                root / 'shared/data/amazon_electronics_m1',
                root.parent / 'shared/data/amazon_electronics_m1',
            )
            if (p / 'train.txt').is_file()
        ),
        None,
    )
    return folder or pytest.skip(
        (
            'the small real Amazon set is not at hand: AMAZON_LISTS names its folder; '
            'tests on it are skipped'
        )
    )


@pytest.fixture(scope='session')
def browser(tmp_path_factory):
    "A headless Chromium, with what its pages complain of in its log."
    webdriver = pytest.importorskip('selenium.webdriver')
    chromium, driver = shutil.which('chromium'), shutil.which('chromedriver')
    if not (chromium and driver):
        pytest.skip(
            (
                'NOT TESTED IN A BROWSER: chromium or chromedriver is missing (Debian: '
                'apt-get install chromium chromium-driver)'
            )
        )
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability('goog:loggingPrefs', {'browser': 'SEVERE'})
    for argument in (
        '--headless=new',
        '--no-sandbox',
        '--disable-dev-shm-usage',
        '--disable-gpu',
        f'--user-data-dir={tmp_path_factory.mktemp("profile")}',
    ):
        options.add_argument(argument)
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture(scope='module', autouse=True)
def figures_closed():
    "What a file has drawn is gone before the next file is run in the same process."
    yield
    if pyplot := sys.modules.get('matplotlib.pyplot'):
        pyplot.close('all')


LONG = [
    'test_sections',
    'test_faults',
    'test_docs',
    'test_tutorials',
    'test_pools',
    'test_run',
    'test_twelve_seeds',
    'test_actions',
    'test_shipped',
    'test_explorer_browser',
    'test_registry',
    'test_influence',
    'test_from_groups',
    'test_validation',
    'test_planted',
    'test_recovery',
    'test_action',
    'test_explainers',
]


def pytest_collection_modifyitems(items):
    "Long files first, so that two workers end together."
    items.sort(key=lambda i: LONG.index(i.path.stem) if i.path.stem in LONG else len(LONG))
