"""What a person may ask of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from membench.core.units import GIB

RESULTS = Path("results")
"""Where results go unless a file is named."""

DEFAULT_TIMEOUT = 120.0
DEFAULT_DISK_BUDGET = 2 * GIB


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
    argv: tuple[str, ...] = ()
