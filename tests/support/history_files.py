"""Write results files of one machine over time, with given levels, noise and sidecars."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from membench.core.terms import BETTER, UNIT, BytesConvention, Metric, Stat, Status, Tier
from membench.results.schema import Row
from membench.results.sidecar import digest
from membench.results.table import write_rows

CASES = (
    (Tier.CACHE, Metric.LATENCY, "host/chase/size=16KiB/pages=thp", 1.1),
    (Tier.DDR, Metric.BANDWIDTH, "ddr/read/size=auto/threads=all/pages=thp", 40.0),
    (Tier.DDR, Metric.LATENCY, "host/chase/size=256MiB/pages=thp", 110.0),
    (Tier.SSD, Metric.BANDWIDTH, "ssd/read/pattern=seq/block=1MiB/qd=8/pages=thp", 3.2),
    (Tier.SSD, Metric.IOPS, "ssd/read/pattern=rand/block=4KiB/qd=32/pages=thp", 250_000.0),
)
"""(tier, metric, case, value) of each measured case."""
_FIRST = datetime(2026, 1, 1, 3, tzinfo=UTC)


def noise(
    rng: np.random.Generator, shape: tuple[int, ...], correlation: float = 0.0, kind: str = "normal"
) -> NDArray[np.float64]:
    """Autoregressive noise of order 1 along the last axis; the innovations have scale 1.

    Args:
        kind: ``normal``; ``heavy`` is Student's t with 3 degrees of freedom; ``slow`` is normal,
            but a random tenth of the runs is slower by an exponential variable with mean 8.
    """
    if kind == "heavy":
        fresh = rng.standard_t(3, shape)
    else:
        fresh = rng.normal(size=shape)
        if kind == "slow":
            fresh -= (rng.random(shape) < 0.1) * rng.exponential(8, shape)
    made = np.array(fresh)
    for place in range(1, shape[-1]):
        made[..., place] = (
            correlation * made[..., place - 1] + math.sqrt(1 - correlation**2) * fresh[..., place]
        )
    return made


def run_id(number: int) -> str:
    """The id of run ``number``. The history has one run per night."""
    return f"{_FIRST + timedelta(days=number):%Y%m%dT%H%M%SZ}-{number % 65536:04x}"


def history_row(run: int, place: int, value: float, **changes: Any) -> Row:
    """The row of case number ``place`` in run number ``run``."""
    tier, metric, name, _ = CASES[place]
    row = Row(
        run_id=run_id(run),
        machine="box",
        tier=tier,
        case=name,
        case_version=1,
        metric=metric,
        stat=Stat.MEDIAN,
        status=Status.OK,
        value=value,
        unit=UNIT[metric],
        better=BETTER[metric],
        rounds=5,
        round_values=tuple(value * (1 + 0.001 * step) for step in (-2, 1, 0, 2, -1)),
        spread=0.0014826,
        size_bytes=1 << 28,
        bytes_convention=BytesConvention.PAYLOAD if metric is Metric.BANDWIDTH else None,
        backend="storage" if tier is Tier.SSD else "cpu",
        device="AMD EPYC",
        membench="0.1.0",
    )
    return replace(row, **changes)


def sidecar(run: int, **facts: Any) -> dict[str, Any]:
    """The sidecar of run ``run``.

    ``facts`` change the machine snapshot. ``__`` in a name separates nested levels.
    """
    machine: dict[str, Any] = {
        "slug": "box",
        "cpu": {"model": "AMD EPYC", "governor": "performance", "staircase": [[1024, float(run)]]},
        "memory": {"total": 1 << 34, "available": (1 << 33) + run, "thp": "madvise"},
        "kernel": "6.1.0",
        "load": [0.1 * run],
        "packages": {"numpy": "2.0.0"},
        "gpus": {"driver": "", "devices": []},
    }
    for name, value in facts.items():
        *path, last = name.split("__")
        part = machine
        for step in path:
            part = part[step]
        part[last] = value
    plan = {"run_id": run_id(run), "profile": "quick", "seed": run, "argv": ["membench", "run"]}
    return {"schema": "membench.run/1", "plan": plan, "machine": machine}


def make_history(
    directory: Path,
    runs: int,
    *,
    scatter: float = 0.01,
    shifts: Mapping[int, tuple[int, float]] | None = None,
    facts: Sequence[tuple[int, Mapping[str, Any]]] = (),
    columns: Sequence[tuple[int, Mapping[str, Any]]] = (),
    seed: int = 1,
) -> Path:
    """Write ``runs`` files of `CASES` into ``directory`` and return the directory.

    Args:
        scatter: standard deviation between runs, as a fraction of the value.
        shifts: case -> (first run, factor). From the first run on, values of the case are
            multiplied by the factor.
        facts: (first run, changes of the sidecars from this run on).
        columns: (first run, changes of the rows from this run on).
    """
    directory.mkdir(parents=True, exist_ok=True)
    values = np.exp(scatter * noise(np.random.default_rng(seed), (len(CASES), runs)))
    for case, (start, factor) in (shifts or {}).items():
        values[case, start:] *= factor
    for run in range(runs):
        cells: dict[str, Any] = {}
        for start, some in columns:
            cells |= some if run >= start else {}
        rows = [
            history_row(run, case, CASES[case][3] * float(values[case, run]), **cells)
            for case in range(len(CASES))
        ]
        path = directory / f"{run_id(run)[:16]}_quick.csv"
        write_rows(path, rows)
        said: dict[str, Any] = {}
        for start, more in facts:
            said |= more if run >= start else {}
        beside = {**sidecar(run, **said), "sha256": digest(path)}
        path.with_suffix(".json").write_text(json.dumps(beside), encoding="ascii")
    return directory
