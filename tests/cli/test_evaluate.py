"""`recinfluence evaluate`."""

from terminal import parsed, shell

from recinfluence.metrics.metric import METRICS

SEVEN = ['map', 'map_at_k', 'ndcg', 'precision', 'recall', 'explained_variance', 'mae']


def test_evaluate_svd_under_the_papers_protocol(movielens):
    out = parsed(
        shell('evaluate', '--dataset', 'ml-100k', '--model', 'svd', '--protocol', 'paper', '--json')
    )
    assert list(out['metrics']) == list(METRICS) == [*SEVEN, 'rmse'] and [
        round(out['metrics'][m], 6) for m in SEVEN
    ] == [0.610440, 1, 1, 0.878556, 0.610440, 0.287167, 0.746868]
    assert (
        out['sees_model']['map'] is False
        and out['sees_model']['mae'] is True
        and out['candidates'] == 'test'
    )
