"""Titles as shops and catalogues have them: in every plot, in the page, in the explorer."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from surface.world import QUICKLY, ROWS, world

import recinfluence as ri
from recinfluence.show.explorer import Explorer
from recinfluence.show.unit_plots import every_metric

pytestmark = pytest.mark.filterwarnings('ignore')
TITLES = ['$', '$_{', 'Cash $5 & $_{x}', '', ' ', '\\frac{', '<b>', '%s {0}', 'a\nb', '$' * 80]
NAMED = dict(zip(range(10), TITLES))


@pytest.fixture(scope='module')
def shop():
    "Interactions whose items and whose name have such titles."
    about = pd.DataFrame({'title': TITLES, 'genres': '$_{', 'date': pd.Timestamp('1995-03-04')})
    return ri.Interactions(ri.careless_interactions(**ROWS), 'shop $_{', items=about)


@pytest.fixture(scope='module')
def split(shop):
    return ri.chrono_split(shop, 0.7)


@pytest.fixture(scope='module')
def sweep(split):
    return ri.deletion_sweep(ri.ItemMean(0.1), split, 'items', replicates=2, **QUICKLY)


def shown(axes) -> set[str]:
    "The texts of a figure, which can be drawn."
    figure = np.ravel(axes)[0].figure
    figure.canvas.draw()
    found = {text.get_text() for text in figure.findobj(plt.Text)}
    plt.close(figure)
    return found


def plots(influence, sweep, split) -> dict:
    "Every plot there is."
    here = world()
    group = {'$_{': ri.Unit(items=(3, 4), name='$_{')}
    once = dict(n_random=3, replicates=2, seed=500, **QUICKLY)
    validation = ri.validate(ri.ItemMean(0.1), split, group, **once)
    each = every_metric(influence)
    effects = here.effects.assign(label='$_{')
    return {
        'influence_bars': lambda: ri.influence_bars(influence),
        'first_units': lambda: ri.first_units(influence),
        'rating_counts': lambda: ri.rating_counts(split.interactions, 'item', {'$_{': 2}),
        'ranked_influence': lambda: ri.ranked_influence(influence),
        'influence_against': lambda: ri.influence_against(influence, label='$_{'),
        'seed_agreement': lambda: ri.seed_agreement(sweep),
        'replicate_agreement': lambda: ri.replicate_agreement(influence),
        'unit_profile': lambda: ri.unit_profile(influence, 'item 1', each),
        'action_effects': lambda: ri.action_effects(effects, '$_{'),
        'ratings_over_time': lambda: ri.ratings_over_time(split, 'item', 1),
        'validation': lambda: validation.plot(),
    }


def test_every_plot_can_be_drawn_and_shows_the_letters(sweep, split):
    for name, draw in plots(sweep.influence('ndcg'), sweep, split).items():
        texts = shown(draw())
        if name not in ('seed_agreement',):
            assert any('$_{' in text for text in texts), name


def test_bars_are_named_by_the_titles_themselves(sweep):
    texts = shown(ri.influence_bars(sweep.influence('ndcg')))
    assert {'$', '$_{', '<b>', '\\frac{', '%s {0}'} <= texts


def test_the_page_shows_them_and_is_whole(sweep):
    page = ri.influence_report(sweep, 'shop.html').read_text()
    assert page.rstrip().endswith('</html>') and '$_{' in page
    assert '&lt;b&gt;' in page and '<td><b>' not in page


def test_the_explorer_lists_and_shows_each(sweep, split):
    explorer = Explorer(sweep.influence('ndcg'), split=split)
    assert len(explorer.finder.list.options) == len(TITLES)
    for key in sweep.influence('ndcg').frame.index:
        explorer.picked = key
        explorer.relist()
    for line, _ in explorer.finder.list.options:
        assert line.strip('\xa0') and '\n' not in line


def test_ranks_of_a_single_unit_and_of_none(split):
    one = ri.deletion_sweep(ri.ItemMean(0.1), split, ids=[3], replicates=3, **QUICKLY)
    for metric in ('ndcg', 'mae'):
        ranks = one.influence(metric).ranks()
        assert ranks.to_numpy().tolist() == [[1, 1, 1]] and ranks.index.tolist() == [3]
    none = ri.deletion_sweep(ri.ItemMean(0.1), split, ids=[], replicates=2, **QUICKLY)
    assert len(none.influence('ndcg').ranks()) == 0
