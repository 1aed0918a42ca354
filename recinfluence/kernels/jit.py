"""Functions that numba compiles, and where it can keep what it compiled."""

from numba import njit


def jit(function):
    "numba.njit, cached on disk where numba finds a folder it may write to."
    try:
        return njit(function, cache=True, nogil=True)
    except RuntimeError:
        return njit(function, nogil=True)
