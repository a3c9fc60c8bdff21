"""Parses and formats memory sizes (``80GB``, ``1.5TiB``), and parses token counts (``32K``)."""

from __future__ import annotations

import re

from membench.core.errors import UsageError

_UNITS = {
    **{f"{prefix}B": 1000.0**power for power, prefix in enumerate("KMGTP", 1)},
    **{f"{prefix}iB": 1024.0**power for power, prefix in enumerate("KMGTP", 1)},
    "B": 1.0,
}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) ?([KMGTP]?i?B)")
_MOST = 1e18
_TOKENS = re.compile(r"(\d{1,20})(?:(\.\d{1,6})?([km])|([KM]))?")
_SCALE = {"k": 1000, "m": 1000**2, "K": 1024, "M": 1024**2}
LENGTH_FORMS = "write a number of tokens, such as 32768, 32K (K = 1024) or 32k (k = 1000)"
"""Hint for an invalid number of tokens."""


def parse_amount(word: str) -> float:
    """Parse a memory size such as ``80GB`` to bytes.

    GB and TB are 1e9 and 1e12 bytes. GiB and TiB are powers of 1024.

    Raises:
        UsageError: ``word`` is not a number and a unit, or the size is 0 or above 1e18 bytes.
    """
    match = _AMOUNT.fullmatch(word.strip())
    value = float(match[1]) * _UNITS.get(match[2], 0.0) if match else 0.0
    if not 0 < value <= _MOST:
        raise UsageError(
            f"'{word}' is not a memory size (above 0, at most {_MOST / 1e12:.0f}TB)",
            "write a number and GB, TB, GiB or TiB, such as 80GB",
        )
    return value


def show_amount(size: float) -> str:
    """``size`` bytes as text with up to three digits and a decimal unit, such as ``1.02 TB``."""
    for prefix, power in (("P", 5), ("T", 4), ("G", 3), ("M", 2), ("K", 1)):
        if size >= 0.9995 * 1000.0**power:  # three digits of a smaller size are at most 999
            return f"{size / 1000.0**power:.3g} {prefix}B"
    return f"{size:.0f} B"


def parse_tokens(word: str) -> int | None:
    """Parse a number of tokens such as ``32768``, ``32K``, ``1M`` or ``25.6k``; None if invalid.

    As in vLLM (``--max-model-len``), `k` and `m` are 1000 and 1000^2, and `K` and `M` are 1024 and
    1024^2. Only `k` and `m` allow a fraction.
    """
    match = _TOKENS.fullmatch(word.strip())
    if match is None or not word.isascii():
        return None
    suffix = match[3] or match[4]
    if suffix is None:
        return int(match[1])
    scale = _SCALE[suffix]
    part, rest = divmod(int((match[2] or ".0")[1:]) * scale, 10 ** len((match[2] or ".0")[1:]))
    return None if rest else int(match[1]) * scale + part
