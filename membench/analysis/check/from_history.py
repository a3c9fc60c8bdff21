"""Compute the expected range of each case from other runs of the machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from membench.analysis.check.expectation import Expectation
from membench.analysis.check.quantities import QUANTITIES
from membench.analysis.history.changepoints import LEAST
from membench.analysis.history.reading import read_record
from membench.analysis.history.summary import ExpectedRange, history_of
from membench.analysis.verdict import Verdict
from membench.core.errors import MembenchError, UsageError
from membench.core.files import shown
from membench.core.messages import tr
from membench.core.text import counted
from membench.core.units import significant
from membench.results.compact.reader import read_measurements

HISTORY = "history"


def expected_by_history(
    paths: Sequence[Path], machines: Iterable[str], checked: frozenset[str]
) -> tuple[Expectation, ...]:
    """The noise band of each case of the check, from the runs of its present level.

    Cases with fewer than `LEAST` runs in the present level are left out.

    Args:
        paths: the checked files; the other CSV files in their folders are the other runs.
        machines: all names of the checked machine.
        checked: the ids of the checked runs; a file with one of these runs does not count.

    Raises:
        UsageError: there are fewer than `LEAST` other runs of the machine.
    """
    names = frozenset(machines)
    others = [path for path in _beside(paths) if _is_other(path, names, checked)]
    record = read_record([], others)
    if len(record.runs) < LEAST:
        folders = ", ".join(dict.fromkeys(shown(path.parent) for path in paths))
        raise UsageError(
            f"--expect history needs at least {LEAST} other runs of this machine; found "
            f"{len(record.runs)} in {folders}",
            "give the file of one run as the expected values: --expect FILE",
        )
    cases = {key.case for key in record.series if any(one.has(key.case) for one in QUANTITIES)}
    if not cases:
        return ()
    history = history_of(record, select=sorted(cases), every_case=True)
    return tuple(_expectation(one) for one in history.expected().values() if one.runs >= LEAST)


def _beside(paths: Sequence[Path]) -> list[Path]:
    mine = {path.resolve() for path in paths}
    folders = dict.fromkeys(path.parent for path in paths)
    found = (path for folder in folders for path in sorted(folder.glob("*.csv")))
    return [path for path in found if path.resolve() not in mine]


def _is_other(path: Path, machines: frozenset[str], checked: frozenset[str]) -> bool:
    try:
        rows = read_measurements(path, pipe=False)
    except MembenchError:
        return False
    runs = {row.run_id for row in rows}
    return bool(rows) and {row.machine for row in rows} <= machines and runs.isdisjoint(checked)


def _expectation(one: ExpectedRange) -> Expectation:
    found = Expectation(
        reference=HISTORY,
        tier=one.key.tier,
        case=one.key.case,
        metric=one.key.metric,
        stat=one.key.stat,
        better=one.key.better,
        low=one.low,
        value=one.median,
        high=one.high,
        kind="measured",
        trust="",
        source=f"{counted(one.runs, 'run')} since {one.since.when}",
        tool="membench",
        best=False,
        depth="",
        alike={},
        case_version=one.key.version,
    )
    if one.change is None or one.change.verdict is not Verdict.WORSE:
        return found
    ratio, when = one.change.ratio, one.change.first.when
    worsened = tr(
        "the other runs became {percent} % worse at the run of {when}: this run is compared only "
        "with the runs since then",
        percent=significant(100 * abs(ratio - 1), 3),
        when=when,
    )
    earlier = replace(
        found,
        low=one.low / ratio,
        value=one.median / ratio,
        high=one.high / ratio,
        source=f"the runs before {when}",
    )
    return replace(found, worsened=worsened, earlier=earlier)
