"""The names of a machine's GPU in the assumptions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from membench.results.schema import Row
from membench.thesis.claims.assumptions import Assumptions


def device_key(device: str, what: str) -> str:
    """The name of the assumption about the property ``what`` of the GPU ``device``.

    ``device`` is a result of `device_slug`. If ``device`` is empty, no assumption has the name.
    """
    return f"device.{device or 'measured'}.{what}"


def device_slug(rows: Iterable[Row], entries: Assumptions) -> str:
    """The name of the measured GPU in the assumptions, such as ``h100``; empty if unknown."""
    slugs = sorted({name.split(".")[1] for name in entries if name.startswith("device.")})
    for text in dict.fromkeys(row.device for row in rows):
        words = re.split(r"[^a-z0-9]+", text.lower())
        found = [slug for slug in slugs if all(part in words for part in slug.split("-"))]
        if found:
            return max(found, key=len)
    return ""
