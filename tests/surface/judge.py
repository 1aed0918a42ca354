"""What may come of a call: a result of the kind that was asked for, or a refusal that helps."""

import ast
import contextlib
import signal
import traceback
from functools import cache
from pathlib import Path

import numpy as np

import recinfluence

PACKAGE = str(Path(recinfluence.__file__).parent)
KINDS = (ValueError, TypeError, LookupError, RuntimeError, OSError, ImportError)


@cache
def raised_at(file: str) -> list[tuple[int, int]]:
    "First and last lines of the `raise` statements in a file."
    tree = ast.parse(Path(file).read_text(encoding='utf-8'))
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Raise) and n.exc is not None]
    return [(node.lineno, node.end_lineno) for node in found]


def from_below(error: BaseException) -> str:
    "Why an error is not one of the package's own that helps; '': it is."
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f'{Path(last.filename).name}:{last.lineno} {type(error).__name__}: {error}'[:300]
    if not last.filename.startswith(PACKAGE):
        return f'from below: {where}'
    if not any(first <= last.lineno <= end for first, end in raised_at(last.filename)):
        return f'not raised on purpose: {where}'
    if not isinstance(error, KINDS):
        return f'no kind of error that a caller expects: {where}'
    if len(str(error).split()) < 4 or str(error).rstrip('"\'')[-1] not in '.?…)':
        return f'no sentence: {where}'
    return ''


class Hangs(BaseException):
    "A call that does not end."


@contextlib.contextmanager
def at_most(seconds: float):
    "Stop what takes longer."

    def stop(*_):
        raise Hangs(f'not done after {seconds:g} seconds')

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


WORDS = {
    'int': (int, np.integer),
    'float': (int, float, np.integer, np.floating),
    'bool': (bool, np.bool_),
    'str': (str,),
}


def misunderstood(annotation: object, value: object) -> bool:
    "Whether a value was taken that is plainly not of the kind that the signature asks for."
    kinds = [part.strip() for part in str(annotation).split('|')]
    if not set(kinds) <= {*WORDS, 'None'}:
        return False
    if value is None:
        return 'None' not in kinds
    if isinstance(value, (bool, np.bool_)):
        return 'bool' not in kinds
    if isinstance(value, (float, np.floating)) and 'float' not in kinds and 'int' in kinds:
        return not float(value).is_integer()
    if isinstance(value, (float, np.floating)) and np.isnan(value):
        return True
    return not any(isinstance(value, kind) for name in kinds for kind in WORDS.get(name, ()))


def outcome(call, name: str, value: object, seconds: float = 20) -> str:
    "What is wrong with what comes of a call with this argument changed; '': nothing."
    try:
        with at_most(seconds):
            found = call.run(**{name: value})
            repr(found)
    except Hangs as error:
        return str(error)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        return from_below(error)
    default = call.parameters[name].default
    if value is default or not misunderstood(call.parameters[name].annotation, value):
        return ''
    return f'taken for {call.parameters[name].annotation}'
