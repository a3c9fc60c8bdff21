"""Builds, measures and verifies one case in one round, inside the worker process."""

from __future__ import annotations

import hashlib
import importlib
import math
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from membench import workloads
from membench.core.backend import Backend, SeatedBackend, Seating
from membench.core.case import Bench
from membench.core.errors import MembenchError, VerificationFailed
from membench.core.terms import QUANTILE, CacheState, Metric, Stat, Status
from membench.core.work import Observed, Timed, Work, unverified
from membench.measure.recording import remember
from membench.measure.rounds.protocol import RoundRequest
from membench.measure.worker.readings import reading
from membench.measure.worker.sampling import Sampled, take_samples
from membench.measure.worker.stopping import observation_seconds, rule_for
from membench.measure.worker.stopwatch import DeviceStopwatch, Stopwatch, Stopwatches
from membench.measure.worker.tune import best_config
from membench.results.case_result import CaseResult, Reading, Seconds
from membench.results.plan import PlannedCase

BackendOf = Callable[[PlannedCase], Backend]


def run_unit(
    request: RoundRequest,
    benches: Mapping[str, Bench],
    backend_of: BackendOf,
    stopwatches: Stopwatches,
    started: str,
) -> CaseResult:
    """Run ``request`` and return its result with the status `ok`.

    Raises:
        Exception: any exception from the bench, such as `Skip`.
    """
    bench = _bench(request, benches)
    begin = time.monotonic()
    backend = backend_of(request.case)
    try:
        work = bench.build(backend, request.case.params, request.config)
        built = time.monotonic()
        try:
            facts: dict[str, Any]
            if isinstance(work, Timed):
                remember(backend, work)
                stopwatch = stopwatches.stopwatch(backend, work)
                readings, facts, verify = _timed(stopwatch, work, request)
            else:
                readings, facts, verify = _observed(work, request)
            measured = time.monotonic()
            verified = verify()
            seating = backend.seating() if isinstance(backend, SeatedBackend) else Seating()
        finally:
            work.close()
    finally:
        backend.reclaim()
    facts["detail"] = {**request.config, **facts["detail"], **seating.detail}
    _check_yields(request, readings)
    device = backend.describe()
    return CaseResult(
        round=request.round,
        case=request.case.id,
        status=Status.OK,
        started=started,
        readings=readings,
        seconds=Seconds(
            setup=built - begin, measure=measured - built, verify=time.monotonic() - measured
        ),
        verified=verified,
        backend=device.backend,
        device=device.name,
        driver=device.driver,
        cuda=device.cuda,
        kernel=kernel_hash(bench, backend),
        **_declared(work, seating.flags),
        **facts,
    )


def tune_unit(
    request: RoundRequest,
    benches: Mapping[str, Bench],
    backend_of: BackendOf,
    stopwatches: Stopwatches,
    started: str,
) -> CaseResult:
    """A case result without measurements. Its `detail` is the best configuration of the case.

    Raises:
        Exception: any exception from the bench, such as `Skip`.
    """
    bench = _bench(request, benches)
    backend = backend_of(request.case)
    config = best_config(bench, backend, request.case.params, stopwatches)
    return CaseResult(
        round=request.round,
        case=request.case.id,
        status=Status.OK,
        started=started,
        detail=dict(config),
    )


def kernel_hash(bench: Bench, backend: Backend) -> str:
    """``k`` and 12 hex digits: a digest of the bench's module, `workloads` and the kernels."""
    return _kernel_hash(bench.function.__module__, backend.kernel_digest)


@cache
def _kernel_hash(name: str, kernel_digest: str) -> str:
    module = importlib.import_module(name)
    digest = hashlib.sha256(kernel_digest.encode())
    if module.__file__:
        digest.update(Path(module.__file__).read_bytes())
    for path in sorted(Path(next(iter(workloads.__path__))).glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"k{digest.hexdigest()[:12]}"


def _timed(
    stopwatch: Stopwatch, work: Timed, request: RoundRequest
) -> tuple[tuple[Reading, ...], dict[str, Any], Callable[[], bool | None]]:
    sampled = take_samples(
        stopwatch, work, rule_for(work, request.earlier, request.share), request.iters
    )
    readings = tuple(
        reading(
            metric,
            Stat.MEDIAN,
            [work.value(elapsed, sampled.iterations, metric) for elapsed in sampled.elapsed_ns],
        )
        for metric in (work.metric, *work.also)
    )

    def verify() -> bool | None:
        if work.verify is unverified:
            return None
        work.verify(sampled.total)
        return True

    facts = {
        "iters": sampled.iterations,
        "bytes_moved": work.bytes_moved * sampled.iterations or None,
        "timer": stopwatch.timer,
        "cache_state": CacheState.COLD if work.cold else CacheState.HOT,
        "converged": sampled.stop.converged,
        "stop_reason": sampled.stop.reason,
        "sm_mhz": sampled.clock,
        "detail": {**work.detail, **_of_the_device(stopwatch, sampled)},
    }
    return readings, facts, verify


def _of_the_device(stopwatch: Stopwatch, sampled: Sampled) -> dict[str, int | float | str]:
    """Entries for `detail` about the device; empty if the work was timed on the host.

    ``floor_ns`` is the launch floor in ns. ``hold=no`` means that the device did not wait until all
    work was queued.
    """
    if not isinstance(stopwatch, DeviceStopwatch):
        return {}
    lowest = {"sm_mhz_low": round(sampled.sm_mhz[0])} if sampled.sm_mhz else {}
    held = {} if stopwatch.may_hold else {"hold": "no"}
    return {"floor_ns": round(stopwatch.floor_ns), **lowest, **held}


def _observed(
    work: Observed, request: RoundRequest
) -> tuple[tuple[Reading, ...], dict[str, Any], Callable[[], bool | None]]:
    observation = work.observe(observation_seconds(work, request.earlier, request.share))
    readings = tuple(
        reading(metric, stat, samples) for (metric, stat), samples in observation.samples.items()
    )

    def verify() -> bool | None:
        if work.verify is None:
            return None
        work.verify()
        return True

    facts = {
        "bytes_moved": work.bytes_moved or None,
        "timer": work.timer,
        "cache_state": work.cache_state,
        "stop_reason": "deadline",
        "sm_mhz": observation.sm_mhz,
        "detail": {**work.detail, **observation.detail, **_unresolved(readings)},
    }
    return readings, facts, verify


def _unresolved(readings: tuple[Reading, ...]) -> dict[str, str]:
    """The entry ``unresolved`` for `detail`: names of quantiles with too few samples."""
    # less than one sample is above the quantile, as above p99.9 of 200 samples
    stats = [one.stat for one in readings if one.n * (1 - QUANTILE[one.stat]) < 1]
    return {"unresolved": ",".join(dict.fromkeys(stats))} if stats else {}


def _declared(work: Work, flags: tuple[str, ...]) -> dict[str, Any]:
    return {
        "size_bytes": work.size_bytes,
        "bytes_convention": work.bytes_convention or "",
        "peak": work.peak,
        "peak_basis": work.peak_basis or "",
        "flags": (*work.flags, *flags),
    }


def _bench(request: RoundRequest, benches: Mapping[str, Bench]) -> Bench:
    found = benches.get(request.case.bench)
    if found is None:  # a plug-in that only the parent could load
        raise MembenchError(
            f"the worker has no bench '{request.case.bench}': it could not load the plug-in of "
            "this bench"
        )
    return found


def _named(yields: Iterable[tuple[Metric, Stat]]) -> str:
    return ", ".join(sorted(f"{metric} ({stat})" for metric, stat in yields)) or "nothing"


def _check_yields(request: RoundRequest, readings: tuple[Reading, ...]) -> None:
    yielded = {(one.metric, one.stat) for one in readings}
    if yielded != set(request.case.yields):
        raise MembenchError(
            f"bench '{request.case.bench}' declares {_named(request.case.yields)}, but measured "
            f"{_named(yielded)}"
        )
    for one in readings:
        if not (math.isfinite(one.value) and one.value > 0):
            raise VerificationFailed(
                f"the measured {one.metric} ({one.stat}) is invalid: {one.value}"
            )
