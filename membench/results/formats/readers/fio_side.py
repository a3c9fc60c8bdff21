"""Converts the results for one direction of a fio job to membench's units, from any fio format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from membench.core.record import record
from membench.core.terms import BytesConvention, Metric, Stat, Tier
from membench.results.formats.figures import Origin, case_id, row
from membench.results.formats.reading import Item

TOOL = "fio"
QUANTILES: Mapping[Stat, float] = {Stat.P50: 50.0, Stat.P95: 95.0, Stat.P99: 99.0, Stat.P999: 99.9}
_SHORT = 100  # ms: fio divides by whole ms, so shorter jobs may be off by more than 1 %


@record
class FioSide:
    """The results of a job for read, write, trim or sync, or for all together (``mixed``).

    A result that fio did not report is None.

    Attributes:
        iops: operations per second.
        bandwidth: GB per second.
        operations: number of operations; 1 if absent.
        milliseconds: duration.
        quantiles: quantiles of the latency in ns.
        mean: mean latency in ns.
        latency: ``clat`` (from submission to completion), ``lat`` (including the submission call)
            or ``sync``.
    """

    op: str
    iops: float | None = None
    bandwidth: float | None = None
    operations: int = 1
    milliseconds: float | None = None
    quantiles: Mapping[Stat, float] = field(default_factory=dict)
    mean: float | None = None
    latency: str = "clat"

    @property
    def empty(self) -> bool:
        return not (self.iops or self.bandwidth or self.quantiles or self.mean)


def own_case(job: str, op: str) -> str:
    """The case id, with fio's name of the job, for a job that matches no case of membench."""
    return case_id("ssd", TOOL, f"job={job or 'unnamed'}", f"op={op}")


def side_rows(
    side: FioSide, case: str, origin: Origin, detail: Mapping[str, str], flags: tuple[str, ...] = ()
) -> Iterator[Item]:
    """Yield rows for IOPS, bandwidth and latency quantiles (or the mean if there are none)."""
    short = ("short-run",) if side.milliseconds and side.milliseconds < _SHORT else ()
    rate = {**detail, "statistic": "mean-of-run"}
    figures = [
        (Metric.IOPS, Stat.MEDIAN, side.iops, rate),
        (Metric.BANDWIDTH, Stat.MEDIAN, side.bandwidth, rate),
    ]
    latency = {**detail, "statistic": "quantile", "latency": side.latency}
    figures += [
        (Metric.LATENCY, stat, value, latency)
        for stat in QUANTILES
        if (value := side.quantiles.get(stat))
    ]
    if not side.quantiles and side.mean:
        mean = {**detail, "statistic": "mean", "latency": side.latency}
        figures.append((Metric.LATENCY, Stat.MEDIAN, side.mean, mean))
    for metric, stat, value, about in figures:
        if value:
            timed = metric is Metric.LATENCY
            yield row(
                origin,
                Tier.SSD,
                case,
                metric,
                value,
                stat=stat,
                n=side.operations,
                bytes_convention=BytesConvention.PAYLOAD if metric is Metric.BANDWIDTH else None,
                timer="tool:fio",
                detail=dict(about),
                flags=flags if timed else (*flags, *short),
            )
