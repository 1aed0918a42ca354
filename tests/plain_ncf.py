"""An NCF in plain torch and plain numpy, and small problems for it and for the kernels."""

import numpy as np
import torch

from recinfluence.kernels import ncf

F32, F64 = np.float32, np.float64
NEUMF = ncf.Shape(4, 8, (8, 4))
SHAPES = {
    'neumf': NEUMF,
    'gmf': ncf.Shape(5, 0),
    'mlp': ncf.Shape(0, 3, (6,)),
    'linear': ncf.Shape(2, 3),
    'deep': ncf.Shape(5, 6, (20, 10, 6, 3)),
}
N_USERS, N_ITEMS = 31, 43


def samples(steps, batch, seed=0, n_users=N_USERS, n_items=N_ITEMS):
    "users, items, labels: skewed, so that some rows are in every batch and some in few."
    rng = np.random.default_rng(seed)
    users, items = (n * rng.random((steps, batch)) ** 2 for n in (n_users, n_items))
    return users.astype(np.int32), items.astype(np.int32), rng.integers(0, 2, (steps, batch))


def start_values(shape, n_users=N_USERS, n_items=N_ITEMS, seed=1):
    "Random parameters, float64."
    rng = np.random.default_rng(seed)
    values = {}
    for branch, width in ('gmf', shape.gmf), ('mlp', shape.mlp):
        if width:
            values[f'user_{branch}'], values[f'item_{branch}'] = (
                rng.normal(0, 0.3, (n, width)) for n in (n_users, n_items)
            )
    return values | {name: rng.normal(0, 0.5, size) for name, size in shape.dense()}


def random_weights(lanes, n_users=N_USERS, n_items=N_ITEMS, seed=2):
    "Fractional weights, a quarter of them zero."
    rng = np.random.default_rng(seed)
    return tuple(
        rng.random((n, lanes)) * (rng.random((n, lanes)) < 0.75) for n in (n_users, n_items)
    )


def torch_train(shape, data, start, weight_users, weight_items, adam, weights=None):
    "One model, plain torch: dense embeddings, autograd, torch.optim.Adam."
    params = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in start.items()}
    optimiser = torch.optim.Adam(
        params.values(), lr=adam.learning_rate, betas=(adam.beta1, adam.beta2), eps=adam.epsilon
    )
    weights = [1.0] * len(data[0]) if weights is None else weights
    weight_users, weight_items = (np.asarray(w, float) for w in (weight_users, weight_items))
    for u, i, y, further in zip(*data, weights):
        z = torch_logits(shape, params, *(torch.tensor(a, dtype=torch.long) for a in (u, i)))
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            z, torch.tensor(y, dtype=torch.float64), reduction='none'
        )
        weight = torch.tensor(weight_users[u] * weight_items[i] * further)
        optimiser.zero_grad()
        ((weight * losses).sum() / (weight.sum() if weight.sum() > 0 else 1)).backward()
        optimiser.step()
    return {name: value.detach().numpy() for name, value in params.items()}


def torch_logits(shape, params, users, items):
    "The network's forward pass."
    parts = []
    if shape.gmf:
        parts.append(params['user_gmf'][users] * params['item_gmf'][items])
    if shape.mlp:
        hidden = torch.cat([params['user_mlp'][users], params['item_mlp'][items]], 1)
        for layer in range(len(shape.layers)):
            hidden = torch.relu(hidden @ params[f'W{layer}'] + params[f'b{layer}'])
        parts.append(hidden)
    return torch.cat(parts, 1) @ params['out']


def numpy_logits(shape, params, lane, users, items):
    "The same in numpy, for one lane of trained parameters."
    values = {name: value[..., lane].astype(float) for name, value in params.items()}
    parts = []
    if shape.gmf:
        parts.append(values['user_gmf'][users] * values['item_gmf'][items])
    if shape.mlp:
        hidden = np.concatenate([values['user_mlp'][users], values['item_mlp'][items]], 1)
        for layer in range(len(shape.layers)):
            hidden = np.maximum(hidden @ values[f'W{layer}'] + values[f'b{layer}'], 0)
        parts.append(hidden)
    return np.concatenate(parts, 1) @ values['out']


def fast_train(shape, data, start, weights, adam=ncf.Adam(), dtype=F64):
    "Training by the kernel; weights: those of users and of items, (rows, lanes)."
    plan = ncf.plan_touches(*data[:2], len(weights[0]), len(weights[1]), adam)
    return ncf.train(shape, plan, ncf.Samples(*data), start, *weights, adam, dtype)


def difference(trained, lane, expected):
    "Largest absolute difference of any parameter."
    assert trained.keys() == expected.keys()
    return max(np.abs(trained[name][..., lane] - expected[name]).max() for name in expected)


def equal(one, other):
    "The same bits in every parameter."
    return all(np.array_equal(one[name], other[name]) for name in one)
