"""The number of GPUs that a model's weights need."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from membench.thesis.claims.draws import Floats


def gpus_needed(weight_bytes: float, memory_bytes: float, share: float = 1.0) -> int:
    """The smallest number of GPUs (a power of two) whose memory has room for the weights.

    The number is a power of two because tensor parallelism divides the heads of a model, and
    because servers contain 2, 4 or 8 GPUs.

    Args:
        memory_bytes: memory of one GPU for weights and KV cache.
        share: maximum share of ``memory_bytes`` for weights.
    """
    return int(2.0 ** math.ceil(math.log2(max(weight_bytes / (memory_bytes * share), 1.0))))


def gpus_needed_each(
    weight_bytes: Floats | float, memory_bytes: Floats | float, share: Floats | float = 1.0
) -> Floats:
    """`gpus_needed` for each element of arrays that broadcast with each other."""
    import numpy as np

    fitting = weight_bytes / (np.asarray(memory_bytes, float) * share)
    count: Floats = 2.0 ** np.ceil(np.log2(np.maximum(fitting, 1)))
    return count
