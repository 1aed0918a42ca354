"""Who gets the places, counted by hand."""

import numpy as np
import pytest
from scipy import stats
from shared import noisy_mean

from recinfluence.actions.exposure_shift import exposure_shift
from recinfluence.actions.on_items import prune
from recinfluence.actions.on_users import (
    leave_out,
)
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.models.popularity import Popularity


@pytest.mark.parametrize('retrain', [True, False])
def test_shares_are_those_of_plain_fits_counted_by_hand(retrain, items, halves):
    """Places counted one by one.

    Errors by the formula written out; classes by walking down the items until each has its rows.
    """
    split = halves[1]
    gone = split.train['item'].value_counts().index[:2].tolist()
    h = exposure_shift(prune(items, gone, retrain), noisy_mean(), split, replicates=3, parts=3, k=4)
    own = split.train.groupby('user')['item'].agg(set)
    changes = {i: [] for i in split.items}
    shares = []
    for seed in (70_000, 70_001, 70_002):
        for absent in (set(), set(gone)):
            m = noisy_mean().fit(
                split.train[~split.train['item'].isin(absent)] if retrain else split.train, seed
            )
            score = dict(zip(split.items.tolist(), m.score([0], split.items)[0]))
            count = dict.fromkeys(split.items.tolist(), 0)
            for u in split.users:
                for i in sorted(
                    (i for i in score if i not in own[u] and i not in absent),
                    key=lambda i: -score[i],
                )[:4]:
                    count[i] += 1
            shares.append({i: c / sum(count.values()) for i, c in count.items()})
        for i in split.items:
            changes[i].append(shares[-1][i] - shares[-2][i])
    rows = split.train['item'].value_counts()
    rest = sorted((i for i in split.items if i not in gone), key=lambda i: (-rows[i], i))
    total, walked, where = sum(rows[i] for i in rest), 0, {i: 'the chosen' for i in gone}
    for i in rest:
        middle = walked + rows[i] / 2
        where[i] = ['1 of 3, most rated', '2 of 3', '3 of 3, least rated'][
            next(p for p in range(3) if middle < total * (p + 1) / 3)
        ]
        walked += rows[i]
    f, top = h.frame(), h.top(len(split.items))
    assert h.items['class'].astype(str).to_dict() == where and f.index.tolist() == [
        'the chosen',
        '1 of 3, most rated',
        '2 of 3',
        '3 of 3, least rated',
    ]

    def told(r, d):
        half = stats.t.ppf(0.975, 2) * np.sqrt(sum((x - np.mean(d)) ** 2 for x in d) / 2 / 3)
        assert [r.change, r.low, r.high] == pytest.approx(
            [np.mean(d), np.mean(d) - half, np.mean(d) + half], abs=1e-12
        )

    for name, r in f.iterrows():
        inside = [i for i in split.items if where[i] == name]
        told(r, np.sum([changes[i] for i in inside], 0))
        assert r['items'] == len(inside) and r['train rows'] == pytest.approx(
            rows[inside].sum() / rows.sum()
        )
        assert [r.before, r.after] == pytest.approx(
            [np.mean([sum(s[i] for i in inside) for s in shares[n::2]]) for n in (0, 1)]
        )
    for i, r in top.iterrows():
        told(r, changes[i])
    assert (
        top.change.is_monotonic_decreasing
        and f.after['the chosen'] == 0 < f.before['the chosen']
        and f.change.sum() == pytest.approx(0, abs=1e-12)
        and f[['before', 'after', 'train rows']].sum().tolist() == pytest.approx([1, 1, 1])
    )
    gained = f.change.iloc[1:].idxmax()
    assert (
        f'classes {gained} gained most' in h.conclusion
        and f'{top.label.iloc[0]}, {top.change.iloc[0]:+.2%}' in h.conclusion
        and '2 items had' in h.conclusion
    )


def test_the_next_in_line_gets_the_place_and_what_is_refused(users, items, halves):
    """By popularity alone: who stood one place below the list takes the place, all of it.

    Where nobody is shown the item nobody gains.
    """
    split = halves[1]
    e = Evaluator(split, 3)
    top = e.rank(Popularity().fit(split.train), 1).top
    count = np.bincount(top[:, :3].ravel(), minlength=len(split.items))
    at = count.argmax()
    h = exposure_shift(prune(items, [split.items[at]]), Popularity(), split, replicates=1, k=3)
    heir = np.bincount(top[(top[:, :3] == at).any(1), 3], minlength=len(split.items))
    assert count[at] > 0 == h.after[split.items[at]].sum()
    assert (
        np.allclose(
            (h.after - h.before).drop(columns=split.items[at]), np.delete(heir / count.sum(), at)
        )
        and h.frame().low.isna().all()
    )
    idle = exposure_shift(
        prune(items, [split.items[count.argmin()]]), Popularity(), split, replicates=1, k=3
    )
    assert count.min() == 0 == abs(idle.after - idle.before).to_numpy().sum()
    for call, message in (
        (lambda: exposure_shift(leave_out(users, 3), noisy_mean(), split), 'acts on users'),
        (
            lambda: exposure_shift(prune(items, 3), noisy_mean(), split, seed=1),
            'has a part in the choice',
        ),
        (lambda: exposure_shift(prune(items, 3), noisy_mean(), split, parts=1), 'two classes'),
    ):
        with pytest.raises(ValueError, match=message):
            call()
