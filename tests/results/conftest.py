"""Default rows, plans and case results; a test changes the fields that it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from membench.core.terms import (
    Better,
    BytesConvention,
    CacheState,
    Metric,
    PeakBasis,
    Stat,
    Status,
    Tier,
)
from membench.results.case_result import CaseResult, Reading
from membench.results.plan import Plan, PlannedCase
from membench.results.schema import Row

BANDWIDTH = (Metric.BANDWIDTH, Stat.MEDIAN)


@pytest.fixture(scope="session")
def make_row() -> Callable[..., Row]:
    """A function that makes a row with every column filled."""

    def make(**changes: Any) -> Row:
        values: dict[str, Any] = {
            "run_id": "20260131T080412Z-7f3a",
            "machine": "box-1",
            "tier": Tier.DDR,
            "case": "ddr/copy/size=256MiB",
            "case_version": 1,
            "metric": Metric.BANDWIDTH,
            "stat": Stat.MEDIAN,
            "status": Status.OK,
            "value": 20.5,
            "unit": "GB/s",
            "better": Better.HIGHER,
            "rounds": 2,
            "n": 5,
            "round_values": (20.0, 21.0),
            "spread": 0.036,
            "min": 19.5,
            "max": 21.5,
            "samples": ((19.5, 20.0, 20.5), (20.5, 21.5)),
            "size_bytes": 268435456,
            "bytes_moved": 536870912,
            "bytes_convention": BytesConvention.RW_SUM,
            "iters": 3,
            "timer": "perf_counter_ns",
            "cache_state": CacheState.HOT,
            "verified": True,
            "converged": False,
            "stop_reason": "count",
            "peak": 38.4,
            "peak_basis": PeakBasis.SPEC,
            "sm_mhz": 1980.0,
            "backend": "cpu",
            "device": "Some CPU",
            "driver": "580.1",
            "cuda": "13.0",
            "membench": "0.1.0+g1234e56",
            "kernel": "k1f0c22aa9b31",
            "detail": {"threads": "2"},
            "flags": ("noisy",),
            "started": "2026-01-31T08:04:12Z",
            "reason": "",
        }
        return Row(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def make_failed(make_row: Callable[..., Row]) -> Callable[..., Row]:
    """A function that makes a row of a case that failed in its second round."""

    def make(**changes: Any) -> Row:
        failed: dict[str, Any] = {
            "status": Status.FAILED,
            "value": None,
            "spread": None,
            "rounds": 1,
            "round_values": (20.0,),
            "reason": "round 2: ValueError: no",
        }
        return make_row(**{**failed, **changes})

    return make


@pytest.fixture(scope="session")
def make_case() -> Callable[..., PlannedCase]:
    """A function that makes a planned case with a bandwidth."""

    def make(case: str = "ddr/copy/size=256MiB", **changes: Any) -> PlannedCase:
        values: dict[str, Any] = {
            "id": case,
            "bench": "ddr/copy",
            "params": {"size": "256MiB", "threads": 2},
            "version": 1,
            "tier": Tier.DDR,
            "yields": (BANDWIDTH,),
            "seconds": 0.5,
            "memory": 2**29,
            "disk": 0,
            "backend": "cpu",
        }
        return PlannedCase(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def make_plan(make_case: Callable[..., PlannedCase]) -> Callable[..., Plan]:
    """A function that makes a plan of two rounds of the given cases."""

    def make(*cases: PlannedCase, **changes: Any) -> Plan:
        values: dict[str, Any] = {
            "run_id": "20260131T080412Z-7f3a",
            "machine": "box-1",
            "profile": "quick",
            "rounds": 2,
            "seed": 7,
            "timeout": 60.0,
            "device": "auto",
            "software": "0.1.0+g1234e56",
            "argv": ("run", "--rounds", "2"),
            "started": "2026-01-31T08:04:12Z",
            "cases": cases or (make_case(),),
        }
        return Plan(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def make_unit() -> Callable[..., CaseResult]:
    """A function that makes an ok case result of a round, with one bandwidth."""

    def make(number: int = 1, value: float = 20.0, **changes: Any) -> CaseResult:
        samples = (value * 0.99, value, value * 1.01)
        values: dict[str, Any] = {
            "round": number,
            "case": "ddr/copy/size=256MiB",
            "status": Status.OK,
            "started": f"2026-01-31T08:0{number}:00Z",
            "readings": (Reading(*BANDWIDTH, value, 3, samples),),
            "size_bytes": 268435456,
            "bytes_moved": 536870912,
            "bytes_convention": "rw_sum",
            "iters": 1,
            "timer": "perf_counter_ns",
            "cache_state": "hot",
            "verified": True,
            "stop_reason": "count",
            "backend": "cpu",
            "device": "Some CPU",
            "kernel": "k1f0c22aa9b31",
            "detail": {"threads": 2, "method": "numba"},
        }
        return CaseResult(**{**values, **changes})

    return make
