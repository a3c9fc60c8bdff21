"""The options of a run."""

from __future__ import annotations

from pathlib import Path

from membench.core.record import record
from membench.core.units import GIB

RESULTS = Path("results")
"""Directory of the results unless the user names a file."""

DEFAULT_TIMEOUT = 120.0
DEFAULT_DISK_BUDGET = 2 * GIB

PAIRS = 12
"""Default number of pairs of rounds in a paired run: at 1 % noise they show a shift of 5 % to be
beyond a threshold of 3 % in 98 of 100 runs (docs/statistics.md).
"""

FEWEST_PAIRS = 6
"""Least number of pairs: five pairs all point one way by chance once in 16 times, so they have no
interval of 95 %.
"""


@record
class RunOptions:
    """The options of `membench run`.

    Attributes:
        profile: ``quick`` or ``full``.
        select, skip: globs on case ids; a whole id need not be of the profile.
        settings: ``BENCHGLOB:KEY=VALUE``: the value of an axis, instead of the profile's values.
        rounds: fresh processes that repeat the plan; None = the profile's number.
        device: ``auto``, ``cpu``, ``all`` or ``cuda:N``.
        output: the CSV's path; None = ``results/<machine>/<UTC>_<profile>.csv``.
        label: name of the machine in the results; None = made from the hardware.
        seed: of the order of cases; None = a random one, which the sidecar stores.
        scratch: directory for the scratch file; None = beside the results.
        disk_budget: most bytes of the scratch file.
        timeout: most seconds of one case in one round.
        strict: a GPU that is present but cannot be used is an error.
        hold: hold a GPU's queue while it is filled.
        versus: the difference of side B in a paired run, such as ``env=NAME=VALUE``.
        setup_a, setup_b: shell commands before each round of a side of a paired run.
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
        """Whether two sides are measured in turns."""
        return bool(self.versus or self.setup_a or self.setup_b)
