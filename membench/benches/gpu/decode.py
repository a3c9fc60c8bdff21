"""A decode step as an engine runs it, in the two parts that stream memory: weights and attention.

What is left out: norms, rotary embedding, activations, sampling, and the exchange between
GPUs of a tensor-parallel group.  They move little.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.units import GIB
from membench.core.work import Timed, Work

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu
    from membench.workloads.attention import Shape

TOKENS = 131072
"""Tokens in the KV cache of a step, all sequences together: the batch is this over the context."""

HEAD_DIM = 128
"""Elements of a head, as in `backends.gpu_attention`, which lists of cases must not import."""

STEPS = 16
"""Steps of a case at most: ten samples, and what comes before them."""

WEIGHT_BYTES = GIB
"""Weights that are held at least: layers take turns with them, and none finds its own in L2."""


@dataclass(frozen=True)
class Model:
    """A transformer as one of ``tp`` GPUs holds it, by its published config.json.

    Attributes:
        hidden, intermediate, vocabulary: of the whole model.
        heads, kv_heads: of the whole model, of `HEAD_DIM` elements each.
        tp: GPUs that the heads, the MLP and the vocabulary are divided over.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    intermediate: int
    vocabulary: int
    tp: int = 1

    @property
    def products(self) -> tuple[tuple[int, int], ...]:
        """(m, k) of a layer's matrices: QKV, output, gate and up, down."""
        qkv = (self.heads + 2 * self.kv_heads) * HEAD_DIM // self.tp
        inner = self.intermediate // self.tp
        return (
            (qkv, self.hidden),
            (self.hidden, self.heads * HEAD_DIM // self.tp),
            (2 * inner, self.hidden),
            (self.hidden, inner),
        )

    @property
    def weight_bytes(self) -> int:
        """Of all matrices, in 16 bits."""
        return 2 * (self.layers * sum(m * k for m, k in self.products) + math.prod(self.head))

    @property
    def head(self) -> tuple[int, int]:
        """(m, k) of the projection to the vocabulary."""
        return (self.vocabulary // self.tp, self.hidden)


# Sources: config.json of meta-llama/Llama-3.1-8B and -70B, and of Qwen/Qwen3-32B.
MODELS = {
    "llama-3.1-8b": Model(32, 4096, 32, 8, 14336, 128256),
    "llama-3.1-70b-tp8": Model(80, 8192, 64, 8, 28672, 128256, tp=8),
    "qwen3-32b": Model(64, 5120, 64, 8, 25600, 151936),
}


def attention_bytes(model: Model, kv: str) -> int:
    """K and V that one step reads, as ``kv``: fp16 or fp8."""
    size = {"fp16": 2, "fp8": 1}[kv]
    return 2 * size * model.layers * model.kv_heads // model.tp * HEAD_DIM * TOKENS


def attention_shape(model: Model, context: int) -> Shape:
    """The attention of one step at ``context`` tokens a sequence."""
    from membench.workloads.attention import Shape

    return Shape(
        layers=model.layers,
        heads=model.kv_heads // model.tp,
        group=model.heads // model.kv_heads,
        batch=max(1, TOKENS // context),
        context=context,
    )


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
@axis("batch", quick=1, full=(1, 8, 64))
@axis("launch", quick="graph", full=("graph", "stream"))
def weights(gpu: Gpu, model: str, batch: int, launch: str) -> Work:
    """The matrix products of one decode step in BF16: every weight is read once.

    The bandwidth counts the weights, the rate is tokens a second of this part alone.
    ``launch=stream`` launches every product from the host, ``graph`` the whole step at once.
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

    return _timed(
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
@axis("model", quick="llama-3.1-8b", full=tuple(MODELS))
@axis("context", quick=32768, full=(1024, 4096, 32768, 131072))
@axis("kv", quick="fp16", full=("fp16", "fp8"))
@axis("launch", quick="graph", full=("graph", "stream"))
def attention(gpu: Gpu, model: str, context: int, kv: str, launch: str) -> Work:
    """The attention of one decode step over a paged KV cache, pages of 16 tokens.

    K and V are gathered through a block table, multiplied by the query, weighted and added up,
    for all layers.  The bandwidth counts K and V once; the rate is tokens a second of this part
    alone.  The cache has 131072 tokens in all, so that the batch is that over ``context``.
    """
    from membench.workloads.attention import Attention

    shape = attention_shape(MODELS[model], context)
    work = Attention(gpu, shape, kv)
    return _timed(
        gpu,
        (work.step, lambda _iterations: work.verify()),
        launch,
        work.launches,
        work.payload,
        shape.batch,
        {"batch": shape.batch, "splits": work.splits, "registers": work.registers},
    )


def _timed(
    gpu: Gpu,
    work: tuple[Callable[[], None], Callable[[int], None]],
    launch: str,
    launches: int,
    payload: int,
    tokens: int,
    detail: dict[str, str | int | float],
) -> Timed:
    step, verify = work
    if launch == "graph":
        step()  # loads its code: that is not to be captured
        gpu.synchronize()
    once = gpu.capture(step) if launch == "graph" else step

    def run(iterations: int) -> None:
        for _ in range(iterations):
            once()

    # No peak: a row's peak is in the unit of its metric, and tokens a second have none.
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
        # What the host launches one by one is not queued behind a hold: its launching counts.
        may_block=launch == "graph",
        launches=1 if launch == "graph" else launches,
        detail={**detail, "launches": launches},
    )
