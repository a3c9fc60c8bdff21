"""Shapes of the models in the decode benches."""

from __future__ import annotations

import math

from membench.core.record import record

HEAD_DIM = 128
"""Elements per head."""


@record
class ModelShard:
    """The part of a transformer model on one of ``tp`` GPUs.

    Attributes:
        hidden, intermediate, vocabulary: sizes of the whole model.
        heads, kv_heads: number of heads of the whole model. A head has `HEAD_DIM` elements.
        tp: number of GPUs that divide heads, MLP and vocabulary.
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
        """Sizes (m, k) of a layer's matrices on one GPU: QKV, output, gate+up, down."""
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
        """Bytes of the matrices of all layers plus the output head, with 16 bits per element."""
        return 2 * (self.layers * sum(m * k for m, k in self.products) + math.prod(self.head))

    @property
    def head(self) -> tuple[int, int]:
        """Size (m, k) of the output head on one GPU."""
        return (self.vocabulary // self.tp, self.hidden)


# Sources: config.json of meta-llama/Llama-3.1-8B and -70B, and of Qwen/Qwen3-32B.
MODELS = {
    "llama-3.1-8b": ModelShard(32, 4096, 32, 8, 14336, 128256),
    "llama-3.1-70b-tp8": ModelShard(80, 8192, 64, 8, 28672, 128256, tp=8),
    "qwen3-32b": ModelShard(64, 5120, 64, 8, 25600, 151936),
}
