"""Counts and metrics in plain Python, from lists of rows: what the package's are compared with."""

import math
from collections import Counter


def popularity(train: list[tuple]) -> dict:
    "Train rows of each item."
    return Counter(item for _, item, _ in train)


def item_means(train: list[tuple]) -> dict:
    "Mean train rating of each item."
    ratings = {}
    for _, item, rating in train:
        ratings.setdefault(item, []).append(rating)
    return {item: math.fsum(values) / len(values) for item, values in ratings.items()}


def lists_of(train: list[tuple], scores: dict, k: int) -> dict[object, list]:
    "Each user's list: the items not in train by score, ties in the order of ids."
    known = {}
    for user, item, _ in train:
        known.setdefault(user, set()).add(item)
    order = sorted(scores)
    out = {}
    for user, seen in known.items():
        left = [item for item in order if item not in seen]
        out[user] = sorted(left, key=lambda item: -scores[item])[:k]
    return out


def of_one_user(listed: list, relevant: set, k: int) -> dict[str, float]:
    "The ranking metrics of one user."
    hits = [item in relevant for item in listed]
    precisions = [sum(hits[: n + 1]) / (n + 1) for n, hit in enumerate(hits) if hit]
    gain = sum(1 / math.log2(n + 2) for n, hit in enumerate(hits) if hit)
    best = sum(1 / math.log2(n + 2) for n in range(min(k, len(relevant))))
    return {
        'map': sum(precisions) / len(relevant),
        'ndcg': gain / best,
        'precision': sum(hits) / k,
        'recall': sum(hits) / len(relevant),
    }


def evaluate(train: list[tuple], test: list[tuple], scores: dict, k: int) -> dict[str, float]:
    "Means over the users with test rows; errors over the test rows."
    relevant, out = {}, {}
    for user, item, _ in test:
        relevant.setdefault(user, set()).add(item)
    lists = lists_of(train, scores, k)
    each = [of_one_user(lists[user], items, k) for user, items in relevant.items()]
    for name in each[0]:
        out[name] = math.fsum(one[name] for one in each) / len(each)
    away = [rating - scores[item] for _, item, rating in test]
    out['mae'] = math.fsum(map(abs, away)) / len(away)
    out['rmse'] = math.sqrt(math.fsum(one * one for one in away) / len(away))
    return out


def by_time(rows: list[tuple], share: float) -> tuple[list, list]:
    "(user, item, rating, time): each user's earlier rows and later rows, users in order."
    early, late = [], []
    for user in sorted({row[0] for row in rows}):
        mine = sorted((row for row in rows if row[0] == user), key=lambda row: row[3])
        first = round(share * len(mine))
        early += mine[:first]
        late += mine[first:]
    return early, late
