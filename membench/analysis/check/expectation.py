"""The values that a machine is expected to reach. Each value is a range and names its source."""

from __future__ import annotations

from collections.abc import Iterable

from membench.analysis.likeness import Likeness, Rules, likeness, read_rules
from membench.core.record import record
from membench.core.terms import MEMORY, OFF_TIER_FLAGS, Better, Metric, Stat, Status, Tier
from membench.results.cells import is_positive
from membench.results.compact.row import Measurement
from membench.results.schema import Row

EXPECTED = ("measured", "target")
"""Kinds of figures that a machine must reach; ``docs/check.md`` explains the other kinds."""


@record
class Expectation:
    """One expected value.

    Attributes:
        reference: ``ref:NAME``, a file name, or ``history``.
        low, high: ends of the expected range, in the unit of the metric; equal for a single value.
        kind: ``measured``, ``target``, ``datasheet``, ``derived`` (from an application) or
            ``threshold`` (a pass mark).
        trust: grade of a published value: ``a`` for a raw log, ``b`` for a table or a report, ``c``
            if not confirmed; empty for a measurement.
        best: whether the value is the best of a tool's repetitions; if so, the best sample of a row
            is compared with the value.
        depth: queue depth of a data sheet's value; empty if the data sheet gives none.
        alike: axis -> rule, for the axes in which a measured case may differ.
        case_version: version of the case in membench; None for other tools and published figures.
        worsened: in words, that the level of the history became worse; empty otherwise.
        earlier: the expected value before the level became worse; None if it did not become worse.
        of_memory: whether the value comes from a row of a tier in `MEMORY`, without a flag of
            `OFF_TIER_FLAGS`; False for ``history``.
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
    worsened: str = ""
    earlier: Expectation | None = None
    of_memory: bool = False

    @property
    def binding(self) -> bool:
        """Whether the value is confirmed and of a kind that a machine must reach (`EXPECTED`)."""
        return self.kind in EXPECTED and self.trust != "c"

    def likeness(self, row: Row) -> Likeness | None:
        """Find the axes in which the case of ``row`` differs from the case of this value.

        The result is None in two cases:

        - Bench, metric or statistic differ.
        - The case versions differ. This does not count if `of_memory` is True and the cases differ
          only in the size, of which exactly one is ``auto``.

        A value without a case version is comparable with every version.
        """
        if (row.metric, row.stat) != (self.metric, self.stat):
            return None
        found = likeness(self.case, self.alike, row.case, row.array_bytes)
        if found is None or self.case_version in (None, row.case_version):
            return found
        # A bench got a new version when its default size became ``auto``.
        return found if self.of_memory and found.but_for_auto else None


def expectations(reference: str, rows: Iterable[Measurement]) -> tuple[Expectation, ...]:
    """Make an expected value from each `ok` row in ``rows``, the rows of ``reference``."""
    return tuple(
        _expectation(reference, row)
        for row in rows
        if row.status is Status.OK and row.value is not None
    )


def _expectation(reference: str, row: Measurement) -> Expectation:
    """Make an expected value from ``row``.

    The range of a measurement is its value plus or minus its spread. The range of a published
    figure is in its detail.
    """
    assert row.value is not None
    cited, imported = row.common.cited, row.common.imported
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
        trust=said.get("trust", "c") if cited else "",  # not confirmed, unless the source is rated
        source=said.get("source", "") if cited else f"{tool}, run {row.run_id}",
        tool=said.get("tool", "") if cited else tool,
        best="best-of" in row.flags,
        depth=said.get("depth", ""),
        alike=read_rules(said.get("alike", "")),
        case_version=None if cited or imported else row.case_version,
        of_memory=row.tier in MEMORY and OFF_TIER_FLAGS.isdisjoint(row.flags),
    )


def _end(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if is_positive(number) else None
