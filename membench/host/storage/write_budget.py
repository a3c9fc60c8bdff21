"""The bytes that a run has written and may still write, summed over all processes of the run."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class _Book:
    written: int = 0
    claims: dict[str, int] = field(default_factory=dict)


class WriteLedger:
    """Counts the bytes that cases have reserved and written.

    The counts are in a small file that all processes of a run share. Only one process uses the file
    at a time, because the cases of a run follow one another.

    Args:
        path: a file, initially empty.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def claim(self, case: str, size: int, limit: int) -> bool:
        """Reserve ``size`` of ``limit`` bytes for ``case``. Returns False if too few are left.

        If ``case`` already has a reservation, the call reserves nothing and returns True.
        """
        book = self._read()
        if case not in book.claims:
            if size > limit - sum(book.claims.values()):
                return False
            book.claims[case] = size
            self._write(book)
        return True

    def left(self, limit: int) -> int:
        """Bytes of ``limit`` that no case has reserved yet."""
        return limit - sum(self._read().claims.values())

    def wrote(self, size: int) -> None:
        """Add ``size`` bytes to the count of written bytes."""
        book = self._read()
        book.written += size
        self._write(book)

    @property
    def written(self) -> int:
        return self._read().written

    def _read(self) -> _Book:
        text = Path(self._path).read_text(encoding="ascii")
        return _Book(**json.loads(text)) if text else _Book()

    def _write(self, book: _Book) -> None:
        # One write without truncation. If the process is killed here, the file has either the old
        # or the new content.
        data = json.dumps(asdict(book)).encode("ascii")
        fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.pwrite(fd, data.ljust(os.fstat(fd).st_size), 0)
        finally:
            os.close(fd)
