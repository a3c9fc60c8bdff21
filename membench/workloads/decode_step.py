"""Makes `Timed` work from decode steps, and computes the bytes and the shape of their attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from membench.core.terms import BytesConvention, Metric
from membench.core.work import Detail, Timed
from membench.workloads.model_shapes import HEAD_DIM, MODELS, ModelShard

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu
    from membench.workloads.attention import AttentionShape

MODEL, CONTEXT = "llama-3.1-8b", 32768
"""Default model and context of ``decode/attn``. Other benches run the same decode step."""

TOKENS = 131072
"""Tokens in the KV cache of all sequences. The batch is this number divided by the context."""

LEAST_CONTEXT = 128
"""Smallest context, in tokens, for which the tolerance of the attention's check is known."""


def attention_bytes(model: ModelShard, kv: str) -> int:
    """Bytes of K and V that a decode step reads with `TOKENS` tokens in the KV cache.

    ``kv`` is fp16 or fp8.
    """
    size = {"fp16": 2, "fp8": 1}[kv]
    return 2 * size * model.layers * model.kv_heads // model.tp * HEAD_DIM * TOKENS


def attention_shape(model: ModelShard, context: int) -> AttentionShape:
    from membench.workloads.attention import AttentionShape

    return AttentionShape(
        layers=model.layers,
        heads=model.kv_heads // model.tp,
        group=model.heads // model.kv_heads,
        batch=max(1, TOKENS // context),
        context=context,
    )


def attention_step(gpu: Gpu, model: ModelShard, context: int, kv: str, launch: str) -> Timed:
    """The attention of one decode step as `Timed` work.

    Args:
        context: tokens per sequence.
        kv: format of the KV cache, fp16 or fp8.
        launch: as in `timed_step`.
    """
    from membench.workloads.attention import Attention

    shape = attention_shape(model, context)
    work = Attention(gpu, shape, kv)
    return timed_step(
        gpu,
        (work.step, lambda _iterations: work.verify()),
        launch,
        work.launches,
        work.payload,
        shape.batch,
        {"batch": shape.batch, "splits": work.splits, "registers": work.registers},
    )


def usual_attention(gpu: Gpu) -> Timed:
    """The default case of ``decode/attn`` as `Timed` work, to run beside other work."""
    return attention_step(gpu, MODELS[MODEL], CONTEXT, "fp16", "graph")


def timed_step(
    gpu: Gpu,
    work: tuple[Callable[[], None], Callable[[int], None]],
    launch: str,
    launches: int,
    payload: int,
    tokens: int,
    detail: Detail,
) -> Timed:
    """A decode step as `Timed` work, launched as a graph or kernel by kernel.

    Args:
        work: a pair of functions. The first function queues one step. The second function gets the
            number of steps that ran, and verifies the result.
        launch: `graph` launches the whole step at once. `stream` launches each kernel from the
            host.
        launches: number of kernel launches per step.
        payload: bytes that a step reads.
        tokens: number of tokens that a step generates.
    """
    step, verify = work
    if launch == "graph":
        step()  # the first launch loads code, which a capture does not allow
        gpu.synchronize()
    once = gpu.capture(step) if launch == "graph" else step

    def run(iterations: int) -> None:
        for _ in range(iterations):
            once()

    # A rate in tokens per second has no peak.
    return Timed(
        run=run,
        verify=verify,
        size_bytes=payload,
        also=(Metric.RATE,),
        bytes_moved=payload,
        operations=tokens,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.002,
        samples=10,
        # With single launches, the launch time is part of the result. So the GPU must not wait
        # until a whole sample is queued.
        may_block=launch == "graph",
        launches=1 if launch == "graph" else launches,
        detail={**detail, "launches": launches},
    )
