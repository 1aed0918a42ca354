"""Run the notebooks of the library, each in a process of its own, two at a time.

A notebook patches classes and registers engines; the next one must see the package, not that. The
processes are forked from one that has imported what most of them need. `python tests/notebooks.py`
runs them all, `python tests/notebooks.py nbs/01_core/6_units.ipynb ...` these alone.
"""

import importlib
import multiprocessing
import os
import sys
from multiprocessing.connection import wait
from pathlib import Path

from nbdev.test import test_nb

ROOT = Path(__file__).resolve().parent.parent
BESIDE = ('torch', 'matplotlib.pyplot', 'seaborn', 'sklearn.linear_model', 'surprise')


def run(path: Path):
    "One notebook; where it fails is said on standard error."
    passed, _ = test_nb(path, basepath=ROOT)
    sys.exit(not passed)


def run_all(paths: list[Path], at_once: int = 2) -> list[Path]:
    "The notebooks that fail."
    process = multiprocessing.get_context('fork').Process
    waiting, running, failed = paths[::-1], {}, []
    while waiting or running:
        while waiting and len(running) < at_once:
            path = waiting.pop()
            begun = process(target=run, args=(path,))
            begun.start()
            running[begun.sentinel] = begun, path
        for sentinel in wait(list(running)):
            ended, path = running.pop(sentinel)
            ended.join()
            failed += [path] if ended.exitcode else []
    return failed


def main(names: list[str]) -> int:
    "How many have failed."
    found = [Path(name).resolve() for name in names]
    paths = found or [*sorted((ROOT / 'nbs').glob('[0-9]*/[0-9]*.ipynb')), ROOT / 'nbs/index.ipynb']
    sys.path.insert(0, str(ROOT))
    os.environ['MPLBACKEND'] = 'agg'
    for name in BESIDE:
        importlib.import_module(name)
    import recinfluence

    for module in recinfluence._HOMES:
        importlib.import_module(f'recinfluence.{module}')
    failed = run_all(paths)
    for path in failed:
        print(f'failed: {path.relative_to(ROOT)}', file=sys.stderr)
    print(f'{len(paths) - len(failed)} of {len(paths)} notebooks run')
    return len(failed)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]) > 0)
