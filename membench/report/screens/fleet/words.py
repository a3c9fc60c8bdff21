"""Texts about a fleet as ASCII, the same on the screen and on the page."""

from __future__ import annotations

from collections.abc import Iterator

from membench.analysis.fleet.statistics import CHANCE, MACHINES_NEEDED
from membench.analysis.fleet.summary import CaseSpread, FleetSummary, MachineLine, SlowCell
from membench.core.terms import Metric, Stat, Tier
from membench.core.text import counted
from membench.core.units import common_scale, significant
from membench.report.screens.blocks import natural, split
from membench.results.fleet_ledger import HostState


def headline(summary: FleetSummary) -> str:
    """``12 machines, 36 cases: 1 straggler, 1 host missing, nothing failed``."""
    values = summary.values
    size = f"{counted(len(values.machines), 'machine')}, {counted(len(summary.cases), 'case')}"
    stragglers = counted(len(summary.stragglers), "straggler")
    missing = counted(len(summary.absent(HostState.MISSING)), "host")
    return f"{size}: {stragglers}, {missing} missing, {summary.failed or 'nothing'} failed"


def notes(summary: FleetSummary) -> Iterator[str]:
    """Caveats about the results."""
    few = [case for case in summary.cases if not case.judged]
    if few:
        yield (
            f"{counted(len(few), 'case')} of {len(summary.cases)} not judged: fewer than "
            f"{MACHINES_NEEDED} machines have a value"
        )
    if summary.values.ledger is None:
        yield "no ledger of a fleet run here: the expected hosts are unknown"
    yield (
        "slow: beyond a robust z-score of 3.5 and slower than the median by more than the "
        "threshold of compare; straggler: slow in more cases than chance explains, or far apart "
        "in one"
    )


def troubles(summary: FleetSummary) -> Iterator[tuple[str, str, str]]:
    """Name, kind and reason of each failed, missing or incomplete host or file."""
    for state in (HostState.MISSING, HostState.FAILED, HostState.RUNNING, HostState.WAITING):
        for host in summary.absent(state):
            yield host.name, str(state), host.detail
    for name, reason in summary.values.unread.items():
        yield name, "unreadable", reason
    for name, (count, reason) in summary.values.failed.items():
        yield name, f"{counted(count, 'row')} failed", reason
    for name, count in summary.lacking.items():
        yield name, "incomplete", f"lacks {counted(count, 'case')} that most machines have"


def case_name(case: CaseSpread | SlowCell) -> str:
    """The case id, with the metric and the statistic if they are not the usual ones."""
    key = case.key
    stat = "" if key.stat is Stat.MEDIAN else f" {key.stat}"
    return f"{key.case} {key.metric}{stat}"


def times_text(times: float) -> str:
    return f"{significant(times, 3)}x slower"


def in_order(summary: FleetSummary) -> list[CaseSpread]:
    """The cases ordered by tier, metric, bench and parameters."""
    tiers, metrics = list(Tier), list(Metric)
    return sorted(
        summary.cases,
        key=lambda case: (
            tiers.index(case.key.tier),
            metrics.index(case.key.metric),
            split(case.key.case)[0],
            natural(case.key.case),
            case.key.stat,
        ),
    )


def chance_text(line: MachineLine) -> str:
    """Probability that chance explains it; ``far apart`` if only the distance makes a straggler."""
    if line.straggler and line.chance >= CHANCE:
        return "far apart"
    return "<0.1%" if line.chance < 0.001 else f"{line.chance:.1%}"


def number(case: CaseSpread, value: float) -> str:
    """``value`` of ``case`` with its unit."""
    scale = common_scale(case.key.metric, (case.median,))
    return f"{scale.format(value)} {scale.unit}"


def z_text(z: float) -> str:
    """The score as text: ``4.2``; very large scores only as a lower bound."""
    return f"{z:.1f}" if z < 1000 else ">1000"
