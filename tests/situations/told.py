"""What somebody brings, what the package makes of it now, and what a count beside it gives."""

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from surface.judge import from_below

KINDS = {
    1: 'Rating scales',
    2: "Folds of one's own",
    3: 'A store and another model',
    4: 'Groups of one name',
    5: 'Units that disappear',
    6: 'Marks and separators in files',
    7: 'Scores of any dtype',
    8: 'A fit that changes its frame',
    9: 'Ids',
    10: 'Equal ratings',
    11: 'No timestamps',
    12: 'Arguments that do nothing',
    13: 'Plain uses',
    14: 'Titles, and a rank of one',
    15: 'Parameters of papermill',
    16: 'Reviews of 2023',
    17: 'Files that cannot be read as they are',
    18: 'Small and large accidents',
    19: 'Ties made by clipping',
}
REFUSED = 'refused: '


@dataclass(frozen=True)
class Situation:
    "One line of the table; `run` gives what happens now and what is right."

    kind: int
    brought: str
    run: Callable


SITUATIONS = []


def situation(
    kind: int,  # one of `KINDS`
    brought: str,
) -> Callable:
    "Enter a function without arguments that returns (now, right)."

    def enter(function):
        SITUATIONS.append(Situation(kind, brought, function))
        return function

    return enter


def refused(
    task: Callable,
    *words: str,  # that the message must hold: what is wrong, where, and what to do
) -> str:
    "The refusal, by one of the package's own errors."
    try:
        task()
    except (ValueError, TypeError, RuntimeError) as error:
        assert not from_below(error), from_below(error)
        text = ' '.join(str(error).split())
        missing = [word for word in words if word not in text]
        assert not missing, f'{missing} not in: {text}'
        return REFUSED + re.sub(re.escape(tempfile.gettempdir()) + r'\S*/', '', text)
    raise AssertionError('was not refused')


COLUMNS = ('kind', 'what is brought', 'what happens now', 'independent value')


def cut(text: str, most: int = 230) -> str:
    "A message short enough for a table."
    return text if len(text) <= most else text[: most - 1].rstrip() + '…'


def every_situation() -> list[Situation]:
    "All of them, by kind."
    import situations.loud
    import situations.silent  # noqa: F401

    return sorted(SITUATIONS, key=lambda one: one.kind)


def rows() -> list[tuple]:
    "The lines of the table, each run now."
    made = []
    for one in every_situation():
        now, right = one.run()
        made.append((f'{one.kind}. {KINDS[one.kind]}', one.brought, cut(now), cut(right)))
    return made
