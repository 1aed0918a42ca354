"""What tests of several rooms use."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd

from recinfluence.data.interactions import load_interactions
from recinfluence.data.splits import random_split
from recinfluence.models.popularity import ItemMean

QUICK = dict(replicates=4, n_random=6)  # how an action is measured in tests


class Page(HTMLParser):
    "Tags in order, all closed; text; rows of tables; attributes that fetch something."

    VOID = {'meta', 'img', 'br', 'link'}

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.rows, self.fetched, self.alts = [], [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == 'tr':
            self.rows.append([])
        elif tag in ('th', 'td'):
            self.rows[-1].append('')
        self.fetched += [v for k, v in attrs if k in ('src', 'href')]
        self.alts += [dict(attrs).get('alt') for _ in [0] if tag == 'img']

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if {'th', 'td'} & set(self.open):
            self.rows[-1][-1] += data


class Table:
    "A model that is a matrix of scores."

    def __init__(self, split, scores):
        self.split, self.scores = split, scores

    def score(self, users, items):
        return self.scores[
            np.ix_(
                np.searchsorted(self.split.users, users), np.searchsorted(self.split.items, items)
            )
        ]


def random_problem(seed, n_users=30, n_items=40, share=0.35):
    rng = np.random.default_rng(seed)
    pairs = np.argwhere(rng.random((n_users, n_items)) < share)
    frame = pd.DataFrame(
        {
            'user': pairs[:, 0] * 7 + 1,
            'item': pairs[:, 1] * 3,
            'rating': rng.integers(1, 6, len(pairs)).astype(float),
            'timestamp': 0,
        }
    )
    split = random_split(load_interactions(frame), seed=seed)
    return split, rng.permutation(len(split.users) * len(split.items)).reshape(
        len(split.users), -1
    ) / 1000.0  # no ties: the peer breaks them by chance


def noisy_mean():
    "Weighted mean rating of the item, and a little noise that the seed decides."
    return ItemMean(noise=0.02)


def random_lists(seed, users=25, items=14, length=9):
    "Lists that run out at different lengths, and which items are chosen."
    rng = np.random.default_rng(seed)
    top = np.argsort(-rng.gumbel(size=(users, items)) - rng.normal(0, 2, items), axis=1)[:, :length]
    for row in top:
        row[length - rng.integers(0, 4) :] = -1
    return top, rng.random(items) < rng.choice([0.3, 1])
