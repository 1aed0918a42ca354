"""The command line as a person has it: in another process, or in this one, which is quicker."""

import contextlib
import io
import json
import os
import subprocess
import sys

from recinfluence.cli.main import main

START = 'import sys; from recinfluence.cli.main import main; sys.exit(main())'


def shell(*args):
    return subprocess.run(
        [sys.executable, '-c', START, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=300,
    )


def cli(*args, cwd=None):
    "The same in this process, which spares the start of another one."
    out, err, before = io.StringIO(), io.StringIO(), os.getcwd()
    try:
        if cwd:
            os.chdir(cwd)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*map(str, args)])
    except SystemExit as error:
        code = error.code
    finally:
        os.chdir(before)
    return subprocess.CompletedProcess(args, code or 0, out.getvalue(), err.getvalue())


def parsed(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # exactly one object, nothing else
