"""The memory-bound parts of a decode step: reading the weights, and attention over the KV cache.

Norms, rotary embedding, activations, sampling and tensor-parallel communication are left out,
because they move little data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.terms import Metric, Stat
from membench.core.units import GIB
from membench.core.work import Work
from membench.workloads.decode_step import (
    CONTEXT,
    LEAST_CONTEXT,
    MODEL,
    TOKENS,
    attention_bytes,
    attention_step,
    timed_step,
)
from membench.workloads.model_shapes import MODELS

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

STEPS = 16
"""Number of steps in the estimates of time, with warm-up."""

WEIGHT_BYTES = GIB
"""Minimum bytes of weights, so that no layer finds its weights in L2."""


MOST_BATCH = 512
"""Maximum batch for which the weights and results of every model fit in 4 GiB."""


@bench(
    "decode/weights",
    version=1,
    needs=Needs.GPU,
    yields=((Metric.BANDWIDTH, Stat.MEDIAN), (Metric.RATE, Stat.MEDIAN)),
    profiles=("full",),
    seconds=lambda model, **_: 0.15 + STEPS * MODELS[model].weight_bytes / 2.5e12,
    gpu_memory=4 * GIB,
)
@axis("model", quick="llama-3.1-8b", full=tuple(MODELS))
@axis("batch", quick=1, full=(1, 8, 64), most=MOST_BATCH)
@axis("launch", quick="graph", full=("graph", "stream"))
def weights(gpu: Gpu, model: str, batch: int, launch: str) -> Work:
    """The matrix products of one decode step in BF16; every weight is read once.

    The bandwidth counts the bytes of the weights. The rate is in tokens per second and covers only
    these matrix products. ``launch=stream`` launches every product from the host. ``launch=graph``
    launches the whole step at once.
    """
    from membench.workloads.products import Product

    shape = MODELS[model]
    of_layer = sum(2 * m * k for m, k in shape.products)
    copies = min(shape.layers, max(1, -(-WEIGHT_BYTES // of_layer)))
    layers = [
        [
            Product(gpu, "bf16", (m, batch, k), seed=10 * copy + place)
            for place, (m, k) in enumerate(shape.products)
        ]
        for copy in range(copies)
    ]
    head = Product(gpu, "bf16", (shape.head[0], batch, shape.head[1]), seed=9)

    def step() -> None:
        for layer in range(shape.layers):
            for product in layers[layer % copies]:
                product.once()
        head.once()

    def verify(_iterations: int) -> None:
        for product in (*layers[0], *layers[-1], head):
            product.verify()

    return timed_step(
        gpu,
        (step, verify),
        launch,
        4 * shape.layers + 1,
        shape.layers * of_layer + head.weight_bytes,
        batch,
        {"batch": batch, "held": copies * of_layer + head.weight_bytes, "dtype": "bf16"},
    )


@bench(
    "decode/attn",
    version=3,
    needs=Needs.GPU,
    yields=((Metric.BANDWIDTH, Stat.MEDIAN), (Metric.RATE, Stat.MEDIAN)),
    seconds=lambda model, kv, **_: 0.1 + STEPS * attention_bytes(MODELS[model], kv) / 1.5e12,
    memory=GIB,
    gpu_memory=4 * GIB,
)
@axis("model", quick=MODEL, full=tuple(MODELS))
@axis(
    "context",
    quick=CONTEXT,
    full=(1024, 4096, 32768, 131072),
    least=LEAST_CONTEXT,
    most=TOKENS,
    power=True,
)
@axis("kv", quick="fp16", full=("fp16", "fp8"))
@axis("launch", quick="graph", full=("graph", "stream"))
def attention(gpu: Gpu, model: str, context: int, kv: str, launch: str) -> Work:
    """The attention of one decode step over a paged KV cache with pages of 16 tokens.

    For each layer, the kernel gathers K and V through a block table, multiplies K by the query, and
    sums V with the resulting weights. The bandwidth counts K and V once. The rate is in tokens per
    second and covers only the attention. The batch is 131072 / ``context`` (at least 1).
    """
    return attention_step(gpu, MODELS[model], context, kv, launch)
