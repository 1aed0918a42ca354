"""Recommenders that are programs, in awk and in Python."""

import shutil
import sys

import pytest

from recinfluence.adapters.command import Command

# the user's mean plus the item's, less the mean of all
MEANS = (
    '{ u[$1] += $3; nu[$1]++; i[$2] += $3; ni[$2]++; all += $3 } '
    'END { for (a in u) for (b in i) '
    r'printf "%s\t%s\t%.15g\n", a, b, u[a] / nu[a] + i[b] / ni[b] - all / NR }'
)
# scores drawn by position, from the seed
DRAWN = (
    'BEGIN { srand(seed + 1) } '
    '!($1 in u) { u[$1]; us[++n] = $1 } !($2 in i) { i[$2]; is[++m] = $2 } '
    'END { for (a = 1; a <= n; a++) for (b = 1; b <= m; b++) '
    r'print us[a] "\t" is[b] "\t" rand() }'
)
awk = pytest.mark.skipif(not shutil.which('awk'), reason='there is no awk on this machine')


def python(program, *arguments, **settings):
    "A program in Python as a recommender; by default it is given {train} and {out}."
    arguments = arguments or ('{train}', '{out}')
    return Command([sys.executable, '-c', program, *arguments], **settings)
