"""Lower bounds compared with measured serving performance: the stated distances hold.

`data/served_points.csv.xz` contains measured points of aggregated workers from NVIDIA's
aiconfigurator (095f58a, silicon_sample.csv, Apache-2.0), for the models that membench contains.
Each point has concurrent requests, GPUs, tokens, time to first token and time between tokens.
"""

from __future__ import annotations

import csv
import io
import lzma
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from membench.thesis.models.catalogue import find_model
from membench.thesis.models.kv_shape import KvDtype, mean_bytes_per_token
from membench.thesis.models.roofline import (
    SERVED_DECODE,
    decode_bound,
    prefill_flops,
    touched_weights,
)
from membench.thesis.models.weight_bits import Weights, WeightType, weights_of

ROOT = Path(__file__).parents[2]
# Memory bandwidth (B/s) and dense BF16 rate (FLOP/s) of one GPU, from the assumptions' data sheets.
SYSTEMS = {
    "h100_sxm": (3.35e12, 0.989e15),
    "h200_sxm": (4.8e12, 0.989e15),
    "b200_sxm": (7.7e12, 2.25e15),
    "b300_sxm": (7.7e12, 2.25e15),
    "gb200": (8e12, 2.5e15),
    "gb300": (8e12, 2.5e15),
}
HELD = {
    "fp8": WeightType.FP8,
    "fp4": WeightType.NVFP4,
    "int4": WeightType.INT4,
    "bf16": WeightType.BF16,
    "auto": WeightType.AUTO,
}
ACHIEVED = 0.92


def points() -> list[dict[str, str]]:
    packed = (Path(__file__).parent / "data" / "served_points.csv.xz").read_bytes()
    return list(csv.DictReader(io.StringIO(lzma.decompress(packed).decode())))


@cache
def held(slug: str, precision: str) -> Weights:
    wanted = WeightType.AUTO if slug.startswith("gpt-oss") else HELD[precision]
    return weights_of(find_model(slug).config, wanted)


def decode_ratio(point: dict[str, str]) -> float:
    """Measured time between tokens, divided by the memory bound of a decode step."""
    model = find_model(point["model"])
    count = model.parameters
    assert count is not None
    weights = held(point["model"], point["precision"])
    batch = int(point["batch"])
    context = int(point["input"]) + int(point["output"]) / 2
    cache_bytes = mean_bytes_per_token(model.shape, context, KvDtype.FP8) * context
    bound = decode_bound(
        weight_bytes=touched_weights(
            weights.read, weights.experts, count.experts, count.active, batch
        ),
        kv_bytes=[cache_bytes] * batch,
        contexts=[context] * batch,
        active_params=count.matmul,
        attention_flops=count.attention,
        bytes_per_s=SYSTEMS[point["system"]][0] * int(point["gpus"]),
        flops_per_s=float("inf"),
        memory_efficiency=ACHIEVED,
    )
    return float(point["tpot_ms"]) / 1e3 / bound.memory_s


def test_the_stated_interval_covers_the_served_points() -> None:
    ratios = np.array([decode_ratio(point) for point in points()])
    said = SERVED_DECODE
    assert ratios.size == said.points
    assert np.percentile(ratios, [5, 50, 95]) == pytest.approx(
        [said.p5, said.median, said.p95], rel=0.01
    )
    within = (ratios >= said.low) & (ratios <= said.high)
    assert within.mean() >= said.covers
    assert (ratios < 1).sum() == said.below


def test_a_prefill_in_lower_precision_may_beat_16_bits() -> None:
    ratios = []
    for point in points():
        if int(point["batch"]) > 8 or not float(point["ttft_ms"]):
            continue
        count = find_model(point["model"]).parameters
        assert count is not None
        flops = prefill_flops(int(point["input"]), count.matmul, count.attention)
        rate = 0.75 * SYSTEMS[point["system"]][1] * int(point["gpus"])
        ratios.append(float(point["ttft_ms"]) / 1e3 / (flops / rate))
    assert min(ratios) == pytest.approx(0.54, abs=0.01)
    assert (np.array(ratios) < 1).mean() < 0.05


def test_documents_say_what_was_found() -> None:
    text = (ROOT / "docs" / "thesis.md").read_text(encoding="ascii")
    assert SERVED_DECODE.sentences() in text
