"""The page on a sweep: it stands alone, and every number is the one in its table."""

import base64
import re
from dataclasses import replace
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from shared import Page

from recinfluence.data.interactions import load_interactions
from recinfluence.data.simulated import planted_interactions
from recinfluence.data.splits import chrono_split
from recinfluence.designs.random_groups import RandomGroups
from recinfluence.influence.saved import load_results, save_results
from recinfluence.metrics.metric import METRICS, RANKING, Metric
from recinfluence.models.popularity import Popularity
from recinfluence.models.svd import SVD
from recinfluence.show.page import influence_report
from recinfluence.sweep.run import deletion_sweep
from recinfluence.sweep.store import Store


def page_of(source, folder, *args, **kwargs):
    "The page, its text, and its rows by their first cell."
    html = influence_report(source, folder / 'page.html', *args, **kwargs).read_text(
        encoding='utf-8'
    )
    page = Page(html)
    assert (
        all(f.startswith('data:image/svg+xml;base64,') for f in page.fetched)
        and 'url(' not in html
        and '<script' not in html
        and '@import' not in html
        and all(page.alts)
    )  # it stands alone
    return page, ' '.join(page.text).strip(), {r[0]: r for r in page.rows}


def drawn(page):
    return [base64.b64decode(f.partition(',')[2]).decode() for f in page.fetched]


def said(sure):
    return str(sure) if np.isfinite(sure.estimate) else '– (all alike)'


@pytest.fixture(scope='module')
def made(tiny, tmp_path_factory):
    return deletion_sweep(
        SVD(n_factors=4, n_epochs=5),
        tiny,
        'users',
        range(14),
        3,
        7,
        tmp_path_factory.mktemp('made') / 'users.db',
        k=3,
        metrics=['coverage', 'gini'],
        jobs=1,
        progress=False,
    )


def test_the_numbers_of_a_page_are_those_of_the_influence(made, tmp_path):
    page, text, rows = page_of(made, tmp_path, 'mae', n=3)
    influence = made.influence('mae')
    frame = influence.frame
    head = page.rows[0]
    assert (
        head[0] == 'user'
        and [r[0] for r in page.rows[1:4]] == frame.label.head(3).tolist()
        and [r[0] for r in page.rows[5:8]] == frame.label.iloc[::-1].head(3).tolist()
    )
    for row, (_, unit) in zip(
        page.rows[1:4] + page.rows[5:8],
        pd.concat([frame.head(3), frame.iloc[::-1].head(3)]).iterrows(),
    ):
        for column, name in (
            ('estimate', 'influence'),
            ('se', 'se'),
            ('low', '95 % from'),
            ('high', 'to'),
            ('mechanical', 'mechanical'),
            ('training', 'training'),
        ):
            assert float(row[head.index(name)]) == pytest.approx(
                unit[column], abs=5.1e-4 * frame.estimate.abs().max()
            ), name
        assert (
            float(row[head.index('q')]) == pytest.approx(unit.q, abs=1e-3)
            and int(row[head.index('ratings')]) == unit.n_ratings
            and row[head.index('told from zero')]
            == ('no' if unit.q >= 0.05 else 'helps' if unit.estimate > 0 else 'hurts')
        )
    every = page.rows[8]
    assert [r[0] for r in page.rows[9:19]] == [m.label for m in made.store.metrics.values()]
    for key, metric in made.store.metrics.items():
        own = made.influence(key)
        row = dict(zip(every, rows[metric.label]))
        assert (row['reliability'], row['of the training part'], row['sees the model']) == (
            said(own.reliability),
            said(own.without_mechanical.reliability),
            'yes',
        )
        assert float(row['full model']) == pytest.approx(made.full()[key].mean(), abs=1e-3) and row[
            'better'
        ] == ('higher' if metric.direction > 0 else 'lower')
    assert (
        text.index(influence.caution) < text.index('The 3 that help most')
        and 'No retraining failed' in text
        and len(drawn(page)) == 2
    )
    about = made.experiment
    assert (
        about.data_hash in rows['data'][1]
        and about.split_hash in rows['split'][1]
        and rows['recommender'][1].startswith('SVD: ')
        and 'n_factors = 4' in rows['recommender'][1]
    )
    assert (
        rows['seeds'][1] == '7 to 9'
        and rows['replicates'][1] == '3'
        and rows['retrainings'][1].startswith(f'{14 * 3}, ')
        and rows['store'][1].startswith('users.db')
        and made.store.content_hash() in rows['store'][1]
        and rows['deletions'][1].startswith('paired')
    )


def test_the_same_sweep_is_the_same_page(made, tmp_path):
    pages = [
        influence_report(made, tmp_path / 'a.html'),
        influence_report(made.store.path, tmp_path / 'b.html'),
        influence_report(Store(made.store.path), tmp_path / 'c.html', 'map'),
    ]
    with plt.style.context('dark_background'):
        pages.append(influence_report(made.influence('map'), tmp_path / 'd.html'))
    assert len({p.read_bytes() for p in pages}) == 1 and not plt.get_fignums()
    part = deletion_sweep(
        SVD(n_factors=4, n_epochs=5),
        chrono_split(load_interactions(planted_interactions(), name='planted')),
        'users',
        range(4),
        2,
        7,
        made.store.path,
        k=3,
        metrics=['coverage', 'gini'],
        jobs=1,
        progress=False,
    )
    _, _, rows = page_of(part, tmp_path)
    assert (
        rows['seeds'][1] == '7 to 8'
        and rows['units'][1] == '4'
        and rows['retrainings'][1].startswith('8, ')
    )  # a sweep is a part of its store


@pytest.fixture(scope='module')
def odd():
    "Names that mean something in HTML, in SVG and to the library that draws."
    frame = planted_interactions()
    frame['user'] = [f'<script>alert({u})</script> $a_{u}$ & "\'' for u in frame.user]
    return chrono_split(
        replace(
            load_interactions(frame, name='own <i>$x_$ & co'),
            items=pd.DataFrame(
                {'title': [f'<b>{i}</b> $_$ &amp;' for i in frame['item'].unique()]},
                index=frame['item'].unique(),
            ),
        )
    )


class Moody(Popularity):
    "Fails for some, and is not paired."

    paired, fails = False, 3

    def fit_without(self, train, unit, seed=0):
        if (unit.users or unit.items)[0] in np.unique(train.user if unit.users else train['item'])[
            : self.fails
        ]:
            raise RuntimeError('singular <matrix> & "more"')
        return super().fit_without(train, unit, seed)


@pytest.mark.parametrize('units', ['users', 'items'])
@pytest.mark.filterwarnings('error')
def test_names_are_escaped_and_failures_and_pairing_are_said(odd, tmp_path, units):
    shame = Metric('shame', '<u>Shame</u> & $_$', -1, False, lambda r: float((r.top == 0).sum()))
    sweep = deletion_sweep(
        Moody(),
        odd,
        units,
        getattr(odd, units)[:8].tolist(),
        2,
        k=3,
        metrics=[shame],
        jobs=1,
        progress=False,
    )
    page, text, rows = page_of(sweep, tmp_path)
    frame = sweep.influence().frame
    assert (
        len(frame) == 5
        and [r[0] for r in page.rows[1:6]] == frame.label.tolist()
        and {'b', 'u', 'i', 'script', 'matrix'}.isdisjoint(
            t for t in re.findall(r'<(\w+)', (tmp_path / 'page.html').read_text())
        )
    )
    assert (
        shame.label in rows
        and 'own <i>$x_$ & co' in rows['data'][1]
        and (units == 'users' or [r[1] for r in page.rows[1:6]] == frame.id.astype(str).tolist())
    )
    assert (
        '6 retrainings failed.' in text
        and 'Left out, 3 of 8 units' in text
        and '--retry-failed' in text
        and sum('singular <matrix> & "more"' in r[-1] for r in page.rows) == 6
    )
    assert 'Deletions are not paired' in text and rows['deletions'][1].startswith('NOT paired')
    (svg,) = drawn(page)
    words = ''.join(ElementTree.fromstring(svg).itertext())
    assert frame.label.iloc[0][:25] in words and 'own <i>$x_$ & co' in ' '.join(words.split())


def test_a_sweep_of_which_nothing_is_left_says_so(tiny, tmp_path):
    class Never(Moody):
        fails = 10**6

    sweep = deletion_sweep(Never(), tiny, 'users', range(4), 2, k=3, jobs=1, progress=False)
    page, text, rows = page_of(sweep, tmp_path)
    assert (
        'there is nothing to conclude' in text
        and '8 retrainings failed.' in text
        and '4 of 4 units' in text
        and rows['NDCG'][4:6] == ['– (no unit has a number)'] * 2
        and not page.fetched
    )

    class Broken(Popularity):
        def fit(self, train, seed=0):
            raise RuntimeError('no licence')

    _, text, _ = page_of(
        deletion_sweep(Broken(), tiny, 'users', range(2), k=3, jobs=1, progress=False), tmp_path
    )
    assert 'there is nothing to conclude' in text and 'no licence' in text


def test_many_failures_are_counted_and_the_first_are_listed(tiny, tmp_path):
    class Often(Moody):
        fails = 28

    page, text, _ = page_of(
        deletion_sweep(Often(), tiny, 'users', range(30), 2, k=3, jobs=1, progress=False), tmp_path
    )
    assert (
        '56 retrainings failed, the first 50 are listed.' in text
        and sum('singular' in r[-1] for r in page.rows) == 50
    )


def test_one_replicate_has_no_error_bars(tiny, tmp_path):
    page, text, rows = page_of(
        deletion_sweep(Popularity(), tiny, 'items', range(5), k=3, jobs=1, progress=False), tmp_path
    )
    assert (
        'One replicate: no error bar can be given' in text
        and {'se', 'q', 'to', 'told from zero'}.isdisjoint(page.rows[0])
        and 'mechanical' in page.rows[0]
        and rows['MAE'][3:5] == ['– (one replicate)'] * 2
        and 'nan' not in text.lower()
    )


def test_metrics_that_cannot_see_the_model_are_called_out_and_not_taken(tiny, tmp_path):
    sweep = deletion_sweep(
        Popularity(), tiny, 'users', range(6), 2, k=10, candidates='test', jobs=1, progress=False
    )
    blind = sweep.experiment.blind
    page, text, rows = page_of(sweep, tmp_path)
    assert (
        'map' in blind
        and 'mae' not in blind
        and text.startswith(
            f'Influence on {next(m.label for n, m in METRICS.items() if n not in blind)}'
        )
        and f'{", ".join(METRICS[m].label for m in blind)} cannot see the model' in text
    )
    assert (
        all((rows[m.label][-1] == 'NO') == (n in blind) for n, m in METRICS.items())
        and rows['MAP'][-2] == '– (there is none)'
    )
    assert 'its influence is mechanical alone' in page_of(sweep, tmp_path, 'map')[1]


def test_random_groups(tiny, tmp_path):
    sweep = deletion_sweep(
        Popularity(), tiny, RandomGroups(per_seed=16), replicates=6, k=3, jobs=1, progress=False
    )
    page, text, rows = page_of(sweep, tmp_path, 'ndcg')
    influence = sweep.influence('ndcg')
    frame = influence.frame
    assert (
        [r[0] for r in page.rows[1:11]] == frame.label.head(10).tolist()
        and {'mechanical', 'training'}.isdisjoint(page.rows[0])
        and influence.caution in text
        and influence.estimand in text
    )
    assert (
        [m for m, k in METRICS.items() if k.label in rows] == RANKING
        and rows['NDCG'][2] == str(influence.reliability)
        and 'per_seed = 16' in rows['random groups'][1]
        and rows['replicates'][1] == '6 blocks of seeds'
        and rows['retrainings'][1].startswith(
            f'{6 * sweep.groups("ndcg", range(6)).scores.shape[1]}, '
        )
    )


def test_a_file_of_results(made, tiny, tmp_path):
    path = save_results(
        [made.influence(m) for m in ('map', 'mae')], tmp_path / 'x.parquet', 'make <x>'
    )
    page, text, rows = page_of(path, tmp_path, 'mae')
    own = made.influence('mae')
    assert (
        [r[0] for r in page.rows[1:15]] == [f'user {i}' for i in own.frame.id]
        and own.caution in text
        and rows['MAE'][2:4] == [str(own.reliability), str(own.without_mechanical.reliability)]
        and 'RMSE' not in rows
    )
    assert (
        rows['command'][1] == 'make <x>'
        and 'processor' in rows
        and 'store' not in rows
        and 'does not say what failed' in text
        and 'mean rating' not in page.rows[0]
    )
    assert 'mean rating' in page_of(path, tmp_path, interactions=tiny.interactions)[0].rows[
        0
    ] and page_of(path, tmp_path)[1].startswith('Influence on MAP')
    assert page_of(load_results(path, 'mae'), tmp_path)[0].rows == page.rows


def test_what_cannot_be_reported_is_refused(made, tmp_path):
    store = made.store.path
    before = store.read_bytes()
    for args, words in (
        ((store, store), 'written over'),
        ((store, tmp_path / 'x.html', 'fame'), 'choose one of'),
        ((made.influence('map'), tmp_path / 'x.html', 'mae'), "is on 'map'"),
        ((tmp_path / 'nowhere.db', tmp_path / 'x.html'), 'no such store'),
    ):
        with pytest.raises(ValueError, match=words):
            influence_report(*args)
    with pytest.raises(FileNotFoundError):
        influence_report(tmp_path / 'nowhere.parquet', tmp_path / 'x.html')
    assert store.read_bytes() == before and not list(tmp_path.iterdir())
