"""Every argument is used or refused: another valid value gives another result, or a refusal.

The table has another value for every parameter of everything public; the first value is that of
`surface.calls`, or the default.
"""

import inspect
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from surface.calls import all_calls
from surface.judge import from_below
from surface.world import world

import recinfluence as ri
from recinfluence.core.units import Unit
from recinfluence.show.explorer import Explorer
from recinfluence.sweep.results import Results

pytestmark = pytest.mark.filterwarnings('ignore')
PARTS = 12  # of the calls, so that two processes share them
ANYWHERE = {  # where and how it runs: results are the same, which tests of the sweep show
    'jobs', 'progress', 'executor', 'time_limit', 'memory_limit', 'retry_failed', 'store', 'block',
}  # fmt: skip
ELSEWHERE = {  # parameters whose effect is not seen in what one call gives, and where it is
    'Evaluator.rank(block)': 'memory alone: scores are computed in blocks of users',
    'load_amazon(path)': 'a file, in tests/data/test_amazon.py',
    'load_amazon(category)': 'the same',
    'load_amazon(layout)': 'the same',
    'load_amazon(core)': 'the same',
    'load_amazon(memory)': 'the same',
    'load_movielens(variant)': 'a folder, in tests/data/test_movielens.py',
    'load_movielens(path)': 'the same',
    'load_interactions(repeated)': 'no pair is there twice, see tests/data',
    'on_half(split)': 'within the metric, see tests/metrics',
    'newcomers': 'needs twenty cold items, in tests/actions/test_audits.py',
    'SVD.load(path)': 'a file, in tests/models/test_svd.py',
    'Store.rescue(path)': 'a damaged file, in tests/faults/test_faults.py',
    'Store.rescue(to)': 'the same',
    'Store(path)': 'a file, in tests/sweep',
    'Influence.explore(recommender)': 'a button, in tests/show/test_explorer.py',
    'ItemMean.for_split(split)': 'a model without a scale is as it was',
    'EASE.fit(seed)': 'nothing is drawn',
    'ItemKNN.fit(seed)': 'nothing is drawn',
    'Popularity.fit(seed)': 'nothing is drawn',
    'ItemMean.fit(seed)': 'its noise, in ItemMean(noise)',
    'Influence.overlap(k)': 'of 12 units, in tests/influence/test_reliability.py',
    'Command(limit)': 'a program that takes too long, in tests/adapters/test_command.py',
    'save_results(path)': 'the name of the file',
    'influence_report(path)': 'the name of the page',
    'SVD.save(path)': 'the name of the file',
    'summary(interactions)': 'see the properties of frames',
    'deletion_sweep(engine)': 'engines agree, in tests/engines',
    'quote(sample)': 'at this size all are deleted, in tests/decisions/test_budget.py',
    'quote(priced)': 'the same',
    'quote(ranked)': 'the same',
    'quote(stretch)': 'the same',
    'quote(seed)': 'the same',
    'sweep_until(batch)': 'looks, in tests/decisions/test_stopping.py',
    'screen(metrics)': 'what metric= can name, in tests/decisions/test_stopping.py',
    'screen(end)': 'see Screened, in tests/decisions/test_stopping.py',
}


def drawn(axes) -> str:
    "A figure as text."
    out = io.StringIO()
    with plt.rc_context({'svg.hashsalt': 'surface', 'svg.fonttype': 'none'}):
        axes.figure.savefig(out, format='svg', metadata={'Date': None})
    return out.getvalue()


def array_told(value: np.ndarray):
    "Two axes as a figure, numbers as they are."
    first = value.flat[0] if value.size else None
    return drawn(first) if isinstance(first, Axes) else (value.shape, str(value.tolist()))


TOLD = [  # how a result of a type is told, so that two can be compared
    ((pd.DataFrame, pd.Series), lambda value, _: value.to_csv()),
    (np.ndarray, lambda value, _: array_told(value)),
    (Axes, lambda value, _: drawn(value)),
    (Path, lambda value, _: value.read_bytes()),
    (np.random.Generator, lambda value, _: value.random(3).tolist()),
    (Results, lambda value, _: (value.frame().to_csv(), value.done(), str(value.experiment))),
    (Explorer, lambda value, _: (value.finder.list.options, repr(value.subject.split))),
    (Unit, lambda value, _: (repr(value), value.key)),
    ((list, tuple), lambda value, depth: [told(one, depth) for one in value]),
    (dict, lambda value, depth: {str(n): told(one, depth) for n, one in value.items()}),
]


def told(value, depth: int = 3) -> object:
    "What a result says."
    for kind, how in TOLD:
        if isinstance(value, kind):
            return how(value, depth)
    if hasattr(value, '__dict__') and depth and not inspect.isroutine(value):
        return type(value).__name__, {n: told(v, depth - 1) for n, v in vars(value).items()}
    return getattr(value, '__name__', None) or repr(value)


def new_axes():
    "Axes of an odd size."
    return plt.subplots(figsize=(5, 4))[1]


EVERYWHERE = {  # another value, by the name of the parameter
    'seed': lambda here: 7,
    'k': lambda here: 2,
    'candidates': lambda here: 'test',
    'metrics': lambda here: ['coverage'],
    'replicates': lambda here: 4,
    'n_random': lambda here: 4,
    'metric': lambda here: 'ndcg',
    'confidence': lambda here: 0.5,
    'draws': lambda here: 40,
    'ax': lambda here: new_axes(),
    'axes': lambda here: np.array([new_axes(), new_axes()]),
    'influence': lambda here: here.later,
    'split': lambda here: ri.random_split(here.data, 0.6, seed=3),
    'recommender': lambda here: ri.ItemMean(noise=0.3),
    'interactions': lambda here: ri.k_core(here.data, 5),
    'n': lambda here: 2,
    'users': lambda here: 2,
    'items': lambda here: 3,
    'part': lambda here: 'training',
    'engine': lambda here: 'stacked',
    'units': lambda here: 'items',
    'clip': lambda here: 'scores',
    'name': lambda here: 'another',
    'n_users': lambda here: 13,
    'n_items': lambda here: 31,
    'train': lambda here: here.split.train[3:],
    'scores': lambda here: here.suspicion**2 % 7,
    'planted': lambda here: [5, 6],
    'judged': lambda here: 'the others',
    'unit': lambda here: Unit(users=(5,)),
    'ids': lambda here: [3],
    'evaluator': lambda here: ri.Evaluator(here.half, 2),
    'rank': lambda here: 2,
    'rows': lambda here: 5,
    'path': lambda here: 'other.file',
    'rating_scale': lambda here: (0, 9),
    'action': lambda here: ri.prune(here.by_items, 3),
}
OTHER = {  # by call and parameter, where the name alone does not say it
    'stream(key)': lambda here: 'other',
    'Unit(users)': lambda here: (1, 3),
    'Unit(items)': lambda here: (4,),
    'Unit(known_as)': lambda here: 'users of old',
    'Interactions(frame)': lambda here: here.rows[:50],
    'Interactions(users)': lambda here: pd.DataFrame({'age': [3]}),
    'Interactions(items)': lambda here: pd.DataFrame({'title': ['a']}),
    'Interactions(source)': lambda here: 'a file',
    'Interactions(timed)': lambda here: False,
    'Interactions(notes)': lambda here: ('said',),
    'load_interactions(data)': lambda here: here.rows[:50],
    'load_interactions(columns)': lambda here: {'timestamp': None},
    'load_interactions(separator)': lambda here: ';',
    'load_interactions(header)': lambda here: True,
    'load_interactions(encoding)': lambda here: 'utf-8',
    'chrono_split(train)': lambda here: 0.5,
    'random_split(train)': lambda here: 0.5,
    'make_split(test)': lambda here: here.split.test[3:],
    'k_core(k)': lambda here: 6,
    'planted_interactions(n_items)': lambda here: 12,
    'careless_interactions(careless)': lambda here: 5,
    'careless_interactions(more)': lambda here: 2,
    'low_rank_interactions(rank)': lambda here: 2,
    'low_rank_interactions(rows)': lambda here: 13,
    'simulate_interactions(n_items)': lambda here: 11,
    'simulate_interactions(n_rows)': lambda here: 42,
    'simulate_interactions(per_user)': lambda here: (3, 4),
    'simulate_interactions(per_item)': lambda here: (3, 6),
    'simulate_interactions(rank)': lambda here: 2,
    'simulate_interactions(taste)': lambda here: 9.0,
    'implied_ratings(printed)': lambda here: here.printed.replace('27.36', '27.46'),
    'on_half(half)': lambda here: 1,
    'ItemMean(noise)': lambda here: 0.5,
    'NCF(model_type)': lambda here: 'gmf',
    'NCF(n_factors)': lambda here: 2,
    'NCF(layer_sizes)': lambda here: (8, 4),
    'NCF(n_epochs)': lambda here: 3,
    'NCF(batch_size)': lambda here: 8,
    'NCF(n_neg)': lambda here: 2,
    'NCF(learning_rate)': lambda here: 0.1,
    'NCF(beta1)': lambda here: 0.5,
    'NCF(beta2)': lambda here: 0.5,
    'NCF(epsilon)': lambda here: 0.5,
    'NCF(dtype)': lambda here: 'float64',
    'NCF(device)': lambda here: 'cuda',
    'SVD(n_factors)': lambda here: 2,
    'SVD(n_epochs)': lambda here: 2,
    'SVD(biased)': lambda here: False,
    'SVD(lr_all)': lambda here: 0.5,
    'SVD(reg_all)': lambda here: 0.5,
    'SVD(start)': lambda here: 'surprise',
    'EASE(l2)': lambda here: 3.0,
    'ItemKNN(neighbors)': lambda here: 3,
    'Surprise(name)': lambda here: 'NMF',
    'Implicit(name)': lambda here: 'CosineRecommender',
    'LensKit(name)': lambda here: 'PopScorer',
    'ScikitLearn(estimator)': lambda here: __import__('sklearn.linear_model').linear_model.Lasso(),
    'ScikitLearn(users)': lambda here: here.suspicion,
    'ScikitLearn(items)': lambda here: here.suspicion,
    'ScikitLearn(paired)': lambda here: True,
    'Command(arguments)': lambda here: ['awk'],
    'Command(writes)': lambda here: 'lists',
    'Command(form)': lambda here: 'csv',
    'Command(paired)': lambda here: True,
    'single_units(kind)': lambda here: 'items',
    'RandomGroups(keep)': lambda here: 0.25,
    'RandomGroups(per_seed)': lambda here: 8,
    'RandomGroups(draw)': lambda here: 'stratified',
    'random_controls(split)': lambda here: without_three(here),
    'sample_units(split)': lambda here: without_three(here),
    'single_units(split)': lambda here: without_three(here),
    'RandomGroups.described(split)': lambda here: without_three(here),
    'RandomGroups.units(split)': lambda here: without_three(here),
    'sample_units(sample)': lambda here: 'active',
    'matched_controls(group)': lambda here: Unit(users=(4, 5)),
    'random_controls(kind)': lambda here: 'items',
    'random_controls(size)': lambda here: 3,
    'random_controls(among)': lambda here: [1, 2, 3],
    'deletions(units)': lambda here: [Unit(users=(5,))],
    'Store(experiment)': lambda here: here.of_groups.experiment,
    'reliability(table)': lambda here: here.table[1:],
    'gradient_influence(recommender)': lambda here: ri.SVD(n_factors=2, n_epochs=2),
    'gradient_influence(split)': lambda here: here.half,
    'gradient_influence(metric)': lambda here: 'mae',
    'gradient_influence(units)': lambda here: 'items',
    'gradient_influence(replicates)': lambda here: 2,
    'gradient_influence(seed)': lambda here: 3,
    'gradient_influence(parts)': lambda here: 2,
    'gradient_influence(calibrate)': lambda here: 5,
    'group_influence(sweep)': lambda here: [here.of_groups, here.of_groups],
    'group_influence(blocks)': lambda here: 1,
    'group_influence(permute)': lambda here: 2,
    'save_results(influences)': lambda here: [here.later],
    'save_results(command)': lambda here: 'make it',
    'load_results(source)': lambda here: 'svd_users',
    'load_results(metric)': lambda here: 'ndcg',
    'validate(groups)': lambda here: {'other': Unit(users=(3, 4))},
    'validate(sizes)': lambda here: (1,),
    'plant(n)': lambda here: 3,
    'plant(kinds)': lambda here: ['informative'],
    'compare_with_baselines(draws)': lambda here: 5,
    'compare_with_baselines(method)': lambda here: 'second',
    'compare_with_baselines(over)': lambda here: ['first'],
    'plan(pilots)': lambda here: here.by_items,
    'plan(reliability)': lambda here: 0.9,
    'plan(budget)': lambda here: '1h',
    'screen(part)': lambda here: 'whole',
    'screen(k)': lambda here: 1,
    'screen(metric)': lambda here: 'mae',
    'Influence.of_metric(part)': lambda here: 'whole',
    'ItemMean.fit_without(train)': lambda here: here.split.train[::2],
    'screen(n_units)': lambda here: 2,
    'screen(start)': lambda here: 3,
    'sweep_until(reliability)': lambda here: 0.01,
    'sweep_until(se)': lambda here: 0.5,
    'sweep_until(budget)': lambda here: 1e-6,
    'quote(budget)': lambda here: '20min',
    'measure(actions)': lambda here: ri.leave_out(here.by_users, 2),
    'measure(seed)': lambda here: 600,
    'exposure_shift(seed)': lambda here: 600,
    'exposure_shift(parts)': lambda here: 3,
    'leave_out(weight)': lambda here: 0.5,
    'weigh(strength)': lambda here: 0.9,
    'enrich(reserve)': lambda here: here.other_half.test[3:],
    'enrich(rows)': lambda here: 2,
    'prune(influence)': lambda here: here.by_users,
    'promote(influence)': lambda here: here.by_users,
    'limit(influence)': lambda here: here.by_users,
    'prune(retrain)': lambda here: True,
    'promote(places)': lambda here: 2,
    'limit(shares)': lambda here: 0.5,
    'traits(items)': lambda here: [1, 2],
    'group_audit(by)': lambda here: here.suspicion['first'] % 3,
    'group_audit(served)': lambda here: here.suspicion['second'],
    'actions_table(measured)': lambda here: [(here.measured, 'rmse', 'everyone')],
    'action_page(audience)': lambda here: 'product managers',
    'action_page(table)': lambda here: ri.actions_table([(here.measured, 'rmse', 'everyone')]),
    'action_page(influence)': lambda here: here.by_items,
    'action_page(notes)': lambda here: ['And this.'],
    'seed_agreement(sweep)': lambda here: here.of_items,
    'rating_counts(kind)': lambda here: 'item',
    'rating_counts(mark)': lambda here: {'first': 1},
    'influence_against(by)': lambda here: 'n_ratings',
    'influence_against(label)': lambda here: 'a name',
    'unit_profile(unit)': lambda here: 'user 2',
    'unit_profile(each)': lambda here: every(here),
    'action_effects(effects)': lambda here: here.effects[2:],
    'action_effects(title)': lambda here: 'a title',
    'ratings_over_time(kind)': lambda here: 'item',
    'ratings_over_time(id)': lambda here: 2,
    'influence_report(source)': lambda here: here.by_items,
    'influence_report(command)': lambda here: 'make it',
    'influence_report(interactions)': lambda here: here.data,
    'Unit.rows(frame)': lambda here: here.rows[:20],
    'Unit.remaining(frame)': lambda here: here.rows[:20],
    'Interactions.profile(kind)': lambda here: 'item',
    'Interactions.label(kind)': lambda here: 'user',
    'Interactions.label(id)': lambda here: 4,
    'Split.codes(frame)': lambda here: here.split.train[:9],
    'Evaluator.__call__(model)': lambda here: ri.Popularity().fit(here.split.copy_of_train()),
    'Evaluator.__call__(without)': lambda here: Unit(users=(1,)),
    'Evaluator.rank(model)': lambda here: ri.Popularity().fit(here.split.copy_of_train()),
    'Evaluator.rank(longer)': lambda here: 1,
    'ItemMean.score(users)': lambda here: [1, 2],
    'SVD.score(users)': lambda here: [1, 2],
    'EASE.score(users)': lambda here: [1, 2],
    'ItemKNN.score(users)': lambda here: [1, 2],
    'Popularity.score(users)': lambda here: [1, 2],
    'ItemMean.score(items)': lambda here: [1, 2],
    'SVD.score(items)': lambda here: [1, 2],
    'EASE.score(items)': lambda here: [1, 2],
    'ItemKNN.score(items)': lambda here: [1, 2],
    'Popularity.score(items)': lambda here: [1, 2],
    'Sweep.groups(seeds)': lambda here: [1],
    'Reliability.needed(reliability)': lambda here: 0.9,
    'Reliability.project(replicates)': lambda here: 9,
    'Influence.of(results)': lambda here: here.of_items,
    'Influence.overlap(best)': lambda here: False,
    'Influence.of(units)': lambda here: 'items',
    'Influence.__add__(other)': lambda here: here.by_users,
    'Validation.frame(part)': lambda here: 'whole',
    'Validation.table(part)': lambda here: 'whole',
    'Action.at_random(n)': lambda here: 3,
    'Planted.unit(kind)': lambda here: 'random',
    'Measured.row(metric)': lambda here: 'rmse',
    'OneAtATime(kind)': lambda here: 'items',
    'OneAtATime(listed)': lambda here: (Unit(users=(1,)),),
}


def without_three(here) -> ri.Split:
    "A split of the other users."
    return ri.random_split(ri.load_interactions(here.rows[here.rows.user > 2]))


def every(here) -> pd.DataFrame:
    "Half of what a profile is drawn from."
    from recinfluence.show.unit_plots import every_metric

    return every_metric(here.by_users).iloc[::2]


def pairs() -> dict[str, tuple]:
    "(call, parameter, another value) by what it is called."
    found = {}
    for name, call in all_calls().items():
        for parameter in call.parameters:
            place = f'{name}({parameter})'
            if parameter in ANYWHERE or place in ELSEWHERE or name in ELSEWHERE:
                continue
            found[place] = call, parameter, OTHER.get(place) or EVERYWHERE.get(parameter)
    return found


def outcome_of(call, changed: dict):
    "What it gives, or by which refusal it ends."
    try:
        return told(call.run(**changed))
    except Exception as error:
        assert not from_below(error), from_below(error)
        return 'refused', str(error)


def test_every_parameter_has_another_value():
    assert [place for place, (*_, other) in pairs().items() if other is None] == []
    places = {f'{name}({p})' for name, call in all_calls().items() for p in call.parameters}
    assert set(OTHER) <= places and set(OTHER) <= set(pairs())
    assert {place for place in ELSEWHERE if '(' in place} <= places


@pytest.mark.slow
@pytest.mark.parametrize('part', range(PARTS))
def test_every_argument_is_used_or_refused(part):
    here = world()
    for name in sorted(all_calls())[part::PARTS]:
        check_used(name, here)


def check_used(name: str, here):
    "Another value of each parameter gives something else."
    first = outcome_of(all_calls()[name], {})
    for place, (call, parameter, other) in pairs().items():
        if place.partition('(')[0] == name:
            second = outcome_of(call, {parameter: other(here)})
            assert second != first, f'{place} does nothing'
            plt.close('all')
