"""Reviews as the published files have them, written by tests, and read slowly."""

import gzip
import json

USERS = [f'A{n:013d}' for n in range(7)] + ['AE22236AFRRSMQIKGG7TPTB75QEA']
ITEMS = ['0132793040', '059400232X', '1400532655'] + [f'B{n:09d}' for n in range(5)]


def write_reviews(folder, layout, rows, packed=False, end=True):
    "Rows in a layout, as the published files have it; returns what to name to the loader."
    if layout == 'lists':
        folder.mkdir(exist_ok=True)
        for part, own in (('train', rows[::2]), ('test', rows[1::2])):
            write_reviews(folder, part, own, packed)
        return folder
    if layout in ('train', 'test'):
        text = ''.join(f'{USERS.index(u)} {ITEMS.index(i)}\n' for u, i, _, _ in rows)
    elif layout == 'json':
        text = ''.join(
            json.dumps(
                {
                    'reviewerID': u,
                    'asin': i,
                    'helpful': [0, 1],
                    'reviewText': 'a, "b"\n\\',
                    'overall': float(r),
                    'unixReviewTime': t,
                }
            )
            + '\n'
            for u, i, r, t in rows
        )
    elif layout == 'jsonl':
        text = ''.join(
            json.dumps(
                {
                    'rating': float(r),
                    'title': 'It\'s "five"',
                    'text': 'a, "b"\n\\ "user_id": \u2028',
                    'images': [{'small_image_url': 'https://x', 'attachment_type': 'IMAGE'}],
                    'asin': f'V{i}',
                    'parent_asin': i,
                    'user_id': u,
                    'timestamp': 1000 * t,
                    'helpful_vote': 0,
                    'verified_purchase': True,
                },
                ensure_ascii=False,
            )
            + '\n'
            for u, i, r, t in rows
        )
    elif layout == 'old json':
        text = ''.join(
            repr(
                {
                    'reviewerID': u,
                    'asin': i,
                    'helpful': [0, 1],
                    'reviewText': "it's",
                    'overall': float(r),
                    'unixReviewTime': t,
                }
            )
            + '\n'
            for u, i, r, t in rows
        )
    else:
        order = {
            '2014': lambda u, i: (u, i),
            '2018': lambda u, i: (i, u),
            '2023': lambda u, i: (u, i),
        }[layout]
        text = 'user_id,parent_asin,rating,timestamp\n' * (layout == '2023') + ''.join(
            f'{",".join(order(u, i))},{float(r)},{t * (1000 if layout == "2023" else 1)}\n'
            for u, i, r, t in rows
        )
    data = (text if end else text.rstrip('\n')).encode()
    path = folder / (
        {'json': 'r.json', 'old json': 'r.json', 'jsonl': 'r.jsonl'}.get(layout)
        or f'{layout}.{"txt" if layout in ("train", "test") else "csv"}'
    )
    if packed:
        path = path.with_name(path.name + '.gz')
        data = gzip.compress(data)
    path.write_bytes(data)
    return path


def plain_rows(rows, layout):
    "The same by a slow, plain reading: the earliest of each pair, in file order."
    if layout == 'lists':
        rows = [
            (USERS.index(u), ITEMS.index(i), r, n)
            for n, (u, i, r, _) in enumerate(rows[::2] + rows[1::2])
        ]
    if layout in ('2023', 'jsonl'):
        rows = [(u, i, r, 1000 * t) for u, i, r, t in rows]
    best = {}
    for n, (u, i, _, t) in enumerate(rows):
        if (u, i) not in best or t < best[u, i][0]:
            best[u, i] = t, n
    return [[u, i, 1.0, t] for (u, i), (t, n) in sorted(best.items(), key=lambda x: x[1][1])]


def review_rows(n=20):
    return [(USERS[k % 7], ITEMS[(k * k) % 8], 1 + k % 5, 1_300_000_000 + k) for k in range(n)]
