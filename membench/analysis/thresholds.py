"""The smallest differences that matter, from presets or from users' files.

A file is TOML (`membench compare --dump-config` prints an example)::

    schema = "membench.thresholds/1"
    base = "default"      # the preset for all values that this file does not set

    [all]                 # every tier
    bandwidth = 0.03

    [ssd]                 # one tier; overrides [all]
    latency = 0.10
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from membench.core.errors import MembenchError, UsageError
from membench.core.near import did_you_mean
from membench.core.record import record
from membench.core.terms import Metric, Tier
from membench.core.text import one_line
from membench.core.untrusted import MAX_TOML, parse_toml, read_bytes

SCHEMA = "membench.thresholds/1"
ALL = "all"
"""Name of the TOML table that applies to all tiers."""
_LARGEST = 1.0  # a larger value is probably a percentage
_HINT = "membench compare --dump-config prints a valid file"

Table = Mapping[str, Mapping[Metric, float]]


@record
class Thresholds:
    """The smallest differences that matter, as fractions, by tier and metric.

    ``tiers`` overrides ``every``, the thresholds of all tiers.
    """

    name: str
    every: Mapping[Metric, float]
    tiers: Mapping[Tier, Mapping[Metric, float]]

    def of(self, tier: Tier, metric: Metric) -> float:
        return self.tiers.get(tier, {}).get(metric, self.every[metric])


def _preset(name: str, throughput: float, latency: float, ssd: float) -> Thresholds:
    """Build a preset from three fractions.

    ``latency`` applies to latency and energy, and ``throughput`` to all other metrics. ``ssd``
    applies to every metric of disks, because disk results scatter more.
    """
    lower = {Metric.LATENCY: latency, Metric.ENERGY: latency}
    return Thresholds(
        name,
        {metric: lower.get(metric, throughput) for metric in Metric},
        {Tier.SSD: dict.fromkeys(Metric, ssd)},
    )


PRESETS: Mapping[str, Thresholds] = MappingProxyType(
    {
        one.name: one
        for one in (
            _preset("strict", throughput=0.01, latency=0.02, ssd=0.05),
            _preset("default", throughput=0.03, latency=0.05, ssd=0.10),
            _preset("permissive", throughput=0.05, latency=0.10, ssd=0.20),
        )
    }
)


def thresholds(name: str) -> Thresholds:
    """Return the preset ``name``, or read the thresholds from the file ``name``.

    Raises:
        UsageError: ``name`` is neither a preset nor an existing file, and has no suffix.
        MembenchError: the file does not exist or is invalid; the message is one line.
    """
    if name in PRESETS:
        return PRESETS[name]
    path = Path(name)
    if not path.suffix and not path.exists():
        raise UsageError(
            f"--preset {one_line(name)} is neither a preset nor a file",
            did_you_mean(name, PRESETS, f"the presets are {', '.join(PRESETS)}"),
        )
    try:
        return _read(path)
    except MembenchError as error:
        raise MembenchError(one_line(f"{path}: {error}"), error.hint or _HINT) from None


def to_toml(one: Thresholds) -> str:
    """Format ``one`` as a complete TOML file."""
    return "\n".join(_lines(one)) + "\n"


def _lines(one: Thresholds) -> Iterator[str]:
    yield "# Thresholds of membench compare: fractions; a smaller difference does not matter."
    yield f'schema = "{SCHEMA}"'
    for name, table in ((ALL, one.every), *one.tiers.items()):
        yield ""
        yield f"[{name}]"
        yield from (f"{metric} = {limit!r}" for metric, limit in table.items())


def _read(path: Path) -> Thresholds:
    try:
        content = parse_toml(read_bytes(path, MAX_TOML, pipe=True, text=True))
    except ValueError as error:
        raise MembenchError(f"the file cannot be read: {error}") from None
    if content.pop("schema", None) != SCHEMA:
        raise MembenchError(f'the first line must be: schema = "{SCHEMA}"')
    base = content.pop("base", "default")
    if not isinstance(base, str) or base not in PRESETS:
        raise MembenchError(f"base = {base!r:.40} is not one of {', '.join(PRESETS)}")
    tables = {name: _table(name, table) for name, table in content.items()}
    return _over(PRESETS[base], one_line(path.name), tables)


def _over(base: Thresholds, name: str, tables: Table) -> Thresholds:
    """Override ``base`` with ``tables``.

    The table [all] also overrides the values of single tiers in ``base``.
    """
    every = tables.get(ALL, {})
    tiers = {}
    for tier in Tier:
        kept = {
            metric: limit
            for metric, limit in base.tiers.get(tier, {}).items()
            if metric not in every
        }
        if table := {**kept, **tables.get(tier, {})}:
            tiers[tier] = table
    return Thresholds(name, {**base.every, **every}, tiers)


def _table(name: str, table: Any) -> dict[Metric, float]:
    if name != ALL and name not in tuple(Tier):
        raise MembenchError(
            f"'{name:.40}' is neither '{ALL}' nor a tier; the tiers are {', '.join(Tier)}"
        )
    if not isinstance(table, dict):
        raise MembenchError(f"'{name}' is not a table: write the metrics below a line [{name}]")
    limits = {}
    for key, limit in table.items():
        if key not in tuple(Metric):
            raise MembenchError(
                f"[{name}] '{key:.40}' is not a metric; the metrics are {', '.join(Metric)}"
            )
        number = isinstance(limit, int | float) and not isinstance(limit, bool)
        if not number or not 0 < limit <= _LARGEST:
            raise MembenchError(
                f"[{name}] {key} = {limit!r:.40} is not a fraction above 0 and at most "
                f"{_LARGEST:g}",
                "3 % is 0.03",
            )
        limits[Metric(key)] = float(limit)
    return limits
