"""Amounts of memory as users write them: ``80GB``, ``1.5TiB``."""

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


def parse_amount(word: str) -> float:
    """Parse an amount to bytes: GB and TB are 1e9 and 1e12 bytes, GiB and TiB powers of 1024.

    Raises:
        UsageError: the number or the unit is missing, or the amount is not above 0.
    """
    match = _AMOUNT.fullmatch(word.strip())
    value = float(match[1]) * _UNITS.get(match[2], 0.0) if match else 0.0
    if not 0 < value <= _MOST:
        raise UsageError(
            f"'{word}' is not an amount of memory above 0",
            "write a number and GB, TB, GiB or TiB, such as 80GB",
        )
    return value


def show_amount(size: float) -> str:
    """``size`` bytes as text with three digits and a decimal unit: ``1.02 TB``."""
    for prefix, power in (("P", 5), ("T", 4), ("G", 3), ("M", 2), ("K", 1)):
        if size >= 1000.0**power:
            return f"{size / 1000.0**power:.3g} {prefix}B"
    return f"{size:.0f} B"
