"""Kernels written as source for given sizes, compiled once and kept on disk.

What is kept is good for one user and one processor: its name is a hash of all that it depends on.
"""

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
        "What is written inside stands under this line, indented."
        self(head)
        self.depth += 1
        yield
        self.depth -= 1

    def loop(self, variable, size):
        "A loop over range(size)."
        return self.block(f'for {variable} in range({size}):')

    def text(self):
        return '\n'.join(self.lines) + '\n'


def cache_folder():
    "Where kernels are kept for this user."
    if os.environ.get('NUMBA_CACHE_DIR'):
        return Path(os.environ['NUMBA_CACHE_DIR'])
    if os.name == 'nt' and os.environ.get('LOCALAPPDATA'):
        return Path(os.environ['LOCALAPPDATA']) / 'recinfluence' / 'kernels'
    base = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    return base / 'recinfluence' / 'kernels'


def compiled(source, dtype, lanes, operations, what, helpers=''):
    """The function `kernel` of that source; machine code is kept on disk where that is possible.

    operations: the vector operations that the source names; helpers: source of functions it calls;
    what: the kernel's name in the log.
    """
    text = _module_text(source, dtype, lanes, operations, helpers)
    name = _module_name(text)
    try:
        return _kept_on_disk(name, text, what)
    except (OSError, RuntimeError) as problem:  # RuntimeError: numba may not write there
        log.info('compiling %s, which cannot be kept: %s', what, problem)
        names = {'__name__': name}
        exec(compile(text, name, 'exec'), names)
        return names['kernel']


def _module_text(source, dtype, lanes, operations, helpers):
    "Source of a module with the kernel and all that it calls."
    head = [
        '"A kernel written for given sizes."',
        'import numpy as np',
        'from numba import njit',
        f'from {simd.__package__} import simd',
        f'v = simd.vector(np.{np.dtype(dtype)}, {lanes})',
        *(f'{name} = v.{name}' for name in operations),
    ]
    return '\n'.join(head) + '\n\n' + helpers + '\n@njit(nogil=True)\n' + source


def _module_name(text):
    "A name that changes with all that the machine code depends on."
    processor, features = simd.cpu()
    key = [
        text,
        Path(simd.__file__).read_text(encoding='utf8'),
        processor,
        sorted(features),
        sys.version,
        numba.__version__,
        llvmlite.__version__,
        np.__version__,
    ]
    return 'kernel_' + hashlib.sha256(repr(key).encode()).hexdigest()[:24]


def _kept_on_disk(name, text, what):
    "The kernel from a module in the cache folder, which is written if it is not there."
    path = cache_folder() / f'{name}.py'
    if not path.exists():
        log.info('compiling %s once', what)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f'{name}.{os.getpid()}.tmp')
        cached = text.replace('@njit(nogil=True)', '@njit(nogil=True, cache=True)')
        draft.write_text(cached, encoding='utf8')
        os.replace(draft, path)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba's cache looks the module up by name
    spec.loader.exec_module(module)
    return module.kernel
