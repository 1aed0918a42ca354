"""What the plots draw, against the frames they are drawn from.

That it can be read at a column's width and without colour vision.
"""

from dataclasses import replace

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from scipy import stats

from recinfluence.data.splits import make_split
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.metrics.metric import METRICS, RANKING, Metric
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.show.plots import (
    first_units,
    influence_against,
    influence_bars,
    ranked_influence,
    replicate_agreement,
    seed_agreement,
)
from recinfluence.show.theme import COLUMN, HELPS, HURTS, NEUTRAL
from recinfluence.show.unit_plots import (
    action_effects,
    every_metric,
    intervals,
    ratings_over_time,
    unit_profile,
)
from recinfluence.sweep.run import deletion_sweep


@pytest.fixture(scope='module')
def sweep(tiny):
    return deletion_sweep(
        NCF(n_epochs=4, batch_size=32), tiny, replicates=4, k=3, jobs=1, progress=False
    )


@pytest.fixture(scope='module')
def influence(sweep):
    return sweep.influence('rmse')


@pytest.fixture
def effects():
    return pd.DataFrame(
        [
            ('MAP', 0.004, 0.003, 0.005, 0.0, -0.001, 0.001),
            ('MAE', -0.005, -0.006, -0.004, 0, -0.001, 0.001),
            ('NDCG', 0.001, -0.002, 0.003, 0.0005, -0.001, 0.002),
        ],
        columns=['label', 'effect', 'low', 'high', 'random', 'random_low', 'random_high'],
    )


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close('all')


def points(ax):
    return np.concatenate(
        [
            c.get_offsets()
            for c in ax.collections
            if isinstance(c, matplotlib.collections.PathCollection)
        ]
    )


def segments(ax):
    return np.concatenate(
        [
            c.get_segments()
            for c in ax.collections
            if isinstance(c, matplotlib.collections.LineCollection)
        ]
    )


def test_ranked_influence_draws_every_estimate_interval_and_the_placebo_band(influence):
    ax = ranked_influence(influence)
    frame = influence.frame
    xy = points(ax)
    assert np.allclose(
        xy[np.argsort(xy[:, 0])], np.c_[np.arange(1, len(frame) + 1), frame.estimate]
    )
    assert np.allclose(segments(ax)[:, :, 1], frame[['low', 'high']])
    band = next(p for p in ax.patches if p.get_width() == 1)
    assert np.allclose(
        [band.get_y(), band.get_height()], [-influence.placebo, 2 * influence.placebo]
    )
    clear = frame.q < 0.05
    said = {t.get_text() for t in ax.get_legend().get_texts()}
    assert said == {
        f'{n} ({k})'
        for n, k in (
            ('helps', (clear & (frame.estimate > 0)).sum()),
            ('hurts', (clear & (frame.estimate < 0)).sum()),
            ('unclear', (~clear).sum()),
        )
        if k
    }


def test_influence_against_correlates_as_scipy_does(influence, tiny):
    frame = influence.frame

    def said(ax):
        return ax.get_title('left').replace('\n', ' ').split('Spearman ')[1].split()[0]

    assert (
        said(influence_against(influence))
        == f'{stats.spearmanr(frame.n_train, frame.estimate)[0]:+.2f}'
    )
    mean = tiny.train.groupby('user').rating.mean()
    ax = influence_against(influence, mean[mean.index > 4], 'own')  # others by id, some missing
    kept = frame[frame.id > 4]
    assert (
        said(ax) == f'{stats.spearmanr(mean.reindex(kept.id), kept.estimate)[0]:+.2f}'
        and ax.get_xlabel() == 'own'
    )
    with pytest.raises(ValueError, match='indexed by the units'):
        influence_against(influence, pd.Series({'nobody': 1.0}))


def test_replicate_agreement_shows_the_correlation_of_each_pair(influence, tiny):
    ax = replicate_agreement(influence)
    table = influence.without_mechanical.table
    wanted = [
        f'{stats.spearmanr(table[a], table[b])[0]:+.2f}' for a in range(1, 4) for b in range(a)
    ]
    assert sorted(t.get_text() for t in ax.texts) == sorted(wanted)
    with pytest.raises(ValueError, match='replicates=2'):
        replicate_agreement(
            deletion_sweep(
                Popularity(), tiny, ids=range(4), k=3, jobs=1, progress=False
            ).influence()
        )


def test_every_metric_is_each_influence_and_the_profile_draws_it(sweep, influence):
    each = every_metric(influence)
    for metric in METRICS:
        of_metric = sweep.influence(metric)
        frame = each.xs(metric, level='metric')
        pd.testing.assert_series_equal(frame.estimate, of_metric.frame.estimate)
        assert (
            frame.placebo.eq(of_metric.placebo).all()
            and np.isclose(frame.typical, np.sqrt(np.mean(of_metric.frame.estimate**2))).all()
            and np.isclose(frame.full, sweep.full()[metric].mean()).all()
        )
    ax = unit_profile(influence, 'user 7', each)
    frame = each.loc['user 7']
    xy = points(ax)
    assert np.allclose(
        xy[np.argsort(-xy[:, 1]), 0], frame.estimate / frame.typical
    ) and np.allclose(segments(ax)[:, :, 0], frame[['low', 'high']].div(frame.typical, axis=0))
    assert np.allclose([p.get_width() for p in ax.patches], 2 * frame.placebo / frame.typical)
    with pytest.raises(ValueError, match="such as 'user"):
        unit_profile(influence, 'user 700', each)


def test_random_groups_have_profiles_of_the_ranking_metrics(tiny):
    influence = deletion_sweep(
        NCF(n_epochs=2, batch_size=32),
        tiny,
        RandomGroups(per_seed=16),
        replicates=4,
        k=3,
        jobs=1,
        progress=False,
    ).influence('ndcg')
    assert every_metric(influence).index.unique('metric').tolist() == RANKING and len(
        points(unit_profile(influence, 'user 3'))
    ) == len(RANKING)
    assert 'block' in replicate_agreement(influence).get_xlabel()


def test_action_effects_are_measured_against_their_random_control(effects):
    ax = action_effects(effects)
    xy = points(ax)
    assert np.allclose(xy[np.argsort(-xy[:, 1]), 0], [4, -5, 0.001 / 0.0015])
    by = {
        c.get_label(): len(c.get_offsets())
        for c in ax.collections
        if isinstance(c, matplotlib.collections.PathCollection)
    }
    assert by == {'better than random': 1, 'worse than random': 1, 'not beyond random': 1}
    with pytest.raises(ValueError, match='no interval'):
        action_effects(effects.assign(random_low=0.0, random_high=0.0))
    with pytest.raises(ValueError, match="'random'"):
        action_effects(effects.drop(columns='random'))


def test_rows_that_nothing_moves_are_greyed_and_only_they(effects):
    still = pd.DataFrame([('RMSE', 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)], columns=effects.columns)
    both = pd.concat(
        [effects.head(1), still, effects.tail(2)]
    )  # an index with repetitions, as of tables put together
    ax = action_effects(both)
    xy = points(ax)
    texts = ax.get_yticklabels()
    assert np.allclose(
        xy[np.argsort(-xy[:, 1])], [(4, 3), (-5, 1), (0.001 / 0.0015, 0)]
    ) and ax.get_yticks().tolist() == [3, 2, 1, 0]  # the others stand where they stood
    assert [(t.get_text().split('\n')[1], t.get_color()) for t in texts] == [
        ('+0.004', 'black'),
        ('nothing moves it', NEUTRAL),
        ('−0.005', 'black'),
        ('+0.001', 'black'),
    ]
    assert len(points(action_effects(effects.assign(random=0.001)))) == 3 and [
        t.get_text() for t in action_effects(still).get_yticklabels()
    ] == ['RMSE\nnothing moves it']
    for real in (
        effects.assign(random_low=np.nan, random_high=np.nan),
        pd.concat([still, effects.assign(random_low=0.0, random_high=0.0)]),
        pd.concat([effects, still.assign(random_low=np.nan, random_high=np.nan)]),
    ):
        with pytest.raises(ValueError, match='no interval. Repeat it on two replicates'):
            action_effects(real)


def test_metrics_of_ones_own_are_drawn_by_every_plot_and_what_is_not_paired_says_so(tiny):
    class Loose(Popularity):
        paired = False

    own = Metric('first', 'First is right', +1, True, lambda r: r.hit[:, 0])
    sweep = deletion_sweep(
        Loose(), tiny, replicates=3, k=3, metrics=['gini', 'novelty', own], jobs=1, progress=False
    )
    for name, label in (('gini', 'Gini'), ('novelty', 'Novelty'), ('first', 'First is right')):
        influence = sweep.influence(name)
        each = every_metric(influence)
        assert each.index.unique('metric').tolist() == [
            *METRICS,
            'first',
            'gini',
            'novelty',
        ] and each.loc['user 7'].printed.tolist()[8:] == ['First is right', 'Gini', 'Novelty']
        drawn = [
            influence_bars(influence),
            first_units(influence),
            ranked_influence(influence),
            influence_against(influence),
            replicate_agreement(influence),
            unit_profile(influence, 'user 7', each),
            seed_agreement(sweep, name),
        ]
        for ax in drawn:
            texts = ' '.join(t.get_text() for t in ax.findobj(matplotlib.text.Text)).replace(
                '\n', ' '
            )
            assert label in texts and 'not paired' in texts, ax.get_title('left')
        plt.close('all')
    groups = deletion_sweep(
        Popularity(),
        tiny,
        RandomGroups(per_seed=16),
        replicates=4,
        k=3,
        metrics=['gini', 'novelty'],
        jobs=1,
        progress=False,
    ).influence('novelty')
    assert (
        every_metric(groups).index.unique('metric').tolist() == [*RANKING, 'novelty']
        and 'Novelty' in ranked_influence(groups).get_ylabel()
    )


def test_ratings_over_time_draws_every_rating_once(tiny):
    ax = ratings_over_time(tiny, 'user', 5)
    own = tiny.interactions.frame[tiny.interactions.frame.user == 5]
    xy = points(ax)
    known = own[own.item.isin(tiny.items)]
    order = np.argsort(xy[:, 0])
    assert np.allclose(xy[order, 0], known.timestamp.sort_values()) and np.allclose(
        np.round(xy[order, 1]), known.sort_values('timestamp').rating
    )


def test_times_in_another_unit_are_drawn_as_an_order(tiny):
    "Milliseconds taken as seconds are years that no calendar has."
    since = 1_700_000_000_000
    parts = [part.assign(timestamp=since + part.timestamp) for part in (tiny.train, tiny.test)]
    ax = ratings_over_time(make_split(*parts), 'user', 5)
    assert ax.get_xlabel() == 'timestamp' and points(ax)[:, 0].min() >= since


def on_data_called(influence, name):
    "The same influence, as if the data had another name."
    snapshot = influence.estimator.snapshot
    renamed = replace(snapshot, experiment=replace(snapshot.experiment, data=name))
    return replace(influence, estimator=replace(influence.estimator, snapshot=renamed))


def test_a_column_wide_legible_and_nothing_cut_off(influence, effects, tiny):
    influence = on_data_called(influence, 'Interactions of a shop with a long name')
    assert 'Interactions of a shop' in influence.source
    for ax in (
        ranked_influence(influence),
        influence_against(influence),
        replicate_agreement(influence),
        unit_profile(influence, 'user 7'),
        action_effects(effects, 'an action'),
        intervals(
            influence.frame.head(5).assign(label='A film with a very long title (1996)'),
            'influence on Explained Var',
        ),
        ratings_over_time(tiny, 'item', 3),
    ):
        figure = ax.figure
        figure.draw_without_rendering()
        frame = figure.bbox.padded(3)
        texts = [
            t
            for t in figure.findobj(matplotlib.text.Text)
            if t.get_visible() and t.get_text().strip() and t.get_window_extent().width
        ]
        assert figure.get_figwidth() == COLUMN and min(t.get_fontsize() for t in texts) >= 7

        def inside(box):
            return (
                frame.x0 <= box.x0
                and box.x1 <= frame.x1
                and frame.y0 <= box.y0
                and box.y1 <= frame.y1
            )

        words = [
            t
            for t in texts
            if t.get_text() in (ax.get_title('left'), ax.get_xlabel(), ax.get_ylabel())
        ] + [a for a in [ax.get_legend()] if a]
        assert words and all(inside(t.get_window_extent()) for t in words), ax.get_title('left')


def test_given_axes_are_drawn_into_and_keep_their_sizes(influence, effects, tiny):
    for draw in (
        lambda ax: ranked_influence(influence, ax=ax),
        lambda ax: influence_against(influence, ax=ax),
        lambda ax: unit_profile(influence, 'user 7', ax=ax),
        lambda ax: action_effects(effects, ax=ax),
        lambda ax: replicate_agreement(influence, ax=ax),
        lambda ax: ratings_over_time(tiny, 'user', 5, ax=ax),
        lambda ax: influence_bars(influence, ax=ax),
    ):
        ax = plt.subplots()[1]
        n = len(plt.get_fignums())
        assert (
            draw(ax) is ax and len(plt.get_fignums()) == n and ax.xaxis.label.get_fontsize() == 10
        )


@pytest.mark.parametrize(
    'seen',
    [
        np.eye(3),
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
        [[0.2126, 0.7152, 0.0722]] * 3,
    ],
    ids=['all', 'deutan', 'protan', 'tritan', 'grey'],
)
def test_the_colours_can_be_told_apart(seen):
    """Under the colour-blindness matrices of Machado, Oliveira and Fernandes (2009), and in grey
    print: difference in CIE L*a*b*.
    """

    def lab(color):
        rgb = np.array(to_rgb(color))
        rgb = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        rgb = np.clip(np.array(seen) @ rgb, 0, 1)
        xyz = (
            np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
            @ rgb
            / [0.9505, 1, 1.089]
        )
        root = np.cbrt(xyz)
        return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])

    assert np.linalg.norm(lab(HELPS) - lab(HURTS)) > 15
