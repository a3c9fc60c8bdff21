"""The origin of a file that is imported."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from membench.core.errors import SchemaError
from membench.results.formats.figures import Origin, slug


def origin_of(tool: str, path: Path, data: bytes, given: Mapping[str, str]) -> Origin:
    """Of ``path`` with the content ``data``: the run is told by both its time and its content.

    Importing a file twice gives one and the same run, so that pooling it twice counts once.

    Raises:
        SchemaError: the file is gone.
    """
    try:
        written = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    except (OSError, ValueError, OverflowError):
        raise SchemaError("cannot be read") from None
    digest = hashlib.sha256(data).hexdigest()
    return Origin(
        tool=tool,
        run_id=f"{written:%Y%m%dT%H%M%SZ}-{digest[:8]}",
        machine=slug(given.get("machine", "")) or f"{tool}-{digest[:6]}",
        started=f"{written:%Y-%m-%dT%H:%M:%SZ}",
        given=given,
    )
