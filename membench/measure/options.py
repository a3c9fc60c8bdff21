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
"""Default number of pairs of rounds in a paired run.

At 1 % noise, a shift of 5 % is found to exceed a threshold of 3 % in 98 of 100 runs
(docs/statistics.md).
"""

FEWEST_PAIRS = 6
"""Minimum number of pairs.

Without a real difference, all of five pairs still have the same sign in one of 16 runs, so five
pairs give no 95 % interval.
"""


@record
class RunOptions:
    """The options of `membench run`.

    Attributes:
        profile: ``quick`` or ``full``.
        select, skip: globs on case ids; a complete id need not be in the profile.
        settings: texts ``BENCHGLOB:KEY=VALUE``, each of which gives an axis one value instead of
            the profile's values.
        rounds: number of new processes that repeat the plan; None = the profile's number.
        device: ``auto``, ``cpu``, ``all`` or ``cuda:N``.
        output: the CSV's path; None = ``results/<machine>/<UTC>_<profile>.csv``.
        label: name of the machine in the results; None = derived from the hardware.
        seed: seed for the order of cases; None = a random one, which the sidecar stores.
        scratch: directory for the scratch file; None = next to the results.
        disk_budget: maximum bytes of the scratch file.
        timeout: maximum seconds for one case in one round.
        strict: whether a GPU that is present but cannot be used is an error.
        hold: whether to hold a GPU's queue while it is filled.
        versus: what differs on side B of a paired run, such as ``env=NAME=VALUE``.
        setup_a, setup_b: shell commands that run before each round of side A or B of a paired run.
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
        """Whether this is a paired run, which measures two sides in turn."""
        return bool(self.versus or self.setup_a or self.setup_b)
