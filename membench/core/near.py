"""Known names that a mistyped word may have been meant to be.

Floor 0: imports nothing of membench.
"""

from __future__ import annotations

from collections.abc import Iterable

MOST = 3
"""Suggestions at most."""
_SHORT = 3


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """The names of ``known`` that ``word`` may mean, best first, whatever their case.

    Names that begin with it come first: an abbreviation is often far from the whole name. Short
    words have most letters in common by chance, so they must begin with the same one.
    """
    from difflib import get_close_matches  # slow to load, and needed only for a mistake

    by_lower = {name.lower(): name for name in known}
    asked = word.lower()
    longer = [name for name in by_lower if asked and name.startswith(asked)]
    alike = get_close_matches(asked, by_lower, n=MOST)
    if len(asked) <= _SHORT:
        alike = [name for name in alike if name[:1] == asked[:1]]
    if asked in by_lower:
        return [by_lower[asked]]
    return [by_lower[name] for name in dict.fromkeys((*longer, *alike))][:MOST]


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """The hint for ``word``, which is none of ``known``; ``otherwise`` if none is near."""
    return asked_back(nearest(word, known)) or otherwise


def asked_back(names: Iterable[str]) -> str:
    """``did you mean a, b or c?``; empty without names."""
    several = [*names]
    *before, last = several or [""]
    if not before:
        return f"did you mean {last}?" if last else ""
    return f"did you mean {', '.join(before)} or {last}?"
