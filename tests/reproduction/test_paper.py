"""Published tables beside ours, and those the paper names."""

import numpy as np
import pandas as pd

from recinfluence.reproduction.paper import compare_with_paper, named_ids, paper_table


def test_beside_keeps_what_was_printed():
    table = compare_with_paper(paper_table(12), pd.Series(np.arange(7.0)))
    assert (
        table.paper.tolist() == paper_table(12).value.tolist()
        and table.index[0] == 'MAP'
        and 'sd over seeds' not in table
    )


def test_named_units_are_all_of_the_papers():
    assert (
        named_ids('4.1', 'user') == [2, 17, 273, 311, 583, 775]
        and named_ids('4.1', 'item') == [482, 905, 1227, 1342, 1380, 1518]
        and named_ids('4.3', 'user') == [1, 50, 100, 258, 294, 309]
    )
