"""A decode step on the emulator: the full attention, and calls of the library's matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from emulator import EmulatedGpu, small
from hypothesis import given
from hypothesis import strategies as st
from mutants import mutant
from proof import Proven, prove
from short_cases import DECODE, shorten

from membench.benches import registry
from membench.benches.gpu.gemm import spec_peak
from membench.core.axes import Value
from membench.core.errors import Skip, VerificationFailed
from membench.core.terms import Metric
from membench.core.work import Timed
from membench.gpu.protocol import Buffer
from membench.gpu.verify.content import random_numbers, values
from membench.workloads import attention as gpu_attention
from membench.workloads.attention import PAGE_TOKENS, splits_of
from membench.workloads.model_shapes import MODELS, ModelShard

pytestmark = pytest.mark.sampled(4)

BENCHES = registry().benches
ATTENTION, WEIGHTS = BENCHES["decode/attn"], BENCHES["decode/weights"]
TINY = {
    "four": ModelShard(2, 256, 8, 2, 128, 64),
    "eight": ModelShard(1, 256, 8, 1, 128, 64),
    "one": ModelShard(1, 256, 4, 1, 128, 64),
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, model in TINY.items():
        monkeypatch.setitem(MODELS, name, model)
    shorten(monkeypatch, DECODE)


def attend(
    gpu: EmulatedGpu,
    model: str = "four",
    kv: str = "fp16",
    launch: str = "graph",
    iterations: int = 1,
    context: int = 128,
) -> Proven:
    params: dict[str, Value] = {"model": model, "context": context, "kv": kv, "launch": launch}
    return prove(ATTENTION, params, gpu, iterations)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("model", "kv", "arch"),
    [
        ("four", "fp16", "90"),
        ("eight", "fp16", "80"),
        ("four", "fp8", "120"),
        ("eight", "fp8", "90"),
    ],
)
def test_keys_and_values_are_read_once(model: str, kv: str, arch: str) -> None:
    gpu = EmulatedGpu(small(1, arch))
    proven = attend(gpu, model, kv, iterations=2 if model == "eight" else 1)
    of_model, size = TINY[model], {"fp16": 2, "fp8": 1}[kv]
    heads, group = of_model.kv_heads, of_model.heads // of_model.kv_heads
    tokens = 256 * of_model.layers
    assert proven.work.bytes_moved == 2 * tokens * heads * 128 * size
    counts = gpu.counts["attention_read"]
    # In addition: every warp reads the queries, and every thread of a page reads the block table.
    blocks = sum(run.grid for run in gpu.ran if run.entry == "attention_read")
    queries = blocks * 4 * group * 128 * 2
    table = 4 * 32 * proven.iterations * heads * tokens // PAGE_TOKENS
    assert 16 * counts.executed("ld.global.nc.v4.u32") - queries == proven.declared
    assert counts.loaded - queries - table == proven.declared
    assert 32 * counts.sectors["ld.global"] >= proven.declared


def test_the_rate_is_one_token_a_sequence() -> None:
    proven = attend(EmulatedGpu(small(1)))
    assert proven.work.operations == 256 // 128
    assert proven.work.also == (Metric.RATE,)
    assert proven.work.value(2e9, 4, Metric.RATE) == 4.0


def test_a_graph_is_one_launch_and_a_stream_is_many() -> None:
    graph, stream = EmulatedGpu(small(1)), EmulatedGpu(small(1))
    assert attend(graph, launch="graph").work.launches == 1
    assert [event.kind for event in graph.log].count("graph") == 1
    proven = attend(stream, launch="stream")
    assert proven.work.launches == proven.work.detail["launches"] == 2 * TINY["four"].layers
    assert not proven.work.may_block  # the timed work includes the launches by the host
    assert [event.kind for event in stream.log].count("graph") == 0


LONG = 1040
"""Number of tokens: every warp has several pages, and the splits differ in length."""

MUTANTS = [
    ("page = of_sequence[p + kWarps]", "page = of_sequence[p]"),
    ("split + 1) / splits", "split + 1) / splits - (split + 1 == splits)"),
    ("weight[h] = weight[h] * keep[h] + (", "weight[h] = ("),
    ("sum[step][i] *= keep[i % 2]", "sum[step][i] *= 1"),
    ("power[h] = power_of_two(power[h] - most[h])", "power[h] = power_of_two(power[h])"),
    ("turned(halves(power[0], power[1]))", "halves(power[0], power[1])"),
    ("power[i] += other[i]", "power[i] += 0"),
    ("if (head < GROUP) v = q[head *", "if (head < GROUP) v = q[head / 2 *"),
    ("lane % 4 * 2 + i % 2 + i / 2 % 2 * 8", "lane % 4 * 2 + i % 2"),
    ("__byte_perm(first, second, 0x7632)", "__byte_perm(first, second, 0x5410)"),
    ("all += of_warp[w][g][threadIdx.x] * keep", "all += of_warp[w][g][threadIdx.x]"),
    ("* add;\n        total", ";\n        total"),
    ("all = all * keep +", "all = all +"),
    ("apart = 4; apart < 32; apart *= 2) x +=", "apart = 4; apart < 16; apart *= 2) x +="),
    ("apart = 4; apart < 32; apart *= 2) x = f", "apart = 4; apart < 16; apart *= 2) x = f"),
    ("of_sequence[p + 2 * kWarps]", "of_sequence[p + kWarps]"),
    ("all / total", "all"),
    ("s < splits; ++s", "s + 1 < splits; ++s"),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("before", "after"), MUTANTS)
def test_a_mutant_is_caught(before: str, after: str) -> None:
    gpu = EmulatedGpu(small(1), compile_=mutant("attention.cu", before, after))
    with pytest.raises(VerificationFailed, match="attention"):
        attend(gpu, "one", context=LONG)


WITHOUT_A_MAXIMUM = "fmaxf(before, most_of(fmaxf(power[h], power[h + 2])))", "0 * most_of(0)"


@pytest.mark.slow
@pytest.mark.parametrize("kv", ["fp16", "fp8"])
def test_weights_of_any_size_neither_overflow_nor_vanish(
    kv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exponents are about +-400, but a float overflows at 128.

    All of the weight is on a few tokens.
    """
    monkeypatch.setattr(gpu_attention, "QUERY", 250.0)
    # A relative error of 1e-7 of the exponent 400 is an error of about 3e-5 of a weight.
    monkeypatch.setattr(gpu_attention, "TOLERANCE", 1e-3)
    attend(EmulatedGpu(small(1)), "four", kv, context=LONG)
    gpu = EmulatedGpu(small(1), compile_=mutant("attention.cu", *WITHOUT_A_MAXIMUM))
    with pytest.raises(VerificationFailed, match="attention"), np.errstate(all="ignore"):
        attend(gpu, "four", kv, context=LONG)


@pytest.mark.parametrize(
    ("kv", "arch", "first"), [("fp8", "86", r"FP8 .* 8\.9"), ("fp16", "75", r"FP16 .* 8\.0")]
)
def test_a_format_is_refused_where_it_is_not_known(kv: str, arch: str, first: str) -> None:
    with pytest.raises(Skip, match=first):
        attend(EmulatedGpu(small(1, arch)), kv=kv)


@pytest.mark.parametrize("launch", ["graph", "stream"])
def test_a_step_is_every_product_of_every_layer(launch: str) -> None:
    gpu = EmulatedGpu(small(1))
    proven = prove(WEIGHTS, {"model": "four", "batch": 3, "launch": launch}, gpu)
    model = TINY["four"]
    of_layer = [f"bf16 {m}x3x{k}" for m, k in model.products]
    head = f"bf16 {model.head[0]}x3x{model.head[1]}"
    asked = [event.detail for event in gpu.log if event.kind == "gemm"]
    if launch == "stream":
        assert asked == 2 * (of_layer * model.layers + [head])
    weights = model.layers * sum(m * k for m, k in model.products) + 64 * 256
    assert proven.work.bytes_moved == 2 * weights
    assert proven.work.operations == 3


def test_models_are_as_their_papers_say() -> None:
    """The numbers of parameters match the model names, without embedding and norms."""

    def billions(model: ModelShard) -> float:
        return (
            sum(m * k for m, k in model.products) * model.layers + model.head[0] * model.head[1]
        ) / 1e9

    assert 7.4 < billions(MODELS["llama-3.1-8b"]) < 7.6  # 8.03 including the 0.53 of the embedding
    assert 69.4 < 8 * billions(MODELS["llama-3.1-70b-tp8"]) < 70.0
    assert 31.8 < billions(MODELS["qwen3-32b"]) < 32.2


FORMS: dict[str, dict[str, Value]] = {
    "bf16": {"out": "bf16"},
    "fp8": {"out": "fp16", "sums": "fast"},
}


@pytest.mark.parametrize(
    ("kind", "out", "size"), [("bf16", "fp32", 4), ("fp8", "bf16", 2), ("fp8", "fp32", 4)]
)
def test_a_result_is_stored_as_it_is_asked_for(kind: str, out: str, size: int) -> None:
    params: dict[str, Value] = {"n": 128, "out": out}
    if kind == "fp8":
        params["sums"] = "exact"
    work = prove(BENCHES[f"gpu/gemm/{kind}"], params, EmulatedGpu(small(1))).work
    assert work.size_bytes == 128 * 128 * (2 * {"bf16": 2, "fp8": 1}[kind] + size)


@pytest.mark.parametrize(
    ("device", "kind", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16", 989_400),
        ("NVIDIA H100 PCIe", "bf16", 756_000),
        ("NVIDIA H100 NVL", "fp8", 1_670_500),
        ("NVIDIA H200", "fp8", 1_978_900),
        ("NVIDIA GH200 480GB", "tf32", 494_700),
        ("NVIDIA A100-SXM4-80GB", "fp8", None),
        ("NVIDIA A100-SXM4-80GB", "fp32", 19_500),
        ("NVIDIA GB200", "bf16", 2_500_000),
        ("NVIDIA B200", "bf16", 2_250_000),
        ("NVIDIA B200", "nvfp4", 9_000_000),
        ("NVIDIA GB200", "nvfp4", 10_000_000),
        ("NVIDIA H200", "nvfp4", None),
        ("NVIDIA GeForce RTX 4090", "bf16", None),
        ("a GPU of the tests", "bf16", None),
    ],
)
def test_a_peak_is_that_of_the_data_sheet(device: str, kind: str, peak: float | None) -> None:
    assert spec_peak(device, kind) == (peak if peak is None else pytest.approx(peak))


@pytest.mark.parametrize("kind", ["fp32", "tf32", "bf16", "fp8", "mxfp8", "nvfp4"])
def test_a_product_is_checked_all_over(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = BENCHES[f"gpu/gemm/{kind}"]
    params: dict[str, Value] = {"n": 128, **FORMS.get(kind, {})}
    proven = prove(bench, params, EmulatedGpu(small(1)))
    assert proven.work.operations == 2 * 128**3
    assert proven.work.value(1.0, 1) == 2 * 128**3  # one operation per nanosecond is one GFLOP/s

    class Transposed(EmulatedGpu):
        def gemm(
            self,
            kind: str,
            shape: tuple[int, int, int],
            w: Buffer,
            x: Buffer,
            y: Buffer,
            *,
            out: str = "fp32",
            fast: bool = False,
        ) -> Callable[[], None]:
            return super().gemm(kind, shape, x, w, y, out=out, fast=fast)

    with pytest.raises(VerificationFailed, match=f"{kind} product"):
        prove(bench, params, Transposed(small(1)))
    work = bench.build(EmulatedGpu(small(1)), params)
    assert isinstance(work, Timed)
    with pytest.raises(VerificationFailed, match=f"{kind} product"):
        work.verify(0)


@pytest.mark.parametrize("kind", ["fp32", "bf16", "fp16", "fp8"])
def test_random_numbers_are_between_a_half_and_one(kind: str) -> None:
    numbers = values(kind, random_numbers(kind, 4000, 1))
    assert (np.abs(numbers) >= 0.5).all()
    assert (np.abs(numbers) < 1).all()
    assert 0.45 < (numbers > 0).mean() < 0.55
    assert len(np.unique(numbers)) == {"fp8": 16, "bf16": 256}.get(kind, len(np.unique(numbers)))


def test_the_values_of_fp8() -> None:
    """The values are from the definition of E4M3 (Micikevicius et al., "FP8 formats", 2022)."""
    bits = np.array([0x00, 0x01, 0x08, 0x38, 0x3C, 0x7E, 0xB8, 0x81], np.uint8)
    expected = [0.0, 2**-9, 2**-6, 1.0, 1.5, 448.0, -1.0, -(2**-9)]
    assert values("fp8", bits).tolist() == expected


@given(st.integers(1, 2000), st.integers(1, 8192), st.integers(1, 600))
def test_splits_are_never_worse_than_none(rows: int, pages: int, resident: int) -> None:
    splits = splits_of(rows, pages, resident)
    assert 1 <= splits <= max(1, pages // 4)
    waves, alone = math.ceil(rows * splits / resident), math.ceil(rows / resident)
    assert waves * math.ceil(pages / splits) <= alone * (pages + 4)


@pytest.mark.parametrize(
    ("rows", "pages", "splits"),
    [
        # 384 of 396 blocks run at once; 25 splits would need three waves, the last of 8 blocks.
        (32, 2048, 12),
        (1, 8192, 391),  # one sequence and KV head: 391 blocks of 21 pages use nearly the whole GPU
        (8, 8192, 49),
        (128, 64, 3),
        (1024, 64, 1),  # 2.6 waves; splitting short sequences costs more than the gain
        (1, 64, 16),
    ],
)
def test_waves_are_full(rows: int, pages: int, splits: int) -> None:
    assert splits_of(rows, pages, 396) == splits
