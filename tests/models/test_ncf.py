"""NCF and SVD against peers, closed statements and published figures."""

import pickle

import numpy as np
import pytest
import surprise
import torch

from recinfluence.core.random import stream
from recinfluence.core.units import Unit
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.metrics.metric import PAPER
from recinfluence.models.conformance import conformance
from recinfluence.models.ncf import NCF, draw_negatives
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD


# ---- draws
def test_streams_are_separate_and_repeatable():
    names = [(0, 'a'), (0, 'b'), (1, 'a'), (0, 'a', 1), (0, 'a', '1'), (0, 'a1')]
    values = [stream(*n).random() for n in names]
    assert (
        len(set(values)) == len(names)
        and values == [stream(*n).random() for n in names]
        and stream(np.int64(0), 'a').random() == values[0]
    )


def test_negatives_are_never_seen_and_never_twice(ml_chrono):
    codes = ml_chrono.codes(ml_chrono.train)
    n = len(ml_chrono.items)
    users, items = draw_negatives(3, ml_chrono.users, codes, n, 2, 4)
    seen = set(zip(*map(np.ndarray.tolist, codes)))
    for epoch in items:
        drawn = list(zip(users.tolist(), epoch.tolist()))
        assert len(set(drawn)) == len(drawn) and not seen & set(drawn)
    assert not np.array_equal(*items)
    wanted = np.minimum(4 * np.bincount(codes[0]), n - np.bincount(codes[0]))
    assert np.array_equal(np.bincount(users), wanted)
    assert (
        np.bincount(items[0], minlength=n).min() > 0
    )  # uniform: with 300,000 draws every item is drawn


def test_a_deletion_moves_nobody_elses_draws(tiny):
    m = NCF(batch_size=32)
    full = m.draws(tiny.train, 5)
    moved = m.draw_start(np.delete(full.user_ids, 3), full.item_ids, 5)
    assert np.array_equal(
        moved['user_mlp'], np.delete(full.start['user_mlp'], 3, axis=0)
    ) and np.array_equal(moved['item_gmf'], full.start['item_gmf'])


def test_start_values_have_the_stated_distribution(ml_chrono):
    start = NCF().draw_start(ml_chrono.users, ml_chrono.items, 0)
    e = np.concatenate([start[k].ravel() for k in ('user_gmf', 'user_mlp', 'item_gmf', 'item_mlp')])
    assert (
        np.abs(e).max() < 0.02 and abs(e.mean()) < 3e-4 and abs(e.std() - 0.0088) < 1e-4
    )  # sd of a normal cut at two sd: 0.880
    assert (
        np.abs(start['W0']).max() <= np.sqrt(6 / 24)
        and not start['b0'].any()
        and start['W1'].shape == (8, 4)
        and start['out'].shape == (8,)
    )


# ---- NCF
class Net(torch.nn.Module):
    "NeuMF as torch users write it, with tables that lack the deleted unit."

    def __init__(self, start, user_at, item_at):
        super().__init__()
        t = lambda a: torch.nn.Parameter(torch.as_tensor(a.copy()))
        drop = lambda k: np.delete(start[k], user_at if k.startswith('user') else item_at, axis=0)
        self.emb = torch.nn.ParameterDict(
            {k: t(drop(k)) for k in start if k.startswith(('user', 'item'))}
        )
        self.layers = torch.nn.ModuleList()
        for n in range(sum(k.startswith('W') for k in start)):
            layer = torch.nn.Linear(*start[f'W{n}'].shape).double()
            layer.weight = t(start[f'W{n}'].T)
            layer.bias = t(start[f'b{n}'])
            self.layers.append(layer)
        self.out = t(start['out'])

    def forward(self, u, i):
        e = self.emb
        parts = [e['user_gmf'][u] * e['item_gmf'][i]] if 'user_gmf' in e else []
        if 'user_mlp' in e:
            h = torch.cat([e['user_mlp'][u], e['item_mlp'][i]], 1)
            for layer in self.layers:
                h = torch.relu(layer(h))
            parts.append(h)
        return torch.sigmoid(torch.cat(parts, 1) @ self.out)


@pytest.mark.parametrize(
    'kind, unit',
    [
        ('neumf', Unit(users=(5,))),
        ('neumf', Unit(items=(7,))),
        ('gmf', Unit(users=(2, 9, 11))),
        ('mlp', Unit(items=(0, 3))),
        ('neumf', Unit(users=(4,), items=(5,))),
        ('neumf', Unit()),
    ],
)
def test_deletion_is_training_on_the_remaining_rows(tiny, kind, unit):
    model = NCF(kind, n_epochs=3, batch_size=40, dtype='float64')
    d = model.draws(tiny.train, 9)
    user_at, item_at = (
        np.flatnonzero(np.isin(d.user_ids, unit.users)),
        np.flatnonzero(np.isin(d.item_ids, unit.items)),
    )
    new_user, new_item = (
        np.cumsum(~np.isin(d.user_ids, unit.users)) - 1,
        np.cumsum(~np.isin(d.item_ids, unit.items)) - 1,
    )
    net = Net(d.start, user_at, item_at)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    for u, i, y in zip(d.users, d.items, d.labels):
        stay = ~np.isin(u, user_at) & ~np.isin(i, item_at)
        p = net(torch.as_tensor(new_user[u[stay]]), torch.as_tensor(new_item[i[stay]]))
        loss = torch.nn.functional.binary_cross_entropy(p, torch.as_tensor(y[stay].astype(float)))
        adam.zero_grad()
        loss.backward()
        adam.step()
    fitted = model.fit_without(tiny.train, unit, 9)
    for k, v in net.emb.items():
        assert (
            np.abs(
                np.delete(fitted.params_[k], user_at if k.startswith('user') else item_at, axis=0)
                - v.detach().numpy()
            ).max()
            < 1e-10
        )
    users, items = np.setdiff1d(d.user_ids, unit.users), np.setdiff1d(d.item_ids, unit.items)
    with torch.no_grad():
        theirs = net(
            *(
                torch.as_tensor(a)
                for a in (
                    np.repeat(np.arange(len(users)), len(items)),
                    np.tile(np.arange(len(items)), len(users)),
                )
            )
        ).numpy()
    assert np.abs(fitted.score(users, items).ravel() - theirs).max() < 1e-10


def test_a_batch_that_loses_every_row_still_takes_its_step(tiny):
    everyone_but_one = Unit(users=tuple(range(1, 40)))
    model = NCF(n_epochs=2, batch_size=8).fit_without(tiny.train, everyone_but_one, 0)
    assert np.isfinite(model.score(np.array([0]), tiny.items)).all()


@pytest.mark.parametrize(
    'model',
    [
        NCF('neumf', n_epochs=1, batch_size=32),
        NCF('gmf', n_epochs=1, batch_size=32),
        NCF('mlp', n_epochs=1, batch_size=32),
        NCF('mlp', layer_sizes=(12,), n_epochs=1, batch_size=32),
        SVD(n_factors=7, n_epochs=3),
        SVD(n_factors=5, n_epochs=3, biased=False),
    ],
    ids=repr,
)
def test_models_conform_and_survive_the_disk(model, tiny, tmp_path):
    report = conformance(model)
    assert report.passed.all(), report[~report.passed.astype(bool)]
    fitted = model.fresh().fit(tiny.train, 3)
    again = type(model).load(fitted.save(tmp_path / 'model.npz'))
    users, items = np.append(tiny.users, 10**6), np.append(tiny.items, 10**6)
    assert (
        np.array_equal(again.score(users, items), fitted.score(users, items))
        and again.config() == model.config()
    )


def test_text_ids_work_and_survive_the_disk(tmp_path):
    from recinfluence.data.simulated import planted_interactions

    f = planted_interactions()
    f['user'] = [f'ü,{u}"' for u in f.user]
    f['item'] = [f'項 {i}' for i in f['item']]
    for model in (NCF(n_epochs=1, batch_size=32), SVD(n_factors=4, n_epochs=2)):
        fitted = model.fit(f, 0)
        again = type(model).load(fitted.save(tmp_path / 'm.npz'))
        ids = np.unique(f.user), np.unique(f['item'])
        assert (
            np.array_equal(again.score(*ids), fitted.score(*ids)) and np.ptp(fitted.score(*ids)) > 0
        )


def test_a_pickle_in_disguise_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / 'ran'), 'w'))

    np.savez(tmp_path / 'bad.npz', config=np.array([Bomb()], dtype=object))
    (tmp_path / 'raw.npz').write_bytes(pickle.dumps(Bomb()))
    for name in ('bad.npz', 'raw.npz'):
        with pytest.raises(ValueError, match='not a saved recommender'):
            NCF.load(tmp_path / name)
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
    'wrong',
    [dict(model_type='cnn'), dict(layer_sizes=(15, 8)), dict(dtype='float16'), dict(n_epochs=0)],
)
def test_wrong_ncf_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        NCF(**wrong)


# ---- SVD
@pytest.mark.parametrize('biased', [True, False])
def test_svd_scores_are_scikit_surprises_predictions(ml_random, biased):
    model = SVD(n_factors=20, n_epochs=3, biased=biased, start='surprise').fit(ml_random.train, 1)
    rows = surprise.Dataset.load_from_df(
        ml_random.train[['user', 'item', 'rating']], surprise.Reader(rating_scale=(1, 5))
    ).build_full_trainset()
    theirs = surprise.SVD(n_factors=20, n_epochs=3, biased=biased, random_state=1).fit(rows)
    users, items = np.append(ml_random.users[:40], 10**6), np.append(ml_random.items[::50], 10**6)
    expected = np.array([[theirs.predict(u, i).est for i in items] for u in users])
    assert np.abs(model.score(users, items) - expected).max() < 1e-12


def test_table_12(ml_random):
    e = Evaluator(ml_random, candidates='test')(SVD(start='surprise').fit(ml_random.train, 0))
    assert [round(e.metrics[m], 6) for m in PAPER] == [
        0.610440,
        1,
        1,
        0.878556,
        0.610440,
        0.287167,
        0.746868,
    ]


def test_keyed_start_does_not_depend_on_the_order_of_rows_between_users(tiny):
    m = lambda rows: SVD(n_factors=5, n_epochs=4).fit(rows, 2).score(tiny.users, tiny.items)
    shuffled = tiny.train.sort_values(
        'user', ascending=False, kind='stable'
    )  # each user's own order stays
    assert np.array_equal(m(tiny.train), m(shuffled))
    assert not np.array_equal(
        *(
            SVD(n_factors=5, n_epochs=4, start='surprise')
            .fit(rows, 2)
            .score(tiny.users, tiny.items)
            for rows in (tiny.train, shuffled)
        )
    )


# ---- the suite itself can fail a model
class Spoilt(Popularity):
    def __init__(self, how):
        self.how = how

    def fit(self, train, seed=0):
        if self.how == 'data':
            train.iloc[:, 2] = 0.0
        super().fit(train, seed)
        if self.how == 'seed':
            self.counts_ = self.counts_ + np.random.default_rng().random(len(self.counts_))
        return None if self.how == 'self' else self

    def score(self, users, items):
        s = super().score(users, items)
        if self.how == 'nan':
            s[0, 0] = np.nan
        if self.how == 'shape':
            return s.T
        if self.how == 'relative':
            return s / s.sum()
        return s

    def config(self):
        return {
            'recommender': 'Spoilt',
            'how': self.how,
            **({'bad': object()} if self.how == 'config' else {}),
        }


@pytest.mark.parametrize(
    'how, check',
    [
        ('nan', 'finite'),
        ('shape', 'finite'),
        ('seed', 'same seed'),
        ('data', 'leaves the data'),
        ('self', 'the fitted model itself'),
        ('relative', 'what else is asked'),
        ('config', 'json'),
    ],
)
def test_the_conformance_suite_catches(how, check):
    try:
        report = conformance(Spoilt(how))
    except AttributeError:
        assert how == 'self'
        return
    assert not report.passed[[c for c in report.index if check in c][0]]
