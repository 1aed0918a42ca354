"""The best items of each user from a matrix of scores, by one pass with a short sorted list."""

import numpy as np

from .jit import jit


def top_k(scores, seen_indptr, seen_items, keep_users, keep_items, k):
    """(users, k) int32 positions of the best items: by falling score, ties by rising position.

    scores (users, items); candidates are the kept items less the user's seen ones (CSR by user).
    -1 where there are no more candidates, and for users that are not kept.
    """
    n_users, n_items = scores.shape
    seen_items = np.ascontiguousarray(seen_items, np.int32)
    # the compiled loop does not check its bounds
    if k < 1:
        raise ValueError(f'k={k}: the list has at least one place.')
    if (len(seen_indptr), len(keep_users), len(keep_items)) != (n_users + 1, n_users, n_items):
        raise ValueError('scores, seen items and kept users or items do not fit together')
    if seen_indptr[0] < 0 or np.any(np.diff(seen_indptr) < 0) or seen_indptr[-1] > len(seen_items):
        raise ValueError('seen_indptr does not cut seen_items into users')
    if len(seen_items) and not 0 <= seen_items.min() <= seen_items.max() < n_items:
        raise ValueError(f'seen_items hold positions outside 0 to {n_items - 1}')
    if np.isnan(scores).any():
        raise ValueError(
            'a score is NaN: the model has diverged or was asked about a user or item '
            'it cannot score.'
        )
    return _top_k(
        np.ascontiguousarray(scores),
        np.ascontiguousarray(seen_indptr, np.int64),
        seen_items,
        np.ascontiguousarray(keep_users, np.bool_),
        np.ascontiguousarray(keep_items, np.bool_),
        k,
    )


@jit
def _top_k(scores, seen_indptr, seen_items, keep_users, keep_items, k):
    n_users, n_items = scores.shape
    top = np.full((n_users, k), -1, np.int32)
    best = np.empty(k, scores.dtype)
    blocked = ~keep_items
    for u in range(n_users):
        if not keep_users[u]:
            continue
        seen = seen_items[seen_indptr[u] : seen_indptr[u + 1]]
        for i in seen:
            blocked[i] = True
        n = 0
        for i in range(n_items):
            score = scores[u, i]
            if blocked[i] or (n == k and score <= best[k - 1]):
                continue  # an equal score came first: it stays ahead
            at = n if n < k else k - 1
            if n < k:
                n += 1
            while at > 0 and best[at - 1] < score:
                best[at] = best[at - 1]
                top[u, at] = top[u, at - 1]
                at -= 1
            best[at] = score
            top[u, at] = i
        for i in seen:
            blocked[i] = not keep_items[i]
    return top
