"""NCF against plain torch; models in files."""

import pickle

import numpy as np
import pytest
import torch

from recinfluence.core.units import Unit
from recinfluence.data.simulated import planted_interactions
from recinfluence.models.conformance import conformance
from recinfluence.models.ncf import NCF
from recinfluence.models.svd import SVD


class Net(torch.nn.Module):
    "NeuMF as torch users write it, with tables that lack the deleted unit."

    def __init__(self, start, user_at, item_at):
        super().__init__()

        def parameter(array):
            return torch.nn.Parameter(torch.as_tensor(array.copy()))

        def drop(name):
            return np.delete(start[name], user_at if name.startswith('user') else item_at, axis=0)

        self.emb = torch.nn.ParameterDict(
            {k: parameter(drop(k)) for k in start if k.startswith(('user', 'item'))}
        )
        self.layers = torch.nn.ModuleList()
        for n in range(sum(k.startswith('W') for k in start)):
            layer = torch.nn.Linear(*start[f'W{n}'].shape).double()
            layer.weight = parameter(start[f'W{n}'].T)
            layer.bias = parameter(start[f'b{n}'])
            self.layers.append(layer)
        self.out = parameter(start['out'])

    def forward(self, u, i):
        emb = self.emb
        parts = [emb['user_gmf'][u] * emb['item_gmf'][i]] if 'user_gmf' in emb else []
        if 'user_mlp' in emb:
            hidden = torch.cat([emb['user_mlp'][u], emb['item_mlp'][i]], 1)
            for layer in self.layers:
                hidden = torch.relu(layer(hidden))
            parts.append(hidden)
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
    draws = model.draws(tiny.train, 9)
    user_at, item_at = (
        np.flatnonzero(np.isin(draws.user_ids, unit.users)),
        np.flatnonzero(np.isin(draws.item_ids, unit.items)),
    )
    new_user, new_item = (
        np.cumsum(~np.isin(draws.user_ids, unit.users)) - 1,
        np.cumsum(~np.isin(draws.item_ids, unit.items)) - 1,
    )
    net = Net(draws.start, user_at, item_at)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    for u, i, y in zip(draws.users, draws.items, draws.labels):
        stay = ~np.isin(u, user_at) & ~np.isin(i, item_at)
        p = net(torch.as_tensor(new_user[u[stay]]), torch.as_tensor(new_item[i[stay]]))
        loss = torch.nn.functional.binary_cross_entropy(p, torch.as_tensor(y[stay].astype(float)))
        adam.zero_grad()
        loss.backward()
        adam.step()
    fitted = model.fit_without(tiny.train, unit, 9)
    for name, value in net.emb.items():
        assert (
            np.abs(
                np.delete(
                    fitted.params_[name], user_at if name.startswith('user') else item_at, axis=0
                )
                - value.detach().numpy()
            ).max()
            < 1e-10
        )
    users, items = (
        np.setdiff1d(draws.user_ids, unit.users),
        np.setdiff1d(draws.item_ids, unit.items),
    )
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
    frame = planted_interactions()
    frame['user'] = [f'ü,{u}"' for u in frame.user]
    frame['item'] = [f'項 {i}' for i in frame['item']]
    for model in (NCF(n_epochs=1, batch_size=32), SVD(n_factors=4, n_epochs=2)):
        fitted = model.fit(frame, 0)
        again = type(model).load(fitted.save(tmp_path / 'm.npz'))
        ids = np.unique(frame.user), np.unique(frame['item'])
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
