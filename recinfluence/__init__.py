"""Which users and items help a recommender, which hurt it, and how sure are we?"""

__version__ = "0.1.0"

# Where the names for everyday use live; a module is imported when one of them is first asked for.
_HOMES = {
    'core.random': ['stream'],
    'core.units': ['Unit'],
    'data.texts': ['DataError'],
    'data.interactions': ['Interactions', 'load_interactions', 'summary'],
    'data.movielens': ['load_movielens'],
    'data.splits': [
        'Split',
        'chrono_split',
        'random_split',
        'leave_last_out',
        'make_split',
        'k_core',
    ],
    'data.amazon': ['load_amazon'],
    'data.simulated': ['planted_interactions', 'careless_interactions', 'low_rank_interactions'],
    'data.stand_in': ['simulate_interactions', 'implied_ratings'],
    'metrics.recommended': ['Metric', 'Recommended'],
    'metrics.ranking': ['CANDIDATES'],
    'metrics.exposure': ['EXPOSURE'],
    'metrics.metric': ['METRICS'],
    'metrics.evaluator': ['on_half', 'Evaluator', 'Evaluation'],
    'models.base': ['Recommender'],
    'models.conformance': ['conformance'],
    'models.popularity': ['Popularity', 'ItemMean'],
    'models.ncf': ['NCF'],
    'models.svd': ['SVD'],
    'models.ease': ['EASE'],
    'models.item_knn': ['ItemKNN'],
    'adapters.surprise': ['Surprise'],
    'adapters.implicit': ['Implicit'],
    'adapters.lenskit': ['LensKit'],
    'adapters.estimator': ['ScikitLearn', 'Estimator'],
    'adapters.command': ['Command'],
    'designs.single': ['single_units'],
    'designs.random_groups': ['RandomGroups'],
    'designs.samples': ['sample_units'],
    'designs.controls': ['matched_controls', 'random_controls'],
    'engines.deletion': ['Deletion', 'Replicate', 'deletions'],
    'sweep.file': ['StoreError'],
    'sweep.store': ['Store'],
    'sweep.run': ['Sweep', 'deletion_sweep'],
    'influence.reliability': ['Reliability', 'reliability'],
    'influence.from_groups': ['group_influence'],
    'influence.influence': ['Influence'],
    'influence.from_gradient': ['gradient_influence'],
    'influence.saved': ['save_results', 'load_results', 'shipped_results'],
    'decisions.validation': ['Validation', 'validate'],
    'decisions.planted': ['KINDS', 'Planted', 'plant'],
    'decisions.recovery': ['recovery', 'compare_with_baselines', 'baselines'],
    'decisions.planning': ['plan'],
    'decisions.stopping': ['screen', 'sweep_until'],
    'decisions.budget': ['quote'],
    'actions.action': ['Action'],
    'actions.measured': ['Measured', 'measure'],
    'actions.on_users': ['leave_out', 'weigh', 'segment', 'enrichment_targets', 'enrich'],
    'actions.on_items': ['prune', 'promote', 'limit'],
    'actions.audits': ['traits', 'newcomers', 'popularity_audit', 'group_audit'],
    'actions.exposure_shift': ['exposure_shift'],
    'actions.overview': ['actions_table', 'action_page'],
    'show.plots': [
        'influence_bars',
        'first_units',
        'seed_agreement',
        'rating_counts',
        'ranked_influence',
        'influence_against',
        'replicate_agreement',
    ],
    'show.unit_plots': ['unit_profile', 'action_effects', 'ratings_over_time'],
    'show.page': ['influence_report'],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
__all__ = list(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module

    return getattr(import_module(f'.{_HOME[name]}', __name__), name)


def __dir__():
    return sorted([*globals(), *__all__])
