"""Split a case id into the bench name and the axis values."""

from __future__ import annotations


def split_case(case: str) -> tuple[str, dict[str, str]]:
    """Bench name and axis values of a case id: ``hbm/read/size=1GiB`` -> hbm/read, {size: 1GiB}."""
    parts = case.split("/")
    name = "/".join(part for part in parts if "=" not in part)
    return name, dict(part.split("=", 1) for part in parts if "=" in part)
