"""Frames and files as people bring them, made from one seed each."""

import contextlib
import csv
import gzip
import io
import math
import random
from dataclasses import dataclass

import numpy as np
import pandas as pd

TEXTS = ['u1', 'u 2', 'Ü3', '用户', 'a-4', "O'Brien", 'x.5', 'b_6', '0x7', 'é8']


def some_ids(rng: random.Random, many: int) -> tuple[list, str]:
    "Different ids of one kind, and the kind."
    kind = rng.choice(
        [
            'int',
            'big',
            'negative',
            'text',
            'text',
            'mixed',
            'float',
            'beyond',
            'half',
            'gap',
            'blank',
        ]
    )
    numbers = rng.sample(range(1, 200), many)
    if kind == 'big':
        return [2**62 + n for n in numbers], kind
    if kind == 'negative':
        return [-n for n in numbers], kind
    if kind in ('text', 'blank'):
        found = rng.sample(TEXTS, many)
        return [found[0] + ' ', *found][:many] if kind == 'blank' else found, kind
    if kind == 'mixed':
        return [n if place % 2 else f'a{n}' for place, n in enumerate(numbers)], kind
    if kind == 'float':
        return [float(n) for n in numbers], kind
    if kind == 'beyond':
        return [2**63 + n for n in numbers], kind
    if kind == 'half':
        return [n + 0.5 for n in numbers], kind
    return [*numbers[:-1], None] if kind == 'gap' else numbers, kind


def dressed(rng: random.Random, values: list) -> pd.Series:
    "The values as a column of some dtype that can hold them."
    whole = all(isinstance(one, int) and abs(one) < 2**63 for one in values)
    forms = [object, 'category']
    if whole:
        forms += ['int64', 'Int64', 'int64']
    if all(isinstance(one, str) for one in values):
        forms += ['string']
    if all(isinstance(one, float) for one in values):
        forms += ['float64']
    return pd.Series(values, dtype=rng.choice(forms))


@dataclass
class Brought:
    "A frame, and the same rows in plain Python."

    frame: pd.DataFrame
    rows: list[tuple]  # user, item, rating, time
    kinds: set[str]  # of ids, ratings and times

    @property
    def repeated(self) -> bool:
        "Whether a user has an item twice."
        pairs = [(row[0], row[1]) for row in self.rows]
        return len(set(pairs)) < len(pairs)

    @property
    def gaps(self) -> bool:
        "Whether something is missing, or infinite."
        return any(one in (None, math.inf) for row in self.rows for one in row)


def some_ratings(rng: random.Random, many: int) -> tuple[list, str]:
    "Ratings of some scale."
    kind = rng.choice(['stars', 'half', 'percent', 'below', 'tiny', 'alike', 'gap', 'endless'])
    scale = {
        'stars': lambda: rng.randint(1, 5),
        'half': lambda: rng.randint(1, 10) / 2,
        'percent': lambda: rng.randint(0, 100),
        'below': lambda: rng.uniform(-10, 10),
        'tiny': lambda: rng.randint(0, 9) * 1e-6,
        'alike': lambda: 0.7,
    }
    found = [scale.get(kind, scale['stars'])() for _ in range(many)]
    if kind == 'gap':
        found[0] = None
    if kind == 'endless':
        found[0] = math.inf
    return found, kind


def bring_frame(seed: int) -> Brought:
    "A frame of a few users and items."
    rng = random.Random(seed)
    users, of_users = some_ids(rng, rng.randint(2, 8))
    items, of_items = some_ids(rng, rng.randint(2, 7))
    pairs = [(user, item) for user in users for item in items]
    chosen = rng.sample(pairs, rng.randint(1, len(pairs)))
    if rng.random() < 0.15:
        chosen.append(chosen[0])
    ratings, of_ratings = some_ratings(rng, len(chosen))
    times = [rng.randint(0, 20) for _ in chosen]
    rows = [(user, item, one, when) for (user, item), one, when in zip(chosen, ratings, times)]
    frame = pd.DataFrame(
        {'user': dressed(rng, [row[0] for row in rows]), 'item': dressed(rng, [r[1] for r in rows])}
    )
    frame['rating'] = ratings
    frame['timestamp'] = times
    if rng.random() < 0.2:
        frame = frame.drop(columns='timestamp')
    if rng.random() < 0.3:
        frame.index = rng.sample(range(1000), len(frame))
    return Brought(frame, rows, {of_users, of_items, of_ratings})


@dataclass
class Written:
    "A file, how it is written, and what it says."

    content: bytes
    suffix: str
    readings: list  # of its rows, by Python's own csv first; none: it is no table of four fields
    options: dict  # of load_interactions, where they are said

    FIELDS = ('user', 'item', 'rating', 'timestamp')


SEPARATORS = [',', ',', '\t', ';', '|', '::', ' ']
ENCODINGS = ['utf-8', 'utf-8', 'utf-8-sig', 'utf-16', 'latin-1']


def lines_of(rng: random.Random, rows: list, separator: str, header: bool) -> str:
    "The rows as text."
    end = rng.choice(['\n', '\n', '\r\n'])
    if separator == '::':
        text = end.join(separator.join(map(str, row)) for row in rows) + end
        return 'user::item::rating::timestamp' + end + text if header else text
    out = io.StringIO()
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=end)
    if header:
        writer.writerow(Written.FIELDS)
    writer.writerows(rows)
    return out.getvalue()


def mangled(rng: random.Random, text: str, separator: str) -> str:
    "The text with one fault."
    lines = text.split('\n')
    at = rng.randrange(max(1, len(lines) - 1))
    fault = rng.choice(['letter', 'cut', 'field', 'twice', 'empty', 'less', 'quote', 'end'])
    line = lines[at]
    place = rng.randrange(len(line)) if line else 0
    if fault == 'letter' and line:
        lines[at] = line[:place] + rng.choice('x9,;\t"\x00 .-') + line[place + 1 :]
    elif fault == 'cut':
        lines[at] = line[:place]
    elif fault == 'field':
        lines[at] = line.rstrip('\r') + separator + 'more'
    elif fault == 'twice':
        lines.insert(at, line)
    elif fault == 'empty':
        lines.insert(at, '')
    elif fault == 'less':
        lines[at] = line.rpartition(separator)[0]
    elif fault == 'quote' and line:
        lines[at] = line[:place] + '"' + line[place:]
    else:
        return text.rstrip('\r\n')
    return '\n'.join(lines)


def plainly_read(text: str, separator: str, header: bool) -> list[list[list[str]]]:
    """The rows of a text, as Python's csv and as plain splitting have them.

    What are no rows of four fields is left out; none: it is no such table at all.
    """
    text = text.removeprefix('\ufeff')
    lines = [line for line in text.replace('\r\n', '\n').split('\n') if line]
    at = None if separator == ' ' else separator  # a run of blanks divides once
    readings = [[line.split(at) for line in lines]]
    if separator != '::':
        with contextlib.suppress(csv.Error):
            source = io.StringIO(text, newline='')
            rows = [row for row in csv.reader(source, delimiter=separator, strict=True) if row]
            readings.insert(0, rows)
    if '\x00' in text:
        return []
    return [rows[header:] for rows in readings if set(map(len, rows)) == {4} and rows[header:]]


def bring_file(seed: int) -> Written:
    "A file of a few rows, whole or with one fault."
    rng = random.Random(seed)
    users = rng.choice([[1, 2, 3, 4], TEXTS[:2] + ['x,y'], ['007', '08', '9'], [10**17, 5, 6]])
    items = rng.choice([[7, 8, 9], ['a', 'b c', 'd;e'], ['Ü', 'q']])
    pairs = rng.sample([(u, i) for u in users for i in items], rng.randint(3, 6))
    rows = [(u, i, rng.randint(1, 10) / 2, rng.randint(10**9, 2 * 10**9)) for u, i in pairs]
    separator, encoding = rng.choice(SEPARATORS), rng.choice(ENCODINGS)
    header = rng.random() < 0.7
    text = lines_of(rng, rows, separator, header)
    if rng.random() < 0.6:
        text = mangled(rng, text, separator)
    options = {} if header else dict(header=False, columns=list(Written.FIELDS))
    if rng.random() < 0.6 or encoding == 'latin-1':
        options |= dict(separator=separator, encoding=encoding)
    content = text.encode(encoding, 'replace')
    decoded = content.decode(encoding)
    read = plainly_read(decoded, separator, header)
    if rng.random() < 0.2:
        content = gzip.compress(content, mtime=0)
    suffix = rng.choice(['.csv', '.tsv', '.txt', '.dat', '.csv.gz'])
    return Written(content, suffix, read, options)


def as_text(values) -> list[str]:
    "Ids as a file would say them."
    return [str(one) for one in np.asarray(values).tolist()]
