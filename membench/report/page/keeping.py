"""Compute the time for which keeping a KV cache in a tier costs less than recomputing it."""

from __future__ import annotations

from membench.thesis.claims.verdicts import Verdicts
from membench.thesis.models.catalogue import Model
from membench.thesis.models.economics import HOUR, keep_interval
from membench.thesis.models.economics import rent as rent_of
from membench.thesis.models.kv_shape import kv_bytes
from membench.thesis.models.roofline import prefill_flops, prefill_seconds


def keep_seconds(
    found: Verdicts, model: Model, prefix: int, flops_per_s: float, tier: str
) -> float:
    """Seconds for which keeping the KV cache of a prefix costs less than one recomputation.

    Args:
        prefix: length of the prefix in tokens.
        flops_per_s: rate of recomputing in FLOP/s.
        tier: ``hbm``, ``ddr5`` or ``essd``; the assumption ``price.<tier>`` is the price.
    """
    weights = model.parameters
    assert weights is not None
    again = prefill_seconds(prefill_flops(prefix, weights.matmul, weights.attention), flops_per_s)
    price = found.entries
    rent = rent_of(price[f"price.{tier}"].value, price["price.life"].value)
    gpu = price["price.gpu_hour"].value / HOUR
    return keep_interval(gpu, again, kv_bytes(model.shape, prefix), rent)
