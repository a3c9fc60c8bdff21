"""How many GPUs hold a model's weights: one rule for every verdict and all advice."""

from __future__ import annotations

import numpy as np

from membench.thesis.claims.draws import Floats


def gpus_needed(
    weight_bytes: Floats | float, memory_bytes: Floats | float, share: Floats | float = 1.0
) -> Floats:
    """The smallest power of two of GPUs on which the weights fill at most ``share``.

    A power of two, because tensor parallelism divides heads, whose number is one (times a
    small odd number), and because servers hold so many.

    Args:
        memory_bytes: of one GPU, what weights and KV may fill.
        share: of that, for weights.
    """
    fitting = weight_bytes / (np.asarray(memory_bytes, float) * share)
    count: Floats = 2.0 ** np.ceil(np.log2(np.maximum(fitting, 1)))
    return count
