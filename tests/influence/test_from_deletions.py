"""Units with unequal replicates, of several kinds, from several machines: nobody disappears."""

import pickle
import threading

import numpy as np
import pytest

from recinfluence.influence.influence import Influence
from recinfluence.influence.saved import load_results, save_results
from recinfluence.models.popularity import ItemMean, Popularity
from recinfluence.show.page import influence_report
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store

QUIET = dict(k=3, jobs=1, progress=False)


class Fails(Popularity):
    "User 3 fails under all seeds but the first, user 4 always."

    def fit_without(self, train, unit, seed=0):
        if 4 in unit.users or (3 in unit.users and seed):
            raise RuntimeError('boom')
        return super().fit_without(train, unit, seed)


@pytest.fixture(scope='module')
def run(tiny):
    def made(ids, replicates, seed=0, units='users', store=None):
        asked = dict(replicates=replicates, seed=seed, store=store)
        return deletion_sweep(ItemMean(noise=0.02), tiny, units, ids, **asked, **QUIET)

    return made


def own_means(sweep, influence):
    "Each unit's mean over the rows of the sweep's frame, in plain Python."
    rows = sweep.frame()
    rows = rows[(rows.metric == influence.metric) & (rows.unit != 'nothing')]
    return {u: np.mean(rows.influence[rows.unit == u].tolist()) for u in rows.unit.unique()}


def test_two_of_ten_go_on(run, tmp_path):
    store = run(range(10), 2, store=tmp_path / 's.db').store
    run([3, 7], 4, store=store)
    found = Influence.of(Store(tmp_path / 's.db'), 'ndcg')
    assert len(found.frame) == 10 and dict(found.frame.estimate) == pytest.approx(
        own_means(store, found)
    )
    assert dict(found.frame.replicates.value_counts()) == {2: 8, 4: 2}
    assert '2 to 4 replicates' in found.headline and '(8 with 2, 2 with 4)' in found.caution
    page = influence_report(tmp_path / 's.db', tmp_path / 'p.html', 'ndcg').read_text()
    assert '2 to 4' in page and '8 with 2, 2 with 4' in page


def test_saved_results_keep_unequal_replicates(run, tmp_path):
    store = run(range(10), 2).store
    run([3, 7], 4, store=store)
    found = Influence.of(store, 'ndcg')
    again = load_results(save_results([found], tmp_path / 'x.parquet'), 'ndcg')
    columns = ['estimate', 'se', 'low', 'high', 'q', 'shrunk', 'replicates']
    kept = found.frame.loc[again.frame.index, columns].astype(float)
    np.testing.assert_allclose(again.frame[columns].astype(float), kept, rtol=1e-3, atol=1e-7)
    assert again.caution == found.caution and again.headline == found.headline


@pytest.mark.parametrize(
    'one, other',
    [
        ((range(6), 2, 0), (range(6, 12), 2, 0)),  # disjoint users on the same seeds
        ((range(6), 2, 0), (range(3, 9), 2, 2)),  # overlapping users on other seeds
        ((range(6), 3, 0), (range(6, 9), 2, 5)),  # neither
    ],
)
def test_two_machines_add_up(run, one, other):
    parts = [run(*one), run(*other)]
    both = parts[0].influence('ndcg') + parts[1].influence('ndcg')
    ids = set(one[0]) | set(other[0])
    assert set(both.frame.id) == ids and both.estimates.left_out == {}
    values = {}
    for part in parts:
        rows = part.frame()
        for row in rows[(rows.metric == 'ndcg') & (rows.unit != 'nothing')].itertuples():
            values.setdefault(row.unit, []).append(row.influence)
    assert dict(both.frame.estimate) == pytest.approx({u: np.mean(v) for u, v in values.items()})
    assert both.frame.equals(Influence.of(parts, 'ndcg').frame)


def test_disjoint_users_are_the_single_run_to_the_bit(run):
    whole = run(range(12), 3).influence('ndcg')
    parts = run(range(6), 3).influence('ndcg') + run(range(6, 12), 3).influence('ndcg')
    assert whole.frame.equals(parts.frame) and whole.caution == parts.caution


def test_the_same_retraining_does_not_count_twice(run, tiny):
    first, second = run(range(6), 2).influence('ndcg'), run(range(3, 9), 2, 1).influence('ndcg')
    with pytest.raises(ValueError, match=r'seed 1 is in both: .*3, the first without user 3'):
        first + second
    merged = Influence.of([run(range(6), 2), run(range(3, 9), 2, 1)], 'ndcg')
    assert merged.frame.replicates['user 3'] == 3 and merged.frame.replicates['user 8'] == 2
    other = deletion_sweep(ItemMean(noise=0.3), tiny, ids=range(2), **QUIET)
    with pytest.raises(ValueError, match='not the same experiment'):
        Influence.of([run(range(2), 2), other], 'ndcg')


def test_users_and_items_stand_in_one_order_and_apart(run):
    store = run(range(8), 2).store
    run(None, 3, units='items', store=store)
    found = Influence.of(store, 'ndcg')
    assert dict(found.frame.kind.value_counts()) == {'item': 24, 'user': 8}
    assert dict(found.frame.estimate) == pytest.approx(own_means(store, found))
    assert 'several kinds' in found.caution and 'kind' in found.top(3)
    items = Influence.of(store, 'ndcg', units='items')
    assert items.frame.equals(run(None, 3, units='items').influence('ndcg').frame)
    assert 'several kinds' not in items.caution and items.kind == 'item' and found.kind == 'unit'
    with pytest.raises(ValueError, match="units='groups': there are items and users"):
        Influence.of(store, 'ndcg', units='groups')
    with pytest.raises(ValueError, match='several kinds of units'):
        save_results([found], 'x.parquet')


def test_who_failed_is_said_and_who_failed_once_stays(tiny):
    sweep = deletion_sweep(Fails(), tiny, ids=range(6), replicates=3, **QUIET)
    found = sweep.influence('ndcg')
    assert dict(found.frame.replicates) == {f'user {u}': 3 - 2 * (u == 3) for u in (0, 1, 2, 3, 5)}
    assert found.estimates.left_out == {'user 4': 'failed: RuntimeError: boom'}
    assert '1 of 6 units: user 4 (failed: RuntimeError: boom)' in found.caution
    assert '5 of 6 units' in found.headline and np.isfinite(found.frame.se).all()


def test_a_sweep_is_read_from_another_thread_and_travels(run, tmp_path):
    kept, held = run(range(4), 2, store=tmp_path / 's.db'), run(range(4), 2)
    found = []
    thread = threading.Thread(target=lambda: found.append(held.influence('ndcg')))
    thread.start()
    thread.join()
    assert found[0].frame.equals(held.influence('ndcg').frame)
    assert pickle.loads(pickle.dumps(kept)).influence('ndcg').frame.equals(found[0].frame)
    assert pickle.loads(pickle.dumps(kept.store)).path == kept.store.path
    with pytest.raises(TypeError, match='a store in memory cannot be pickled'):
        pickle.dumps(held)
