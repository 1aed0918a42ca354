"""Titles of any text: drawn, written and listed as they are."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text

from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.models.popularity import ItemMean
from recinfluence.show import plots, unit_plots
from recinfluence.show.page import influence_report
from recinfluence.show.theme import as_written, on_one_line
from recinfluence.sweep.run import deletion_sweep

TITLES = [
    '$', '$_{', '$x$ and $y$', '$$', '', '   ', 'a' * 500, 'two\nlines', '<b>&"x"</b>', '</script>',
    '\u202eright to left שלום', '😀 emoji', '\\frac{1}{2}', '{{ 7*7 }}', 'tab\there', 'nul\x00',
    '%s {0}', None, '_^_', '\\$5 \\', '\ud83d', "'; --", 'nan', float('nan'),
]  # fmt: skip


@pytest.fixture(scope='module')
def films():
    rows = planted_interactions()
    ids = sorted(rows['item'].unique())
    titles = pd.DataFrame({'title': (TITLES * 9)[: len(ids)]}, index=ids)
    data = load_interactions(rows, name='own $_{ data $')
    split = chrono_split(replace(data, items=titles))
    quiet = dict(replicates=2, k=3, jobs=1, progress=False)
    return split, deletion_sweep(ItemMean(noise=0.02), split, 'items', **quiet)


def saved(ax):
    "The picture, as SVG; a title that is read as a formula fails here."
    out = io.BytesIO()
    ax.figure.savefig(out, format='svg')
    plt.close('all')
    return out.getvalue().decode()


@pytest.mark.filterwarnings('ignore:Glyph')
def test_every_plot_draws_every_title(films):
    split, sweep = films
    influence = sweep.influence('ndcg')
    for ax in (
        influence.plot(12),
        plots.first_units(influence, 24),
        plots.ranked_influence(influence),
        plots.influence_against(influence),
        plots.replicate_agreement(influence),
        plots.seed_agreement(sweep, 'ndcg'),
        plots.rating_counts(split.interactions, 'item', {'$_{': 1, '': 2, 'a\nb': 3}),
    ):
        saved(ax)
    each = unit_plots.every_metric(influence)
    for key in influence.frame.index:
        saved(unit_plots.unit_profile(influence, key, each))
    for one in influence.frame.id:
        saved(unit_plots.ratings_over_time(split, 'item', one))


def test_a_formula_is_text():
    "Beside the plain way, which fails."
    _, ax = plt.subplots()
    ax.set_title('$_{')
    ax.set_ylabel('$x$')
    with pytest.raises(ValueError):
        ax.set_title('$_{$')
        saved(ax)

    @as_written
    def draw(ax=None):
        ax = ax or plt.subplots()[1]
        ax.set_title('$_{$')
        ax.set_yticks([0, 1], ['$a$', '$_'])
        return ax

    ax = draw()
    assert not any(text.get_parse_math() for text in ax.findobj(Text) if text.get_text())
    saved(ax)


def test_labels_are_titles_or_ids(films):
    split, sweep = films
    labels = sweep.units_table().label.to_dict()
    for key, title in zip(labels, TITLES):
        if title is None or title != title or not title.strip():
            assert labels[key] == key
        else:
            assert labels[key].encode('utf-8')
    assert on_one_line('two\nlines\tand\x00') == 'two lines and\ufffd'


def test_the_page_shows_them_as_text(films, tmp_path):
    page = influence_report(films[1], tmp_path / 'page.html', 'ndcg', n=12).read_text()
    assert '{{ 7*7 }}' in page and '</script>' not in page and '<b>&' not in page
    assert not {chr(n) for n in range(32)} - {'\n', '\t'} & set(page)


def test_ranks_of_one_unit_of_equals_and_of_none(films):
    split, sweep = films
    quiet = dict(replicates=2, k=3, jobs=1, progress=False)
    one = deletion_sweep(ItemMean(noise=0.02), split, 'items', [1], **quiet).influence('ndcg')
    assert one.ranks().to_numpy().tolist() == [[1, 1, 1]]
    influence = sweep.influence('ndcg')
    equal = replace(influence, frame=influence.frame.assign(estimate=0.5))
    assert (equal.ranks()['rank'] == 1).all()
    unknown = replace(influence, frame=influence.frame.assign(estimate=np.nan))
    assert unknown.ranks().isna().all(axis=None) and len(unknown.ranks()) == 24
