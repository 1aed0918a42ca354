"""Validation against planted truth and plain pandas."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recinfluence.core.units import Unit
from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import careless_interactions
from recinfluence.data.splits import chrono_split, make_split
from recinfluence.decisions.validation import GAP, validate
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.metrics.evaluator import on_half
from recinfluence.models.popularity import ItemMean, Popularity
from recinfluence.sweep.run import deletion_sweep

CARELESS = careless_interactions(60, 30, careless=6, rows=16, more=6)


def noisy_mean():
    "The item's mean rating and a little noise that the seed decides, the same whoever is deleted."
    return ItemMean(noise=0.05)


@pytest.fixture(scope='module')
def planted():
    return chrono_split(load_interactions(CARELESS, name='planted'))


@pytest.fixture(scope='module')
def ranking(planted):
    first, _ = planted.halve_test()
    return deletion_sweep(noisy_mean(), first, replicates=2, k=3, jobs=1, progress=False).influence(
        'mae', 'training'
    )


@pytest.fixture(scope='module')
def judged(planted, ranking):
    _, second = planted.halve_test()
    return validate(
        noisy_mean(),
        second,
        ranking,
        sizes=(1, 6),
        n_random=6,
        replicates=4,
        k=3,
        jobs=1,
        progress=False,
    )


def test_planted_harm_is_found_on_the_unseen_half(judged):
    frame = judged.frame()
    assert (
        len(
            set(
                judged.groups[(judged.groups.end == 'worst') & (judged.groups['size'] == 6)]
                .unit.iloc[0]
                .users
            )
            & set(range(6))
        )
        >= 5
    )
    assert (
        frame.loc[('worst', 6)].difference < 0
        and frame.loc[('worst', 6)].q < 0.01
        and frame.loc[(GAP, 6)].q < 0.05
        and judged.unseen
    )
    assert (
        'The worst ' in judged.conclusion()
        and 'helped less' in judged.conclusion()
        and 'it never saw either' in judged.conclusion()
    )


def test_difference_and_error_by_plain_pandas(judged):
    raw = judged.sweep.frame()
    raw = raw[raw.metric == 'mae']
    frame = judged.frame()

    def mean(keys):
        return raw[raw.unit.isin(keys)].groupby('seed').training.mean()

    differences = {}
    for end in ('best', 'worst'):
        groups = judged.groups[(judged.groups.end == end) & (judged.groups['size'] == 6)]
        difference = differences[end] = mean(groups[groups.role == 'chosen'].key) - mean(
            groups[groups.role == 'matched'].key
        )
        row = frame.loc[(end, 6)]
        assert (difference.mean(), difference.sem()) == pytest.approx(
            (row.difference, row.difference_se)
        ) and row.p == pytest.approx(stats.ttest_1samp(difference, 0).pvalue)
        each = (
            raw[raw.unit.isin(groups[groups.role == 'matched'].key)].groupby('unit').training.mean()
        )
        assert (row.low + row.high) / 2 == pytest.approx(
            each.mean()
        ) and row.high - row.low >= 2 * stats.t.ppf(0.975, 5) * each.std() * np.sqrt(1 + 1 / 6) * (
            1 - 1e-9
        )
    difference = differences['best'] - differences['worst']
    assert (frame.loc[(GAP, 6)].difference, frame.loc[(GAP, 6)].difference_se) == pytest.approx(
        (difference.mean(), difference.sem())
    )
    assert (
        frame.outside == ((frame.estimate < frame.low) | (frame.estimate > frame.high))
    ).all() and np.allclose(frame.q, stats.false_discovery_control(frame.chance))


def test_parts_add_up_and_any_metric_can_be_asked(judged):
    whole, mechanical, training = (
        judged.table('ndcg', p) for p in ('whole', 'mechanical', 'training')
    )
    assert np.allclose(whole, mechanical + training) and judged.frame('ndcg').shape[0] == 6
    with pytest.raises(ValueError, match='metric='):
        judged.frame('accuracy')
    with pytest.raises(ValueError, match='part='):
        judged.frame(part='half')


def test_seeds_that_chose_cannot_judge(planted, ranking):
    with pytest.raises(ValueError, match='seed 1 has chosen'):
        validate(noisy_mean(), planted, ranking, sizes=(1,), seed=1, k=3, progress=False)


def test_seen_and_unseen_test_rows_are_told_apart(planted, ranking):
    def unseen(split):
        return validate(
            noisy_mean(),
            split,
            ranking,
            sizes=(1,),
            n_random=3,
            replicates=1,
            k=3,
            jobs=1,
            progress=False,
        )

    first, second = planted.halve_test()
    other = planted.halve_test(seed=1)[1]
    elsewhere = make_split(planted.train, planted.test, planted.interactions, method='by hand')
    assert [unseen(s).unseen for s in (second, first, planted, other, elsewhere)] == [
        True,
        False,
        False,
        False,
        None,
    ]
    assert (
        'it was made from' in unseen(first).conclusion()
        and 'not known' in unseen(elsewhere).conclusion()
    )


def test_one_sweep_ranks_on_a_half_and_is_judged_on_the_other(planted):
    "A sweep with `on_half` is the sweep of the halved split, and the other half is still unseen."
    first, second = planted.halve_test()
    settings = dict(replicates=2, k=3, jobs=1, progress=False)
    apart = deletion_sweep(noisy_mean(), first, **settings).influence('map', 'training')
    whole = deletion_sweep(noisy_mean(), planted, metrics=[on_half(planted)], **settings)
    both = whole.influence('map_half_0', 'training')
    pd.testing.assert_frame_equal(both.table, apart.table)
    judge = dict(sizes=(3,), n_random=4, replicates=2, k=3, jobs=1, progress=False)
    one, other = (validate(noisy_mean(), second, i, **judge) for i in (both, apart))
    assert one.metric == 'map' and one.unseen is True and 'never saw either' in one.conclusion()
    pd.testing.assert_frame_equal(one.frame(), other.frame())
    assert (
        validate(noisy_mean(), first, both, **judge).unseen is False
        and validate(noisy_mean(), second, whole.influence('map', 'training'), **judge).unseen
        is False
    )
    with pytest.raises(ValueError, match='choose one of'):
        on_half(planted, 'mae')


def test_resumed_and_repeated_it_is_the_same(planted, ranking, tmp_path, judged):
    _, second = planted.halve_test()
    settings = dict(sizes=(1, 6), n_random=6, k=3, jobs=1, progress=False, store=tmp_path / 'v.db')
    validate(noisy_mean(), second, ranking, **{**settings, 'replicates': 2})
    again = validate(noisy_mean(), second, ranking, replicates=4, **settings)
    pd.testing.assert_frame_equal(again.frame(), judged.frame())


def test_items_and_random_group_rankings(planted):
    first, second = planted.halve_test()
    items = deletion_sweep(Popularity(), first, 'items', k=3, jobs=1, progress=False).influence(
        'ndcg', 'training'
    )
    validation = validate(
        Popularity(),
        second,
        items,
        sizes=(1, 3),
        n_random=3,
        replicates=1,
        k=3,
        jobs=1,
        progress=False,
    )
    assert (
        set(validation.groups.unit.map(lambda u: u.kind)) == {'item', 'items'}
        and len(validation.frame()) == 6
    )
    users = deletion_sweep(
        Popularity(), first, RandomGroups(per_seed=16), replicates=4, k=3, jobs=1, progress=False
    ).influence('ndcg')
    assert (
        len(
            validate(
                Popularity(),
                second,
                users,
                sizes=(3,),
                n_random=3,
                replicates=1,
                k=3,
                jobs=1,
                progress=False,
            ).frame()
        )
        == 3
    )


def test_named_groups(planted):
    validation = validate(
        noisy_mean(),
        planted,
        {'careless': Unit(users=tuple(range(6))), 'item 3': Unit(items=(3,))},
        n_random=6,
        replicates=2,
        k=3,
        jobs=1,
        progress=False,
    )
    frame = validation.frame('mae')
    assert (
        list(frame.index) == [('careless', 6), ('item 3', 1)]
        and frame.q.iloc[0] < 0.01
        and frame.difference.iloc[0] < 0
        and validation.unseen is None
    )
    assert (
        validation.conclusion('mae').startswith('By MAE, careless (6) helped less')
        and len(validation.plot('mae')) == 2
    )


def test_what_cannot_be_asked_is_refused(planted, ranking, judged):
    for settings, words in (
        (dict(sizes=(0, 3)), 'from 1 to 30'),
        (dict(sizes=(31,)), 'from 1 to 30'),
        (dict(n_random=2), 'fewer than 3'),
    ):
        with pytest.raises(ValueError, match=words):
            validate(noisy_mean(), planted, ranking, **{'sizes': (1,), **settings})
    groups = deletion_sweep(
        noisy_mean(), planted, [Unit(users=(1, 2)), Unit(users=(3, 4))], k=3, jobs=1, progress=False
    ).influence('mae')
    with pytest.raises(ValueError, match='single users or items'):
        validate(noisy_mean(), planted, groups, sizes=(1,))


def test_it_shows_itself(judged):
    left, right = judged.plot()
    assert (
        'MAE' in left.get_ylabel()
        and 'half-widths' in right.get_ylabel()
        and judged.conclusion() in judged._repr_html_()
        and judged.conclusion() in repr(judged)
    )


def test_a_metric_that_cannot_see_the_model_says_so(planted):
    validation = validate(
        Popularity(),
        planted,
        {'two': Unit(users=(7, 8))},
        n_random=3,
        replicates=1,
        candidates='test',
        jobs=1,
        progress=False,
    )
    assert 'cannot see the model' in validation.conclusion('ndcg')
