"""Every number or size that an axis accepts: the case runs and verifies, or is skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from axis_values import Trial, one_by_one, outcome
from emulator import EmulatedGpu, small
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples
from short_cases import DECODE, INTERFERENCE, Constants, shorten

from membench.benches import registry
from membench.benches.gpu import cache_bandwidth, multicast, smem
from membench.benches.gpu import chase as gpu_chase
from membench.benches.hbm import async_copy, gather
from membench.benches.hbm import loaded as hbm_loaded
from membench.benches.link import managed, peer, zerocopy
from membench.core.axes import Value
from membench.core.units import KIB
from membench.gpu.verify import walk
from membench.machine import snapshot
from membench.workloads.model_shapes import MODELS, ModelShard

MACHINE = snapshot([])
BENCHES = {name: one for name, one in registry().benches.items() if one.backend == "cuda"}
ENERGY = ("decode/energy", "hbm/energy", "link/energy")
"""Benches without numbers and sizes. They need an energy counter."""

SHORT: Constants = {
    smem: {"TURNS": 3, "HOPS_TURNS": 2, "LAUNCHES": 1},
    multicast: {"SIZE": 8 * multicast.TILE, "TILES": 7},
    cache_bandwidth: {"LAUNCH_BYTES": 128 * KIB, "OWN_BYTES": 64 * KIB},
    gpu_chase: {"HOPS": 64, "TIMED_HOPS": 32, "LAUNCHES": 1, "TLB_WINDOW": 4 * KIB},
    gather: {"READ_BYTES": 64 * KIB},
    async_copy: {"HOPS": 64, "LAUNCHES": 1},
    hbm_loaded: {
        "TRAFFIC_BYTES": 1 << 20,
        "SAMPLES": 2,
        "IDLE_SAMPLES": 2,
        "WARM_SAMPLES": 1,
        "TURNS": 1,
        "SINGLE_HOPS": 32,
    },
    zerocopy: {"SIZE": 128 * KIB, "HOPS": 64, "LAUNCHES": 1},
    peer: {"HOPS": 64, "LAUNCHES": 1},
    managed: {"SAMPLES": 1},
    walk: {"SINGLE_HOPS": 16},
    **INTERFERENCE,
    **DECODE,
}
"""Constants that decide how long a case takes on the emulator."""

KV = Trial({"method": "sm", "count": 12}, {"block": 12 * KIB, "count": 40})
KERNEL = Trial({"engine": "sm"})
GEMM = Trial(most={"n": 384})
TINY = {"model": ("tiny",)}
TRIALS: Mapping[str, Trial] = {
    "decode/attn": Trial(most={"context": 512}, only=TINY),
    "decode/weights": Trial(most={"batch": 40}, only=TINY),
    "gpu/chase": Trial({"size": 8 * KIB}),
    **{f"gpu/gemm/{kind}": GEMM for kind in ("bf16", "fp8", "fp32", "tf32", "mxfp8", "nvfp4")},
    "hbm/async": Trial({"method": "cp", "tile": KIB, "size": 64 * KIB}, {"size": 64 * KIB}),
    "hbm/gather": Trial(most={"size": 64 * KIB, "page": 64 * KIB}),
    "hbm/loaded": Trial(most={"size": 8 * KIB}),
    "interference/link": Trial(
        {"aggressor": "h2d-sm"}, {"grid": 40}, {"victim": ("chase", "gather")}
    ),
    **{f"kv/{way}": KV for way in ("h2d", "d2h", "d2d")},
    **{f"l{level}": Trial(most={"size": 64 * KIB}) for level in ("1/read", "2/read", "2/write")},
    "l2/map": Trial(most={"size": 40 * KIB}),
    **dict.fromkeys(("link/h2d", "link/d2h", "link/bidir"), KERNEL),
    **{f"peer/{operation}": KERNEL for operation in ("read", "write", "bidir")},
    **{f"zerocopy/{way}": Trial({"block": 512}, {"block": 8 * KIB}) for way in ("read", "write")},
}
"""Trials of benches for which the defaults of `Trial` do not fit."""


@pytest.fixture(scope="module", autouse=True)
def short() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "tiny", ModelShard(1, 256, 4, 1, 128, 64))
        shorten(patch, SHORT)
        yield


def tried(name: str, params: Mapping[str, Value]) -> str | None:
    """The reason of a skip, or None if the case ran and verified."""
    gpu = EmulatedGpu(small(2))
    return outcome(BENCHES[name], gpu, params, MACHINE, gpu.synchronize)


def trial(name: str) -> Trial:
    return TRIALS.get(name, Trial())


ONE_BY_ONE = one_by_one(BENCHES, trial, MACHINE)


@pytest.mark.sampled(16)
@pytest.mark.parametrize(("name", "key", "value"), ONE_BY_ONE)
def test_a_value_runs_or_is_skipped(name: str, key: str, value: Value) -> None:
    assert tried(name, {**trial(name).usual(BENCHES[name], MACHINE), key: value}) != ""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BENCHES.keys() - ENERGY))
def test_any_combination_of_values_runs_or_is_skipped(name: str) -> None:
    reasons = [tried(name, trial(name).usual(BENCHES[name], MACHINE))]
    choices = {axis.name: trial(name).choices(axis, MACHINE) for axis in BENCHES[name].axes}

    @settings(max_examples=examples(20))
    @given(st.fixed_dictionaries({key: st.sampled_from(of) for key, of in choices.items()}))
    def every(params: dict[str, Value]) -> None:
        reasons.append(tried(name, params))

    every()
    assert reasons[0] is None
    assert "" not in reasons


@pytest.mark.parametrize(
    ("name", "params", "reason"),
    [
        ("gpu/chase", {"size": 9 * KIB, "order": "page"}, "needs whole pages of 4096 B"),
        ("hbm/async", {"method": "ld", "stages": 2}, "method=ld needs stages=1, not stages=2"),
        ("hbm/async", {"tile": 48}, "size 65536 B is not a multiple of tile 48 B"),
        ("hbm/gather", {"size": 1 << 36, "page": 16}, "more pages than 32 bits can number"),
        ("interference/link", {"aggressor": "h2d-ce", "grid": 4}, "ce runs no kernel"),
        ("kv/d2h", {"method": "batch", "grid": 4}, "batch runs no kernel"),
        ("link/h2d", {"engine": "sm", "mem": "pageable"}, "not mem=pageable"),
        ("link/d2h", {"engine": "ce", "numa": "near"}, "numa=near needs mem=registered"),
        ("link/d2h", {"streams": 3}, "is not a multiple of 48 B"),
    ],
)
def test_an_impossible_combination_is_skipped(
    name: str, params: Mapping[str, Value], reason: str
) -> None:
    found = tried(name, {**trial(name).usual(BENCHES[name], MACHINE), **params})
    assert found is not None
    assert reason in found
