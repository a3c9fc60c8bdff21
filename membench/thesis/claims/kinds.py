"""Kinds of evidence for a figure or a verdict, the strongest first.

A vendor's figure cannot confirm the same vendor's claim, and a forecast of an outcome is not an
outcome. So neither kind is enough for a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class EvidenceKind(StrEnum):
    """Kinds of evidence, the strongest first."""

    HERE = "measured here"
    ELSEWHERE = "measured elsewhere"  # measured, counted or dated by others, and published
    MODEL = "model"  # computed from other figures, or a convention
    VENDOR = "vendor"  # stated by the vendor
    FORECAST = "forecast"  # stated before the outcome


DECIDING = frozenset({EvidenceKind.HERE, EvidenceKind.ELSEWHERE, EvidenceKind.MODEL})
"""The kinds that can support or contradict a claim."""


def ordered(kinds: Iterable[EvidenceKind]) -> tuple[EvidenceKind, ...]:
    """Each kind once, the strongest first."""
    found = set(kinds)
    return tuple(kind for kind in EvidenceKind if kind in found)
