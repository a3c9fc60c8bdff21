"""What a check says of a machine, line by line."""

from __future__ import annotations

from dataclasses import dataclass

from membench.analysis.check.quantities import MachinePart
from membench.analysis.check.rule import CheckVerdict
from membench.analysis.likeness import AxisDifference
from membench.core.terms import Metric, Tier

_SEVERITY = {verdict: place for place, verdict in enumerate(CheckVerdict)}


@dataclass(frozen=True)
class ReferenceRange:
    """The range that a value is held to.

    Attributes:
        low, high: over all figures that are alike, in the unit of the metric.
        kind: measured, target, datasheet, ...
        sources: of the figures, each once.
        references: ``ref:NAME`` of each, each once.
        case: of the nearest figure.
        differs: in which axes its case differs from the one that was measured.
    """

    low: float
    high: float
    kind: str
    sources: tuple[str, ...]
    references: tuple[str, ...]
    case: str
    differs: tuple[AxisDifference, ...] = ()


@dataclass(frozen=True)
class DeviceLine:
    """A quantity on one device.

    Attributes:
        device: index of the GPU; None for the host and its disks.
        case: that was measured, empty where none was.
        value: in the unit of the metric; with ``best`` the best sample, as the figure is one.
        peak: of the hardware, as the row knows it.
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
        """Value over peak, None where either is unknown."""
        return self.value / self.peak if self.value is not None and self.peak else None

    @property
    def badness(self) -> tuple[int, float]:
        """The larger, the worse: by verdict, then by how small the share is."""
        share = self.share if self.share is not None else self.peak_share
        return _SEVERITY[self.verdict], -(share if share is not None else 1.0)


@dataclass(frozen=True)
class TierLine:
    """A quantity of a machine.

    Attributes:
        name: of the quantity, for a person.
        devices: the GPUs in the order of their indices, or the host alone; at least one.
    """

    name: str
    tier: Tier
    metric: Metric
    part: MachinePart
    devices: tuple[DeviceLine, ...]

    @property
    def worst(self) -> DeviceLine:
        """The device that the line is about: of the worst verdict, and of those the slowest."""
        return max(self.devices, key=lambda one: one.badness)

    @property
    def verdict(self) -> CheckVerdict:
        """Of the worst device."""
        return self.worst.verdict
