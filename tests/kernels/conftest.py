"""Kernels of these tests go to a folder that is theirs alone; one thread."""

import pytest
import torch


@pytest.fixture(scope='module', autouse=True)
def kernel_folder(tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('NUMBA_CACHE_DIR', str(tmp_path_factory.mktemp('kernels')))
        yield
    torch.set_num_threads(threads)
