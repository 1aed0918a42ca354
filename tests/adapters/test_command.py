"""Programs as recommenders: ids that are strange, lists, failures, limits, identity."""

import hashlib
import json
import time

import numpy as np
import pandas as pd
import pytest
from programs import DRAWN, MEANS, awk, python

from recinfluence.adapters.command import Command
from recinfluence.models.conformance import PAIRING, conformance
from recinfluence.sweep.run import deletion_sweep


def by_means(train):
    means = train.groupby('user').rating.mean(), train.groupby('item').rating.mean()
    return means[0].to_numpy()[:, None] + means[1].to_numpy() - train.rating.mean()


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
    frame = strange()
    users, items = np.unique(frame.user), np.unique(frame['item'])
    assert np.allclose(
        Command(['awk', '-F', '\t', MEANS, '{train}']).fit(frame).score(users, items),
        by_means(frame),
        atol=1e-12,
    )
    with pytest.raises(ValueError, match="form='csv'"):
        Command(['awk', '-F', '\t', MEANS, '{train}']).fit(strange(['a\tb']))
    assert not list(tmp_path.iterdir())  # nothing was run that an id says


COPY = """
import csv, sys
rows = csv.reader(open(sys.argv[1], newline="", encoding="utf-8"))
out = open(sys.argv[2], "w", newline="", encoding="utf-8")
csv.writer(out).writerows([r[0], r[1], r[2]] for r in rows)
"""


def test_strange_ids_survive_csv_line_breaks_included(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = strange(['a\tb', 'two\nlines', 'mac\rline', 'dos\r\nline'])
    users, items = np.unique(frame.user), np.unique(frame['item'])
    wide = (
        frame.pivot(index='user', columns='item', values='rating')
        .reindex(index=users, columns=items)
        .to_numpy()
    )
    scores = python(COPY, form='csv').fit(frame).score(users, items)
    assert np.array_equal(scores, np.where(np.isnan(wide), np.nanmin(wide) - 1, wide)) and not list(
        tmp_path.iterdir()
    )


def test_large_and_negative_ids_and_what_is_in_the_files(tmp_path):
    big = 2**62 + 1
    frame = pd.DataFrame(
        [(-3, big, 4.5, -7), (big, 5, 1.0, 2**40), (big, big, 2.0, 0)],
        columns=['user', 'item', 'rating', 'timestamp'],
    )
    keep = r"""
import shutil, sys
[shutil.copy(p, sys.argv[1]) for p in sys.argv[2:5]]
open(sys.argv[5], "w").write("-3\t5\t.5\n")
"""
    model = python(keep, str(tmp_path), '{train}', '{users}', '{items}', '{out}').fit(frame)
    assert [(tmp_path / n).read_text() for n in ('train.tsv', 'users.tsv', 'items.tsv')] == [
        f'-3\t{big}\t4.5\t-7\n{big}\t5\t1.0\t{2**40}\n{big}\t{big}\t2.0\t0\n',
        f'-3\n{big}\n',
        f'5\n{big}\n',
    ]
    assert model.score(np.array([-3, big]), np.array([5, big, 9])).tolist() == [
        [0.5, -0.5, -0.5],
        [-0.5, -0.5, -0.5],
    ]


@pytest.mark.parametrize('form', ['tsv', 'csv'])
def test_ranked_lists_become_scores(tiny, form):
    "Items by falling number of rows, ties by id, the last four left out."
    program = r"""
import csv, sys, collections
d = {"tsv": "\t", "csv": ","}[sys.argv[3]]
rows = list(csv.reader(open(sys.argv[1], newline=""), delimiter=d))
n = collections.Counter(r[1] for r in rows)
order = sorted(n, key=lambda i: (-n[i], int(i)))[:-4]
out = csv.writer(open(sys.argv[2], "w", newline=""), delimiter=d)
[out.writerow([u, *order]) for u in {r[0] for r in rows}]
"""
    scores = (
        python(program, '{train}', '{out}', form, writes='lists', form=form)
        .fit(tiny.train)
        .score(tiny.users, tiny.items)
    )
    n = tiny.train['item'].value_counts().reindex(tiny.items).to_numpy()
    order = np.lexsort((tiny.items, -n))
    wanted = np.full(len(n), -len(n) - 1.0)
    wanted[order[:-4]] = -np.arange(1, len(n) - 3)
    assert (scores == wanted).all()


def write(text):
    "A program that writes this."
    return f'import sys; open(sys.argv[2], "wb").write({text!r})'


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
        (python(write(b'')), 'wrote no scores'),
        (python(write(b'1\t2\n')), 'line 1 .*2 columns'),
        (python(write(b'1\t2\t3\n1\t2\t4\n')), 'line 2 .*a second score'),
        (python(write(b'1\t2\tgood\n')), 'could not convert'),
        (python(write(b'1\t2\tnan\n')), 'not a finite number'),
        (python(write(b'1\t2\t1e999\n')), 'not a finite number'),
        (python(write(b'1\t99\t1\n')), "item '99' is not in {items}"),
        (python(write(b'u1\t2\t1\n')), "user 'u1' is not in {users}"),
        (python(write(b'\xff\xfe\t2\t1\n')), 'cannot be read'),
        (python(write(b'1\t2\t2\n'), writes='lists'), 'an item twice'),
        (python(write(b'1\t2\n1\t3\n'), writes='lists'), 'two lists'),
        (python(write(b'1,"2\n'), form='csv'), 'cannot be read as scores in csv'),
    ],
)
def test_a_command_that_fails_says_why(tiny, model, words):
    with pytest.raises(RuntimeError, match=words):
        model.fit(tiny.train)


def test_a_command_past_its_limit_goes_with_its_children(tiny, tmp_path):
    child = f'import time; time.sleep(2); open({str(tmp_path / "alive")!r}, "w")'
    with pytest.raises(RuntimeError, match='not done'):
        python(
            'import subprocess, sys, time; '
            f'subprocess.Popen([sys.executable, "-c", {child!r}]); time.sleep(60)',
            limit=0.7,
        ).fit(tiny.train)
    time.sleep(2.2)
    assert not (tmp_path / 'alive').exists()


@pytest.mark.parametrize(
    'make, words',
    [
        (lambda: Command('awk {train}'), 'give a list'),
        (lambda: Command([]), 'give a list'),
        (lambda: Command(['x'], writes='ranks'), "'scores' or 'lists'"),
        (lambda: Command(['x'], form='json'), "'tsv' or 'csv'"),
    ],
)
def test_wrong_settings_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


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


@awk
def test_one_failing_retraining_costs_that_unit_alone(tiny):
    program = r"""
{ seen[$1]; n[$2]++ }
END {
  if (!("3" in seen)) { print "no user 3" > "/dev/stderr"; exit 4 }
  for (u in seen) for (i in n) print u "\t" i "\t" n[i]
}
"""
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
    one, two = (
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
    assert one.store.content_hash() == two.store.content_hash()
