"""What a person may ask of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from membench.core.units import GIB

RESULTS = Path("results")
"""Where results go unless a file is named."""

DEFAULT_TIMEOUT = 120.0
DEFAULT_DISK_BUDGET = 2 * GIB

PAIRS = 12
"""Pairs of rounds of a paired run that is not told how many: at 1 % noise they show a shift of 5 %
to be beyond a threshold of 3 % in 98 of 100 runs (docs/statistics.md)."""

FEWEST_PAIRS = 6
"""Fewer have no interval of 95 %: five may all point one way by chance once in 16 times."""


@dataclass(frozen=True)
class RunOptions:
    """The options of `membench run`.

    Attributes:
        profile: ``quick`` or ``full``.
        select, skip: globs on case ids; a whole id need not be of the profile.
        settings: ``BENCHGLOB:KEY=VALUE``: what the axis of that name is at, instead of what the
            profile has.
        rounds: fresh processes that repeat the plan; None = the profile's number.
        device: ``auto``, ``cpu``, ``all`` or ``cuda:N``.
        output: the CSV's path; None = ``results/<machine>/<UTC>_<profile>.csv``.
        label: name of the machine in the results; None = made from the hardware.
        seed: of the order of cases; None = a fresh one, which the sidecar keeps.
        scratch: directory for the scratch file; None = beside the results.
        disk_budget: bytes that the scratch file may have at most.
        timeout: seconds that one case may take in one round.
        strict: a GPU that is there but cannot be used is an error.
        hold: a GPU's queue is held while it is filled.
        versus: in what side B of a paired run differs, such as ``env=NAME=VALUE``.
        setup_a, setup_b: commands that are run before each round of a side of a paired run.
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
        """Two sides are measured in turns."""
        return bool(self.versus or self.setup_a or self.setup_b)
