"""The number of GPUs that hold a model's weights: the same rule for all verdicts and advice."""

from __future__ import annotations

import numpy as np

from membench.thesis.claims.draws import Floats


def gpus_needed(
    weight_bytes: Floats | float, memory_bytes: Floats | float, share: Floats | float = 1.0
) -> Floats:
    """The smallest power of two of GPUs whose memory the weights fill to at most ``share``.

    It is a power of two for two reasons. Tensor parallelism divides the heads, whose number is a
    power of two (times a small odd number). Servers hold 2, 4 or 8 GPUs.

    Args:
        memory_bytes: memory of one GPU that weights and KV may fill.
        share: share of that memory for weights.
    """
    fitting = weight_bytes / (np.asarray(memory_bytes, float) * share)
    count: Floats = 2.0 ** np.ceil(np.log2(np.maximum(fitting, 1)))
    return count
