"""Defines how the values of a column are written to cells, read from cells, and validated.

If membench reads a cell that the same version wrote, and writes the value again, the cell has the
same bytes as before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

from membench.core.record import record
from membench.core.terms import FLAGS
from membench.core.text import ascii_line, guard, one_line, unguard
from membench.core.untrusted import MAX_DIGITS

SAMPLES_KEPT = 512
"""Maximum number of samples per round in a cell."""

_ONE = r"[0-9]++(?:\.[0-9]++)?+(?:e[+-]?[0-9]++)?+"
_NUMBER = re.compile(_ONE, re.IGNORECASE)
_NUMBERS = re.compile(rf"{_ONE}(?:;{_ONE})*+", re.IGNORECASE)
_DIGITS = r"[0-9]{1,15}+(?:\.[0-9]{1,15}+)?+"
_PLAIN = rf"{_DIGITS}(?:[eE][+-]?[0-9]{{1,2}}+)?+"
"""Pattern of a number that fits in a float: at most 1e15 (digits) times 1e99 (exponent)."""


def _samples_of(number: str) -> re.Pattern[str]:
    one_round = rf"(?:{number}(?:;{number}){{0,{SAMPLES_KEPT - 1}}}+)?+"
    return re.compile(rf"{one_round}(?:\|{one_round})*+")


_DIGITS_SAMPLES = _samples_of(_DIGITS)  # twice as fast; most samples have no exponent
_PLAIN_SAMPLES = _samples_of(_PLAIN)

_WRITTEN = (  # a plain number with a point, as `sample_text` writes it without an exponent
    r"(?:[1-9][0-9.]{2,7}+(?![0-9])(?<![0-9]0)"  # 7 digits, or fewer with no 0 at the end
    r"|[1-9][0-9]{6}\.0"
    r"|0\.(?:0{0,3}+[1-9][0-9]{0,6}+(?<!0)|0))"
)
_WRITTEN_SAMPLES = re.compile(rf"\|*+(?:{_WRITTEN}(?:[;|]++{_WRITTEN})*+\|*+)?+")
_WHOLE = re.compile(r"[1-9][0-9]*")
_LOOKS_LIKE_A_NUMBER = re.compile(r"[0-9]+(?:e[0-9]+)?", re.IGNORECASE)
_KEY = re.compile(r"[a-z0-9_]+")
_NOT_IN_KEY = re.compile(r"[^a-z0-9_]")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)


@record
class CellKind:
    """The rules for the values of a column.

    Attributes:
        what: a valid value in words, which completes ``'x' is not ...``.
        write: formats a value other than None and `absent`.
        read: parses a cell that is not empty; raises ValueError.
        valid: returns whether a value is allowed in a file.
        absent: the value of an empty cell.
    """

    what: str
    write: Callable[[Any], str]
    read: Callable[[str], Any]
    valid: Callable[[Any], bool]
    absent: Any = None

    def to_cell(self, value: Any) -> str:
        return "" if value is None or value == self.absent else self.write(value)

    def from_cell(self, cell: str) -> Any:
        """The value of ``cell``; `absent` for an empty cell.

        Raises:
            ValueError: the cell is invalid; the message quotes the cell.
        """
        if cell == "":
            return self.absent
        try:
            return self.read(cell)
        except ValueError:
            shown = cell if len(cell) <= 40 else f"{cell[:37]}..."
            raise ValueError(f"'{one_line(shown)}' is not {self.what}") from None


def number_text(value: float) -> str:
    """Format ``value`` with the fewest digits that give the same float when read."""
    return repr(float(value)).removesuffix(".0")


def decimal_text(value: float) -> str:
    """Format ``value`` like `number_text`, but always with a decimal point.

    Without the point, other tools would read a column of whole numbers as integers.
    """
    return _with_point(repr(float(value)))


def sample_text(value: float) -> str:
    """Format ``value`` with at most 7 significant digits, and with a decimal point."""
    return _with_point(f"{value:.7g}")


def _with_point(text: str) -> str:
    if "." in text:
        return text
    digits, e, exponent = text.partition("e")
    return f"{digits}.0{e}{exponent}"


def is_number(value: Any) -> bool:
    """Whether ``value`` is a finite number of at least 0."""
    if type(value) is float:  # a fast path for millions of samples
        return 0.0 <= value < math.inf
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= 0
    )


def is_positive(value: Any) -> bool:
    return is_number(value) and value > 0


def looks_like_a_number(text: str) -> bool:
    """Whether a spreadsheet would read the hash ``text`` as a number: ``1234`` or ``1234e56``."""
    return _LOOKS_LIKE_A_NUMBER.fullmatch(text) is not None


def _read_number(cell: str) -> float:
    if _NUMBER.fullmatch(cell) is None:
        raise ValueError(cell)
    return float(cell)


def _read_numbers(cell: str) -> tuple[float, ...]:
    if _NUMBERS.fullmatch(cell) is None:  # one check for all numbers: there may be thousands
        raise ValueError(cell)
    return tuple(map(float, cell.split(";")))


def _are_finite(values: Sequence[Any], least: Callable[[float], bool]) -> bool:
    """Whether all ``values`` are finite, and ``least`` accepts the smallest value; a fast check.

    If the result is False, the caller must check each value.
    """
    return set(map(type, values)) == {float} and math.isfinite(sum(values)) and least(min(values))


def _read_whole(cell: str) -> int:
    if _WHOLE.fullmatch(cell) is None or len(cell) > MAX_DIGITS:
        raise ValueError(cell)
    return int(cell)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _read_boolean(cell: str) -> bool:
    if cell.lower() not in ("true", "false"):  # spreadsheets save TRUE and FALSE
        raise ValueError(cell)
    return cell.lower() == "true"


def _write_samples(rounds: tuple[tuple[float, ...], ...]) -> str:
    if not any(rounds):
        return ""
    return "|".join(map(_sample_texts, rounds))


def _sample_texts(samples: Sequence[float]) -> str:
    # One call formats all samples, because there may be thousands.
    return _pointed(";".join(["%.7g"] * len(samples)) % tuple(samples))


def _pointed(text: str) -> str:
    """Add a decimal point to each number without a point; ``;`` separates the numbers."""
    points = text.count(".")
    if not text or points == text.count(";") + 1:  # every number has a point
        return text
    if not points and "e" not in text:
        return text.replace(";", ".0;") + ".0"
    return ";".join(
        [
            one if "." in one else _with_point(one) if "e" in one else f"{one}.0"
            for one in text.split(";")
        ]
    )


def _read_samples(cell: str) -> tuple[tuple[float, ...], ...]:
    return tuple(_read_numbers(samples) if samples else () for samples in cell.split("|"))


def are_plain_samples(cell: str) -> bool:
    """Whether ``cell`` contains valid samples; a fast check that parses no number.

    If the result is False, the caller must parse the numbers.
    """
    return bool(_DIGITS_SAMPLES.fullmatch(cell) or _PLAIN_SAMPLES.fullmatch(cell))


def written_samples(cell: str) -> str | None:
    """Return ``cell`` as membench would write its samples; None if the numbers must be parsed.

    ``cell`` must pass `are_plain_samples`.
    """
    pointed = "|".join(map(_pointed, cell.split("|")))
    return pointed if "." in pointed and _WRITTEN_SAMPLES.fullmatch(pointed) else None


def rounds_of_samples(cell: str) -> int:
    return cell.count("|") + 1 if cell else 0


def _are_samples(rounds: Any) -> bool:
    return all(
        len(samples) <= SAMPLES_KEPT
        and (not samples or _are_finite(samples, _not_negative) or all(map(is_number, samples)))
        for samples in rounds
    )


def _not_negative(value: float) -> bool:
    return value >= 0


def _are_values(values: Any) -> bool:
    return not values or _are_finite(values, is_positive) or all(map(is_positive, values))


def _write_detail(detail: Mapping[str, str]) -> str:
    return _detail_cell(tuple(detail.items()))


@lru_cache(maxsize=1 << 12)
def _detail_cell(pairs: tuple[tuple[str, str], ...]) -> str:
    return ";".join(f"{key}={value}" for key, value in clean_detail(dict(pairs)).items())


def clean_detail(detail: Mapping[str, str]) -> dict[str, str]:
    """Make the keys and values of ``detail`` valid in a cell.

    - Keys are converted to lower case, and characters other than ``a-z 0-9 _`` become ``_``.
    - In values, ``;`` becomes ``,`` and ``=`` becomes ``:``.
    - Pairs with an empty key, an empty value or a value such as ``nan`` or ``inf`` are left out.
    """
    clean = {}
    for key, value in detail.items():
        name = _NOT_IN_KEY.sub("_", ascii_line(key).lower())
        text = ascii_line(value).replace(";", ",").replace("=", ":")
        if name and text and not _NOT_FINITE.fullmatch(text):
            clean[name] = text
    return clean


def _read_detail(cell: str) -> dict[str, str]:
    detail = {}
    for pair in cell.split(";"):
        key, equals, value = pair.partition("=")
        if not (equals and value and _KEY.fullmatch(key)):
            raise ValueError(cell)
        if text := ascii_line(value):
            detail[key] = text
    return detail


def _is_detail(detail: Any) -> bool:
    return isinstance(detail, Mapping) and all(
        map(isinstance, chain.from_iterable(detail.items()), repeat(str))
    )


def _are_flags(flags: Any) -> bool:
    return all(flag in FLAGS for flag in flags) and len(set(flags)) == len(flags)


def word(vocabulary: type[StrEnum]) -> CellKind:
    """The rules for cells that contain a word of ``vocabulary``."""
    return CellKind(
        what=f"one of {', '.join(vocabulary)}",
        write=str,
        read=vocabulary,
        valid=lambda value: isinstance(value, vocabulary),
    )


def code(pattern: str, what: str) -> CellKind:
    """The rules for cells that match the regular expression ``pattern``.

    ``what`` is as in `CellKind`.
    """
    expression = re.compile(pattern, re.ASCII)

    def valid(value: Any) -> bool:
        return isinstance(value, str) and expression.fullmatch(value) is not None

    return CellKind(what=what, write=str, read=str, valid=valid, absent="")


TEXT = CellKind(
    what="text",
    write=lambda value: guard(ascii_line(value)),
    read=lambda cell: ascii_line(unguard(cell)),
    valid=lambda value: isinstance(value, str),
    absent="",
)
HASH = CellKind(
    what="text that a spreadsheet does not read as a number: put a letter before the hash",
    write=TEXT.write,
    read=TEXT.read,
    valid=lambda value: isinstance(value, str) and not looks_like_a_number(ascii_line(value)),
    absent="",
)
WHOLE = CellKind(what="a whole number above 0", write=str, read=_read_whole, valid=_is_whole)
COUNT = CellKind(what=WHOLE.what, write=str, read=_read_whole, valid=_is_whole, absent=0)
POSITIVE = CellKind(
    what="a finite number above 0", write=decimal_text, read=_read_number, valid=is_positive
)
NUMBER = CellKind(
    what="a finite number, 0 or more", write=decimal_text, read=_read_number, valid=is_number
)
SAMPLE = CellKind(what=NUMBER.what, write=sample_text, read=_read_number, valid=is_number)
BOOLEAN = CellKind(
    what="true or false",
    write=lambda value: "true" if value else "false",
    read=_read_boolean,
    valid=lambda value: isinstance(value, bool),
)
VALUES = CellKind(
    what="finite numbers above 0 with ';' between them",
    write=lambda values: ";".join(map(decimal_text, values)),
    read=_read_numbers,
    valid=_are_values,
    absent=(),
)
SAMPLES = CellKind(
    what="finite numbers with ';' between samples and '|' between rounds, at most "
    f"{SAMPLES_KEPT} per round",
    write=_write_samples,
    read=_read_samples,
    valid=_are_samples,
    absent=(),
)
DETAIL = CellKind(
    what="key=value pairs with ';' between them",
    write=_write_detail,
    read=_read_detail,
    valid=_is_detail,
    absent={},
)
FLAG_CODES = CellKind(
    what=f"distinct codes with ';' between them, from {', '.join(FLAGS)}",
    write=";".join,
    read=lambda cell: tuple(cell.split(";")),
    valid=_are_flags,
    absent=(),
)
