"""Keep what `make faults`, `make cluster`, `make actions` and `make reproduce` have measured for
the pages of the site: `make measured` calls this after them.
"""

import csv
import json
import os
import re
import shutil
import sys
from pathlib import Path

import recinfluence
from recinfluence.core.machine import processor

DOCS = Path(__file__).resolve().parent
SHOWN = {
    'faults': {'tables/faults.csv': 'faults.csv'},
    'cluster': {
        'tables/measured.csv': 'cluster_measured.csv',
        'tables/costs.csv': 'cluster_costs.csv',
        'tables/projection.csv': 'cluster_projection.csv',
        'figures/projection.svg': 'cluster.svg',
    },
    'actions': {'tables/actions_short.csv': 'actions.csv'},
    'reproduce': {'report.html': 'report.html'},
}


def said(notebook: Path) -> list[str]:
    "What the cells of an executed notebook say in Markdown."
    return [
        ''.join(o['data']['text/markdown'])
        for c in json.loads(notebook.read_text(encoding='utf-8'))['cells']
        for o in c.get('outputs', [])
        if 'text/markdown' in o.get('data', {})
    ]


def command(name: str, notebook: Path) -> str:
    """What makes the same run again.

    The parameters that papermill was given, in the form that make takes.
    """
    given = next(
        (
            ''.join(c['source'])
            for c in json.loads(notebook.read_text(encoding='utf-8'))['cells']
            if 'injected-parameters' in c['metadata'].get('tags', [])
        ),
        '',
    )
    given = ', '.join(
        f'{k}={v}'
        for k, v in re.findall(r'^(\w+) = (.*)$', given, re.M)
        if k not in ('out', 'path')
    )
    return f'make {name}' + (f" GIVEN='{given}'" if given else '')


def shared(table: Path) -> str:
    "Said where the clock went on while other work had the processor."
    with open(table, encoding='utf-8', newline='') as file:
        alone = next(csv.DictReader(file))
    share = (
        float(alone['CPU seconds a retraining'])
        * float(alone['retrainings'])
        / float(alone['seconds'])
    )
    return (
        ''
        if share > 0.8
        else (
            'While this was measured, other work ran on the same cores: in the first row, '
            f'retraining had {share:.0%} of the time on the clock. The seconds are too long '
            'by as much, and rows compare badly; processor time, which the projection '
            'uses, suffers less.'
        )
    )


def keep(out: Path, names):
    kept = DOCS / 'measured/provenance.json'
    about = json.loads(kept.read_text(encoding='utf-8')) if kept.exists() else {}
    for name in names:
        for source, target in SHOWN[name].items():
            shutil.copy(out / source, DOCS / 'measured' / target)
        about[name] = {'made_with': f'recinfluence {recinfluence.__version__} on {processor()}'}
        if (notebook := out / f'{name}.ipynb').exists():
            about[name] |= {
                'command': command(name, notebook),
                'says': said(notebook),
            }  # `reproduce` is no notebook: its report speaks for itself
        if name == 'cluster':
            about[name]['shared'] = shared(out / 'tables/measured.csv')
    kept.write_text(json.dumps(about, ensure_ascii=False, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    keep(Path(os.environ.get('OUT', 'runs/reproduce')), sys.argv[1:] or list(SHOWN))
