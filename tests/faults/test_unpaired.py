"What an adapter can't pair is said on every result, and on no result of a model that is paired."

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
import pytest

from recinfluence.actions.exposure_shift import exposure_shift
from recinfluence.actions.measured import measure
from recinfluence.actions.on_items import promote, prune
from recinfluence.actions.on_users import leave_out
from recinfluence.actions.overview import action_page, actions_table
from recinfluence.decisions.budget import quote
from recinfluence.decisions.planning import plan
from recinfluence.decisions.price import Price
from recinfluence.decisions.stopping import screen, sweep_until
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.models.base import UNPAIRED
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep

QUICK = dict(k=3, jobs=1, progress=False)


class Loose(Popularity):
    paired = False


def swept(model, split, units='users', **kw):
    return deletion_sweep(model, split, units, replicates=2, **QUICK, **kw)


def ranked(model, split, units='users', **kw):
    return swept(model, split, units, **kw).influence('ndcg')


def measured(model, split, act=leave_out, units='users', n=3):
    return measure(
        act(ranked(Popularity(), split, units), n),
        model,
        split,
        replicates=1,
        n_random=3,
        k=3,
        metrics=(),
    )


def bought(model, split, units, budget):
    "A quote at a known price: one second a retraining."
    price = Price(1.0, 0.0, None, 'reference', 1, 1)
    terms = dict(sample='stratified', seed=3, priced=price, k=3, progress=False)
    return quote(model, split, units, budget, **terms)


def small(model):
    return SVD(
        n_factors=4, n_epochs=20, start='keyed' if model.paired else 'surprise'
    )  # whose actions at random differ in every metric


def both(made):
    return [repr(made), made._repr_html_()]


def drawn(measured):
    said = measured.plot().get_title('left').replace('\n', ' ')
    plt.close('all')
    return said


SAYS = {  # each: (model, split) -> texts; True: in the whole phrase
    'sweep and influence': (lambda m, s: [repr(swept(m, s)), ranked(m, s).source], False),
    'caution': (lambda m, s: [ranked(m, s).caution], True),
    'measured': (lambda m, s: [(made := measured(m, s)).conclusion(), *both(made)], True),
    'retrained without items': (
        lambda m, s: both(measured(m, s, lambda i, n: prune(i, n, retrain=True), 'items')),
        True,
    ),
    'heirs': (
        lambda m, s: both(
            exposure_shift(
                prune(ranked(Popularity(), s, 'items'), 3, retrain=True), m, s, replicates=2, k=3
            )
        ),
        True,
    ),
    'table of actions, and its page': (
        lambda m, s: [
            (table := actions_table([(measured(m, s), 'ndcg', 'everyone')])).to_string(),
            action_page('developers', table, ranked(Popularity(), s)),
        ],
        False,
    ),
    'plot of an action': (lambda m, s: [drawn(measured(small(m), s, n=20))], False),
    'quote': (lambda m, s: both(bought(m, s, 'users', 170)), True),
    'study of everybody': (lambda m, s: both(bought(m, s, 'users', 170).run()), True),
    'study of the candidates': (lambda m, s: both(bought(m, s, 'items', 90).run()), True),
    'plan': (
        lambda m, s: [
            *both(
                planned := plan(
                    ranked(m, s), ranked(m, s, RandomGroups(per_seed=16)), reliability=0.8, jobs=1
                )
            ),
            planned.asked,
            *planned.table.index,
        ],
        False,
    ),
    'stopped': (lambda m, s: both(sweep_until(m, s, metric='ndcg', replicates=2, **QUICK)), False),
    'screened': (
        lambda m, s: both(
            screen(m, s, metric='ndcg', n_units=5, replicates=3, jobs=1, progress=False)
        ),
        True,
    ),
}


@pytest.mark.parametrize('model', [Popularity(), Loose()], ids=['paired', 'loose'])
@pytest.mark.parametrize('result', SAYS)
def test_it_is_said_on_every_result(result, model, tiny):
    make, whole = SAYS[result]
    for text in make(model, tiny):
        assert (
            (UNPAIRED if whole else 'not paired').lower() in text.lower()
            if model.paired is False
            else 'not paired' not in text.lower()
        ), text


def test_lists_of_the_full_model_have_nothing_to_pair(tiny):
    """An action that retrains nothing compares two lists of one model.

    It would be wrong to say it of those.
    """
    assert (
        'not paired' not in repr(measured(Loose(), tiny, promote, 'items')).lower()
        and 'not paired'
        in repr(measured(Loose(), tiny, lambda i, n: prune(i, n, retrain=True), 'items')).lower()
    )
