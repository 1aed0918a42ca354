"""What a retraining costs, under the name by which the README calls it."""

from .core.machine import processor
from .reproduction.bench import bench

__all__ = ['bench', 'processor']
