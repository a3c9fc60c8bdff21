"""Classes for the results of a check."""

from __future__ import annotations

from membench.analysis.check.quantities import MachinePart
from membench.analysis.check.rule import CheckVerdict
from membench.analysis.likeness import AxisDifference
from membench.core.record import record
from membench.core.terms import Metric, Tier

_SEVERITY = {verdict: place for place, verdict in enumerate(CheckVerdict)}


@record
class ReferenceRange:
    """The range of the expected values for a device, in the unit of the metric.

    Attributes:
        kind, case: from the expected value whose case is closest to the measured case.
        references: the distinct `Expectation.reference` of the expected values.
        differs: the axes in which ``case`` differs from the measured case.
    """

    low: float
    high: float
    kind: str
    sources: tuple[str, ...]
    references: tuple[str, ...]
    case: str
    differs: tuple[AxisDifference, ...] = ()


@record
class DeviceLine:
    """The result for one quantity on one device.

    Attributes:
        device: index of the GPU; None for the host, or if no GPU has rows.
        case: id of the measured case; empty if the quantity has no row.
        value: in the unit of the metric; None without a usable row. If ``best`` is True, the value
            is the best sample or round.
        best: whether an expected value is the best of a tool's repetitions.
        peak: peak of the hardware, from the row.
        verdict, share, why, brief: see `membench.analysis.check.rule.TierJudgement`.
    """

    verdict: CheckVerdict
    device: int | None = None
    case: str = ""
    value: float | None = None
    best: bool = False
    flags: tuple[str, ...] = ()
    peak: float | None = None
    expected: ReferenceRange | None = None
    share: float | None = None
    why: str = ""
    brief: str = ""

    @property
    def peak_share(self) -> float | None:
        return self.value / self.peak if self.value is not None and self.peak else None

    @property
    def share_text(self) -> str:
        """The share in percent, such as ``98%``; empty if unknown."""
        return "" if self.share is None else f"{self.share:.0%}"

    @property
    def badness(self) -> tuple[int, float]:
        """Sort key; worse results have larger keys.

        Among equal verdicts, the smaller share is worse. Without a share, the share of the peak
        counts.
        """
        share = self.share if self.share is not None else self.peak_share
        return _SEVERITY[self.verdict], -(share if share is not None else 1.0)


@record
class TierLine:
    """The result for one quantity of a machine.

    For a quantity of GPUs, ``devices`` has one result for each GPU with rows, by GPU index. For any
    other quantity, or if no GPU has rows, ``devices`` has a single result.
    """

    name: str
    tier: Tier
    metric: Metric
    part: MachinePart
    devices: tuple[DeviceLine, ...]

    @property
    def worst(self) -> DeviceLine:
        """The device with the largest `DeviceLine.badness`."""
        return max(self.devices, key=lambda one: one.badness)

    @property
    def verdict(self) -> CheckVerdict:
        return self.worst.verdict
