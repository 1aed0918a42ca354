"""Samples: the shares and the chances that they promise."""

import numpy as np
import pandas as pd
import pytest

from recinfluence.designs.samples import sample_units


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
