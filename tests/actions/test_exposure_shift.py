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
    shift = exposure_shift(
        prune(items, gone, retrain), noisy_mean(), split, replicates=3, parts=3, k=4
    )
    own = split.train.groupby('user')['item'].agg(set)
    changes = {i: [] for i in split.items}
    shares = []
    for seed in (70_000, 70_001, 70_002):
        for absent in (set(), set(gone)):
            model = noisy_mean().fit(
                split.train[~split.train['item'].isin(absent)] if retrain else split.train, seed
            )
            score = dict(zip(split.items.tolist(), model.score([0], split.items)[0]))
            count = dict.fromkeys(split.items.tolist(), 0)
            for user in split.users:
                for item in sorted(
                    (i for i in score if i not in own[user] and i not in absent),
                    key=lambda i: -score[i],
                )[:4]:
                    count[item] += 1
            shares.append({i: c / sum(count.values()) for i, c in count.items()})
        for item in split.items:
            changes[item].append(shares[-1][item] - shares[-2][item])
    rows = split.train['item'].value_counts()
    rest = sorted((i for i in split.items if i not in gone), key=lambda i: (-rows[i], i))
    total, walked, where = sum(rows[i] for i in rest), 0, {i: 'the chosen' for i in gone}
    for item in rest:
        middle = walked + rows[item] / 2
        where[item] = ['1 of 3, most rated', '2 of 3', '3 of 3, least rated'][
            next(p for p in range(3) if middle < total * (p + 1) / 3)
        ]
        walked += rows[item]
    frame, top = shift.frame(), shift.top(len(split.items))
    assert shift.items['class'].astype(str).to_dict() == where and frame.index.tolist() == [
        'the chosen',
        '1 of 3, most rated',
        '2 of 3',
        '3 of 3, least rated',
    ]

    def told(row, difference):
        half = stats.t.ppf(0.975, 2) * np.sqrt(
            sum((x - np.mean(difference)) ** 2 for x in difference) / 2 / 3
        )
        assert [row.change, row.low, row.high] == pytest.approx(
            [np.mean(difference), np.mean(difference) - half, np.mean(difference) + half], abs=1e-12
        )

    for name, row in frame.iterrows():
        inside = [i for i in split.items if where[i] == name]
        told(row, np.sum([changes[i] for i in inside], 0))
        assert row['items'] == len(inside) and row['train rows'] == pytest.approx(
            rows[inside].sum() / rows.sum()
        )
        assert [row.before, row.after] == pytest.approx(
            [np.mean([sum(s[i] for i in inside) for s in shares[n::2]]) for n in (0, 1)]
        )
    for item, row in top.iterrows():
        told(row, changes[item])
    assert (
        top.change.is_monotonic_decreasing
        and frame.after['the chosen'] == 0 < frame.before['the chosen']
        and frame.change.sum() == pytest.approx(0, abs=1e-12)
        and frame[['before', 'after', 'train rows']].sum().tolist() == pytest.approx([1, 1, 1])
    )
    gained = frame.change.iloc[1:].idxmax()
    assert (
        f'classes {gained} gained most' in shift.conclusion
        and f'{top.label.iloc[0]}, {top.change.iloc[0]:+.2%}' in shift.conclusion
        and '2 items had' in shift.conclusion
    )


def test_the_next_in_line_gets_the_place_and_what_is_refused(users, items, halves):
    """By popularity alone: who stood one place below the list takes the place, all of it.

    Where nobody is shown the item nobody gains.
    """
    split = halves[1]
    evaluator = Evaluator(split, 3)
    top = evaluator.rank(Popularity().fit(split.train), 1).top
    count = np.bincount(top[:, :3].ravel(), minlength=len(split.items))
    at = count.argmax()
    shift = exposure_shift(prune(items, [split.items[at]]), Popularity(), split, replicates=1, k=3)
    heir = np.bincount(top[(top[:, :3] == at).any(1), 3], minlength=len(split.items))
    assert count[at] > 0 == shift.after[split.items[at]].sum()
    assert (
        np.allclose(
            (shift.after - shift.before).drop(columns=split.items[at]),
            np.delete(heir / count.sum(), at),
        )
        and shift.frame().low.isna().all()
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
