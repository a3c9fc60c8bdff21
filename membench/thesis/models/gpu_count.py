"""The number of GPUs that a model's weights need. Verdicts and advice use this rule."""

from __future__ import annotations

import numpy as np

from membench.thesis.claims.draws import Floats


def gpus_needed(
    weight_bytes: Floats | float, memory_bytes: Floats | float, share: Floats | float = 1.0
) -> Floats:
    """The smallest number of GPUs (a power of two) whose memory has room for the weights.

    The number is a power of two for two reasons. Tensor parallelism divides the heads of a model.
    Servers contain 2, 4 or 8 GPUs.

    Args:
        memory_bytes: memory of one GPU for weights and KV cache.
        share: maximum share of ``memory_bytes`` for weights.
    """
    fitting = weight_bytes / (np.asarray(memory_bytes, float) * share)
    count: Floats = 2.0 ** np.ceil(np.log2(np.maximum(fitting, 1)))
    return count
