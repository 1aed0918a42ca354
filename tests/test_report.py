"""The report: nothing missing, nothing from elsewhere, every verdict counted."""
import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from recinfluence.report import VERDICTS, contents, kind_of, report, table_html, tally
from recinfluence.reproduce import keep, paper_table


class Page(HTMLParser):
    "Tags in order, all closed; text; attributes that fetch something."
    VOID = {'meta', 'img', 'br', 'link'}
    def __init__(self, text): super().__init__(); self.open, self.text, self.fetched, self.alts = [], [], [], []; self.feed(text); assert not self.open
    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID: self.open.append(tag)
        self.fetched += [v for k, v in attrs if k in ('src', 'href')]; self.alts += [dict(attrs).get('alt') for _ in [0] if tag == 'img']
    def handle_endtag(self, tag): assert self.open.pop() == tag
    def handle_data(self, data): self.text.append(data)


def test_the_contents_are_the_papers():
    items = paper_table('contents').item
    assert [sum(items.str.startswith(k)) for k in ('Table', 'Figure', 'Algorithm')] == [13, 8, 2] and items.is_unique
    assert set(items[items.str.startswith('Table')]) == {f'Table {n}' for n in range(1, 14)} and set(items[items.str.startswith('Figure')]) == {f'Figure {n}' for n in paper_table('figures').figure}


def test_verdicts_are_of_four_kinds():
    assert tally(['reproduced exactly', 'reproduced within noise (+1 sd, 12 seeds)', 'not reproducible, because of this', 'not comparable, simulated data', 'reproduced exactly']) == dict(zip(VERDICTS, (2, 1, 1, 1)))
    with pytest.raises(ValueError, match='is not a verdict'): kind_of('perhaps')


def test_numbers_look_as_printed_and_text_is_escaped():
    t = pd.DataFrame({'paper': ['0.047070', '100,000'], 'ours': [.04711, 100_000], 'small': [1e-17, -2e-16], 'none': [None, 2.5], 'verdict': ['reproduced exactly', 'not reproducible, because <b>']}, index=pd.Index(['MAP', '# Ratings'], name='metric'))
    html = table_html(t); text = re.sub(r'<[^>]+>', '|', html)
    assert '0.047110' in text and '|100,000|' in text and '-2.0e-16' in text and '&lt;b&gt;' in html and 'nan' not in text.lower() and html.count('class="verdict exact"') == 1 and html.count('class="verdict no"') == 1


def test_the_page_stands_alone(tmp_path):
    "A folder with one table and one figure: both are inside the page, the rest is called missing."
    keep(pd.DataFrame({'paper': ['0.5'], 'ours': [.5], 'verdict': ['reproduced exactly'], 'sees the model': ['NO']}, index=pd.Index(['MAP'], name='metric')), tmp_path, 'table_12')
    keep(pd.DataFrame({'the paper says': ['x'], 'here': ['y'], 'verdict': ['not comparable, simulated data']}, index=pd.Index(['8'], name='figure')), tmp_path, 'figures_2')
    keep(plt.subplots(figsize=(2, 1))[1], tmp_path, 'figure_8'); plt.close('all')
    items = contents(tmp_path); assert items.verdicts.dropna().to_dict() == {'Figure 8': ['not comparable, simulated data'], 'Table 12': ['reproduced exactly']}
    html = report(tmp_path).read_text(); page = Page(html); text = ' '.join(page.text)
    assert all(f.startswith(('#', 'data:')) for f in page.fetched) and 'url(' not in html and '<script' not in html and page.alts == ['Figure 8: Number of reviews by item']
    assert {f[1:] for f in page.fetched if f.startswith('#')} <= set(re.findall(r'id="([^"]+)"', html))
    missing = re.search(r'Missing in this folder: ([^.]+)\.', text)[1].split(', '); assert len(missing) == 21 and 'Table 12' not in missing and 'Figure 8' not in missing
    assert re.search(r'reproduced exactly: 1\b', text) and re.search(r'not comparable: 1\b', text) and '1 of the 7 figures of Table 12 (MAP)' in text
    assert report(tmp_path).read_text() == html


def test_the_same_figure_is_the_same_file(tmp_path):
    for d in 'ab':
        ax = plt.subplots(figsize=(2, 1))[1]; ax.plot([1, 2], [2, 1], label='x'); ax.legend(); keep(ax, tmp_path/d, 'figure_1'); plt.close('all')
    assert all((tmp_path/f'a/figures/figure_1.{k}').read_bytes() == (tmp_path/f'b/figures/figure_1.{k}').read_bytes() for k in ('png', 'svg'))
