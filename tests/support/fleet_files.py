"""Write results files of a fleet quickly, by inserting new numbers into the text of one row."""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from membench.core.terms import (
    BETTER,
    UNIT,
    BytesConvention,
    CacheState,
    Metric,
    Stat,
    Status,
    Tier,
)
from membench.results.rows import relative_spread
from membench.results.schema import COLUMNS, Row, to_cells

ROUNDS, SAMPLES = 5, 8
_TIERS = (Tier.DDR, Tier.CACHE, Tier.SSD)
_METRICS = (Metric.BANDWIDTH, Metric.LATENCY, Metric.IOPS)


def fleet_row(machine: str, run: str, place: int, values: tuple[float, ...]) -> Row:
    """The row of case number ``place``, as in a quick run."""
    metric = _METRICS[place % 3]
    samples = tuple(
        tuple(float(f"{value * (1 + 0.001 * step):.7g}") for step in range(-4, 4))
        for value in values
    )
    every = [one for of_round in samples for one in of_round]
    return Row(
        run_id=run,
        machine=machine,
        tier=_TIERS[place % 3],
        case=f"ddr/copy/size={place + 1}MiB/threads=all/pages=thp/stores=plain",
        case_version=1,
        metric=metric,
        stat=Stat.MEDIAN,
        status=Status.OK,
        value=statistics.median(values),
        unit=UNIT[metric],
        better=BETTER[metric],
        rounds=len(values),
        n=len(values) * SAMPLES,
        round_values=values,
        spread=relative_spread(values),
        min=min(every),
        max=max(every),
        samples=samples,
        size_bytes=1 << 30,
        bytes_moved=1 << 31,
        bytes_convention=BytesConvention.RW_SUM if metric is Metric.BANDWIDTH else None,
        iters=3,
        timer="clock_monotonic",
        cache_state=CacheState.HOT,
        verified=True,
        stop_reason="count",
        backend="cpu",
        device="AMD EPYC",
        membench="0.1.0+g1234e56",
        kernel="k1f0c22aa9b31",
        detail={"engine": "numba", "threads": "2", "huge": "0%,100%"},
        flags=("vm",),
        started="2026-01-31T08:04:12Z",
    )


def make_fleet(
    directory: Path,
    machines: int,
    cases: int,
    slow: Mapping[int, AbstractSet[int]] | None = None,
    factor: float = 1.25,
    scatter: float = 0.004,
) -> None:
    """Write one results file for each of ``machines``.

    ``slow`` maps a machine to case numbers; in these cases the machine is slower by ``factor``.
    """
    rng = random.Random(1)
    header = ",".join(COLUMNS)
    places = [COLUMNS.index(name) for name in ("value", "round_values", "spread", "samples")]
    for number in range(machines):
        name, run = f"node-{number:05d}", f"20260101T000000Z-{number % 65536:04x}"
        lines = [header]
        for place in range(cases):
            base = (10 + place) * rng.lognormvariate(0, scatter)
            if place in (slow or {}).get(number, ()):
                base *= factor if _METRICS[place % 3] is Metric.LATENCY else 1 / factor
            cells = _cells(place)
            values = [base * (1 + 0.001 * step) for step in (-2, 1, 0, 3, -1)]
            samples = "|".join(
                ";".join(f"{value * (1 + 0.0007 * step):.7g}" for step in range(SAMPLES))
                for value in values
            )
            made = (repr(base), ";".join(map(repr, values)), repr(relative_spread(values)), samples)
            cells[COLUMNS.index("machine")], cells[COLUMNS.index("run_id")] = name, run
            for column, cell in zip(places, made, strict=True):
                cells[column] = cell
            lines.append(",".join(cells))
        path = directory / name
        path.mkdir(parents=True)
        (path / "run.csv").write_text("\n".join(lines) + "\n", encoding="ascii")


def _cells(place: int) -> list[str]:
    if place not in _TEXTS:
        cells = to_cells(fleet_row("m", "r", place, (1.0,) * ROUNDS))
        _TEXTS[place] = [f'"{cell}"' if "," in cell else cell for cell in cells]
    return list(_TEXTS[place])


_TEXTS: dict[int, list[str]] = {}
