"""A budget: samples, what a quote promises, and that the study does exactly that."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.decisions.budget import FRESH, Price, Quote, _stages, measure_price, quote
from recinfluence.designs.samples import SAMPLES, sample_units
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store

QUICK = dict(k=3, jobs=1, progress=False)


@pytest.fixture(scope='module')
def crowd():
    return chrono_split(load_interactions(planted_interactions(120, 60), name='planted'))


# ---- who takes part
def test_a_stratified_sample_takes_its_share_of_each_tenth(ml_chrono):
    rows = ml_chrono.train['item'].value_counts()
    tenth = pd.Series(
        np.repeat(range(10), [len(t) for t in np.array_split(np.arange(len(rows)), 10)]),
        np.sort(rows.index)[np.argsort(-rows.sort_index().to_numpy(), kind='stable')],
    )
    for n in (10, 97, 300):
        counts = (
            tenth[[u.items[0] for u in sample_units(ml_chrono, 'items', n)]]
            .value_counts()
            .reindex(range(10), fill_value=0)
        )
        assert counts.sum() == n and (counts - n / 10).abs().max() <= 1.2


def test_every_unit_has_the_same_chance(tiny):
    "Also in a stratified sample: 600 samples of 7 out of 24 items."
    for sample in ('random', 'stratified'):
        drawn = pd.Series(
            [
                u.items[0]
                for seed in range(600)
                for u in sample_units(tiny, 'items', 7, sample, seed)
            ]
        ).value_counts()
        expected = 600 * 7 / 24
        assert len(drawn) == 24 and (
            (drawn - expected) ** 2 / (expected * 17 / 24)
        ).sum() < 24 + 4 * np.sqrt(48)


def test_the_most_active_are_the_most_active(tiny):
    rows = tiny.train['item'].value_counts()
    chosen = [u.items[0] for u in sample_units(tiny, 'items', 5, 'active')]
    assert rows[chosen].min() >= rows.drop(chosen).max() and chosen == sorted(chosen)
    assert (
        {u.items[0] for u in sample_units(tiny, 'items')}
        == set(rows.index)
        == {u.items[0] for u in sample_units(tiny, 'items', 10**6, 'random')}
    )


@pytest.mark.parametrize(
    'wrong, say',
    [
        (dict(sample='best'), 'stratified'),
        (dict(units='shops'), "'items'"),
        (dict(n=0), 'at least one'),
    ],
)
def test_samples_that_cannot_be(tiny, wrong, say):
    with pytest.raises(ValueError, match=say):
        sample_units(tiny, **wrong)


# ---- quotes
@given(
    each=st.floats(1e-4, 10),
    prepare=st.floats(0, 100),
    jobs=st.integers(1, 8),
    lanes=st.sampled_from([1, 8, 16]),
    total=st.integers(2, 3000),
    budget=st.floats(1, 1e5),
    units=st.sampled_from(['users', 'items']),
    metric=st.sampled_from(['ndcg', 'rmse']),
    sample=st.sampled_from([None, 'random']),
)
@settings(max_examples=300, deadline=None)
def test_a_quote_keeps_to_its_budget_and_adds_up(
    each, prepare, jobs, lanes, total, budget, units, metric, sample
):
    try:
        t = _stages(
            Price(each, prepare, None, 'fast', jobs, lanes),
            dict(units=units, budget=budget, metric=metric, sample=sample),
            total,
        )
    except ValueError as e:
        assert 'too short' in str(e)
        return
    spent = t.minutes.iloc[1:].sum() * 60
    assert spent <= budget * (1 + 1e-9)
    groups = t.design.str.contains('groups')
    assert (t.retrainings == t.seeds * t.units.where(~groups, 64)).all() and (
        t.retrainings.iloc[1:] * each
    ).sum() <= budget * jobs * (1 + 1e-9)
    assert (t.units <= total).all() and np.allclose(t['share'], t.units / total)
    if 'everything' in t.index:
        assert len(t) == 2 and t.seeds['everything'] >= 4
    else:
        assert (
            t.seeds['refining'] in FRESH
            and 2 <= t.units['refining'] <= t.units['screening'] / 2
            and groups['screening'] == (units == 'users' and metric == 'ndcg' and sample is None)
        )


def test_a_cost_is_what_was_measured(crowd):
    "Against the processor time of the same deletions done by hand, in one thread: within a factor of three, since timings wander."
    from time import process_time

    p = measure_price(Popularity(), crowd, 'items', **QUICK)
    assert p.engine == 'reference' and p.lanes == p.jobs == 1 and p.memory is None
    start = process_time()
    n = len(deletion_sweep(Popularity(), crowd, 'items', **QUICK).units)
    by_hand = (process_time() - start) / n
    assert by_hand / 3 < p.retraining < by_hand * 3


def _offer(split, units, seconds_each, budget, **kw):
    "A quote at a price of our own, so that what it buys does not depend on the machine."
    cost = Price(seconds_each, 0.0, None, 'reference', 1, 1)
    asked = dict(units=units, budget=budget, metric='ndcg', sample=kw.get('sample'), seed=3)
    return Quote(
        _stages(cost, asked, len(sample_units(split, units))),
        cost,
        asked,
        Popularity(),
        split,
        kw.get('store'),
        dict(k=3, progress=False),
        budget,
    )


def test_a_study_screens_and_refines_what_was_quoted(crowd, tmp_path):
    "Items, by a model without noise: the refined are the ends of a plain sweep of the sample, with the plain sweep's estimates."
    offer = _offer(crowd, 'items', 1.0, 230, store=tmp_path)
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
    f = study.frame()
    assert (
        np.allclose(f.estimate, plain[f.index], atol=1e-12)
        and f.estimate.max() == pytest.approx(order.max())
        and f.estimate.min() == pytest.approx(order.min())
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
    study = _offer(crowd, 'users', 1.0, 490).run()
    plain = deletion_sweep(Popularity(), crowd, 'users', replicates=4, seed=3, **QUICK).influence(
        'ndcg', 'training'
    )
    assert (
        study.refined is None
        and study.frame().estimate.equals(plain.frame.set_index('id').estimate)
        and 'everything' in study.quote.table.index
    )


def test_users_are_screened_by_random_groups(crowd):
    study = _offer(crowd, 'users', 1.0, 300).run()
    t = study.quote.table
    assert (
        t.loc['screening', ['units', 'seeds', 'retrainings']].tolist() == [120, 2, 128]
        and study.screened.identity['design']['keep'] == 0.5
    )
    whole = study.screened.frame.sort_values('shrunk', kind='stable').id.tolist()
    assert study.screened.frame.shrunk.notna().all()
    n = t.units['refining']
    assert set(study.frame().index) == {*whole[: n // 2], *whole[-(n - n // 2) :]}


@pytest.mark.parametrize('sample', [*SAMPLES])
def test_users_are_sampled_where_a_sample_is_asked_for_by_name(crowd, sample):
    "Under a ranking metric, too: so many of them, one at a time, and they are who `sample_units` says."
    offer = _offer(crowd, 'users', 1.0, 300, sample=sample)
    n = offer.table.units['screening']
    assert n < 120 and SAMPLES[sample] in offer.table.design['screening']
    study = offer.run()
    assert (
        set(study.screened.frame.id)
        == {u.users[0] for u in sample_units(crowd, 'users', n, sample, 3)}
        and 'design' not in study.screened.identity
    )


def test_top_candidates_only(crowd, tmp_path):
    "The ends of a ranking that is at hand, on seeds it never saw, for the whole budget; a kept quote is for that ranking."
    model = NCF(n_epochs=1, batch_size=64)
    ranked = deletion_sweep(Popularity(), crowd, 'items', replicates=2, **QUICK).influence(
        'ndcg', 'training'
    )

    def ask(r=ranked):
        return quote(
            model, crowd, 'items', 0.2, ranked=r, stretch=True, seed=0, store=tmp_path, **QUICK
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
        (dict(ranked=other), f'split {other.identity["split_hash"][:8]}'),
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
        _stages(first.price, {**first.asked, 'budget': first.budget / 1.1}, 60)
    assert (
        _stages(first.price, {**first.asked, 'budget': first.budget}, 60).equals(first.table)
        and ask().budget == first.budget
        and ask().table.equals(first.table)
    )


def test_a_price_can_be_told_and_is_not_measured_again(crowd, monkeypatch):
    from recinfluence.decisions import budget

    monkeypatch.setattr(budget, 'price', lambda *a, **k: pytest.fail('measured again'))
    told = Price(0.5, 2.0, None, 'fast', 1, 16)
    q = quote(
        NCF(n_epochs=1, batch_size=64), crowd, 'items', 1000, priced=told, **{**QUICK, 'jobs': 3}
    )
    assert (q.price.retraining, q.price.jobs, q.table.minutes['everything once'] * 60 * 3) == (
        0.5,
        3,
        pytest.approx(4 * 16 * 0.5 + 3 * 2),
    )  # sixty items and the full model: four batches, prepared in three processes
    with pytest.raises(ValueError, match="of engine 'fast'"):
        quote(Popularity(), crowd, 'items', 1000, priced=told, **QUICK)


def test_replicates_are_paid_for_by_whoever_prepares_them():
    "Against the sum over what each process does: sixteen lanes, two processes, one seed and seven."
    p = Price(1.0, 10.0, None, 'fast', 2, 16)
    assert [p.cost(n, 1) for n in (15, 16, 31, 32)] == [
        16 + 10,
        32 + 20,
        32 + 20,
        48 + 20,
    ] and p.cost(40, 7) == 7 * 48 + 8 * 10  # the last replicate is shared
