"""When the training touches each row: what depends on the samples but not on the models.

A batch is cut into blocks of BLOCK samples. A touch is the end of a row's samples in one batch: in
the block where the last of them stands Adam is applied to the row, while it is still in cache.
Until then the row's gradient is summed up in a slot, which is free again afterwards.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .jit import jit
from .lazy_adam import Adam, tabulate

BLOCK = 16  # samples that go through the network together


@dataclass(frozen=True)
class Plan:
    """The touches of a training: `ends[b]:ends[b + 1]` are those of block b, over all steps.

    `rows`, `row_slots`, `entries` describe them. Step t's entries in the table of lazy updates
    begin at `bases[t]`; `gaps` are their k, the steps without a sample of the row that follow.
    """

    steps: int
    batch: int
    n_users: int
    n_items: int
    adam: Adam
    n_slots: int
    user_slots: np.ndarray
    item_slots: np.ndarray
    ends: np.ndarray
    rows: np.ndarray
    row_slots: np.ndarray
    entries: np.ndarray
    bases: np.ndarray
    gaps: np.ndarray
    tables: dict = field(default_factory=dict, repr=False)

    def table(self, dtype):
        "The lazy updates (see `tabulate`), computed once for each dtype."
        dtype = np.dtype(dtype)
        if dtype not in self.tables:
            self.tables[dtype] = tabulate(self.adam, self.steps, self.bases, self.gaps, dtype)
        return self.tables[dtype]


def plan_touches(users, items, n_users, n_items, adam):
    "Plan of the training on samples users, items: (steps, batch) indices."
    check_indices('users', users, n_users)
    check_indices('items', items, n_items)
    if np.shape(users) != np.shape(items):
        raise ValueError(f'users {np.shape(users)} and items {np.shape(items)} differ in shape')
    users, items = fill_blocks(users, n_users), fill_blocks(items, n_items)
    steps, batch = users.shape
    small = np.uint16 if 2 * batch + 2 < 2**16 else np.int32
    slots = Slots(np.empty(users.shape, small), np.empty(users.shape, small))
    touched = Touched(
        np.zeros(steps * (batch // BLOCK) + 1, np.int64),
        np.empty(2 * users.size, np.int32),
        np.empty(2 * users.size, small),
    )
    n_rows = n_users + n_items + 2
    n_slots = _find_touches(users, items, n_users, n_rows, slots, touched)
    n = touched.ends[-1]
    touched = Touched(touched.ends, touched.rows[:n].copy(), touched.row_slots[:n].copy())
    ends = touched.ends[:: batch // BLOCK].copy() if batch else np.zeros(steps + 1, np.int64)
    table = _number_entries(ends, _gaps(ends, touched.rows, n_rows), np.empty(n, small))
    return Plan(steps, batch, n_users, n_items, adam, n_slots, *slots, *touched, *table)


class Slots(NamedTuple):
    "The slot of each sample's user and item: (steps, batch)."

    user_slots: np.ndarray
    item_slots: np.ndarray


class Touched(NamedTuple):
    "The touches in order: where each block's end, their rows, and the slots of these."

    ends: np.ndarray
    rows: np.ndarray
    row_slots: np.ndarray


def fill_blocks(samples, value):
    "int32 (steps, batch) with the batch filled up with `value` to a multiple of BLOCK."
    samples = np.ascontiguousarray(samples, np.int32)
    missing = -samples.shape[1] % BLOCK
    return np.pad(samples, ((0, 0), (0, missing)), constant_values=value) if missing else samples


def check_indices(what, index, n):
    "Refuse positions outside 0..n - 1: the kernels do not check bounds."
    if np.size(index) and not 0 <= np.min(index) <= np.max(index) < n:
        raise ValueError(f'{what} out of range 0..{n - 1}')


class Rows(NamedTuple):
    "What is known of each row while the samples are gone through."

    slot: np.ndarray  # where its gradient is summed up
    last: np.ndarray  # the block with its last sample of this batch; -1: none, or listed
    stamp: np.ndarray  # the last step with one of its samples


class Pool(NamedTuple):
    "Slots that were given back, and how many there are: slots in all, slots free."

    free: np.ndarray
    counts: np.ndarray


@jit
def _find_touches(users, items, n_users, n_rows, slots, touched):
    "Fill slots and touches, return the number of slots; slot 0 is that of the padding rows."
    steps, batch = users.shape
    n_blocks = batch // BLOCK
    known = Rows(
        np.zeros(n_rows, np.int64), np.empty(n_rows, np.int64), np.full(n_rows, -1, np.int64)
    )
    pool = Pool(np.empty(2 * batch + 1, np.int64), np.array([1, 0]))
    for t in range(steps):
        for j in range(batch):
            known.last[users[t, j]] = j // BLOCK
            known.last[n_users + 1 + items[t, j]] = j // BLOCK
        for padding in (n_users, n_rows - 1):
            known.last[padding], known.stamp[padding] = -1, t  # no slot, no touch
        for part in range(n_blocks):
            block = slice(part * BLOCK, (part + 1) * BLOCK)
            of_block = Slots(slots.user_slots[t, block], slots.item_slots[t, block])
            samples = users[t, block], items[t, block]
            begin = touched.ends[t * n_blocks + part]
            end = _touch_block((t, part, n_users), samples, known, pool, of_block, touched, begin)
            touched.ends[t * n_blocks + part + 1] = end
    return pool.counts[0]


@jit
def _touch_block(place, samples, known, pool, slots, touched, n):
    "Slots of the samples of step t's block, touches from n on; returns where these end."
    t, block, n_users = place
    begin, n_slots, n_free = n, pool.counts[0], pool.counts[1]
    for j in range(BLOCK):
        for side in range(2):
            row = samples[side][j] + side * (n_users + 1)
            if known.stamp[row] != t:
                known.stamp[row] = t
                if n_free:
                    n_free -= 1
                    known.slot[row] = pool.free[n_free]
                else:
                    known.slot[row] = n_slots
                    n_slots += 1
            slots[side][j] = known.slot[row]
            if known.last[row] == block:
                known.last[row] = -1
                touched.rows[n], touched.row_slots[n] = row, known.slot[row]
                n += 1
    for q in range(begin, n):
        pool.free[n_free] = touched.row_slots[q]
        n_free += 1
    pool.counts[0], pool.counts[1] = n_slots, n_free
    return n


@jit
def _gaps(ends, rows, n_rows):
    "For each touch the steps without a sample of its row that follow; step t's end at ends[t + 1]."
    steps = len(ends) - 1
    gap = np.empty(len(rows), np.int32)
    following = np.full(n_rows, steps, np.int64)
    for t in range(steps - 1, -1, -1):
        for q in range(ends[t], ends[t + 1]):
            gap[q] = following[rows[q]] - t - 1
            following[rows[q]] = t
    return gap


@jit
def _number_entries(ends, gap, entries):
    "One entry for each gap of a step: each touch's entry, where the steps' begin, their gaps."
    steps = len(ends) - 1
    bases, gaps = np.zeros(steps + 1, np.int64), np.empty(len(gap), np.int32)
    entry_of, seen = np.empty(steps + 1, np.int64), np.full(steps + 1, -1, np.int64)
    for t in range(steps):
        found = 0
        for q in range(ends[t], ends[t + 1]):
            wait = gap[q]
            if seen[wait] != t:
                seen[wait], entry_of[wait] = t, found
                gaps[bases[t] + found] = wait
                found += 1
            entries[q] = entry_of[wait]
        bases[t + 1] = bases[t] + found
    return entries, bases, gaps[: bases[steps]].copy()
