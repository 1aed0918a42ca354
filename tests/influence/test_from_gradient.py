"""Influence by the gradient of training is an influence like any other, and says what it is."""

import pickle

import numpy as np
import pytest

from recinfluence.core.arguments import ArgumentError
from recinfluence.core.units import Unit
from recinfluence.decisions.planning import plan
from recinfluence.decisions.validation import validate
from recinfluence.influence.estimates import Part
from recinfluence.influence.every_metric import available_metrics
from recinfluence.influence.from_gradient import draw_by_size, gradient_influence, slope_of
from recinfluence.influence.saved import load_results, save_results
from recinfluence.models.ncf import NCF
from recinfluence.models.svd import SVD
from recinfluence.show.page import influence_report
from recinfluence.sweep.run import deletion_sweep

MODEL = dict(n_factors=5, n_epochs=20, lr_all=0.02)


@pytest.fixture(scope='module')
def model():
    return SVD(**MODEL)


@pytest.fixture(scope='module')
def quick(model, tiny):
    return gradient_influence(model, tiny, replicates=3, parts=16)


@pytest.fixture(scope='module')
def swept(model, tiny):
    return deletion_sweep(model, tiny, 'users', replicates=3, jobs=1, progress=False)


def test_everything_that_is_not_estimated_is_the_sweeps(quick, swept):
    "The same units, profiles, seeds, full models and mechanical parts."
    exact = swept.influence('rmse')
    columns = ['kind', 'label', 'n_ratings', 'n_train', 'mean_rating', 'std_rating', 'id']
    assert quick.frame[columns].sort_index().equals(exact.frame[columns].sort_index())
    gap = quick.frame.mechanical - exact.frame.mechanical
    assert gap.abs().max() < 1e-12 and quick.seeds == exact.seeds
    ours, theirs = (one.estimator.snapshot.full['rmse'] for one in (quick, exact))
    assert np.allclose(ours, theirs, rtol=1e-12) and ours.index.tolist() == [0, 1, 2]
    assert quick.experiment.behaviour == exact.experiment.behaviour
    assert quick.experiment.split_hash == exact.experiment.split_hash


def test_parts_add_up(quick):
    training = quick.without_mechanical
    assert training.part is Part.TRAINING
    total = training.frame.estimate + quick.frame.mechanical
    assert np.allclose(total.reindex(quick.frame.index), quick.frame.estimate, rtol=0, atol=1e-15)
    assert quick.replicates == 3 and np.isfinite(quick.frame.se).all()


def test_one_seed_at_a_time_is_the_same(model, tiny, quick):
    first, rest = (
        gradient_influence(model, tiny, replicates=n, seed=seed, parts=16)
        for n, seed in ((1, 0), (2, 1))
    )
    both = first + rest
    assert np.array_equal(both.table.sort_index(), quick.table.sort_index())
    with pytest.raises(ValueError, match='other parts or another calibration do not add up'):
        first + gradient_influence(model, tiny, seed=1, parts=8)


def test_what_it_is_stands_wherever_it_is_shown(quick, tmp_path):
    assert 'by the gradient of training' in quick.headline
    assert 'from the derivative at half weight, in 16 parts' in quick.headline
    assert 'Not retrained' in quick.caution and 'was not measured here' in quick.caution
    page = influence_report(quick, tmp_path / 'page.html').read_text(encoding='utf-8')
    assert 'by the gradient of training' in page and 'Not retrained' in page
    assert 'Nothing was retrained, so that nothing could fail.' in page
    saved = load_results(save_results([quick], tmp_path / 'kept.parquet'), 'rmse')
    assert 'by the gradient of training' in saved.headline and 'Not retrained' in saved.caution
    assert available_metrics(quick) == available_metrics(saved) == ['rmse']
    assert np.allclose(
        saved.frame.estimate.sort_index(), quick.frame.estimate.sort_index(), rtol=1e-6
    )
    page = influence_report(tmp_path / 'kept.parquet', tmp_path / 'kept.html').read_text('utf-8')
    assert 'Nothing was retrained' in page


def test_it_survives_pickling(quick):
    again = pickle.loads(pickle.dumps(quick))
    assert again.headline == quick.headline and again.frame.equals(quick.frame)


def test_it_does_not_add_up_with_deletions(quick, swept):
    with pytest.raises(ValueError, match='not the same experiment: engine differ'):
        quick + swept.influence('rmse')


def test_a_plan_needs_retrainings(quick):
    with pytest.raises(ValueError, match='was not had by retraining'):
        plan(quick, reliability=0.8)


def test_its_ranking_can_be_validated_by_retraining(model, tiny, quick):
    found = validate(model, tiny, quick, sizes=(4,), n_random=3, replicates=2, jobs=1)
    assert 'RMSE, SVD on planted' in found.headline


def test_library_start_is_not_called_unpaired(tiny):
    "Nothing is drawn again, since nothing is trained again."
    found = gradient_influence(SVD(**MODEL, start='surprise'), tiny)
    assert found.paired and 'not paired' not in found.headline + found.caution


def test_interactions_are_units(model, tiny, tmp_path):
    found = gradient_influence(model, tiny, 'mae', 'interactions')
    assert found.kind == 'interaction' and len(found.frame) == len(tiny.train)
    assert not found.frame.mechanical.any()
    rows = tiny.train.set_index(['user', 'item']).rating
    for unit in found.frame.itertuples():
        user, item = (int(word.split()[1]) for word in unit.Index.split(', '))
        assert unit.mean_rating == rows[user, item]
    page = influence_report(found, tmp_path / 'page.html').read_text(encoding='utf-8')
    assert 'user 0, item 14' in page


def test_groups_are_units(model, tiny):
    units = [Unit(users=(1, 2, 3), name='three'), Unit(items=(4,)), Unit(users=(1,))]
    found = gradient_influence(model, tiny, units=(unit for unit in units), replicates=2)
    assert sorted(found.frame.kind) == ['item', 'user', 'users']
    assert sorted(found.frame.index) == sorted(unit.key for unit in units)
    sweep = deletion_sweep(model, tiny, units, replicates=2, jobs=1, progress=False)
    exact = sweep.influence('rmse').frame
    assert np.allclose(
        found.frame.mechanical, exact.mechanical.reindex(found.frame.index), rtol=0, atol=1e-12
    )


def test_calibration_puts_the_size_right(model, tiny, quick, swept):
    "All forty deletions for it: the slope is the plain one over all units."
    found = gradient_influence(model, tiny, replicates=3, parts=16, calibrate=40)
    exact = swept.influence('rmse', 'training').table[0]
    plain = quick.without_mechanical.table[0].reindex(exact.index)
    slope = (plain * exact).sum() / (plain**2).sum()
    calibration = found.estimator.calibration
    assert calibration.slope == pytest.approx(slope, rel=1e-9)
    assert calibration.correlation == pytest.approx(plain.corr(exact), rel=1e-9)
    scaled = found.without_mechanical.table.reindex(exact.index)
    unscaled = quick.without_mechanical.table.reindex(exact.index)
    assert np.allclose(scaled, slope * unscaled, rtol=1e-9)
    assert np.allclose(found.frame.mechanical.sort_index(), quick.frame.mechanical.sort_index())
    assert f'have the slope {slope:.2f}' in found.caution


def test_the_larger_units_are_the_likelier():
    rng = np.random.default_rng(0)
    size = rng.standard_t(2, 50)
    size[:5] = 0, np.nan, 0, 0, 0
    counts, chances = np.zeros(50), set()
    for seed in range(3_000):
        who, chance = draw_by_size(size, 10, seed)
        assert len(who) == 10 == len(np.unique(who))
        counts[who] += 1
        chances |= set(zip(who.tolist(), chance.round(9).tolist()))
    known = dict(chances)
    assert len(known) == len(chances) and 0 not in known and 1 not in known
    expected = np.array([known.get(n, 0) for n in range(50)])
    assert np.abs(counts / 3_000 - expected).max() < 0.04
    rest = (expected > 0) & (expected < 1)
    ratio = expected[rest] / np.abs(size[rest]) ** 1.5
    assert np.allclose(ratio, ratio[0])


def test_fewer_units_than_deletions_are_all_drawn():
    who, chance = draw_by_size(np.array([0.0, 2.0, -0.1, 0.0]), 30, 0)
    assert who.tolist() == [1, 2] and chance.tolist() == [1, 1]


def test_slope_without_choice_is_least_squares():
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, (2, 40))
    found = slope_of(x, y, np.ones(40))
    assert found.slope == pytest.approx(np.linalg.lstsq(x[:, None], y, rcond=None)[0][0])
    assert found.correlation == pytest.approx(np.corrcoef(x, y)[0, 1])


@pytest.mark.parametrize(
    'asked, message',
    [
        (dict(metric='ndcg'), 'no derivative of it is known here'),
        (dict(metric='rsme'), 'no derivative of it is known here'),
        (dict(units='user'), "units='user': choose one of .*did you mean 'users'"),
        (dict(units='interactions', calibrate=5), 'no single interactions'),
        (dict(units=[1, 2]), 'number 1 is 1'),
        (dict(units=[Unit(users=(12345,))]), 'user 12345 is not in planted'),
        (dict(units=[Unit()]), 'there is nothing to delete'),
        (dict(replicates=0), 'replicates=0: give a number of at least 1'),
        (dict(parts=0), 'parts=0: give a number of at least 1'),
        (dict(calibrate=-1), 'calibrate=-1: give a number of at least 0'),
        (dict(calibrate=2), 'only 2 of the units would be deleted'),
    ],
)
def test_what_cannot_be_done_is_refused(model, tiny, asked, message):
    with pytest.raises(ValueError, match=message):
        gradient_influence(model, tiny, **asked)


class Changed(SVD):
    "Trains in a way of its own, perhaps."


@pytest.mark.parametrize('recommender', [NCF(), Changed()])
def test_models_without_a_walk_back_are_refused(tiny, recommender):
    name = type(recommender).__name__
    with pytest.raises(ArgumentError, match=f'recommender={name}: its training cannot be walked'):
        gradient_influence(recommender, tiny)


def test_it_can_be_explored(model, tiny, quick):
    pytest.importorskip('ipywidgets')
    explorer = quick.explore(model, tiny)
    assert explorer.subject.each.index.get_level_values('metric').unique().tolist() == ['rmse']
    assert explorer.subject.settings['engine'] == 'auto'  # what is retrained without, in earnest


def test_its_size_is_said_before_it_starts(model, tiny, caplog):
    with caplog.at_level('INFO', 'recinfluence'):
        gradient_influence(model, tiny, replicates=2, parts=3)
    assert 'SVD, gradient of training: 2 replicates, 3 walks each, about 0.5 GiB' in caplog.text


def test_a_walk_that_loses_its_way_is_refused(tiny):
    with pytest.raises(ValueError, match='away from its start'):
        gradient_influence(SVD(n_factors=5, n_epochs=60, lr_all=0.2), tiny)


def test_another_metric_asks_for_another_walk(quick):
    with pytest.raises(ValueError, match="again with metric='mae'"):
        quick.of_metric('mae')
