"""Random tables of users and items with given margins, by exchanging items between pairs of rows.

Rows lie user after user: user u has the rows start[u] to start[u + 1]. Rows a and b of users u and
v with items i and j become (u, j) and (v, i) where neither user has the new item yet. Metropolis:
an exchange that lowers the sum of the scores likes[u] . has[i] by d is accepted with probability
exp(-d), that is, where an exponential variable of mean 1 exceeds d.
"""

from .jit import jit


@jit
def swap(user, item, start, likes, has, pairs, patience):
    "Try each pair of rows in turn; `item` is changed in place. Returns how many were exchanged."
    done = 0
    for t in range(len(pairs)):
        a, b = pairs[t, 0], pairs[t, 1]
        u, v, i, j = user[a], user[b], item[a], item[b]
        if u == v or i == j:
            continue
        gain = 0.0
        for f in range(likes.shape[1]):
            gain += (likes[u, f] - likes[v, f]) * (has[j, f] - has[i, f])
        if gain < -patience[t]:
            continue
        free = True
        for row in range(start[u], start[u + 1]):
            free &= item[row] != j
        for row in range(start[v], start[v + 1]):
            free &= item[row] != i
        if free:
            item[a] = j
            item[b] = i
            done += 1
    return done
