"""Find the known names that are similar to a mistyped word, for hints."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 3
"""Maximum number of suggestions."""
_SHORT = 3


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """At most `MOST` names of ``known`` that are similar to ``word``.

    Upper and lower case count as equal. If ``word`` is a known name, the result has only this name.
    Names that begin with ``word`` come first, because ``word`` may be an abbreviation.
    """
    from difflib import get_close_matches  # slow to load, and needed only for a mistake

    by_lower = {name.lower(): name for name in known}
    asked = word.lower()
    longer = [name for name in by_lower if asked and name.startswith(asked)]
    alike = get_close_matches(asked, by_lower, n=MOST)
    if len(asked) <= _SHORT:  # short words are often similar by chance
        alike = [name for name in alike if name[:1] == asked[:1]]
    if asked in by_lower:
        return [by_lower[asked]]
    return [by_lower[name] for name in dict.fromkeys((*longer, *alike))][:MOST]


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """A hint that lists the names similar to ``word``; ``otherwise`` if no name is similar."""
    return asked_back(nearest(word, known)) or otherwise


def asked_back(names: Iterable[str]) -> str:
    """The hint ``did you mean a, b or c?`` for ``names``; empty if there are no names."""
    several = [*names]
    *before, last = several or [""]
    if not before:
        return f"did you mean {last}?" if last else ""
    return f"did you mean {', '.join(before)} or {last}?"
