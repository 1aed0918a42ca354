"""Kernels written as source for the sizes at hand, compiled once and kept on disk for this user and this processor."""

import hashlib
import importlib.util
import logging
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import llvmlite
import numba
import numpy as np

from . import simd

log = logging.getLogger('recinfluence')


class Writer:
    "Lines of Python source with indentation."

    def __init__(self):
        self.lines, self.depth = [], 0

    def __call__(self, *lines):
        self.lines += ['    ' * self.depth + line for line in lines]

    @contextmanager
    def block(self, head):
        self(head)
        self.depth += 1
        yield
        self.depth -= 1

    def text(self):
        return '\n'.join(self.lines) + '\n'


def cache_folder():
    "Where kernels are kept for this user."
    if os.environ.get('NUMBA_CACHE_DIR'):
        return Path(os.environ['NUMBA_CACHE_DIR'])
    if os.name == 'nt' and os.environ.get('LOCALAPPDATA'):
        return Path(os.environ['LOCALAPPDATA']) / 'recinfluence' / 'kernels'
    return (
        Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
        / 'recinfluence'
        / 'kernels'
    )


def compiled(source, dtype, lanes, operations, what, helpers=''):
    "The function `kernel` of that source, with the vector operations it names and helpers it calls; machine code is kept on disk where that is possible."
    head = [
        '"A kernel written for the sizes at hand."',
        'import numpy as np',
        'from numba import njit',
        f'from {simd.__package__} import simd',
        f'v = simd.vector(np.{np.dtype(dtype)}, {lanes})',
        *(f'{name} = v.{name}' for name in operations),
    ]
    text = '\n'.join(head) + '\n\n' + helpers + '\n@njit(nogil=True)\n' + source
    key = [
        text,
        Path(simd.__file__).read_text(encoding='utf8'),
        simd.cpu()[0],
        sorted(simd.cpu()[1]),
        sys.version,
        numba.__version__,
        llvmlite.__version__,
        np.__version__,
    ]
    name = 'kernel_' + hashlib.sha256(repr(key).encode()).hexdigest()[:24]
    try:
        path = cache_folder() / f'{name}.py'
        if not path.exists():
            log.info('compiling %s once', what)
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f'{name}.{os.getpid()}.tmp')
            draft.write_text(
                text.replace('@njit(nogil=True)', '@njit(nogil=True, cache=True)'), encoding='utf8'
            )
            os.replace(draft, path)
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # numba's cache looks the module up by name
        spec.loader.exec_module(module)
        return module.kernel
    except (
        OSError,
        RuntimeError,
    ) as problem:  # RuntimeError: numba may not write beside the module
        log.info('compiling %s, which cannot be kept: %s', what, problem)
        names = {'__name__': name}
        exec(compile(text, name, 'exec'), names)
        return names['kernel']
