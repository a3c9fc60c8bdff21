"""The parts of a case id.

Imports nothing else from membench.
"""

from __future__ import annotations


def split_case(case: str) -> tuple[str, dict[str, str]]:
    """``hbm/read/size=1GiB`` -> ``hbm/read``, {"size": "1GiB"}."""
    parts = case.split("/")
    name = "/".join(part for part in parts if "=" not in part)
    return name, dict(part.split("=", 1) for part in parts if "=" in part)
