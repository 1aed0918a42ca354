"""Quotes, and that the study does exactly what was quoted."""

from dataclasses import replace

import numpy as np
import pytest

from recinfluence.data.splits import chrono_split
from recinfluence.decisions import budget as budgets
from recinfluence.decisions.budget import quote
from recinfluence.decisions.price import FRESH, Price, lay_out
from recinfluence.designs.samples import SAMPLES, sample_units
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store

QUICK = dict(k=3, jobs=1, progress=False)


def priced_quote(split, units, budget, **settings):
    "A quote at a known price, so that what it buys does not depend on the machine."
    price = Price(1.0, 0.0, None, 'reference', 1, 1)
    return quote(
        Popularity(), split, units, budget, seed=3, k=3, progress=False, priced=price, **settings
    )


def test_a_study_screens_and_refines_what_was_quoted(crowd, tmp_path):
    "Items, by a model without noise: the refined are the ends of a plain sweep of the sample."
    offer = priced_quote(crowd, 'items', 230, store=tmp_path)
    assert (
        offer.table.units.tolist() == [60, 57, 4]
        and '57 (95%) are screened, 4 (6.7%) refined' in offer.conclusion
    )
    study = offer.run()
    plain = (
        deletion_sweep(Popularity(), crowd, 'items', **QUICK)
        .influence('ndcg', 'training')
        .frame.set_index('id')
        .estimate
    )
    sample = [u.items[0] for u in sample_units(crowd, 'items', 57, seed=3)]
    assert set(study.screened.frame.id) == set(sample)
    order = plain[sample].sort_values()
    frame = study.frame()
    assert (
        np.allclose(frame.estimate, plain[frame.index], atol=1e-12)
        and frame.estimate.max() == pytest.approx(order.max())
        and frame.estimate.min() == pytest.approx(order.min())
    )
    done = {n: len(Store(tmp_path / f'{n}.db').done()) for n in ('screening', 'refining')}
    assert done == {'screening': 2 * 58, 'refining': FRESH[0] * 5} and set(
        study.refined.seeds
    ).isdisjoint(study.screened.seeds)  # the full model of each seed included
    assert (
        '57 of 60 items (95%) were screened' in study.conclusion
        and '4 were refined' in study.conclusion
    )


def test_a_study_of_everybody_is_a_sweep(crowd):
    study = priced_quote(crowd, 'users', 490).run()
    plain = deletion_sweep(Popularity(), crowd, 'users', replicates=4, seed=3, **QUICK).influence(
        'ndcg', 'training'
    )
    assert (
        study.refined is None
        and study.frame().estimate.equals(plain.frame.set_index('id').estimate)
        and 'everything' in study.quote.table.index
    )


def test_users_are_screened_by_random_groups(crowd):
    study = priced_quote(crowd, 'users', 300).run()
    table = study.quote.table
    assert (
        table.loc['screening', ['units', 'seeds', 'retrainings']].tolist() == [120, 2, 128]
        and study.screened.experiment.design.keep == 0.5
    )
    whole = study.screened.frame.sort_values('shrunk', kind='stable').id.tolist()
    assert study.screened.frame.shrunk.notna().all()
    n = table.units['refining']
    assert set(study.frame().index) == {*whole[: n // 2], *whole[-(n - n // 2) :]}


@pytest.mark.parametrize('sample', [*SAMPLES])
def test_users_are_sampled_where_a_sample_is_asked_for_by_name(crowd, sample):
    "Under a ranking metric, too: so many, one at a time, and they are who `sample_units` says."
    offer = priced_quote(crowd, 'users', 300, sample=sample)
    n = offer.table.units['screening']
    assert n < 120 and SAMPLES[sample] in offer.table.design['screening']
    study = offer.run()
    assert (
        set(study.screened.frame.id)
        == {u.users[0] for u in sample_units(crowd, 'users', n, sample, 3)}
        and study.screened.experiment.design.splits_parts
    )


def test_top_candidates_only(crowd, tmp_path):
    "The ends of a given ranking, on seeds it never saw; a kept quote is for that ranking."
    model = NCF(n_epochs=1, batch_size=64)
    ranked = deletion_sweep(Popularity(), crowd, 'items', replicates=2, **QUICK).influence(
        'ndcg', 'training'
    )

    def ask(ranking=ranked):
        return quote(
            model,
            crowd,
            'items',
            0.2,
            ranked=ranking,
            stretch=True,
            seed=0,
            store=tmp_path,
            **QUICK,
        )

    offer = ask()
    n = int(offer.table.units['refining'])
    assert (
        offer.table.retrainings.iloc[1] == 0
        and 2 <= n <= len(ranked.frame) // 2
        and 'ranked already' in offer.conclusion
        and ask().table.equals(offer.table)
    )
    study = offer.run()
    order = (
        ranked.frame.sort_values('shrunk', kind='stable').id.tolist()
        if ranked.frame.shrunk.notna().all()
        else ranked.frame.sort_values('estimate', kind='stable').id.tolist()
    )
    assert (
        set(study.frame().index) == {*order[: n // 2], *order[len(order) - (n - n // 2) :]}
        and set(study.refined.seeds).isdisjoint(ranked.seeds)
        and not (tmp_path / 'screening.db').exists()
    )
    with pytest.raises(ValueError, match='something else'):
        ask(
            deletion_sweep(
                Popularity(), crowd, 'items', ids=range(20), replicates=2, **QUICK
            ).influence('ndcg', 'training')
        )
    other = deletion_sweep(
        Popularity(), chrono_split(crowd.interactions, 0.6), 'items', **QUICK
    ).influence('ndcg', 'training')
    few = deletion_sweep(
        Popularity(), crowd, 'items', ids=range(3), replicates=2, **QUICK
    ).influence('ndcg', 'training')
    for wrong, words in (
        (dict(sample='top'), 'choose one of'),
        (dict(sample='random', ranked=ranked), 'nothing is sampled'),
        (dict(units='users', ranked=ranked), 'a ranking of items'),
        (dict(metric='map', ranked=ranked), "by 'map' on split"),
        (dict(ranked=other), f'split {other.experiment.split_hash[:8]}'),
        (dict(ranked=few), 'holds 3 items: too few'),
    ):
        with pytest.raises(ValueError, match=words):
            quote(model, crowd, **{'units': 'items', 'budget': '1h', **QUICK, **wrong})


def test_a_quote_in_a_folder_is_kept_and_is_for_one_question(crowd, tmp_path):
    model = NCF(n_epochs=1, batch_size=64)

    def ask(**kw):
        return quote(
            model, crowd, **{'units': 'items', 'budget': '1h', 'store': tmp_path, **QUICK, **kw}
        )

    first = ask()
    kept = (tmp_path / 'quote.json').read_bytes()
    again = ask()
    assert (
        again.price == first.price
        and again.table.equals(first.table)
        and (tmp_path / 'quote.json').read_bytes() == kept
    )
    with pytest.raises(ValueError, match='something else'):
        ask(budget='2h')
    with pytest.raises(ValueError, match='something else'):
        quote(NCF(n_epochs=2, batch_size=64), crowd, 'items', '1h', store=tmp_path, **QUICK)
    with pytest.raises(ValueError, match='too short.*Give at least'):
        quote(model, crowd, 'items', '0.001s', **QUICK)
    with pytest.raises(ValueError, match='choose one of'):
        quote(model, crowd, metric='joy', **QUICK)


def test_a_budget_that_is_too_short_can_be_stretched_and_says_so(crowd, tmp_path):
    "By tenths, to the first that a plain quote accepts; and kept as it was."
    model = NCF(n_epochs=1, batch_size=64)

    def ask():
        return quote(model, crowd, 'items', 0.001, store=tmp_path, stretch=True, **QUICK)

    first = ask()
    tenths = np.log(first.budget / 0.001) / np.log(1.1)
    assert (
        tenths == pytest.approx(round(tenths)) and tenths > 0 and 'stretched to' in first.conclusion
    )
    with pytest.raises(ValueError, match='too short'):
        lay_out(first.price, replace(first.order.asked, budget=first.budget / 1.1), 60)
    assert (
        lay_out(first.price, replace(first.order.asked, budget=first.budget), 60).equals(
            first.table
        )
        and ask().budget == first.budget
        and ask().table.equals(first.table)
    )


def test_a_price_can_be_told_and_is_not_measured_again(crowd, monkeypatch):
    monkeypatch.setattr(budgets, 'measure_price', lambda *a, **k: pytest.fail('measured again'))
    told = Price(0.5, 2.0, None, 'fast', 1, 16)
    offer = quote(
        NCF(n_epochs=1, batch_size=64), crowd, 'items', 1000, priced=told, **{**QUICK, 'jobs': 3}
    )
    assert (
        offer.price.retraining,
        offer.price.jobs,
        offer.table.minutes['everything once'] * 60 * 3,
    ) == (
        0.5,
        3,
        pytest.approx(4 * 16 * 0.5 + 3 * 2),
    )  # sixty items and the full model: four batches, prepared in three processes
    with pytest.raises(ValueError, match="of engine 'fast'"):
        quote(Popularity(), crowd, 'items', 1000, priced=told, **QUICK)
