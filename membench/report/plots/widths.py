"""The width of text in plots, without a font."""

from __future__ import annotations

import re

WIDE = re.compile("[\u2e80-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\uffe0-\uffe6]")
"""A character as wide as the font is high: Chinese characters and full-width marks."""


def columns(text: str) -> int:
    """The width of ``text`` in letters of the Latin alphabet; a Chinese character takes two."""
    return len(text) + len(WIDE.findall(text))


def shortened(text: str, most: int) -> str:
    """The end of ``text`` behind three dots if it is wider than ``most`` letters."""
    if columns(text) <= most:
        return text
    kept = text
    while columns(kept) > most - 3:
        kept = kept[1:]
    return f"...{kept}"
