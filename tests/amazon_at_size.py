"""What reading Amazon's ratings costs at the size of the real file.

Seconds on one core, and the most memory that the process held:

    python tests/amazon_at_size.py          # 7,824,482 rows, 4,201,696 users, 476,002 items
    python tests/amazon_at_size.py --rows 100000 --users 50000 --items 6000     # another size
    python tests/amazon_at_size.py --path ratings_Electronics.csv               # your own file
    make amazon_at_size     # the first, kept for the site in docs/measured/amazon_at_size.csv

Without --path a csv of that shape is generated first (user, item, rating, timestamp;
long-tailed; simulated), in a temporary folder. The loader then runs in a process of its own,
which has one core, as `load_amazon(path=..., core=...)`.
"""

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

LOADER = """
import json, os, re, resource, sys, time
if hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from recinfluence.data.amazon import load_amazon
def peak():
    # bytes; getrusage starts, on Linux, from the peak of the process that called this one
    try:
        status = open('/proc/self/status').read()
        return 1024 * int(re.search(r'VmHWM:\\s*(\\d+)', status)[1])
    except OSError:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used * (1 if sys.platform == 'darwin' else 1024)
start, clock = time.process_time(), time.perf_counter()
data = load_amazon(path=sys.argv[1], core=int(sys.argv[2]) or None, memory=sys.argv[3])
print(json.dumps({
    'data': str(data),
    'source': data.source,
    'CPU seconds': round(time.process_time() - start, 2),
    'seconds by the clock': round(time.perf_counter() - clock, 2),
    'GiB at most': round(peak() / 2**30, 3),
}))
"""


def ids(n, prefix, width):
    "n distinct ids: the prefix and letters and digits, in no order."
    letters = np.frombuffer(b'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', np.uint8)
    left = np.arange(n, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(36**width)
    out = np.empty((n, width), np.uint8)
    for k in range(width):
        out[:, -1 - k] = letters[(left % np.uint64(36)).astype(int)]
        left //= np.uint64(36)
    return np.char.add(prefix.encode(), out.view(f'S{width}')[:, 0]).astype(str)


def write_ratings(path, rows=7_824_482, users=4_201_696, items=476_002, seed=0):
    "A headerless csv of the 2014 layout; every user and item occurs, the rest is long-tailed."
    rng = np.random.default_rng(seed)

    def draw(n, fall):
        weight = np.cumsum((np.arange(n) + 10.0) ** -fall)
        more = np.searchsorted(weight, rng.random(rows - n) * weight[-1])
        return rng.permutation(np.append(np.arange(n), np.minimum(more, n - 1)))

    user, item = draw(users, 0.6), draw(items, 0.9)
    user_ids, item_ids = ids(users, 'A', 12), ids(items, 'B00', 7)
    schema = pa.schema(
        [
            ('user', pa.string()),
            ('item', pa.string()),
            ('rating', pa.float64()),
            ('timestamp', pa.int64()),
        ]
    )
    with pa.csv.CSVWriter(
        path, schema, write_options=pa.csv.WriteOptions(include_header=False, quoting_style='none')
    ) as out:
        for first in range(0, rows, 10**6):
            part = slice(first, first + 10**6)
            n = len(user[part])
            out.write(
                pa.table(
                    [
                        pa.array(user_ids[user[part]]),
                        pa.array(item_ids[item[part]]),
                        pa.array(rng.integers(1, 6, n).astype(float)),
                        pa.array(rng.integers(10_000, 16_000, n) * 86_400),
                    ],
                    schema,
                )
            )
    return path


def measure(path, core=10, memory='2GiB'):
    "The cost of loading a file in a process of its own."
    done = subprocess.run(
        [sys.executable, '-c', LOADER, str(path), str(core or 0), memory],
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout)


def keep(to, cost, path, command, memory, **shape):
    """A csv of what was read, what it took, and by which processor and command.

    `shape`: what is known of the file.
    """
    import recinfluence
    from recinfluence.core.machine import processor

    said = {
        'rows': int(re.search(r'([\d,]+) rows', cost['source'])[1].replace(',', '')),
        **shape,
        'MB of the file': round(os.path.getsize(path) / 1e6, 1),
        'its layout': cost['source'].split(';')[0],
        'its SHA-256': re.search(r'SHA-256 (\w+)', cost['source'])[1],
        'read': cost['data'],
        **{k: cost[k] for k in ('CPU seconds', 'seconds by the clock', 'GiB at most')},
        'memory allowed': memory,
        'cores used': 1,
        'processor': processor(),
        'version': f'recinfluence {recinfluence.__version__}',
        'command': command,
    }
    with open(to, 'w', encoding='utf-8', newline='') as file:
        csv.writer(file, lineterminator='\n').writerows([('what', 'here'), *said.items()])


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--path')
    parser.add_argument('--rows', type=int, default=7_824_482)
    parser.add_argument('--users', type=int, default=4_201_696)
    parser.add_argument('--items', type=int, default=476_002)
    parser.add_argument('--core', type=int, default=10, help='0: all interactions')
    parser.add_argument('--memory', default='2GiB')
    parser.add_argument('--keep', help='a csv for the result')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.path or write_ratings(
            Path(folder) / 'ratings.csv', options.rows, options.users, options.items
        )
        cost = measure(path, options.core, options.memory)
        print(json.dumps(cost, indent=1))
        if options.keep:
            keep(
                options.keep,
                cost,
                path,
                ' '.join(['python tests/amazon_at_size.py', *sys.argv[1:]]),
                options.memory,
                **(
                    {}
                    if options.path
                    else {'users': options.users, 'items': options.items, 'made of': 'simulated'}
                ),
            )
