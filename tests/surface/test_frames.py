"""Any frame and any file: what is read agrees with plain Python, or it is refused with a remedy.

A case is one number, from which a frame or a file is made; a case that fails is made again by
`bring_frame(number)` or `bring_file(number)`.
"""

import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from surface.judge import from_below
from surface.made import as_text, bring_file, bring_frame
from surface.plain import by_time, evaluate, item_means, popularity

import recinfluence as ri

pytestmark = pytest.mark.filterwarnings('ignore')
STEADY = dict(derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32)


def read(brought, **options):
    "The interactions; None: refused, and well."
    try:
        return ri.load_interactions(brought, **options)
    except Exception as error:
        wrong = from_below(error)
        assert not wrong, wrong
        return None


def plain_rows(frame) -> list[tuple]:
    "Rows in plain Python."
    return list(zip(frame.user.tolist(), frame['item'].tolist(), frame.rating.tolist()))


def agree(found: dict, expected: dict):
    "Two sets of metrics."
    for name, value in expected.items():
        assert math.isclose(found[name], value, rel_tol=1e-9, abs_tol=1e-9), name


def judged_alike(split, k: int = 3):
    "Two models' metrics, by the package and in plain Python."
    train, test = plain_rows(split.train), plain_rows(split.test)
    for model, count in ((ri.Popularity(), popularity), (ri.ItemMean(), item_means)):
        judged = ri.Evaluator(split, k)(model.fit(split.copy_of_train()))
        scores = count(train)
        if model.__class__ is ri.Popularity:
            scores = {item: float(number) for item, number in scores.items()}
        agree(judged.metrics, evaluate(train, test, scores, k))


def same_rows(data, rows: list[tuple]):
    "Rows in are rows out, in order."
    assert len(data) == len(rows)
    for place, column in enumerate(('user', 'item')):
        given = [row[place] for row in rows]
        counts = sorted(Counter(map(str, as_whole(given))).values())
        assert sorted(data.frame[column].value_counts().tolist()) == counts
        assert [one.strip() for one in as_text(data.frame[column])] == [
            str(one).strip() for one in as_whole(given)
        ]
    assert data.frame.rating.tolist() == [row[2] for row in rows]


def as_whole(ids: list) -> list:
    "Floats without a fraction are whole numbers."
    return [int(one) if isinstance(one, float) and one.is_integer() else one for one in ids]


def frame_holds(seed: int):
    "The property of frames, for one of them."
    brought = bring_frame(seed)
    data = read(brought.frame)
    if data is None:
        doubtful = brought.kinds & {'half', 'beyond', 'blank', 'mixed'}
        assert brought.repeated or brought.gaps or doubtful, 'nothing is wrong with it'
        return
    assert not brought.repeated and not brought.gaps
    same_rows(data, brought.rows)
    figures = ri.summary(data)
    assert figures['# Ratings'] == len(brought.rows)
    assert figures['# Users'] == len({str(row[0]) for row in brought.rows})
    for divide in (ri.chrono_split, ri.random_split):
        try:
            split = divide(data, 0.6)
        except ValueError as error:
            assert not from_below(error), from_below(error)
            continue
        assert len(split.train) + len(split.test) + split.dropped == len(data)
        if divide is ri.chrono_split:
            rows = [(*row, when) for row, when in zip(plain_rows(data.frame), data.frame.timestamp)]
            early, late = by_time(rows, 0.6)
            assert plain_rows(split.train) == [row[:3] for row in early]
            known = [{row[place] for row in early} for place in (0, 1)]
            kept = [row[:3] for row in late if row[0] in known[0] and row[1] in known[1]]
            assert plain_rows(split.test) == kept
        if len(split.test):
            judged_alike(split)


@settings(max_examples=60, **STEADY)
@example(0)
@given(SEEDS)
def test_some_frames(seed):
    frame_holds(seed)


@pytest.mark.slow
@settings(max_examples=2500, **STEADY)
@given(SEEDS)
def test_frames(seed):
    frame_holds(seed)


def file_holds(seed: int, folder: Path):
    "The property of files, for one of them."
    written = bring_file(seed)
    path = folder / f'file{written.suffix}'
    path.write_bytes(written.content)
    data = read(path, **written.options)
    if data is None:
        return
    assert any(says(data, rows) for rows in written.readings), 'not what stands in the file'


def says(data, rows: list[list[str]]) -> bool:
    "Whether the data hold these rows, in this order."
    texts = [[row[place].strip() for row in rows] for place in (0, 1)]
    ids = [[one.strip() for one in as_text(data.frame[name])] for name in ('user', 'item')]
    try:
        numbers = [[float(row[place]) for row in rows] for place in (2, 3)]
    except ValueError:
        return False
    found = [data.frame[name].tolist() for name in ('rating', 'timestamp')]
    return ids == texts and found == numbers


@settings(max_examples=150, **STEADY)
@given(seed=SEEDS)
def test_some_files(tmp_path_factory, seed):
    file_holds(seed, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@settings(max_examples=6000, **STEADY)
@given(seed=SEEDS)
def test_files(tmp_path_factory, seed):
    file_holds(seed, tmp_path_factory.getbasetemp())


def test_whole_files_are_read():
    "Else refusing everything would do."
    read_well = 0
    for seed in range(150):
        written = bring_file(seed)
        path = Path(f'whole{written.suffix}')
        path.write_bytes(written.content)
        read_well += bool(written.readings) and read(path, **written.options) is not None
    assert read_well > 60
