"""Where the calls of the surface leave what they write."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    "Whatever is written lands in a folder of the test's own; figures are closed."
    monkeypatch.chdir(tmp_path)
    yield
    plt.close('all')
