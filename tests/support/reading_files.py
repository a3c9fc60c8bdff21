"""Read a file of another tool like ``membench import``, for tests of importers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from membench.results.formats import importer
from membench.results.formats.figures import Origin
from membench.results.formats.reading import Imported
from membench.results.schema import Row, check

DATA = Path(__file__).parents[1] / "results" / "formats" / "data"


def imported(tool: str, content: str | bytes | Path, **given: str) -> Imported:
    """The rows that the importer of ``tool`` reads from ``content``, a text or a file.

    Each row must be valid, and no two rows may have the same key.
    """
    data = content.read_bytes() if isinstance(content, Path) else content
    data = data.encode() if isinstance(data, str) else data
    origin = Origin(tool, "20260101T000000Z-ab", "box", "2026-01-01T00:00:00Z", given)
    found = importer(tool)(data, origin)
    for row in found:
        check(row)
    assert len({row.key for row in found}) == len(found)
    return found


def values(rows: Sequence[Row], metric: str = "bandwidth") -> dict[str, float | None]:
    """Case -> median of ``metric``."""
    return {row.case: row.value for row in rows if (row.metric, row.stat) == (metric, "median")}
