"""What the how-to pages tell people to type."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOWTO = sorted(p.stem for p in (ROOT / 'docs/howto').glob('*.md'))
LONG = {'design', 'resume', 'results'}  # real data and NCF, which sweeps' own tests have too


def blocks(page):
    "(line, language, code, why it is not run) of each block of a page."
    text = (ROOT / f'docs/howto/{page}.md').read_text(encoding='utf-8')
    return [
        (text[: m.start()].count('\n') + 1, m[2], m[3], m[1])
        for m in re.finditer(
            r'(?:<!-- not run: (.+?) -->\n)?^```(python|sh)\n(.*?)^```', text, flags=re.M | re.S
        )
    ]


@pytest.fixture
def one_core():
    """One core for this process and for what it starts.

    Sweeps this small only lose by processes of their own.
    """
    if not hasattr(os, 'sched_setaffinity'):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    'page',
    [
        pytest.param(page, marks=[pytest.mark.slow] if page in LONG else [])
        for page in HOWTO
        if blocks(page)
    ],
)
def test_the_code_of_a_how_to_runs(page, tmp_path, monkeypatch, request, one_core):
    found = blocks(page)
    if any('movielens' in code or 'ml-100k' in code for _, _, code, skip in found if not skip):
        request.getfixturevalue('movielens')
    monkeypatch.chdir(tmp_path)
    space = {'__name__': 'howto'}
    ran = 0
    cli = (
        f'recinfluence() {{ "{sys.executable}" -c "import sys; from recinfluence.cli.main '
        f'import main; sys.exit(main())" "$@"; }}\n'
    )
    for line, language, code, skip in found:
        if skip:
            if language == 'python':
                compile(code, page, 'exec')
            continue
        ran += 1
        if language == 'python':
            exec(compile('\n' * line + code, f'docs/howto/{page}.md', 'exec'), space)
        else:
            done = subprocess.run(
                ['bash', '-euo', 'pipefail', '-c', cli + code],
                capture_output=True,
                text=True,
                env={**os.environ, 'PYTHONPATH': str(ROOT)},
            )
            assert done.returncode == 0, f'docs/howto/{page}.md, line {line}: {done.stderr[-1500:]}'
    assert ran
