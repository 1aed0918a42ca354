"""Which users and items help a recommender, which hurt it, and how sure are we?"""

__version__ = '0.1.0'

# Where the names for everyday use live; a module is imported when one of its names is first asked for.
_HOMES = {
    'datasets': ['Interactions', 'DataError', 'load_movielens', 'load_interactions', 'summary'],
    'splits': ['Split', 'chrono_split', 'random_split', 'leave_last_out', 'make_split', 'k_core'],
    'metrics': [
        'METRICS',
        'EXPOSURE',
        'CANDIDATES',
        'Metric',
        'Recommended',
        'on_half',
        'Evaluator',
        'Evaluation',
    ],
    'recommenders': [
        'Recommender',
        'Unit',
        'Popularity',
        'conformance',
        'stream',
        'planted_interactions',
    ],
    'ncf': ['NCF'],
    'svd': ['SVD'],
    'adapters': ['Surprise', 'Implicit', 'LensKit', 'Estimator', 'Command'],
    'amazon': ['load_amazon', 'simulate_interactions', 'implied_ratings'],
    'deletion': ['Deletion', 'RandomGroups', 'Replicate', 'deletions', 'single_units'],
    'sweep': ['Store', 'StoreError', 'Sweep', 'deletion_sweep'],
    'influence': ['Influence', 'Reliability', 'group_influence', 'reliability'],
    'validation': ['Validation', 'matched', 'random_groups', 'validate'],
    'closed_form': ['EASE'],
    'planted': [
        'KINDS',
        'Planted',
        'plant',
        'recovery',
        'lead',
        'baselines',
        'low_rank_interactions',
    ],
    'planning': ['plan', 'screen', 'sweep_until'],
    'budget': ['quote', 'sample_units'],
    'curation': [
        'Action',
        'Measured',
        'measure',
        'leave_out',
        'weigh',
        'segment',
        'targets',
        'enrich',
        'prune',
        'promote',
        'limit',
        'traits',
        'newcomers',
        'popularity_audit',
        'heirs',
        'group_audit',
        'actions_table',
        'one_page',
    ],
    'results': ['save_results', 'load_results', 'shipped_results'],
    'report': ['influence_report'],
    'plots': [
        'influence_bars',
        'first_units',
        'seed_agreement',
        'rating_counts',
        'ranked_influence',
        'influence_against',
        'replicate_agreement',
        'unit_profile',
        'action_effects',
        'ratings_over_time',
    ],
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
