"""Metrics of one's own come in through the door of the built-in ones, up to influence and plans."""

from dataclasses import replace

import numpy as np
import pytest

from recinfluence.core.units import Unit
from recinfluence.decisions.planning import plan
from recinfluence.decisions.validation import validate
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.engines.deletion import Replicate, deletions
from recinfluence.influence.from_groups import group_influence
from recinfluence.influence.influence import Influence
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.exposure import EXPOSURE
from recinfluence.metrics.metric import METRICS, RANKING, Metric
from recinfluence.models.ncf import NCF
from recinfluence.models.popularity import Popularity
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store, StoreError


def recall(results):
    return results.hit.sum(1) / np.maximum(results.relevant, 1)


def mae(results):
    return np.abs(results.rating - results.predicted).mean()


AGAIN = [
    Metric('own_recall', 'Own recall', +1, True, recall),
    Metric('own_mae', 'Own MAE', -1, False, mae),
]  # two of the eight, written anew


@pytest.mark.parametrize(
    'engine', [pytest.param('reference', marks=pytest.mark.slow), 'fast', 'stacked']
)
def test_a_copy_of_a_built_in_metric_has_its_influence(tiny, engine):
    model = NCF(n_epochs=2, batch_size=32)
    for units in (
        dict(units='users', ids=range(6)),
        dict(units='items', ids=range(4)),
        dict(units=RandomGroups(per_seed=24)),
    ):
        sweep = deletion_sweep(
            model,
            tiny,
            **units,
            replicates=3,
            k=3,
            metrics=AGAIN,
            engine=engine,
            jobs=1,
            progress=False,
        )
        for own, built_in in [('own_recall', 'recall')] + (
            [] if 'ids' not in units else [('own_mae', 'mae')]
        ):
            copied, original = sweep.influence(own), sweep.influence(built_in)
            columns = ['estimate', 'se', 'q', 'mechanical', 'training']
            assert (
                np.allclose(
                    copied.frame.loc[original.frame.index, columns],
                    original.frame[columns],
                    atol=1e-12,
                    equal_nan=True,
                )
                and copied.frame.estimate.abs().max() > 0
            )
    assert np.allclose(
        group_influence(sweep, 'own_recall'), group_influence(sweep, 'recall'), atol=1e-12
    )
    with pytest.raises(ValueError, match='a mean over users.*own_recall'):
        sweep.influence('own_mae')


def test_mechanical_part_by_hand(tiny):
    "A user goes, or the most recommended item: the full model's lists, nothing retrained."
    hit_rate = Metric('hit_rate', 'Hit rate', +1, True, lambda r: r.hit.any(1))
    judge = Evaluator(tiny, 2, metrics=[hit_rate, 'coverage', 'popularity'])
    replicate = Replicate(Popularity(), judge)
    top = judge.rank(replicate.model, longer=1).top
    rows = judge.train_rows
    tests = {
        u: set(np.searchsorted(tiny.items, g).tolist())
        for u, g in tiny.test.groupby('user')['item']
    }
    hits = [
        bool(set(t[:2].tolist()) & tests[u]) for u, t in zip(tiny.users.tolist(), top)
    ]  # everybody has test rows here
    for user in (2, 17):
        deletion = replicate.delete(Unit(users=(int(tiny.users[user]),)))
        rest = np.delete(np.arange(len(top)), user)
        assert deletion.mechanical('hit_rate') == pytest.approx(
            np.mean(hits) - np.mean(np.delete(hits, user)), abs=1e-15
        )
        assert deletion.mechanical('coverage') == pytest.approx(
            (len(np.unique(top[:, :2])) - len(np.unique(top[rest, :2]))) / len(tiny.items),
            abs=1e-15,
        )
        assert deletion.mechanical('hit_rate') + deletion.training('hit_rate') == pytest.approx(
            deletion.influence('hit_rate'), abs=1e-15
        )
    item = int(np.bincount(top[:, 0]).argmax())
    deletion = replicate.delete(Unit(items=(int(tiny.items[item]),)))
    without = np.stack([t[t != item][:2] for t in top])
    judged = [bool(tests[u] - {item}) for u in tiny.users.tolist()]
    assert deletion.mechanical('popularity') == pytest.approx(
        -(rows[top[:, :2]].mean() - rows[without][judged].mean())
    )  # lower is better


def test_deleting_nothing_is_nothing_and_direction_is_kept(tiny):
    up, down = (
        EXPOSURE['popularity'],
        replace(EXPOSURE['popularity'], name='likes_popular', direction=+1),
    )
    judge = Evaluator(tiny, 3, metrics=[up, down, 'gini'])
    nothing, someone = deletions(NCF(n_epochs=1, batch_size=32), judge, [Unit(), Unit(users=(5,))])
    assert all(nothing.influence(m) == nothing.training(m) == 0 for m in judge.metrics)
    assert someone.influence('popularity') == -someone.influence(
        'likes_popular'
    ) != 0 and 'Popularity' in repr(someone)


def test_the_eight_stay_as_they_are_and_processes_agree(tiny):
    def run(**kw):
        return deletion_sweep(
            NCF(n_epochs=1, batch_size=32), tiny, 'users', ids=range(6), k=3, progress=False, **kw
        )

    plain, more, split_up = (
        run(jobs=1),
        run(jobs=1, metrics=[*EXPOSURE, *AGAIN]),
        run(jobs=2, metrics=[*EXPOSURE, *AGAIN]),
    )
    frame = more.frame()
    assert (
        plain.frame().equals(frame[frame.metric.isin(METRICS)].reset_index(drop=True))
        and 'metrics' not in plain.experiment.to_dict()
    )
    assert (
        list(more.full()) == [*METRICS, *sorted([*EXPOSURE, 'own_recall', 'own_mae'])]
        and more.store.content_hash() == split_up.store.content_hash()
    )


def test_a_store_knows_its_metrics(tiny, tmp_path):
    def run(metrics):
        return deletion_sweep(
            Popularity(),
            tiny,
            'users',
            ids=[1, 2],
            k=3,
            metrics=metrics,
            jobs=1,
            progress=False,
            store=tmp_path / 's.db',
        )

    def best(n):
        return Metric('best', 'Best place', +1, True, lambda r: r.hit[:, :n].any(1))

    first = run([best(1)]).store.content_hash()
    assert run([best(1)]).store.content_hash() == first
    for other in (
        [best(2)],
        [],
        [replace(best(1), direction=-1)],
        [best(1), 'gini'],
    ):  # same name, other function: seen by what it says of the probes
        with pytest.raises(StoreError, match='its metrics has'):
            run(other)
    opened = Influence.of(Store(tmp_path / 's.db'), 'best')
    assert opened.label == 'Best place' and 'Best place' in repr(opened)  # without the function
    assert 'Best place' in opened.plot().get_xlabel()


@pytest.mark.parametrize(
    'metrics, words',
    [
        (['variety'], 'not ready-made'),
        ([Metric('map', 'Mine', 1, True, recall)], 'taken'),
        (['gini', 'gini'], 'taken'),
        ([Metric('m', 'M', 0, True, recall)], 'direction'),
        ([METRICS['map']], 'taken'),
        ([Metric('m', 'M', 1, True)], 'needs a function'),
        ([Metric('m', 'M', 1, True)], 'needs a function'),
        ([Metric('m', 'M', 1, False, recall)], 'it is one number'),
        ([Metric('m', 'M', 1, True, mae)], 'one number for each of the 40 users'),
    ],
)
def test_wrong_metrics_are_refused(tiny, metrics, words):
    with pytest.raises(ValueError, match=words):
        Evaluator(tiny, 3, metrics=metrics)(Popularity().fit(tiny.train))


def test_users_a_metric_passes_over_do_not_count(tiny):
    odd = Metric('odd', 'Odd', +1, True, lambda r: np.where(r.users % 2, r.hit.any(1), np.nan))
    judge = Evaluator(tiny, 3, metrics=[odd])
    evaluation = judge(Popularity().fit(tiny.train))
    own = evaluation.per_user[:, judge.ranking.index('odd')]
    precision = evaluation.per_user[:, RANKING.index('precision')]
    assert np.isnan(own[::2]).all() and evaluation['odd'] == (precision[1::2] > 0).mean()


def test_groups_are_validated_by_a_metric_of_ones_own(tiny):
    "The copy of recall is validated as recall is, and a plan can be made from it."
    ranked = deletion_sweep(
        Popularity(), tiny, 'users', replicates=2, k=3, metrics=AGAIN, jobs=1, progress=False
    ).influence('own_recall')
    validation = validate(
        Popularity(),
        tiny,
        ranked,
        sizes=(2,),
        n_random=3,
        replicates=2,
        k=3,
        metrics=AGAIN,
        jobs=1,
        progress=False,
    )
    assert (
        np.allclose(validation.table(), validation.table('recall'), atol=1e-12)
        and 'Own recall' in repr(validation)
        and 'Own recall' in validation.conclusion()
    )
    assert 'Own recall' in repr(plan(ranked, reliability=0.8))
