"""Verdicts: what they say of two numbers, how they print, and what is read back."""

import numpy as np
import pandas as pd
import pytest

from recinfluence.reproduction.verdicts import (
    Verdict,
    VerdictKind,
    count_verdicts,
    join_verdicts,
    verdict,
)


@pytest.mark.parametrize(
    'paper, ours, sd, says',
    [
        ('0.047070', 0.0470704, None, 'reproduced exactly'),
        ('0.047070', 0.0470706, None, 'not reproducible, and no reason is known'),
        ('0.047070', 0.0480, 0.001, 'reproduced within noise (-0.9 sd, 12 seeds)'),
        (
            '0.047070',
            0.0494,
            0.001,
            'not reproducible, because it lies -2.3 sd from the mean of 12 seeds',
        ),
        ('100,000', 100_000, None, 'reproduced exactly'),
        ('-2.70%', -2.704, None, 'reproduced exactly'),
        ('3.67e-05', 3.674e-5, None, 'reproduced exactly'),
        ('3.67e-05', 3.68e-5, None, 'not reproducible, and no reason is known'),
    ],
)
def test_verdicts(paper, ours, sd, says):
    assert str(verdict(paper, ours, sd, 12)) == says


REPRODUCED = (VerdictKind.EXACT, VerdictKind.WITHIN_NOISE)


@pytest.mark.parametrize('seeds', [2, 4, 12])
def test_a_further_draw_lies_within_noise_19_times_in_20(seeds):
    rng = np.random.default_rng(seeds)
    draws = rng.normal(5, 1, (4000, seeds + 1))
    said = [
        verdict(f'{d[0]:.6f}', d[1:].mean(), d[1:].std(ddof=1), seeds).kind in REPRODUCED
        for d in draws
    ]
    assert abs(np.mean(said) - 0.95) < 4 * np.sqrt(0.05 * 0.95 / len(said))


TEXTS = [
    'reproduced exactly',
    'reproduced within noise (+1 sd, 12 seeds)',
    'not reproducible, because of this',
    'not comparable, simulated data',
    'reproduced exactly',
]


def test_verdicts_are_of_four_kinds():
    figures = [kind for kind in VerdictKind if Verdict(kind).badge]
    assert [kind.value for kind in figures] == [
        'reproduced exactly',
        'reproduced within noise',
        'not reproducible',
        'not comparable',
    ]
    assert count_verdicts(map(Verdict.from_text, TEXTS)) == dict(zip(figures, (2, 1, 1, 1)))
    with pytest.raises(ValueError, match='is not a verdict'):
        Verdict.from_text('perhaps')


@pytest.mark.parametrize(
    'text', [*TEXTS, 'stands', 'stands in part', 'does not stand', 'cannot be told: the order is']
)
def test_what_is_read_back_prints_as_it_did(text, tmp_path):
    read = Verdict.from_text(text)
    assert str(read) == text and Verdict.from_text(str(read)) == read
    pd.DataFrame({'verdict': [read]}).to_csv(tmp_path / 't.csv')
    assert pd.read_csv(tmp_path / 't.csv').verdict.tolist() == [text]


def test_several_in_one_cell_are_as_bad_as_the_worst():
    joined = join_verdicts(map(Verdict.from_text, TEXTS[:3]))
    assert joined.kind is VerdictKind.NOT_REPRODUCIBLE
    assert str(joined) == f'{TEXTS[2]} / {TEXTS[0]} / {TEXTS[1]}'
    assert join_verdicts([Verdict(VerdictKind.EXACT)] * 3) == Verdict(VerdictKind.EXACT)


def test_a_statement_in_the_words_for_figures():
    said = {kind: str(Verdict(kind).as_of_figure()) for kind in VerdictKind}
    assert said[VerdictKind.STANDS] == 'reproduced exactly'
    assert said[VerdictKind.DOES_NOT_STAND] == 'not reproducible, because it does not stand'
    assert said[VerdictKind.CANNOT_BE_TOLD] == 'not reproducible, because it cannot be told'
    assert said[VerdictKind.NOT_COMPARABLE] == 'not comparable'
