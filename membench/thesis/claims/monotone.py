"""The inputs in which a statistic is monotone.

If a step of such an input changes no verdict, no smaller step in the same direction changes a
verdict. A property test checks every entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_UP, _DOWN = 1, -1

_MEMORY_BOUND = {
    "hbm-read": _DOWN,
    "device.rubin.bandwidth": _DOWN,
    "gemm": _UP,
    "device.rubin.fp4": _UP,
}
MONOTONE: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "decode_memory_bound": _MEMORY_BOUND,
        "prefill_memory_bound": _MEMORY_BOUND | {"workload.prefill.chunk": _DOWN},
        # only the rates, because the number of GPUs is a power of two
        "kv_over_free_hbm": {"hbm-read": _DOWN, "gemm": _UP},
        "hardware_fall": {
            "price.rack_rubin": _DOWN,
            "price.rack_blackwell": _UP,
            "device.gb200.bandwidth": _DOWN,
            "device.gb200.fp4": _DOWN,
            "device.rubin.bandwidth": _UP,
            "device.rubin.fp4": _UP,
        },
        "capacity_gain": {"system.link": _UP},
        "ssd_adds_hits": {"system.link": _UP},
        "ddr_share_of_hits": {"system.link": _DOWN},
        "restore_over_recompute_rubin": {
            "system.link": _UP,
            "device.rubin.fp4": _DOWN,
            "gemm": _DOWN,
        },
        "endurance": {"system.extra_capacity": _DOWN, "ssd.rating.dwpd": _DOWN, "gemm": _UP},
        "ssd_ttft": {"ssd-read": _DOWN, "ssd-read-p99": _UP, "system.ttft": _DOWN},
    }
)
"""Statistic -> input -> 1 if no variant falls with the input, -1 if no variant rises."""
