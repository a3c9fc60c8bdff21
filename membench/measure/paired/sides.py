"""The two sides of a paired run, and the names of their files."""

from __future__ import annotations

from pathlib import Path

SIDES = ("a", "b")


def beside(csv: Path, side: str) -> Path:
    """The results file of a side: ``o.csv`` -> ``o_a.csv``."""
    ending = csv.suffix if csv.suffix.lower() == ".csv" else ""
    return csv.with_name(f"{csv.name.removesuffix(ending)}_{side}{ending}")
