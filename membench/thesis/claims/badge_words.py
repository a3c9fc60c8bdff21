"""Explanations of the badges of verdicts."""

from __future__ import annotations

from membench.core.messages import tr
from membench.core.terms import Badge

BADGE_MEANING = {
    Badge.CITED: tr("rests on figures published by others"),
    Badge.IMPORTED: tr("rests on measurements of another tool"),
    Badge.SUBSTITUTED: tr("an assumption replaces a missing measurement"),
    Badge.OVERRIDDEN: tr("uses assumptions that membench does not ship"),
}
