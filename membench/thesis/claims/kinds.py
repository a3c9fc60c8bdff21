"""Kinds of evidence for a value or a verdict.

A vendor cannot confirm its own claim, and a forecast is not an outcome. So vendor figures and
forecasts alone decide no verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class EvidenceKind(StrEnum):
    """Kinds of evidence, the strongest first."""

    HERE = "measured here"
    ELSEWHERE = "measured elsewhere"  # others measured or counted, and published
    MODEL = "model"  # computed from other values, or a convention
    VENDOR = "vendor"  # published by the vendor
    FORECAST = "forecast"  # published before the outcome


DECIDING = frozenset({EvidenceKind.HERE, EvidenceKind.ELSEWHERE, EvidenceKind.MODEL})
"""The kinds of evidence that can support or contradict a claim."""


def ordered(kinds: Iterable[EvidenceKind]) -> tuple[EvidenceKind, ...]:
    """``kinds`` without duplicates, the strongest first."""
    found = set(kinds)
    return tuple(kind for kind in EvidenceKind if kind in found)
