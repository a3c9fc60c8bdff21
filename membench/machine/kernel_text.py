"""Readers for small text files of the kernel; an unreadable file counts as empty."""

from __future__ import annotations

import re
from pathlib import Path

_MAX_CPU = 1 << 16  # a corrupt range must not create a list of a billion CPUs
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")


def read(path: Path, errors: str = "replace") -> str:
    """The text of ``path`` without surrounding blanks and NULs; empty if the file is unreadable.

    ``errors`` is an argument of `bytes.decode`; use ``surrogateescape`` for text with file names.
    """
    try:
        # Unbuffered reads are faster, and a snapshot reads hundreds of small files.
        with path.open("rb", buffering=0) as file:
            return (file.readall() or b"").decode("utf-8", errors).strip("\0 \t\r\n")
    except (OSError, ValueError):
        return ""


def present(path: Path) -> bool:
    """Whether ``path`` exists; False if this process has no permission to find out."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def integer(text: str) -> int | None:
    """``text`` as a decimal integer; None if ``text`` is not an integer."""
    return int(text) if _INTEGER.fullmatch(text) else None


def cpu_list(text: str) -> tuple[int, ...]:
    """Parse the kernel's list format: ``0-2,8`` -> ``(0, 1, 2, 8)``; invalid ranges are skipped."""
    numbers: set[int] = set()
    for part in text.split(","):
        if match := _RANGE.fullmatch(part.strip()):
            first = int(match[1])
            numbers.update(range(first, min(int(match[2] or first), _MAX_CPU) + 1))
    return tuple(sorted(numbers))


def cpu_mask(text: str) -> tuple[int, ...]:
    """Parse the kernel's mask format: ``00000001,00000005`` -> ``(0, 2, 32)``.

    The result is empty if ``text`` is not a mask.
    """
    words = text.split(",")
    if not all(re.fullmatch("[0-9a-fA-F]{1,8}", word) for word in words):
        return ()
    bits = 0
    for word in words[-_MAX_CPU // 32 :]:
        bits = bits << 32 | int(word, 16)
    return tuple(bit for bit in range(bits.bit_length()) if bits >> bit & 1)


def cpu_set(folder: Path, *names: str) -> tuple[int, ...]:
    """Read CPUs from the first of the files ``names`` in ``folder`` that lists a CPU.

    The result is empty if no file lists a CPU. Files with a name ending in ``list`` have the list
    format, and other files the mask format. Old kernels have only masks.
    """
    for name in names:
        text = read(folder / name)
        if cpus := cpu_list(text) if name.endswith("list") else cpu_mask(text):
            return cpus
    return ()


def entries(folder: Path) -> list[Path]:
    """All entries of ``folder``, sorted; empty if the folder cannot be listed."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def numbered(folder: Path, prefix: str) -> list[tuple[int, Path]]:
    """Pairs (number, path) for the entries ``<prefix><number>`` in ``folder``, sorted by number."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
    found = [
        (int(name.removeprefix(prefix)), folder / name)
        for name in names
        if re.fullmatch(re.escape(prefix) + "[0-9]{1,9}", name)
    ]
    return sorted(found)


def fields(text: str) -> dict[str, str]:
    """Parse ``key : value`` lines into key -> value; of a repeated key, the first value is kept."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found
