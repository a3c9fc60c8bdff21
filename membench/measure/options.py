"""The options of a run."""

from __future__ import annotations

from pathlib import Path

from membench.core.record import record
from membench.core.units import GIB

RESULTS = Path("results")
"""Directory of the results if the user names no file."""

DEFAULT_TIMEOUT = 120.0
DEFAULT_DISK_BUDGET = 2 * GIB

PAIRS = 12
"""Default number of pairs of rounds in a paired run.

With 1 % noise, 98 of 100 runs detect that a shift of 5 % exceeds the threshold of 3 %
(docs/statistics.md).
"""

FEWEST_PAIRS = 6
"""Minimum number of pairs for a verdict.

Without a real difference, five pairs all have the same sign in one of 16 runs. That is too often
for a 95 % interval.
"""


@record
class RunOptions:
    """The options of `membench run`.

    Attributes:
        select, skip: globs on case ids. A complete id in ``select`` may be outside the profile.
        settings: texts ``BENCHGLOB:KEY=VALUE``. Each text replaces the profile's values of one axis
            by one value.
        rounds: number of rounds; None for the profile's number, or for `PAIRS` in a paired run.
        device: ``auto``, ``cpu``, ``all`` or ``cuda:N``.
        output: path of the CSV; None for ``results/<machine>/<UTC>_<profile>.csv``.
        label: name of the machine in the results; None to derive the name from the hardware.
        seed: seed for the order of the cases; None for a random seed.
        scratch: directory for the scratch file; None for the directory of the results.
        disk_budget: maximum bytes of the scratch file.
        timeout: maximum seconds for one case in one round, and for one set-up command.
        strict: whether the run fails if a GPU has a problem, or if every selected case needs a
            GPU and is skipped.
        hold: whether a GPU starts only after all its work is queued.
        versus: the difference on side B of a paired run, such as ``env=NAME=VALUE``.
        setup_a, setup_b: shell commands that run before each round of side A or B.
    """

    profile: str = "quick"
    select: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    rounds: int | None = None
    device: str = "auto"
    output: Path | None = None
    label: str | None = None
    seed: int | None = None
    scratch: Path | None = None
    disk_budget: int = DEFAULT_DISK_BUDGET
    timeout: float = DEFAULT_TIMEOUT
    strict: bool = False
    hold: bool = True
    versus: str = ""
    setup_a: str = ""
    setup_b: str = ""
    argv: tuple[str, ...] = ()

    @property
    def paired(self) -> bool:
        return bool(self.versus or self.setup_a or self.setup_b)
