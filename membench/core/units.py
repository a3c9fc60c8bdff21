"""Parse and print sizes, rates and times.

Sizes are binary (KiB, MiB, GiB, TiB), because caches are powers of two. Rates are decimal (1 GB/s =
1e9 B/s). Results files contain bytes and nanoseconds; screens and reports use larger units.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from membench.core.errors import UsageError
from membench.core.record import record
from membench.core.terms import UNIT, Metric

KIB = 1024
MIB = 1024**2
GIB = 1024**3
TIB = 1024**4

_MAX_DIGITS = 40
_BINARY = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": TIB}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)")


def parse_size(text: str) -> int:
    """Parse a size such as ``4096B``, ``64KiB`` or ``1.5GiB`` to a number of bytes.

    Raises:
        UsageError: the text is not a number of at most 40 digits with a unit from B to TiB, or the
            size is not a whole number of bytes below 2^63.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"'{text}' is not a size",
            "write a number with the unit B, KiB, MiB, GiB or TiB, such as 256MiB",
        )
    whole, _, fraction = match[1].partition(".")
    if len(whole) + len(fraction) > _MAX_DIGITS:
        raise UsageError(
            f"'{text:.40}' is not a size", f"write a number with at most {_MAX_DIGITS} digits"
        )
    scaled = int(whole + fraction) * _BINARY[match[2]]
    size, rest = divmod(scaled, int(10 ** len(fraction)))
    if size >= 1 << 63:
        raise UsageError(f"the size '{text}' is too large", "write a size below 8388608TiB")
    if rest:
        raise UsageError(
            f"the size '{text}' is not a whole number of bytes",
            f"write a whole number, such as {format_size(size >> 12 << 12 or size or 1)}",
        )
    return size


def format_size(size: int) -> str:
    """``size`` bytes as a whole number in the largest possible unit: ``268435456`` -> ``256MiB``.

    ``parse_size(format_size(n)) == n`` for every n from 0 to 2^63 - 1.

    Raises:
        ValueError: ``size`` is negative.
    """
    if size < 0:
        raise ValueError(f"a size cannot be negative: {size}")
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % _BINARY[unit] == 0:
            return f"{size // _BINARY[unit]}{unit}"
    return f"{size}B"


def about_size(size: float) -> str:
    """``size`` bytes as text with the largest fitting unit, such as ``1.95 GiB``.

    The number has three significant digits, or four from 1000 on. Below 1 KiB, it has no decimals.
    """
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size >= _BINARY[unit]:
            return f"{significant(size / _BINARY[unit], 3)} {unit}"
    return f"{size:.0f} B"


def significant(value: float, digits: int = 4) -> str:
    """``value`` with ``digits`` significant digits and no exponent: ``38.10``, ``0.003456``.

    A value with more digits before the point becomes a whole number: ``12346``.
    """
    if value == 0:
        return "0"
    if _LEAST_G <= abs(value) < _most_g(digits):
        return f"{value:#.{digits}g}"
    # The exponent of the rounded value, for example 1 for 9.9996.
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    places = digits - 1 - exponent
    return f"{value:.{places}f}" if places > 0 else f"{value:.0f}"


def significant_texts(values: Sequence[float], digits: int = 4) -> list[str]:
    """`significant` for each of ``values``; fast enough for a hundred thousand values."""
    return significant_rows("{}", values, digits)


def significant_rows(form: str, values: Sequence[float], digits: int = 4) -> list[str]:
    """Format ``values`` in groups: ``form`` has one ``{}`` for each value of a group.

    The result has one text per group, with `significant` of each value. The number of values must
    be a multiple of the number of ``{}``. Fast enough for a hundred thousand values.
    """
    if not values:
        return []
    groups = len(values) // form.count("{}")
    if not (min(values) >= _LEAST_G and max(values) < _most_g(digits)):
        texts = [significant(value, digits) for value in values]
        return "\n".join([form] * groups).format(*texts).split("\n")
    plain = form.replace("{}", f"%#.{digits}g")
    return ("\n".join([plain] * groups) % tuple(values)).split("\n")


_LEAST_G = 1e-4
"""The smallest number that the format ``g`` shows without an exponent."""


def _most_g(digits: int) -> float:
    """From `_LEAST_G` up to this number, the format ``#g`` gives no exponent and no final point."""
    return 0.9 * 10.0 ** (digits - 1)


def rounded(value: float, digits: int) -> str:
    """``value`` as text, rounded to ``digits`` digits: ``rounded(45452.3, 2)`` is ``45000``."""
    return significant(float(f"{value:.{digits - 1}e}"), digits)


@record
class Scale:
    """A display unit: a value of a results file divided by ``divisor`` is a value in ``unit``."""

    divisor: float
    unit: str

    def format(self, value: float, digits: int = 4) -> str:
        """``value`` (in the unit of results files) as text in this scale, without the unit."""
        return significant(value / self.divisor, digits)

    def format_all(self, values: Sequence[float], digits: int = 4) -> list[str]:
        """Apply `format` to each of ``values``."""
        scaled = values if self.divisor == 1 else [value / self.divisor for value in values]
        return significant_texts(scaled, digits)


_SCALES: Mapping[Metric, tuple[Scale, ...]] = MappingProxyType(
    {
        Metric.LATENCY: (Scale(1, "ns"), Scale(1e3, "us"), Scale(1e6, "ms"), Scale(1e9, "s")),
        Metric.IOPS: (Scale(1, "1/s"), Scale(1e3, "k/s"), Scale(1e6, "M/s"), Scale(1e9, "G/s")),
        Metric.RATE: (Scale(1, "1/s"), Scale(1e3, "k/s"), Scale(1e6, "M/s"), Scale(1e9, "G/s")),
        Metric.FLOPS: (Scale(1, "GFLOP/s"), Scale(1e3, "TFLOP/s")),
    }
)


def common_scale(metric: Metric, values: Iterable[float]) -> Scale:
    """The scale for showing all ``values`` of a metric together: the scale of the smallest value.

    So 900 ns and 2000 ns are both shown in ns.
    """
    scales = _SCALES.get(metric, (Scale(1, UNIT[metric]),))
    smallest = min((abs(value) for value in values), default=0.0)
    return [scale for scale in scales if scale.divisor <= max(smallest, 1)][-1]


def format_value(metric: Metric, value: float) -> str:
    """``value`` with a display unit, such as ``1.19 ns``, ``68.0 us`` or ``64.2 k/s``."""
    scale = common_scale(metric, (value,))
    return f"{scale.format(value, 3)} {scale.unit}"


def format_seconds(seconds: float) -> str:
    """A duration for display, such as ``0.9 s``, ``62 s``, ``4 min 10 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
