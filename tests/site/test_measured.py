"""What the site keeps of measurements is whole."""

import ast
import csv
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def named_faults():
    "The faults that the experiment injects, as its code names them."
    cells = [
        ''.join(c['source'])
        for c in json.loads((ROOT / 'nbs/experiments/faults.ipynb').read_text(encoding='utf-8'))[
            'cells'
        ]
        if c['cell_type'] == 'code'
    ]
    out, space = set(), {}
    for node in (n for c in cells for n in ast.walk(ast.parse(c))):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '(table, kinds)':
            space['kinds'] = ast.literal_eval(node.value.elts[1])
        if isinstance(node, ast.For) and ast.unparse(node.target) == '(how, name)':
            out |= {name for _, name in ast.literal_eval(node.iter)}
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, 'id', '') in ('Watch', 'half')
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            out.add(node.args[0].value)
    return (
        out
        | {
            f'a retraining {n}' if ' once' not in n else n.replace('its', "a retraining's")
            for n in space['kinds']
        }
        | {'the full model raises', 'the full model hangs'}
    )


def test_the_fault_table_is_the_experiments_and_has_zeros_where_it_must():
    with open(ROOT / 'docs/measured/faults.csv', encoding='utf-8', newline='') as file:
        rows = {r['fault']: r for r in csv.DictReader(file)}
    random = [n for n in rows if re.fullmatch(r'\d+ rounds at random, seed \d+', n)]
    assert set(rows) == named_faults() | {*random, 'all'} and len(random) == 1 and len(rows) > 20
    assert all(
        r[c] == '0' for r in rows.values() for c in ('lost', 'duplicated', 'changed')
    ) and all(int(r['injected']) > 0 for r in rows.values())
    assert int(rows['all']['injected']) == sum(
        int(r['injected']) for n, r in rows.items() if n != 'all'
    )


def test_no_message_of_the_fault_table_is_cut():
    from recinfluence.data.interactions import load_interactions
    from recinfluence.data.simulated import planted_interactions

    with open(ROOT / 'docs/measured/faults.csv', encoding='utf-8', newline='') as file:
        said = {r['fault']: r['said'] for r in csv.DictReader(file)}
    refused = [
        said[n]
        for n in said
        if n.startswith('a store of')
        or n
        in (
            'the disk is full',
            'the store is read-only',
            'two sweeps on one store',
            'a page is damaged',
        )
    ]
    assert len(refused) == 7 and all(t.endswith('.') for t in refused)
    assert all(
        load_interactions(planted_interactions(seed=s), name='planted').hash
        in said['a store of other data']
        for s in (0, 1)
    )


def test_the_kept_report_is_whole():
    "Every table, figure and algorithm of the paper; nothing missing, nothing from elsewhere."
    from recinfluence.reproduction.paper import paper_table

    text = (ROOT / 'docs/measured/report.html').read_text(encoding='utf-8')
    heads = re.findall(r'<h3[^>]*>([^:<]+):', text)
    items = paper_table('contents').item.tolist()
    assert (
        sorted(set(heads) & set(items)) == sorted(items)
        and 'class="missing"' not in text
        and 'Profile: default' in text
        and text.count('<img') >= 8
        and not re.search(r'(src|href)="(?!#|data:)', text)
    )
