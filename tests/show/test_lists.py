"""What the list shows, against loops over the units."""

import numpy as np
import pytest

from recinfluence.models.popularity import Popularity
from recinfluence.show.lists import SORTS, filter_units, search_texts, unit_lines
from recinfluence.sweep.run import deletion_sweep


def test_listed_is_what_a_loop_over_the_units_gives(items, split):
    frame = items.frame.assign(q=np.linspace(0, 0.2, len(items.frame)))
    texts = search_texts(frame, split)
    assert (
        set(filter_units(frame, texts, 'CRIME comedy').id) == set(range(0, 24, 2))
        and filter_units(frame, texts, '1995-03-04 film').shape == frame.shape
        and filter_units(frame, texts, 'film drama comedy').empty
    )
    for sort, (column, ascending) in SORTS.items():
        found = filter_units(frame, texts, '', sort, at_least=15, at_most=20, clear=True)
        assert (
            set(found.index)
            == {k for k, r in frame.iterrows() if 15 <= r.n_ratings <= 20 and r.q < 0.05}
            and len(found) > 1
            and found[column].tolist() == sorted(found[column], reverse=not ascending)
        )


def test_users_are_found_by_what_is_known_of_them(split):
    frame = (
        deletion_sweep(Popularity(), split, ids=range(12), k=3, jobs=1, progress=False)
        .influence()
        .frame
    )
    assert (
        set(filter_units(frame, search_texts(frame, split), 'lawyer').id) == {0, 4, 8}
        and set(filter_units(frame, search_texts(frame), 'user 4').id) == {4}
        and len(filter_units(frame, search_texts(frame, split), '.')) == 0
    )  # no pattern, plain text


def test_lines_are_aligned_and_tell_the_numbers(items):
    text = unit_lines(items.frame)
    assert len({len(t) for t in text}) == 1 and not any(' ' in t for t in text)
    assert [float(t.split('\xa0±')[0].split('\xa0')[-1]) for t in text] == pytest.approx(
        items.frame.estimate.tolist(), abs=5e-5
    )
    assert '±' not in unit_lines(items.frame.assign(low=np.nan, high=np.nan))[0]
