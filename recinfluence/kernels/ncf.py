"""Neural collaborative filtering: many models at once, one in each lane of a vector register.

The models of a call share samples, batches and initial values and differ in the weights of users
and items. One pass over the samples serves all of them: every number of a model is a vector, lane l
of it belongs to model l, and no operation mixes lanes. What the kernels are made of:

    ncf_shape      the architecture, and where its numbers lie
    ncf_plan       when the training touches each row: known before any model is trained
    lazy_adam      steps without samples, applied to a row at once
    ncf_network    source of the forward pass, on register tiles (tiles)
    ncf_gradients  source of the backward pass
    ncf_training   the kernel that trains
    ncf_ranking    the kernel that finds each user's best items
"""

from .lazy_adam import Adam
from .ncf_plan import Plan, plan_touches
from .ncf_ranking import rank
from .ncf_shape import Shape
from .ncf_training import Samples, train

__all__ = ['Adam', 'Plan', 'Samples', 'Shape', 'plan_touches', 'rank', 'train']
