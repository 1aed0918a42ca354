"""Each kind of adapter from sweep to plot, table, command line and report."""

import json
import shutil

import numpy as np
import pytest
from programs import MEANS, awk
from shared import Page
from sklearn.linear_model import LinearRegression

from recinfluence.adapters.command import Command
from recinfluence.adapters.estimator import ScikitLearn
from recinfluence.adapters.implicit import Implicit
from recinfluence.adapters.lenskit import LensKit
from recinfluence.adapters.surprise import Surprise
from recinfluence.cli.main import main
from recinfluence.core.units import Unit
from recinfluence.data.simulated import planted_interactions
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.sweep.run import deletion_sweep

MODELS = {
    'surprise': lambda: Surprise('KNNBasic', k=5),
    'surprise draws': lambda: Surprise('NMF', n_factors=3, n_epochs=5),
    'implicit als': lambda: Implicit('AlternatingLeastSquares', factors=4),
    'implicit items': lambda: Implicit('CosineRecommender'),
    'implicit bpr': lambda: Implicit('BayesianPersonalizedRanking', factors=4, iterations=10),
    'lenskit': lambda: LensKit('ImplicitMFScorer', embedding_size=4, epochs=3),
    'estimator': lambda: ScikitLearn(LinearRegression()),
    'command': lambda: Command(['awk', MEANS, '{train}'], paired=True),
}


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('units', ['users', 'items'])
def test_sweep_influence_plot_show_and_report(tiny, tmp_path, capsys, name, units):
    if name == 'command' and not shutil.which('awk'):
        pytest.skip('there is no awk on this machine')
    if name.split()[0] in ('implicit', 'lenskit'):
        pytest.importorskip(name.split()[0])
    model = MODELS[name]()
    store = tmp_path / 's.db'
    sweep = deletion_sweep(
        model,
        tiny,
        units,
        ids=range(3),
        replicates=2,
        k=3,
        metrics=['coverage', 'gini'],
        store=store,
        jobs=1,
        progress=False,
    )
    assert (
        sweep.store.failures().empty
        and len(sweep.store.done()) == 2 * 4
        and sweep.experiment.engine == 'reference'
    )
    direct = Evaluator(tiny, 3)(
        model.fresh().fit(Unit(**{units: (1,)}).remaining(tiny.train), 1), Unit(**{units: (1,)})
    )  # by hand: another fit on what remains
    frame = sweep.frame().set_index(['unit', 'seed', 'metric']).without
    assert frame[f'{units[:-1]} 1', 1, 'ndcg'] == pytest.approx(direct['ndcg'], abs=1e-9)
    for metric in ('ndcg', 'coverage'):
        influence = sweep.influence(metric)
        title, told = influence.plot().get_title(), f'{sweep!r}{influence!r}'
        assert (
            influence.frame.estimate.notna().all()
            and len(influence.frame) == 3
            and (('not paired' in title) == ('not paired' in told) == (not model.paired))
        )
    assert main(['show', str(store), '--metric', 'coverage']) == 0
    shown = capsys.readouterr().out
    assert model.config()['recommender'] in shown and ('not paired' in shown) == (not model.paired)
    metric = 'ndcg' if units == 'users' else 'coverage'
    assert main(['report', str(store), '--metric', metric]) == 0
    influence = sweep.influence(metric)
    page = Page((tmp_path / 's.html').read_text(encoding='utf-8'))
    said = ' '.join(page.text)
    frame = influence.frame
    rows = {r[0]: r for r in page.rows}
    top, every = page.rows[1], page.rows[4]
    assert [r[0] for r in page.rows[1:4]] == frame.label.tolist() and float(
        top[page.rows[0].index('influence')]
    ) == pytest.approx(frame.estimate.iloc[0], abs=5.1e-4 * frame.estimate.abs().max() + 1e-12)
    assert (
        influence.caution in said
        and ('NOT paired' in said) == ('not paired, 2 replicates' in said) == (not model.paired)
        and rows['recommender'][1].startswith(model.config()['recommender'])
    )
    for key in ('ndcg', 'mae', 'gini'):
        reliability = sweep.influence(key).reliability
        assert rows[influence.metrics[key].label][every.index('reliability')] == (
            str(reliability) if np.isfinite(reliability.estimate) else '– (all alike)'
        )
    import matplotlib.pyplot as plt

    plt.close('all')


@awk
def test_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planted_interactions().to_csv('own.csv', index=False)
    (tmp_path / 'model.awk').write_text(MEANS)

    def say(*words):
        main([*words, '--json'])
        return json.loads(capsys.readouterr().out)

    run = [
        'sweep',
        '--dataset',
        'own.csv',
        '--command',
        'awk -f model.awk {train}',
        '--paired',
        '--units',
        'users',
        '--ids',
        '1-3',
        '--replicates',
        '2',
        '--k',
        '3',
        '--metrics',
        'coverage,gini',
        '--jobs',
        '1',
        '--store',
        's.db',
    ]
    out = say(*run)
    assert (
        out['units'] == 3
        and out['failed'] == []
        and say(*run)['content_hash'] == out['content_hash']
    )
    shown = say('show', 's.db', '--metric', 'gini')
    assert (
        len(shown['rows']) == 3
        and shown['experiment']['recommender']['files']
        and 'gini' in shown['experiment']['metrics']
    )
    assert (
        say(
            'evaluate',
            '--dataset',
            'own.csv',
            '--model',
            'surprise:KNNBasic',
            '--k',
            '3',
            '--metrics',
            'novelty',
        )['metrics']['novelty']
        > 0
    )
    for bad, words in (
        (['--model', 'svd', '--metrics', 'fame'], 'not ready-made'),
        (['--model', 'surprise:KNNBasic', '--protocol', 'paper'], '--protocol paper is for'),
        (['--command', 'awk "BEGIN'], 'No closing quotation'),
    ):
        assert (
            main(['evaluate', '--dataset', 'own.csv', *bad]) == 2
            and words in capsys.readouterr().err
        )
    assert (
        main(['evaluate', '--dataset', 'own.csv', '--command', 'false']) == 1
        and 'ended with status 1' in capsys.readouterr().err
    )
    with pytest.raises(SystemExit):
        main(['evaluate', '--dataset', 'own.csv', '--model', 'lenskit:Nothing'])
    assert 'invalid choice' in capsys.readouterr().err
