"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

UNKNOWN = "not readable"
"""Text for a fact that the machine does not report, which is no reason for a warning."""


class Severity(StrEnum):
    """How severe a finding is."""

    OK = "OK"  # no known problem
    WARN = "WARN"  # results are lower, noisier or harder to compare than necessary
    FAIL = "FAIL"  # a tier of this machine cannot be measured, or its results would be meaningless


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: stable name of the check; each check gives one finding.
        seen: one line with the observation.
        fix: one line that says what the user can do, if possible a command; empty if there is
            nothing to do. membench itself changes no setting.
    """

    check: str
    level: Severity
    seen: str
    fix: str = ""


def fine(check: str, seen: str, advice: str = "") -> Finding:
    """A finding that needs no action."""
    return Finding(check, Severity.OK, seen, advice)


def warn(check: str, seen: str, fix: str) -> Finding:
    """A finding that makes results lower, noisier or harder to compare."""
    return Finding(check, Severity.WARN, seen, fix)


def fail(check: str, seen: str, fix: str) -> Finding:
    """A finding that prevents a measurement on this machine."""
    return Finding(check, Severity.FAIL, seen, fix)
