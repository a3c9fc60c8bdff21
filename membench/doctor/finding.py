"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

UNKNOWN = "not readable"
"""Text for a fact that the machine does not report; no reason to warn."""


class Severity(StrEnum):
    """How severe a finding is."""

    OK = "OK"  # nothing that is known stands in the way
    WARN = "WARN"  # numbers come out lower, noisier or harder to compare than they could
    FAIL = "FAIL"  # a tier that is here cannot be measured, or its numbers would mean nothing


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: its stable name; each check gives one finding.
        seen: one line: the observation.
        fix: one line: what the user may do, a command if one helps; empty if there is nothing to
            do. membench itself changes no setting.
    """

    check: str
    level: Severity
    seen: str
    fix: str = ""


def fine(check: str, seen: str, advice: str = "") -> Finding:
    """A finding that needs no action."""
    return Finding(check, Severity.OK, seen, advice)


def warn(check: str, seen: str, fix: str) -> Finding:
    """A finding that makes numbers lower, noisier or harder to compare."""
    return Finding(check, Severity.WARN, seen, fix)


def fail(check: str, seen: str, fix: str) -> Finding:
    """A finding that prevents some measurement here."""
    return Finding(check, Severity.FAIL, seen, fix)
