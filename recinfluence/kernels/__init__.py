"""Compiled kernels that train many models at once, one model in each lane of a vector register."""
