"""Estimate the width of text from the characters, without a font."""

from __future__ import annotations

import re

WIDE = re.compile("[\u2e80-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\uffe0-\uffe6]")
"""Matches a wide character: a Chinese character or a full-width mark."""


def columns(text: str) -> int:
    """Width of ``text``, counted in Latin letters; a Chinese character counts as two."""
    return len(text) + len(WIDE.findall(text))


def shortened(text: str, most: int) -> str:
    """``text`` in at most ``most`` letters; three dots replace the start of a wider text."""
    if columns(text) <= most:
        return text
    kept = text
    while columns(kept) > most - 3:
        kept = kept[1:]
    return f"...{kept}"
