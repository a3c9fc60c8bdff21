"""Escape untrusted text for Markdown, so that the text has no effect as markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~$#])")


def escaped(text: str) -> str:
    """``text`` on one line, without active markup, HTML or links."""
    text = re.sub(r"\s+", " ", text).replace("&", "&amp;")
    text = _SPECIAL.sub(r"\\\1", text)
    return re.sub(r"(?i)\b(https?|ftp)://|\bwww\.", _unlinked, text)


def table_row(cells: Sequence[str], *, plain: bool = False) -> str:
    """A row of a Markdown table; the cells are escaped unless ``plain``."""
    return f"| {' | '.join(cell if plain else escaped(cell) for cell in cells)} |"


def in_html(text: str) -> str:
    """``text`` escaped for HTML within Markdown, where backslash escapes do not work."""
    line = re.sub(r"\s+", " ", text).replace("&", "&amp;")
    line = _SPECIAL.sub(lambda sign: f"&#{ord(sign[0])};", line)
    return re.sub(r"(?i)\b(https?|ftp)://|\bwww\.", _unlinked, line)


def _unlinked(match: re.Match[str]) -> str:
    return match[0].replace(":", "&#58;").replace(".", "&#46;")


def code(text: str, *, in_table: bool = False) -> str:
    """``text`` as inline code; with ``in_table``, vertical bars get a backslash."""
    text = re.sub(r"\s+", " ", text)
    text = text.replace("|", "\\|") if in_table else text
    ticks = fence(text, 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}" if text else ""


def fence(text: str, least: int) -> str:
    """``least`` backticks, or more if ``text`` contains a run of ``least`` or more backticks."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)
