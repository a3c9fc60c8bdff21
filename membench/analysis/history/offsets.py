"""Estimate how much runs of a machine differ although nothing was changed.

All rounds of a run share an offset, for example from the placement of its pages. A comparison of
two runs cannot show how large such offsets are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from membench.analysis.sides import Side
from membench.core.files import shown
from membench.core.record import record
from membench.core.terms import Metric, Stat
from membench.measure.options import RESULTS
from membench.results.compact.row import Common

NEWEST = 12
"""Maximum number of files to read, so that a comparison of two files stays quick."""
RUNS_NEEDED = 3
"""Minimum number of other runs from which offsets are estimated."""

OffsetKey = tuple[str, int, Metric, Stat, str]


@record
class RunOffsets:
    """Differences between runs of one machine; the compared runs are left out.

    Attributes:
        folder: the folder of the files of these runs.
        runs: the number of these runs.
        fractions: results of `pair_offset`, by case, version, metric, statistic and backend.
    """

    folder: str
    runs: int
    fractions: Mapping[OffsetKey, float]

    def of(self, common: Common) -> float | None:
        """The fraction that the difference of two runs rarely exceeds; None if unknown."""
        key = (common.case, common.case_version, common.metric, common.stat, common.backend)
        return self.fractions.get(key)


def offsets_of(sides: Sequence[Side]) -> RunOffsets | None:
    """Estimate the offsets from other runs of the machine of ``sides``.

    If the folder of a compared file has the machine's name, the other runs are read from this
    folder, otherwise from ``results/<machine>``. The result is None in four cases:

    - There are not enough other runs.
    - The rows are from several machines.
    - Fewer than two labels have a single run.
    - There are fewer runs than labels, because labels share runs.
    """
    rows = [row for side in sides for row in side.rows]
    machines = {row.machine for row in rows}
    ours = {run for side in sides for run in side.runs}
    single = sum(len(side.runs) == 1 for side in sides)
    if len(machines) != 1 or single < 2 or len(ours) < len(sides):
        return None
    (machine,) = machines
    compared = [source.path.resolve() for side in sides for source in side.sources]
    folders = [path.parent for path in compared if path.parent.name == machine]
    folder = next(iter(folders), RESULTS / machine)
    files = _newest(folder, set(compared))
    return _offsets(files, folder, machine, ours) if files else None


def _newest(folder: Path, without: set[Path]) -> list[Path]:
    """The last `NEWEST` CSV files of ``folder`` by name, without the files in ``without``.

    Names of results files begin with the time, so these files are the newest.
    """
    if not folder.is_dir():
        return []
    there = [path for path in sorted(folder.glob("*.csv")) if path.resolve() not in without]
    return there[-NEWEST:]


def _offsets(
    files: Sequence[Path], folder: Path, machine: str, without: set[str]
) -> RunOffsets | None:
    # Imported late, because a comparison without other runs does not need NumPy.
    import numpy as np

    from membench.analysis.history.reading import read_record
    from membench.analysis.history.summary import pair_offset

    record = read_record([], files)
    others = np.array(
        [run.machine == machine and run.run_id not in without for run in record.runs], np.bool_
    )
    fractions: dict[OffsetKey, float] = {}
    for key, series in record.series.items():
        values = series.values[others[series.runs]]
        if len(values) >= RUNS_NEEDED:
            name = (key.case, key.version, key.metric, key.stat, key.backend)
            fractions[name] = pair_offset(np.log(values))
    if not fractions:
        return None
    return RunOffsets(shown(folder), int(others.sum()), fractions)
