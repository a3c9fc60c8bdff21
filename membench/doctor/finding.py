"""What a check hands back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

UNKNOWN = "not readable"
"""What a finding says of a fact that the machine does not tell: no reason to warn."""


class Severity(StrEnum):
    """How bad it is."""

    OK = "OK"  # nothing that is known stands in the way
    WARN = "WARN"  # numbers come out lower, noisier or harder to compare than they could
    FAIL = "FAIL"  # a tier that is here cannot be measured, or its numbers would mean nothing


@dataclass(frozen=True)
class Finding:
    """The answer of one check.

    Attributes:
        check: its name; stable, one finding each.
        seen: one line: what is there.
        fix: one line: what a person may do, a command where one helps; empty where
            there is nothing to do.  membench itself changes no setting.
    """

    check: str
    level: Severity
    seen: str
    fix: str = ""


def fine(check: str, seen: str, advice: str = "") -> Finding:
    """Nothing stands in the way."""
    return Finding(check, Severity.OK, seen, advice)


def warn(check: str, seen: str, fix: str) -> Finding:
    """Numbers come out lower, noisier or harder to compare."""
    return Finding(check, Severity.WARN, seen, fix)


def fail(check: str, seen: str, fix: str) -> Finding:
    """Something cannot be measured here."""
    return Finding(check, Severity.FAIL, seen, fix)
