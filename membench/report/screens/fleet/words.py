"""Texts about a fleet, for the terminal and for the HTML page."""

from __future__ import annotations

from collections.abc import Iterator

from membench.analysis.fleet.statistics import CHANCE, MACHINES_NEEDED
from membench.analysis.fleet.summary import CaseSpread, FleetSummary, MachineLine, SlowCell
from membench.core.case_id import with_stat
from membench.core.messages import tr, tr_n
from membench.core.terms import Metric, Tier
from membench.core.units import common_scale, significant
from membench.report.screens.blocks import natural, split
from membench.results.fleet_ledger import HostState

_STATES = {
    HostState.MISSING: tr("missing"),
    HostState.FAILED: tr("failed"),
    HostState.RUNNING: tr("running"),
    HostState.WAITING: tr("waiting"),
}


def headline(summary: FleetSummary) -> str:
    """A line such as ``12 machines, 36 cases: 1 straggler, 1 host missing, nothing failed``."""
    values = summary.values
    return tr(
        "{machines}, {cases}: {stragglers}, {missing}, {failed}",
        machines=tr_n("{count} machine", "{count} machines", len(values.machines)),
        cases=cases_text(len(summary.cases)),
        stragglers=stragglers_text(len(summary.stragglers)),
        missing=_missing_text(summary),
        failed=tr("{count} failed or unfinished", count=summary.failed)
        if summary.failed
        else tr("nothing failed"),
    )


def _missing_text(summary: FleetSummary) -> str:
    if summary.values.ledger is None:
        return tr("missing hosts unknown")
    missing = len(summary.absent(HostState.MISSING))
    return tr_n("{count} host missing", "{count} hosts missing", missing)


def cases_text(count: int) -> str:
    return tr_n("{count} case", "{count} cases", count)


def stragglers_text(count: int) -> str:
    return tr_n("{count} straggler", "{count} stragglers", count)


def notes(summary: FleetSummary) -> Iterator[str]:
    """Remarks on the results, and the definitions of slow machines and stragglers."""
    few = [case for case in summary.cases if not case.judged]
    if few:
        yield tr_n(
            "{count} case of {all} is not judged: fewer than {few} machines have a value",
            "{count} cases of {all} are not judged: fewer than {few} machines have a value",
            len(few),
            all=len(summary.cases),
            few=MACHINES_NEEDED,
        )
    if summary.values.ledger is None:
        yield tr("there is no ledger of a fleet run: the expected hosts are unknown")
    yield tr(
        "slow: slower than the median by more than the threshold, with a robust z-score above 3.5; "
        "straggler: slow in more cases than chance explains, or extremely slow in one case"
    )


def troubles(summary: FleetSummary) -> Iterator[tuple[str, str, str]]:
    """Name, state and reason of each host or file with a problem."""
    for state in (HostState.MISSING, HostState.FAILED, HostState.RUNNING, HostState.WAITING):
        for host in summary.absent(state):
            yield host.name, _STATES[state], host.detail
    for name, reason in summary.values.unread.items():
        yield name, tr("unreadable"), reason
    for name, (count, reason) in summary.values.failed.items():
        yield name, tr_n("{count} row failed", "{count} rows failed", count), reason
    for name, count in summary.lacking.items():
        lacks = tr_n(
            "{count} case that most machines have is missing",
            "{count} cases that most machines have are missing",
            count,
        )
        yield name, tr("incomplete"), lacks


def case_name(case: CaseSpread | SlowCell) -> str:
    """The case id with the metric, and with the statistic if it is not the median."""
    return with_stat(f"{case.key.case} {case.key.metric}", case.key.stat)


def times_text(times: float) -> str:
    return tr("{factor}x", factor=significant(times, 3))


def in_order(summary: FleetSummary) -> list[CaseSpread]:
    """The cases, ordered by tier, metric, bench and axis values."""
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
    """Text with an upper bound on the probability that chance alone makes so many cases slow.

    The text is ``one extreme case`` if the machine is a straggler only because of one extreme case.
    """
    if line.straggler and line.chance >= CHANCE:
        return tr("one extreme case")
    return "<0.1%" if line.chance < 0.001 else f"{line.chance:.1%}"


def number(case: CaseSpread, value: float) -> str:
    """``value`` in the display unit of ``case``."""
    scale = common_scale(case.key.metric, (case.median,))
    return f"{scale.format(value)} {scale.unit}"


def z_text(z: float) -> str:
    """A text such as ``4.2``; ``>1000`` for a score above 1000."""
    return f"{z:.1f}" if z <= 1000 else ">1000"
