"""Split case ids into bench names and axis values, and name the statistic of a row."""

from __future__ import annotations

from membench.core.terms import Stat


def split_case(case: str) -> tuple[str, dict[str, str]]:
    """Bench name and axis values of a case id: ``hbm/read/size=1GiB`` -> hbm/read, {size: 1GiB}."""
    parts = case.split("/")
    name = "/".join(part for part in parts if "=" not in part)
    return name, dict(part.split("=", 1) for part in parts if "=" in part)


def with_stat(name: str, stat: Stat) -> str:
    """``name``, followed by the statistic if the statistic is not the median."""
    return name if stat is Stat.MEDIAN else f"{name} {stat}"
