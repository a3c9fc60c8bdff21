"""Rows and results files to compare, and the ``compare`` command run in this process."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from membench.cli import main
from membench.core.terms import BETTER, UNIT, BytesConvention, Metric, Stat, Status, Tier
from membench.results.rows import relative_spread
from membench.results.schema import Row
from membench.results.table import write_rows

CASE = "ddr/copy/size=1GiB"


def row(
    values: Sequence[float] = (),
    case: str = CASE,
    *,
    metric: Metric = Metric.BANDWIDTH,
    **changes: Any,
) -> Row:
    """A row with status ok and the round values ``values``; without values, a failed row."""
    made = Row(
        run_id="20260101T000000Z-aaaa",
        machine="box",
        tier=Tier.DDR,
        case=case,
        case_version=1,
        metric=metric,
        stat=Stat.MEDIAN,
        status=Status.OK if values else Status.FAILED,
        value=statistics.median(values) if values else None,
        unit=UNIT[metric],
        better=BETTER[metric],
        rounds=len(values),
        round_values=tuple(values),
        spread=relative_spread(values) if len(values) > 1 else None,
        bytes_convention=BytesConvention.RW_SUM if metric is Metric.BANDWIDTH else None,
        backend="cpu",
        device="AMD EPYC",
        membench="0.1.0",
        reason="" if values else "round 1: it broke",
    )
    return replace(made, **changes)


def around(center: float, noise: float = 0.002, count: int = 5) -> tuple[float, ...]:
    """``count`` different values, evenly spread over ``center`` +- ``noise`` (a fraction)."""
    return tuple(center * (1 + noise * (2 * place / (count - 1) - 1)) for place in range(count))


def write(path: Path, *rows: Row) -> Path:
    """Write ``rows`` to the results file ``path``, and return ``path``."""
    write_rows(path, rows)
    return path


def of_run(run: str, rows: Iterable[Row]) -> list[Row]:
    """Copies of ``rows`` with the run id ``run``."""
    return [replace(one, run_id=run) for one in rows]


def run_cli(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``membench compare ARGUMENTS``."""
    with pytest.raises(SystemExit) as end:
        main(["compare", *map(str, arguments)])
    captured = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, captured.out, captured.err
