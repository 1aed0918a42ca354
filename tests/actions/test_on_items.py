"""What is done to the lists, against plain rules."""

import numpy as np
import pytest
from shared import QUICK, noisy_mean, random_lists

from recinfluence.actions.action import Trial
from recinfluence.actions.measured import measure
from recinfluence.actions.on_items import limit, limit_in_lists, promote, promote_in_lists, prune
from recinfluence.metrics.evaluator import Evaluator


@pytest.mark.parametrize('seed', range(30))
def test_limited_is_the_plain_greedy_rule(seed):
    top, chosen = random_lists(seed)
    most = 1 + seed % 7
    keep = {(u, p): True for u, p in np.ndindex(*top.shape)}
    for item in np.flatnonzero(chosen):
        for user, place in sorted(
            ((u, p) for u, p in np.ndindex(*top.shape) if top[u, p] == item),
            key=lambda x: (x[1], x[0]),
        )[most:]:
            keep[user, place] = False
    plain = [
        [i for p, i in enumerate(row) if i >= 0 and keep[u, p]]
        for u, row in enumerate(top.tolist())
    ]
    assert [
        [i for i in row if i >= 0] for row in limit_in_lists(top, chosen, most).tolist()
    ] == plain


@pytest.mark.parametrize('seed', range(30))
def test_limiting_everybody_lowers_gini_by_construction(seed):
    top, _ = random_lists(seed)
    most = 3 + seed % 9

    def count(lists):
        return np.bincount(lists[:, :4][lists[:, :4] >= 0], minlength=14)

    before, after = count(top), count(limit_in_lists(top, np.ones(14, bool), most))
    assert after.max() <= most and (after >= np.minimum(before, most)).all()

    def gini(counts):
        return np.abs(counts[:, None] - counts).mean() / 2 / counts.mean()

    if after.sum() == before.sum():
        assert gini(after) <= gini(before) + 1e-12 and (
            gini(after) < gini(before) or before.max() <= most
        )


@pytest.mark.parametrize('seed', range(20))
def test_promoted_is_the_plain_rule(seed):
    top, chosen = random_lists(seed)
    places = seed % 5
    for row, out in zip(top.tolist(), promote_in_lists(top, chosen, places).tolist()):
        real = [i for i in row if i >= 0]
        assert [i for i in out if i >= 0] == [
            i for _, i in sorted((p - (places + 0.5) * chosen[i], i) for p, i in enumerate(real))
        ] and sorted(out) == sorted(row)


def test_item_actions_do_what_they_say_to_the_lists(items, halves):
    split = halves[1]
    evaluator = Evaluator(split, 3)
    trial = Trial(noisy_mean(), evaluator, 5)
    full = evaluator.rank(noisy_mean().fit(split.train, 5), len(split.items))
    worst = items.frame.id.iloc[-4:].tolist()
    best = items.frame.id.iloc[:4].tolist()
    gone = np.isin(split.items, worst)
    for action in (prune(items, 4), prune(items, 4, retrain=True)):
        (result,) = action.do(trial, [action.doses])
        assert set(action.doses.index) == set(worst) and np.array_equal(
            result.top[:, :3], full.drop(gone).top[:, :3]
        )  # this model's items do not know of each other
    (result,) = (promotion := promote(items, 4, 2)).do(trial, [promotion.doses])

    def count(lists):
        return np.isin(lists[:, :3], np.searchsorted(split.items, best)).sum()

    assert set(promotion.doses.index) == set(best) and count(result.top) > count(full.top)
    (result,) = (limited := limit(items, split.items.tolist())).do(trial, [limited.doses])
    shown = result.top[:, :3]
    assert np.bincount(shown[shown >= 0]).max() <= np.ceil(90 * 3 / 30)
    frame = measure(limited, noisy_mean(), split, k=3, **QUICK).frame().set_index('metric')
    assert frame.effect['gini'] > 0 and frame.effect['coverage'] > 0


def test_pruned_items_stay_in_the_test_as_misses(items, halves):
    split = halves[1]
    evaluator = Evaluator(split, 3)
    action = prune(items, 4, retrain=True)
    frame = measure(action, noisy_mean(), split, k=3, **QUICK).frame().set_index('metric')
    expected = []
    for seed in range(70_000, 70_004):
        lists = evaluator.rank(noisy_mean().fit(split.train, seed), 30)
        expected.append(
            evaluator(lists.drop(np.isin(split.items, action.doses.index))).metrics['recall']
            - evaluator(lists).metrics['recall']
        )
    assert frame.effect['recall'] == pytest.approx(np.mean(expected))
