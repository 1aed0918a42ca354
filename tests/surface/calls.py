"""One valid call of everything public: what the properties of the surface replace parts of."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from sklearn.linear_model import Ridge
from surface.world import JUDGED, QUICKLY, ROWS, world

import recinfluence as ri
from recinfluence.designs.single import OneAtATime


@dataclass(frozen=True)
class Call:
    "A function, and arguments with which it works."

    function: Callable
    given: dict

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        "By name, without those that stand for further ones."
        found = inspect.signature(self.function).parameters
        return {name: one for name, one in found.items() if one.kind is not one.VAR_KEYWORD}

    @property
    def before_stars(self) -> list[str]:
        "What stands before a parameter of the form *names is given by its place."
        names = list(self.parameters)
        stars = [n for n, one in self.parameters.items() if one.kind is one.VAR_POSITIONAL]
        return names[: names.index(stars[0])] if stars else []

    def run(self, **changed):
        "Called with some arguments changed; what it gives is looked at to its end."
        given, places, names = {**self.given, **changed}, [], {}
        for name, value in given.items():
            form = self.parameters[name].kind if name in self.parameters else None
            if form is inspect.Parameter.VAR_POSITIONAL:
                places += [value] if name in changed else value
            elif form is inspect.Parameter.POSITIONAL_ONLY or name in self.before_stars:
                places.append(value)
            else:
                names[name] = value
        found = self.function(*places, **names)
        return list(found) if inspect.isgenerator(found) else found


def functions() -> dict[str, Call]:
    "The functions and classes that are called by hand."
    here = world()
    sweeps = dict(recommender=here.model, split=here.split, **QUICKLY)
    chosen = dict(influence=here.by_users)
    on_items = dict(influence=here.by_items)
    fresh = dict(recommender=here.model, split=here.other_half, k=3, **JUDGED)
    calls = {
        'stream': dict(seed=0, key=['name', 3]),
        'Unit': dict(users=(1, 2), items=(), name='pair'),
        'Interactions': dict(frame=here.rows),
        'load_interactions': dict(data=here.rows),
        'summary': dict(interactions=here.data),
        'load_movielens': dict(path='nowhere'),
        'load_amazon': dict(path='nowhere'),
        'chrono_split': dict(interactions=here.data),
        'random_split': dict(interactions=here.data),
        'leave_last_out': dict(interactions=here.data),
        'make_split': dict(train=here.split.train, test=here.split.test),
        'k_core': dict(interactions=here.data, k=2),
        'planted_interactions': dict(n_users=12, n_items=10),
        'careless_interactions': ROWS,
        'low_rank_interactions': dict(n_users=12, n_items=30, rows=12),
        'simulate_interactions': dict(n_users=12, n_items=10, n_rows=40),
        'implied_ratings': dict(printed=here.printed),
        'on_half': dict(split=here.split),
        'Evaluator': dict(split=here.split, k=3),
        'conformance': dict(recommender=ri.Popularity()),
        'Popularity': {},
        'ItemMean': {},
        'NCF': {},
        'SVD': {},
        'EASE': {},
        'ItemKNN': {},
        'Surprise': dict(name='SVD'),
        'Implicit': dict(name='AlternatingLeastSquares'),
        'LensKit': dict(name='BiasScorer'),
        'ScikitLearn': dict(estimator=Ridge()),
        'Command': dict(arguments=['cat', '{train}']),
        'single_units': dict(split=here.split, kind='users'),
        'RandomGroups': {},
        'sample_units': dict(split=here.split, n=4),
        'matched_controls': dict(group=here.named['pair'], split=here.split),
        'random_controls': dict(kind='users', size=2, split=here.split),
        'Replicate': dict(recommender=here.model, evaluator=here.evaluator),
        'deletions': dict(
            recommender=here.model, evaluator=here.evaluator, units=[here.named['pair']]
        ),
        'Store': dict(experiment=here.users.experiment),
        'deletion_sweep': dict(sweeps, ids=[1, 2]),
        'reliability': dict(table=here.table),
        'group_influence': dict(sweep=here.of_groups),
        'gradient_influence': dict(recommender=ri.SVD(n_factors=3, n_epochs=2), split=here.split),
        'save_results': dict(influences=[here.by_users], path='kept.parquet'),
        'load_results': dict(source='ncf_users'),
        'shipped_results': {},
        'validate': dict(sweeps, groups=here.named, n_random=3, **JUDGED),
        'plant': dict(split=here.split, kinds=['careless'], n=2),
        'recovery': dict(scores=here.suspicion, planted=[1, 2], draws=20),
        'compare_with_baselines': dict(
            scores=here.suspicion, planted=[1, 2], method='first', over=['second'], draws=20
        ),
        'baselines': dict(split=here.split),
        'plan': dict(pilots=[here.by_users], reliability=0.8, jobs=1),
        'screen': dict(sweeps, metric='ndcg', n_units=3, replicates=3, start=2),
        'sweep_until': dict(sweeps, ids=[1, 2], replicates=2),
        'quote': dict(sweeps, stretch=True),
        'measure': dict(fresh, actions=here.action, n_random=3),
        'leave_out': dict(chosen, users=3),
        'weigh': chosen,
        'segment': chosen,
        'enrichment_targets': dict(chosen, split=here.half, users=3),
        'enrich': dict(chosen, split=here.half, reserve=here.other_half.test, users=3),
        'prune': dict(on_items, items=2),
        'promote': dict(on_items, items=2),
        'limit': dict(on_items, items=2),
        'traits': dict(split=here.split),
        'newcomers': dict(on_items, split=here.half, items=2, folds=2),
        'popularity_audit': chosen,
        'group_audit': dict(chosen, by=here.suspicion['first'] % 2),
        'exposure_shift': dict(fresh, action=here.on_items, parts=2),
        'actions_table': dict(measured=[(here.measured, 'mae', 'everyone')]),
        'action_page': dict(
            audience='developers',
            table=ri.actions_table([(here.measured, 'mae', 'everyone')]),
            influence=here.by_users,
        ),
        'influence_bars': chosen,
        'first_units': chosen,
        'seed_agreement': dict(sweep=here.users),
        'rating_counts': dict(interactions=here.data),
        'ranked_influence': chosen,
        'influence_against': chosen,
        'replicate_agreement': chosen,
        'unit_profile': dict(chosen, unit='user 1'),
        'action_effects': dict(effects=here.effects),
        'ratings_over_time': dict(split=here.split, kind='user', id=1),
        'influence_report': dict(source=here.users, path='page.html'),
    }
    return {name: Call(getattr(ri, name), given) for name, given in calls.items()}


def methods() -> dict[str, Call]:
    "The methods of the objects that people hold."
    here = world()
    train, pair = here.split.copy_of_train(), here.named['pair']
    users, items = here.split.users[:3], here.split.items[:4]
    svd = ri.SVD(n_epochs=2).fit(train)
    known = ri.reliability(here.table)
    calls = {
        'Unit.rows': (pair, dict(frame=train)),
        'Unit.remaining': (pair, dict(frame=train)),
        'Interactions.profile': (here.data, dict(kind='user')),
        'Interactions.label': (here.data, dict(kind='item', id=3)),
        'Split.codes': (here.split, dict(frame=train)),
        'Split.halve_test': (here.split, {}),
        'Evaluator.__call__': (here.evaluator, dict(model=here.fitted)),
        'Evaluator.rank': (here.evaluator, dict(model=here.fitted)),
        'ItemMean.fit': (here.model.fresh(), dict(train=train)),
        'ItemMean.fit_without': (here.model.fresh(), dict(train=train, unit=pair)),
        'ItemMean.score': (here.fitted, dict(users=users, items=items)),
        'ItemMean.for_split': (here.model, dict(split=here.split)),
        'SVD.fit': (ri.SVD(n_epochs=2), dict(train=train)),
        'SVD.score': (svd, dict(users=users, items=items)),
        'SVD.save': (svd, dict(path='model.npz')),
        'SVD.load': (ri.SVD, dict(path='nowhere.npz')),
        'EASE.fit': (ri.EASE(), dict(train=train)),
        'EASE.score': (ri.EASE().fit(train), dict(users=users, items=items)),
        'ItemKNN.fit': (ri.ItemKNN(), dict(train=train)),
        'ItemKNN.score': (ri.ItemKNN().fit(train), dict(users=users, items=items)),
        'Popularity.fit': (ri.Popularity(), dict(train=train)),
        'Popularity.score': (ri.Popularity().fit(train), dict(users=users, items=items)),
        'Replicate.delete': (here.replicate, dict(unit=pair)),
        'Replicate.held': (here.replicate, dict(unit=pair)),
        'Deletion.influence': (here.replicate.delete(pair), {}),
        'Deletion.mechanical': (here.replicate.delete(pair), {}),
        'Deletion.training': (here.replicate.delete(pair), {}),
        'Store.rescue': (ri.Store, dict(path='nowhere.db', to='new.db')),
        'Sweep.groups': (here.of_groups, dict(metric='map')),
        'Sweep.influence': (here.users, {}),
        'Reliability.needed': (known, {}),
        'Reliability.project': (known, dict(replicates=4)),
        'Influence.of': (ri.Influence, dict(results=here.users)),
        'Influence.of_metric': (here.by_users, dict(metric='map')),
        'Influence.overlap': (here.by_users, {}),
        'Influence.plot': (here.by_users, {}),
        'Influence.explore': (here.by_users, {}),
        'Influence.ranks': (here.by_users, {}),
        'Influence.top': (here.by_users, {}),
        'Influence.bottom': (here.by_users, {}),
        'Influence.__add__': (here.by_users, dict(other=here.later)),
        'Validation.conclusion': (here.validation, {}),
        'Validation.frame': (here.validation, {}),
        'Validation.table': (here.validation, {}),
        'Validation.plot': (here.validation, {}),
        'Planted.unit': (here.planted, dict(kind='careless')),
        'Action.at_random': (here.action, dict(n=2)),
        'Measured.conclusion': (here.measured, {}),
        'Measured.frame': (here.measured, {}),
        'Measured.row': (here.measured, dict(metric='mae')),
        'Measured.plot': (here.measured, {}),
        'RandomGroups.described': (ri.RandomGroups(), dict(split=here.split)),
        'RandomGroups.units': (ri.RandomGroups(), dict(split=here.split, seed=0)),
        'OneAtATime': (OneAtATime, {}),
    }
    return {
        name: Call(getattr(held, name.partition('.')[2] or '__call__'), given)
        if name != 'OneAtATime'
        else Call(OneAtATime, given)
        for name, (held, given) in calls.items()
    }


@cache
def all_calls() -> dict[str, Call]:
    "Functions, classes, methods."
    return functions() | methods()
