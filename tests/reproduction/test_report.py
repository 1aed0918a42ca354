"""The report: nothing missing, nothing from elsewhere, every verdict counted."""

import re

import matplotlib.pyplot as plt
import pandas as pd
from shared import Page

from recinfluence.reproduction.contents import contents
from recinfluence.reproduction.paper import paper_table
from recinfluence.reproduction.report import report
from recinfluence.reproduction.sections import save_output
from recinfluence.reproduction.verdicts import Verdict, VerdictKind
from recinfluence.show.html import table_html


def test_the_contents_are_the_papers():
    items = paper_table('contents').item
    assert [sum(items.str.startswith(k)) for k in ('Table', 'Figure', 'Algorithm')] == [
        13,
        8,
        2,
    ] and items.is_unique
    assert set(items[items.str.startswith('Table')]) == {
        f'Table {n}' for n in range(1, 14)
    } and set(items[items.str.startswith('Figure')]) == {
        f'Figure {n}' for n in paper_table('figures').figure
    }


def test_numbers_look_as_printed_and_text_is_escaped():
    table = pd.DataFrame(
        {
            'paper': ['0.047070', '100,000'],
            'ours': [0.04711, 100_000],
            'small': [1e-17, -2e-16],
            'none': [None, 2.5],
            'verdict': [Verdict(VerdictKind.EXACT), Verdict.not_reproducible('<b>')],
        },
        index=pd.Index(['MAP', '# Ratings'], name='metric'),
    )
    html = table_html(table)
    text = re.sub(r'<[^>]+>', '|', html)
    assert (
        '0.047110' in text
        and '|100,000|' in text
        and '-2.0e-16' in text
        and '&lt;b&gt;' in html
        and 'nan' not in text.lower()
        and html.count('class="verdict exact"') == 1
        and html.count('class="verdict no"') == 1
    )


def test_the_page_stands_alone(tmp_path):
    "A folder with one table and one figure: both are inside the page, the rest is called missing."
    save_output(
        pd.DataFrame(
            {
                'paper': ['0.5'],
                'ours': [0.5],
                'verdict': [Verdict(VerdictKind.EXACT)],
                'sees the model': ['NO'],
            },
            index=pd.Index(['MAP'], name='metric'),
        ),
        tmp_path,
        'table_12',
    )
    save_output(
        pd.DataFrame(
            {'the paper says': ['x'], 'here': ['y'], 'verdict': ['not comparable, simulated data']},
            index=pd.Index(['8'], name='figure'),
        ),
        tmp_path,
        'figures_2',
    )
    save_output(plt.subplots(figsize=(2, 1))[1], tmp_path, 'figure_8')
    plt.close('all')
    items = contents(tmp_path)
    found = items.verdicts.dropna()
    assert {name: [str(v) for v in said] for name, said in found.items()} == {
        'Figure 8': ['not comparable, simulated data'],
        'Table 12': ['reproduced exactly'],
    }
    html = report(tmp_path).read_text()
    page = Page(html)
    text = ' '.join(page.text)
    assert (
        all(f.startswith(('#', 'data:')) for f in page.fetched)
        and 'url(' not in html
        and '<script' not in html
        and page.alts == ['Figure 8: Number of reviews by item']
    )
    assert {f[1:] for f in page.fetched if f.startswith('#')} <= set(
        re.findall(r'id="([^"]+)"', html)
    )
    missing = re.search(r'Missing in this folder: ([^.]+)\.', text)[1].split(', ')
    assert len(missing) == 21 and 'Table 12' not in missing and 'Figure 8' not in missing
    assert (
        re.search(r'reproduced exactly: 1\b', text)
        and re.search(r'not comparable: 1\b', text)
        and '1 of the 7 figures of Table 12 (MAP)' in text
    )
    assert report(tmp_path).read_text() == html
