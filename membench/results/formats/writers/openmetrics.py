"""Writes OpenMetrics text for the textfile collector of a Prometheus node exporter.

Units are the base units that OpenMetrics requires: bytes, seconds, joules. Only the newest run of
each case is written, because a name with its labels may occur only once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from membench.core.terms import Metric
from membench.results.cells import decimal_text
from membench.results.formats.exporting import measured
from membench.results.schema import Row

_FAMILIES: Mapping[Metric, tuple[str, float, str]] = {
    Metric.BANDWIDTH: ("membench_bandwidth_bytes_per_second", 1e9, "Bytes moved per second."),
    Metric.LATENCY: ("membench_latency_seconds", 1e-9, "Time of one access or operation."),
    Metric.IOPS: ("membench_io_operations_per_second", 1.0, "Disk operations per second."),
    Metric.RATE: ("membench_rate_per_second", 1.0, "Events per second."),
    Metric.FLOPS: ("membench_compute_flops_per_second", 1e9, "Arithmetic operations per second."),
    Metric.ENERGY: ("membench_energy_joules_per_byte", 1e-12, "Energy for moving one byte."),
}
"""Metric -> name of the family, factor from the unit of a results file, help text."""
_STARTED = "membench_started_timestamp_seconds"
_LABELS = ("machine", "tier", "case", "stat", "device", "backend")


def write(rows: Sequence[Row]) -> Mapping[str, str]:
    """Make one file: a gauge per metric, and per machine the start time of the newest run."""
    newest = _newest(rows)
    lines: list[str] = []
    for metric, (name, factor, text) in _FAMILIES.items():
        found = [row for row in newest if row.metric is metric and row.value]
        if found:
            lines += [f"# TYPE {name} gauge", f"# HELP {name} {text}"]
            lines += [
                f"{name}{_labels(row)} {decimal_text((row.value or 0) * factor)}" for row in found
            ]
    started = {row.machine: row.started for row in sorted(newest, key=_started)}
    stamps = {machine: stamp for machine, text in started.items() if (stamp := _stamp(text))}
    if stamps:
        lines += [f"# TYPE {_STARTED} gauge", f"# HELP {_STARTED} When the newest run began."]
        lines += [f'{_STARTED}{{machine="{machine}"}} {stamps[machine]}' for machine in stamps]
    return {"": "\n".join((*lines, "# EOF", ""))}


def left_out(rows: Sequence[Row]) -> Mapping[str, int]:
    """Reason -> number of rows that `write` leaves out. Rows without a value do not count."""
    return {"of older runs": len(list(measured(rows))) - len(_newest(rows))}


def _newest(rows: Sequence[Row]) -> list[Row]:
    newest: dict[tuple[object, ...], Row] = {}
    for row in measured(rows):
        key = (row.machine, row.case, row.metric, row.stat)
        if key not in newest or _started(newest[key]) <= _started(row):
            newest[key] = row
    return list(newest.values())


def _labels(row: Row) -> str:
    pairs = ((name, str(getattr(row, name))) for name in _LABELS)
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in pairs if text) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _started(row: Row) -> str:
    """A sort key: the start time without the Z, so that ``...12`` sorts before ``...12.5``."""
    return row.started.removesuffix("Z")


def _stamp(text: str) -> str:
    """Convert a time such as ``2026-01-31T08:04:12Z`` to seconds since 1970; empty if invalid."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return decimal_text(moment.astimezone(UTC).timestamp())
