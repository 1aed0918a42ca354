"""Adapters on the real libraries: conformance, their own answers, ids, failures, and the way from sweep to plot."""

import hashlib
import json
import math
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from shared import Page

from recinfluence.adapters.command import Command
from recinfluence.adapters.estimator import Estimator
from recinfluence.adapters.implicit import Implicit
from recinfluence.adapters.lenskit import LensKit
from recinfluence.adapters.names import LIBRARIES, by_name
from recinfluence.adapters.surprise import Surprise
from recinfluence.cli.main import main
from recinfluence.core.units import Unit
from recinfluence.data.simulated import planted_interactions
from recinfluence.metrics.evaluator import Evaluator
from recinfluence.models.conformance import conformance
from recinfluence.models.svd import SVD
from recinfluence.sweep.run import deletion_sweep

PAIRING = 'paired: a deletion shares its random draws'
MEANS = r'{ u[$1] += $3; nu[$1]++; i[$2] += $3; ni[$2]++; all += $3 } END { for (a in u) for (b in i) printf "%s\t%s\t%.15g\n", a, b, u[a] / nu[a] + i[b] / ni[b] - all / NR }'
# scores drawn by position, from the seed
DRAWN = r'BEGIN { srand(seed + 1) } !($1 in u) { u[$1]; us[++n] = $1 } !($2 in i) { i[$2]; is[++m] = $2 } END { for (a = 1; a <= n; a++) for (b = 1; b <= m; b++) print us[a] "\t" is[b] "\t" rand() }'
awk = pytest.mark.skipif(not shutil.which('awk'), reason='there is no awk on this machine')
python = lambda program, *args, **kw: Command(
    [sys.executable, '-c', program, *(args or ('{train}', '{out}'))], **kw
)


def needs(library):
    pytest.importorskip(library)
    return True


def by_means(train):
    t = train.groupby('user').rating.mean(), train.groupby('item').rating.mean()
    return t[0].to_numpy()[:, None] + t[1].to_numpy() - train.rating.mean()


# ---- conformance on the real library
@pytest.mark.parametrize('library, name', [(l, n) for l, c in LIBRARIES.items() for n in c.known])
def test_every_model_conforms_and_pairing_is_as_claimed(library, name):
    needs(library)
    model = LIBRARIES[library](name, **({'embedding_size': 5} if name == 'BiasedSVDScorer' else {}))
    report = conformance(model)
    assert report.passed.drop(PAIRING).all(), report[~report.passed.astype(bool)]
    assert report.passed[PAIRING] or not model.paired  # an over-claim fails
    assert by_name(f'{library}:{name}').config()['recommender'] == f'{library} {name}'


def test_draws_by_position_are_found_out():
    "The three that are not paired lie near the root of two; claiming that they are is noticed."
    needs('implicit')
    needs('lenskit')
    for cls, name in (
        (Implicit, 'BayesianPersonalizedRanking'),
        (Implicit, 'LogisticMatrixFactorization'),
        (LensKit, 'FunkSVDScorer'),
    ):
        claims = type('Claims', (cls,), {'paired': True})
        said = conformance(claims(name)).loc[PAIRING]
        assert (
            not said.passed
            and abs(float(said.detail.split()[0]) - math.sqrt(2)) < 0.35
            and 'it says paired = True' in said.detail
        )


# ---- start values belong to ids
@pytest.mark.parametrize(
    'make, tables',
    [
        (lambda: Surprise('SVD', n_epochs=0), ('pu', 'qi')),
        (lambda: Surprise('SVDpp', n_epochs=0), ('pu', 'qi', 'yj')),
        (lambda: Surprise('NMF', n_epochs=0), ('pu', 'qi')),
    ],
)
def test_a_deletion_moves_nobodys_start_in_surprise(tiny, make, tables):
    def start(m, table):
        t = m.model_.trainset
        raw, n = (t.to_raw_uid, t.n_users) if table == 'pu' else (t.to_raw_iid, t.n_items)
        return {raw(k): np.asarray(getattr(m.model_, table))[k] for k in range(n)}

    full, less, other = (
        make().fit(tiny.train, 2),
        make().fit_without(tiny.train, Unit(users=(0,), items=(3,)), 2),
        make().fit(tiny.train, 3),
    )
    for table in tables:
        a, b, c = (start(m, table) for m in (full, less, other))
        assert (
            set(b) == set(a) - {0 if table == 'pu' else 3}
            and all(np.array_equal(a[k], b[k]) for k in b)
            and not np.array_equal(a[5], c[5])
        )
        assert len({v.tobytes() for v in a.values()}) == len(a)


def test_a_deletion_moves_nobodys_start_in_als(tiny):
    needs('implicit')
    model = Implicit('AlternatingLeastSquares', factors=4, iterations=0)
    full, less = (
        model.fresh().fit(tiny.train, 2),
        model.fresh().fit_without(tiny.train, Unit(users=(0,)), 2),
    )
    assert (
        np.array_equal(full.left_[1:], less.left_)
        and np.array_equal(full.right_, less.right_)
        and full.left_.min() >= 0
        and full.left_.max() < 0.01
    )


# ---- the library's own answers
def test_surprise_svd_is_chapter_05s(tiny):
    a, b = (
        m.fit(tiny.train, 1).score(tiny.users, tiny.items)
        for m in (Surprise('SVD', n_factors=7, n_epochs=4), SVD(n_factors=7, n_epochs=4))
    )
    assert np.allclose(a, b, atol=1e-12)


def test_normal_predictor_draws_what_it_says():
    f = pd.DataFrame(
        [(u, i, float(1 + (u * i) % 5), 0) for u in range(200) for i in range(50)],
        columns=['user', 'item', 'rating', 'timestamp'],
    )
    s = (
        Surprise('NormalPredictor', rating_scale=(-99, 99))
        .fit(f, 4)
        .score(np.arange(200), np.arange(50))
    )
    z = (s - f.rating.mean()) / f.rating.std(ddof=0)
    assert (
        stats.kstest(z.ravel(), 'norm').pvalue > 0.001
        and abs(np.corrcoef(z[:100].ravel(), z[100:].ravel())[0, 1]) < 0.05
        and np.abs(np.corrcoef(z.T)[np.triu_indices(50, 1)]).mean() < 0.08
    )


@pytest.mark.parametrize(
    'name', ['CosineRecommender', 'TFIDFRecommender', 'BM25Recommender', 'ItemItemRecommender']
)
def test_item_models_score_as_implicit_recommends(tiny, name):
    needs('implicit')
    from implicit import nearest_neighbours

    rows = sparse.csr_matrix((tiny.train.rating, tiny.codes(tiny.train)))
    peer = getattr(nearest_neighbours, name)(K=6)
    peer.fit(rows, show_progress=False)
    ours = Implicit(name, K=6).fit(tiny.train).score(tiny.users, tiny.items)
    for u in (0, 7, 21):
        ids, scores = peer.recommend(u, rows[u], N=8, filter_already_liked_items=False)
        assert (
            np.allclose(ours[u, ids], scores)
            and scores.max() == pytest.approx(ours[u].max())
            and scores.max() > 0
        )


def test_als_scores_as_implicit_recommends(tiny):
    "From the same start, the peer's factors and lists are ours."
    needs('implicit')
    from implicit.cpu.als import AlternatingLeastSquares

    start = Implicit('AlternatingLeastSquares', factors=6, iterations=0).fit(tiny.train, 1)
    peer = AlternatingLeastSquares(factors=6, num_threads=1)
    peer.user_factors, peer.item_factors = start.left_.copy(), start.right_.T.copy()
    rows = sparse.csr_matrix((tiny.train.rating.to_numpy(np.float32), tiny.codes(tiny.train)))
    peer.fit(rows, show_progress=False)
    ours = (
        Implicit('AlternatingLeastSquares', factors=6)
        .fit(tiny.train, 1)
        .score(tiny.users, tiny.items)
    )
    ids, scores = peer.recommend(4, rows[4], N=5)
    assert np.allclose(ours[4, ids], scores, atol=1e-6)


@pytest.mark.parametrize('name', ['ItemKNNScorer', 'UserKNNScorer', 'BiasScorer'])
def test_lenskit_scores_as_its_own_pipeline(tiny, name):
    needs('lenskit')
    import lenskit
    from lenskit.data import from_interactions_df
    from lenskit.pipeline import predict_pipeline

    rows = from_interactions_df(tiny.train[['user', 'item', 'rating']].copy())
    pipe = predict_pipeline(LensKit(name).make())
    pipe.train(rows)
    ours = LensKit(name).fit(tiny.train).score(tiny.users, tiny.items)
    for n, user in enumerate(tiny.users[:4]):
        assert np.allclose(lenskit.predict(pipe, user, tiny.items).scores(), ours[n], atol=1e-5)


def test_estimator_is_least_squares_on_indicators(tiny):
    from sklearn.linear_model import Ridge

    u, i = tiny.codes(tiny.train)
    n = len(tiny.users)
    X = np.zeros((len(u), n + len(tiny.items)))
    X[np.arange(len(u)), u] = X[np.arange(len(u)), n + i] = 1
    centre, y = X.mean(0), tiny.train.rating.to_numpy()
    w = np.linalg.solve(
        (X - centre).T @ (X - centre) + np.eye(X.shape[1]), (X - centre).T @ (y - y.mean())
    )
    wanted = w[:n, None] + w[n:] + y.mean() - centre @ w
    model = Estimator(Ridge(solver='lsqr', tol=1e-12), paired=True).fit(tiny.train)
    assert np.allclose(model.score(tiny.users, tiny.items), wanted) and np.allclose(
        model.score(np.array([10**6]), np.array([10**6])), y.mean() - centre @ w
    )


def test_estimator_takes_features_and_knows_them(tiny):
    from sklearn.linear_model import LinearRegression

    items = pd.DataFrame({'odd': tiny.items % 2}, index=tiny.items)
    users = pd.DataFrame({'odd': tiny.users % 2}, index=tiny.users)
    users['same'] = 0.0
    model = Estimator(LinearRegression(), users, items)
    s = model.fit(tiny.train).score(tiny.users, tiny.items)
    X = np.column_stack([np.ones(len(tiny.train)), tiny.train.user % 2, tiny.train['item'] % 2])
    w = np.linalg.lstsq(X, tiny.train.rating, rcond=None)[0]
    assert np.allclose(s, w[0] + w[1] * (tiny.users % 2)[:, None] + w[2] * (tiny.items % 2))
    assert (
        model.config()
        != Estimator(LinearRegression(), users, 2 * items).config()
        != Estimator(LinearRegression()).config()
        and json.loads(json.dumps(model.config())) == model.config()
    )


def test_estimators_that_draw_are_not_paired():
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    assert (
        Estimator(LinearRegression()).paired
        and not Estimator(make_pipeline(RandomForestRegressor(3))).paired
    )
    report = conformance(Estimator(make_pipeline(RandomForestRegressor(3))))
    assert report.passed.drop(PAIRING).all() and not report.passed[PAIRING]


# ---- a black box
@awk
def test_awk_scores_as_pandas_and_conforms(tiny):
    model = Command(['awk', MEANS, '{train}'], paired=True)
    assert (
        np.allclose(
            model.fit(tiny.train).score(tiny.users, tiny.items), by_means(tiny.train), atol=1e-12
        )
        and conformance(model).passed.all()
    )
    seeded = Command(['awk', '-v', 'seed={seed}', DRAWN, '{train}'])
    report = conformance(seeded)
    assert report.passed.drop(PAIRING).all() and not report.passed[PAIRING] and not seeded.paired


STRANGE = [
    'a,b',
    'say "hi"',
    'Привет',
    '日本 語',
    ' lead and trail ',
    "o'clock",
    '$(touch pwned)',
    '`touch pwned`; touch pwned',
    '--help',
    'NA',
    '',
    '007',
    '#1',
    '{seed}',
    '🎈',
    '\u2028',
    'a\\nb',
]


def strange(more=()):
    ids = [*STRANGE, *more]
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [(u, i, float(rng.integers(1, 6)), 0) for u in ids for i in ids if rng.random() < 0.7],
        columns=['user', 'item', 'rating', 'timestamp'],
    )


@awk
def test_strange_ids_survive_the_way_through_awk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    f = strange()
    users, items = np.unique(f.user), np.unique(f['item'])
    assert np.allclose(
        Command(['awk', '-F', '\t', MEANS, '{train}']).fit(f).score(users, items),
        by_means(f),
        atol=1e-12,
    )
    with pytest.raises(ValueError, match="form='csv'"):
        Command(['awk', '-F', '\t', MEANS, '{train}']).fit(strange(['a\tb']))
    assert not list(tmp_path.iterdir())  # nothing was run that an id says


COPY = 'import csv, sys; csv.writer(open(sys.argv[2], "w", newline="", encoding="utf-8")).writerows([r[0], r[1], r[2]] for r in csv.reader(open(sys.argv[1], newline="", encoding="utf-8")))'


def test_strange_ids_survive_csv_line_breaks_included(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    f = strange(['a\tb', 'two\nlines', 'mac\rline', 'dos\r\nline'])
    users, items = np.unique(f.user), np.unique(f['item'])
    wide = (
        f.pivot(index='user', columns='item', values='rating')
        .reindex(index=users, columns=items)
        .to_numpy()
    )
    s = python(COPY, form='csv').fit(f).score(users, items)
    assert np.array_equal(s, np.where(np.isnan(wide), np.nanmin(wide) - 1, wide)) and not list(
        tmp_path.iterdir()
    )


def test_large_and_negative_ids_and_what_is_in_the_files(tmp_path):
    big = 2**62 + 1
    f = pd.DataFrame(
        [(-3, big, 4.5, -7), (big, 5, 1.0, 2**40), (big, big, 2.0, 0)],
        columns=['user', 'item', 'rating', 'timestamp'],
    )
    keep = 'import shutil, sys; [shutil.copy(p, sys.argv[1]) for p in sys.argv[2:5]]; open(sys.argv[5], "w").write("-3\\t5\\t.5\\n")'
    m = python(keep, str(tmp_path), '{train}', '{users}', '{items}', '{out}').fit(f)
    assert [(tmp_path / n).read_text() for n in ('train.tsv', 'users.tsv', 'items.tsv')] == [
        f'-3\t{big}\t4.5\t-7\n{big}\t5\t1.0\t{2**40}\n{big}\t{big}\t2.0\t0\n',
        f'-3\n{big}\n',
        f'5\n{big}\n',
    ]
    assert m.score(np.array([-3, big]), np.array([5, big, 9])).tolist() == [
        [0.5, -0.5, -0.5],
        [-0.5, -0.5, -0.5],
    ]


@pytest.mark.parametrize('form', ['tsv', 'csv'])
def test_ranked_lists_become_scores(tiny, form):
    "Items by falling number of rows, ties by id, the last four left out."
    program = (
        'import csv, sys, collections; d = {"tsv": "\\t", "csv": ","}[sys.argv[3]]; rows = list(csv.reader(open(sys.argv[1], newline=""), delimiter=d)); n = collections.Counter(r[1] for r in rows)\n'
        'order = sorted(n, key=lambda i: (-n[i], int(i)))[:-4]; out = csv.writer(open(sys.argv[2], "w", newline=""), delimiter=d); [out.writerow([u, *order]) for u in {r[0] for r in rows}]'
    )
    s = (
        python(program, '{train}', '{out}', form, writes='lists', form=form)
        .fit(tiny.train)
        .score(tiny.users, tiny.items)
    )
    n = tiny.train['item'].value_counts().reindex(tiny.items).to_numpy()
    order = np.lexsort((tiny.items, -n))
    wanted = np.full(len(n), -len(n) - 1.0)
    wanted[order[:-4]] = -np.arange(1, len(n) - 3)
    assert (s == wanted).all()


WRITE = lambda text: f'import sys; open(sys.argv[2], "wb").write({text!r})'


@pytest.mark.parametrize(
    'model, words',
    [
        (Command(['no-such-program-here', '{train}']), 'no-such-program-here: cannot be run'),
        (
            python('import sys; print("the licence has run out", file=sys.stderr); sys.exit(3)'),
            'ended with status 3. It said: the licence has run out',
        ),
        (
            python('import sys; sys.stderr.write("x" * 10_000_000 + "the end"); sys.exit(1)'),
            'the end',
        ),
        (
            python('import os, signal; os.kill(os.getpid(), signal.SIGSEGV)'),
            'status -11. It said nothing',
        ),
        (
            python('import time; print("loading", flush=True); time.sleep(60)', limit=1.5),
            'not done in 1.5 seconds. It said: loading',
        ),
        (python('pass'), 'wrote no file'),
        (python(WRITE(b'')), 'wrote no scores'),
        (python(WRITE(b'1\t2\n')), 'line 1 .*2 columns'),
        (python(WRITE(b'1\t2\t3\n1\t2\t4\n')), 'line 2 .*a second score'),
        (python(WRITE(b'1\t2\tgood\n')), 'could not convert'),
        (python(WRITE(b'1\t2\tnan\n')), 'not a finite number'),
        (python(WRITE(b'1\t2\t1e999\n')), 'not a finite number'),
        (python(WRITE(b'1\t99\t1\n')), "item '99' is not in {items}"),
        (python(WRITE(b'u1\t2\t1\n')), "user 'u1' is not in {users}"),
        (python(WRITE(b'\xff\xfe\t2\t1\n')), 'cannot be read'),
        (python(WRITE(b'1\t2\t2\n'), writes='lists'), 'an item twice'),
        (python(WRITE(b'1\t2\n1\t3\n'), writes='lists'), 'two lists'),
        (python(WRITE(b'1,"2\n'), form='csv'), 'cannot be read as scores in csv'),
    ],
)
def test_a_command_that_fails_says_why(tiny, model, words):
    with pytest.raises(RuntimeError, match=words):
        model.fit(tiny.train)


def test_a_command_past_its_limit_goes_with_its_children(tiny, tmp_path):
    child = f'import time; time.sleep(2); open({str(tmp_path / "alive")!r}, "w")'
    with pytest.raises(RuntimeError, match='not done'):
        python(
            f'import subprocess, sys, time; subprocess.Popen([sys.executable, "-c", {child!r}]); time.sleep(60)',
            limit=0.7,
        ).fit(tiny.train)
    import time

    time.sleep(2.2)
    assert not (tmp_path / 'alive').exists()


@pytest.mark.parametrize(
    'make, words',
    [
        (lambda: Command('awk {train}'), 'give a list'),
        (lambda: Command([]), 'give a list'),
        (lambda: Command(['x'], writes='ranks'), "'scores' or 'lists'"),
        (lambda: Command(['x'], form='json'), "'tsv' or 'csv'"),
        (lambda: Surprise('KNN'), 'choose one of'),
        (lambda: by_name('spotlight:BPR'), 'choose one of the libraries'),
    ],
)
def test_wrong_settings_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    'cls, argument, words',
    [
        (Surprise, 'random_state', 'the seed of each retraining comes from the sweep'),
        (Surprise, 'verbose', 'none of them says anything'),
        (Implicit, 'random_state', 'the seed of each retraining comes from the sweep'),
        (Implicit, 'num_threads', 'as many processes as its jobs'),
        *(
            (LensKit, a, 'the seed of each retraining comes from the sweep')
            for a in ('rng', 'random_state', 'seed')
        ),
        (LensKit, 'num_threads', 'as many processes'),
        (LensKit, 'config', 'arguments of their own'),
    ],
)
def test_arguments_that_are_not_for_the_user_are_refused_before_training(cls, argument, words):
    for name in cls.known:
        with pytest.raises(
            ValueError,
            match=rf"{cls.__name__}\('{name}', {argument}=3\): leave {argument} out; .*{words}",
        ):
            cls(name, **{argument: 3})


@pytest.mark.parametrize('library, name', [(l, n) for l, c in LIBRARIES.items() for n in c.known])
def test_whatever_an_adapter_sets_itself_is_refused_from_others(monkeypatch, library, name):
    "What it hands to the library beside the user's arguments, as seen when it trains."
    needs(library)
    cls, handed = LIBRARIES[library], set()
    make = cls.make
    monkeypatch.setattr(
        cls, 'make', lambda self, **more: (handed.update(more), make(self, **more))[1]
    )
    cls(name, **({'embedding_size': 5} if name == 'BiasedSVDScorer' else {})).fit(
        planted_interactions(), 1
    )
    assert handed <= set(cls.taken), f'{name}: {handed - set(cls.taken)} would be given twice'


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    for name in [n for n in sys.modules if n.split('.')[0] == 'implicit']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'implicit', None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'recinfluence\[implicit\]'"):
        Implicit('BM25Recommender').fit(planted_interactions())


def test_a_script_belongs_to_the_identity(tmp_path):
    script = tmp_path / 'model.awk'
    script.write_text(MEANS)
    first = Command(['awk', '-f', str(script), '{train}']).config()
    assert (
        first['files'] == {str(script): hashlib.sha256(MEANS.encode()).hexdigest()}
        and json.loads(json.dumps(first)) == first
    )
    script.write_text(MEANS + '\n')
    assert Command(['awk', '-f', str(script), '{train}']).config() != first


# ---- from sweep to plot
MODELS = {
    'surprise': lambda: Surprise('KNNBasic', k=5),
    'surprise draws': lambda: Surprise('NMF', n_factors=3, n_epochs=5),
    'implicit als': lambda: Implicit('AlternatingLeastSquares', factors=4),
    'implicit items': lambda: Implicit('CosineRecommender'),
    'implicit bpr': lambda: Implicit('BayesianPersonalizedRanking', factors=4, iterations=10),
    'lenskit': lambda: LensKit('ImplicitMFScorer', embedding_size=4, epochs=3),
    'estimator': lambda: Estimator(
        __import__('sklearn.linear_model').linear_model.LinearRegression()
    ),
    'command': lambda: Command(['awk', MEANS, '{train}'], paired=True),
}


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('units', ['users', 'items'])
def test_sweep_influence_plot_show_and_report(tiny, tmp_path, capsys, name, units):
    if name == 'command' and not shutil.which('awk'):
        pytest.skip('there is no awk on this machine')
    if name.split()[0] in ('implicit', 'lenskit'):
        needs(name.split()[0])
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
        and sweep.store.identity['engine'] == 'reference'
    )
    direct = Evaluator(tiny, 3)(
        model.fresh().fit(Unit(**{units: (1,)}).remaining(tiny.train), 1), Unit(**{units: (1,)})
    )  # by hand: another fit on what remains
    f = sweep.frame().set_index(['unit', 'seed', 'metric']).without
    assert f[f'{units[:-1]} 1', 1, 'ndcg'] == pytest.approx(direct['ndcg'], abs=1e-9)
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
    f = influence.frame
    rows = {r[0]: r for r in page.rows}
    top, every = page.rows[1], page.rows[4]
    assert [r[0] for r in page.rows[1:4]] == f.label.tolist() and float(
        top[page.rows[0].index('influence')]
    ) == pytest.approx(f.estimate.iloc[0], abs=5.1e-4 * f.estimate.abs().max() + 1e-12)
    assert (
        influence.caution in said
        and ('NOT paired' in said) == ('not paired, 2 replicates' in said) == (not model.paired)
        and rows['recommender'][1].startswith(model.config()['recommender'])
    )
    for m in ('ndcg', 'mae', 'gini'):
        r = sweep.influence(m).reliability
        assert rows[influence.metrics[m].label][every.index('reliability')] == (
            str(r) if np.isfinite(r.estimate) else '– (all alike)'
        )
    import matplotlib.pyplot as plt

    plt.close('all')


@awk
def test_one_failing_retraining_costs_that_unit_alone(tiny):
    program = '{ seen[$1]; n[$2]++ } END { if (!("3" in seen)) { print "no user 3" > "/dev/stderr"; exit 4 } for (u in seen) for (i in n) print u "\\t" i "\\t" n[i] }'
    sweep = deletion_sweep(
        Command(['awk', program, '{train}']),
        tiny,
        'users',
        ids=[2, 3, 4],
        k=3,
        jobs=1,
        progress=False,
    )
    assert (
        sweep.store.failures()[['unit', 'reason']].values.tolist()
        == [['user 3', 'RuntimeError: awk: ended with status 4. It said: no user 3']]
        and len(sweep.influence('ndcg').frame) == 2
    )


@awk
def test_processes_agree_for_commands(tiny):
    a, b = (
        deletion_sweep(
            Command(['awk', '-v', 'seed={seed}', DRAWN, '{train}']),
            tiny,
            'users',
            ids=range(4),
            replicates=2,
            k=3,
            jobs=j,
            progress=False,
        )
        for j in (1, 2)
    )
    assert a.store.content_hash() == b.store.content_hash()


@awk
def test_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planted_interactions().to_csv('own.csv', index=False)
    (tmp_path / 'model.awk').write_text(MEANS)
    say = lambda *a: (main([*a, '--json']), json.loads(capsys.readouterr().out))[1]
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
