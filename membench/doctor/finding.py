"""The result of a check of `membench doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

UNKNOWN = "not readable"
"""Text in place of a value that the machine does not report; not a reason for a warning."""


class Severity(StrEnum):
    OK = "OK"  # no known problem
    WARN = "WARN"  # results are lower, noisier or harder to compare than necessary
    FAIL = "FAIL"  # a tier of this machine cannot be measured, or its results would be meaningless


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: stable name of the check, such as ``gpu-power``.
        seen: the observation, in one line.
        fix: the remedy in one line, if possible a command; empty if no action is needed.
    """

    check: str
    level: Severity
    seen: str
    fix: str = ""


def fine(check: str, seen: str, advice: str = "") -> Finding:
    return Finding(check, Severity.OK, seen, advice)


def warn(check: str, seen: str, fix: str) -> Finding:
    return Finding(check, Severity.WARN, seen, fix)


def fail(check: str, seen: str, fix: str) -> Finding:
    return Finding(check, Severity.FAIL, seen, fix)
