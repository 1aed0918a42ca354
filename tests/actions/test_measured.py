"""What is measured of an action, against plain fits and plain lists."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import stats
from shared import QUICK, noisy_mean

from recinfluence.actions import measured
from recinfluence.actions.action import Trial
from recinfluence.actions.measured import measure
from recinfluence.actions.on_items import limit, promote
from recinfluence.actions.on_users import leave_out
from recinfluence.core.random import stream
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.exposure import EXPOSURE
from recinfluence.metrics.metric import METRICS, Metric
from recinfluence.metrics.ranking import Ranked
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD
from recinfluence.show.unit_plots import EFFECT_COLUMNS
from recinfluence.sweep.run import deletion_sweep

matplotlib.use('Agg')


def test_the_effect_is_what_plain_fitting_gives(users, halves):
    "Weights by hand, plain pandas, no engine and no evaluator."
    action, split = leave_out(users, 9), halves[1]
    measured = measure(action, noisy_mean(), split, k=3, **QUICK)
    test = split.test

    def mae(train, seed, judged):
        model = noisy_mean().fit(train, seed)
        return np.mean(
            [
                abs(r - model.score([u], [i])[0, 0])
                for u, i, r in test[judged][['user', 'item', 'rating']].itertuples(index=False)
            ]
        )

    for name, judged in (
        ('everyone', test.user >= 0),
        ('the others', test.user >= 9),
        ('the chosen', test.user < 9),
    ):
        by_hand = np.mean(
            [
                mae(split.train, s, judged) - mae(split.train[split.train.user >= 9], s, judged)
                for s in measured.seeds
            ]
        )
        assert measured.row('mae', name)['effect'] == pytest.approx(by_hand, abs=1e-9)


@pytest.mark.parametrize(
    'model',
    [noisy_mean(), SVD(n_factors=4, n_epochs=3), NCF(n_epochs=1, batch_size=64)],
    ids=lambda model: type(model).__name__,
)
def test_an_idle_action_has_no_effect_at_all(model, users, halves):
    frame = measure(leave_out(users, 9, weight=1.0), model, halves[1], k=3, **QUICK).frame()
    assert (frame.effect == 0).all() and set(frame.verdict) == {'moves nothing'}


@pytest.mark.slow
def test_under_chance_the_verdict_is_right_nineteen_times_in_twenty(users, halves):
    "Users at random instead of chosen."
    split, better = halves[1], 0
    for n in range(60):
        who = stream(n, 'who').choice(90, 9, replace=False).tolist()
        better += (
            measure(
                leave_out(users, who),
                noisy_mean(),
                split,
                replicates=1,
                n_random=6,
                seed=100 + n,
                k=3,
            )
            .frame('the others')
            .set_index('metric')
            .chance['mae']
            < 0.05
        )
    assert stats.binomtest(int(better), 60, 0.05).pvalue > 0.01


def test_seeds_that_chose_are_refused_and_fresh_ones_are_used(users, halves, monkeypatch):
    used = []
    monkeypatch.setattr(
        measured,
        'Trial',
        type(
            'Spy',
            (Trial,),
            {
                '__init__': lambda self, r, e, seed, engine: (
                    used.append(seed),
                    Trial.__init__(self, r, e, seed, engine),
                )[1]
            },
        ),
    )
    fresh = measure(leave_out(users, 9), noisy_mean(), halves[1], k=3, **QUICK)
    assert used == list(fresh.seeds) and not set(used) & set(users.seeds)
    reasons = {0: 'has a part in the choice', 1: 'has a part in the choice', -1: 'from 0 to'}
    for seed, words in reasons.items():
        with pytest.raises(ValueError, match=words):
            measure(leave_out(users, 9), noisy_mean(), halves[1], seed=seed, k=3, **QUICK)


def test_it_says_whether_the_test_rows_are_unseen(users, halves):
    unseen = [measure(leave_out(users, 9), noisy_mean(), s, k=3, **QUICK) for s in halves]
    assert (
        [m.unseen for m in unseen] == [False, True]
        and 'never saw either' in unseen[1].conclusion()
        and 'not shown' in unseen[0].conclusion()
    )


def test_what_is_measured_are_the_metrics_of_the_package_and_ones_own(items, halves):
    """The eight, exposure, and one of one's own, of plain fits and plain lists.

    The item that most lists show is limited to one list.
    """
    split = halves[1]
    own = Metric('first', 'First is right', +1, True, lambda r: r.hit[:, 0])
    evaluator = Evaluator(split, 3, metrics=[*EXPOSURE, own])

    def top(seed):
        return evaluator.rank(noisy_mean().fit(split.train, seed), 27)

    item = split.items[np.bincount(top(70_000).top[:, :3].ravel()).argmax()]
    measured = measure(
        limit(items, [item], 1 / 30), noisy_mean(), split, k=3, metrics=[*EXPOSURE, own], **QUICK
    )
    frame = measured.frame().set_index('metric')
    assert (
        list(frame.index) == list(evaluator.metrics) == [*METRICS, *EXPOSURE, 'first']
        and frame.label.tolist() == [x.label for x in evaluator.metrics.values()]
        and measured.row('first')['metric'] == 'First is right'
    )
    before, after = [], []
    for seed in measured.seeds:
        full = top(seed)
        where = {
            u: t.index(i)
            for u, t in enumerate(full.top.tolist())
            for i in [int(np.searchsorted(split.items, item))]
            if i in t
        }
        keeps = min(where, key=lambda u: (where[u], u))
        limited_top = np.array(
            [
                t if u == keeps else [i for i in t if split.items[i] != item or i < 0][:3]
                for u, t in enumerate([r[:4] for r in full.top.tolist()])
                for t in [t[:3] if u == keeps else t]
            ]
        )
        before.append(evaluator(full).metrics)
        after.append(evaluator(Ranked(limited_top, full.predicted)).metrics)
    for name, metric in evaluator.metrics.items():
        without, with_it = np.mean([v[name] for v in before]), np.mean([v[name] for v in after])
        assert (frame.before[name], frame.effect[name]) == (
            pytest.approx(without),
            pytest.approx(metric.direction * (with_it - without), abs=1e-12),
        )
    assert frame.effect['gini'] > 0 and measure(
        limit(items, [item]), noisy_mean(), split, k=3, replicates=1, n_random=3
    ).frame().metric.tolist() == [*METRICS, *EXPOSURE]


def test_a_choice_by_a_metric_that_is_not_measured_is_judged_by_the_first_that_is(halves):
    own = Metric('first', 'First is right', +1, True, lambda r: r.hit[:, 0])
    ranked = deletion_sweep(
        noisy_mean(), halves[0], ids=range(20), k=3, metrics=[own], jobs=1, progress=False
    ).influence('first')
    action = leave_out(ranked, 4)
    assert 'by First is right' in repr(action)

    def run(**kw):
        return measure(action, noisy_mean(), halves[1], k=3, **QUICK, **kw)

    assert (
        ', MAP among everyone:' in run().conclusion()
        and ', First is right among everyone:' in run(metrics=[own]).conclusion()
    )


def test_frames_have_the_columns_that_plots_ask_for(users, halves):
    frame = measure(leave_out(users, 9), noisy_mean(), halves[1], k=3, **QUICK).frame()
    assert set(EFFECT_COLUMNS) <= set(frame) and frame.label.tolist() == [
        x.label for x in (METRICS | EXPOSURE).values()
    ]


def test_a_measured_action_draws_its_own_frame(users, items, halves):
    """Discs and triangles at effect over half-width for every metric that moves.

    An action on lists greys the others; who is judged is in the title.
    """
    by_users, by_lists = (
        measure([leave_out(users, 9)], noisy_mean(), halves[1], k=3, **QUICK)[0],
        measure(promote(items, 3, 2), noisy_mean(), halves[1], k=3, **QUICK),
    )
    for measured, judged in (
        (by_users, 'everyone'),
        (by_users, 'the others'),
        (by_lists, 'everyone'),
    ):
        ax = measured.plot(judged)
        frame = measured.frame(judged)
        moved = ~(
            (frame.effect == 0) & (frame.random_low == 0) & (frame.random_high == 0)
        ).to_numpy()
        half = (frame.random_high - frame.random_low)[moved] / 2
        xy = np.concatenate(
            [
                c.get_offsets()
                for c in ax.collections
                if isinstance(c, matplotlib.collections.PathCollection)
            ]
        )
        xy = xy[np.argsort(-xy[:, 1])]
        texts = [t.get_text() for t in ax.get_yticklabels()]
        assert (
            np.allclose(xy, np.c_[frame.effect[moved] / half, np.arange(len(frame))[::-1][moved]])
            and [t.split('\n')[0] for t in texts] == frame.label.tolist()
        )
        assert (
            frame.label[[t.endswith('nothing moves it') for t in texts]].tolist()
            == ['Explained Var', 'MAE', 'RMSE']
        ) == (measured is by_lists)
        title = ax.get_title('left').replace('\n', ' ')
        assert (
            measured.action.name in title
            and f'({measured.action.size} {measured.action.kind})' in title
            and title.endswith(f'ItemMean, among {judged}')
        )
    assert by_users.plot(ax=(own := plt.subplots()[1])) is own
    plt.close('all')


def test_a_recommender_without_weights_can_leave_users_out(users, halves):
    measured = measure(leave_out(users, 9), Popularity(), halves[1], k=3, **QUICK)
    evaluator = Evaluator(halves[1], 3)
    train = halves[1].train
    assert measured.row('ndcg')['effect'] == pytest.approx(
        evaluator(Popularity().fit(train[train.user >= 9]))['ndcg']
        - evaluator(Popularity().fit(train))['ndcg']
    )


def test_what_is_printed_has_four_digits_in_consoles_and_notebooks_alike(users, halves):
    measured = measure(leave_out(users, 9), noisy_mean(), halves[1], k=3, **QUICK)
    html, effect = measured._repr_html_(), measured.row('mae')['effect']
    assert repr(measured).startswith(measured.conclusion()) and html.startswith(
        f'<p>{measured.conclusion()}</p>'
    )
    for text in (repr(measured), html):
        assert f'{effect:.4g}' in text and 'helps; better than chance' in text
