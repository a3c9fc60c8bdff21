"""What a machine is expected to reach: figures of a reference, each a range with its source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from membench.analysis.likeness import Likeness, Rules, likeness, read_rules
from membench.core.terms import Better, Metric, Stat, Status, Tier
from membench.results.cells import is_positive
from membench.results.compact.row import Measurement
from membench.results.schema import Row

EXPECTED = ("measured", "target")
"""Kinds of figures that a machine can be held to.

A data sheet is what its maker promises, under conditions of its own; what was derived from an
application is a lower bound; a threshold is somebody's pass mark, which others set far below what
the hardware does (``docs/check.md``).
"""


@dataclass(frozen=True)
class Expectation:
    """One figure of a reference.

    Attributes:
        low, high: the range that its source gives, in the unit of the metric; one value is both.
        kind: measured, target, datasheet, derived or threshold.
        trust: a, b or c; empty for a run of membench.
        best: it is the best of the tool's repetitions, and ours has to be the best as well.
        depth: queue depth of a data sheet's figure, empty where the sheet does not tell.
        alike: axis -> rule, of the axes that may differ.
        case_version: of a run of membench; None for what somebody else measured.
        reference: ``ref:NAME``, or the name of the file.
    """

    reference: str
    tier: Tier
    case: str
    metric: Metric
    stat: Stat
    better: Better
    low: float
    value: float
    high: float
    kind: str
    trust: str
    source: str
    tool: str
    best: bool
    depth: str
    alike: Rules
    case_version: int | None

    @property
    def binding(self) -> bool:
        """A machine can be held to it."""
        return self.kind in EXPECTED and self.trust != "c"

    def likeness(self, row: Row) -> Likeness | None:
        """How the case of ``row`` differs from the figure's; None where they have nothing to do."""
        if (row.metric, row.stat) != (self.metric, self.stat):
            return None
        if self.case_version not in (None, row.case_version):
            return None
        return likeness(self.case, self.alike, row.case, row.array_bytes)


def expectations(reference: str, rows: Iterable[Measurement]) -> tuple[Expectation, ...]:
    """What the `ok` ``rows`` of ``reference`` tell: figures that were cited, or those of a run."""
    return tuple(
        _expectation(reference, row)
        for row in rows
        if row.status is Status.OK and row.value is not None
    )


def _expectation(reference: str, row: Measurement) -> Expectation:
    """Of a run the range is the median of its rounds, give or take their spread."""
    assert row.value is not None
    cited = row.backend == "cited"
    imported = row.backend.startswith("import:")
    said = row.detail if cited else {}
    tool = row.backend.removeprefix("import:") if imported else "membench"
    spread = row.spread or 0.0
    rounds = () if cited else (row.value * max(0.0, 1 - spread), row.value * (1 + spread))
    ends = (row.value, _end(said.get("low", "")), _end(said.get("high", "")), *rounds)
    known = [end for end in ends if end]
    return Expectation(
        reference=reference,
        tier=row.tier,
        case=row.case,
        metric=row.metric,
        stat=row.stat,
        better=row.better,
        low=min(known),
        value=row.value,
        high=max(known),
        kind=said.get("kind", "measured"),
        trust=said.get("trust", "c") if cited else "",  # without a word nobody vouches for it
        source=said.get("source", "") if cited else f"{tool}, run {row.run_id}",
        tool=said.get("tool", "") if cited else tool,
        best="best-of" in row.flags,
        depth=said.get("depth", ""),
        alike=read_rules(said.get("alike", "")),
        case_version=None if cited or imported else row.case_version,
    )


def _end(text: str) -> float | None:
    """A number of `detail`, None where it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if is_positive(number) else None
