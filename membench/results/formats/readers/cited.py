"""Published figures as TOML: each with its source, never mixed up with what was measured.

::

    schema = "membench.cited/1"
    machine = "h100-sxm"
    device = "NVIDIA H100 SXM 80 GB"

    [[figure]]
    case = "hbm/copy/size=256MiB"
    tier = "hbm"
    metric = "bandwidth"
    value = 2900            # in the unit of the metric: GB/s, ns, ...
    source = "Azure AI-benchmarking-guide, ND_H100_v5"
    note = "BabelStream"    # optional

Optional in a figure: ``stat``, ``peak`` with ``peak_basis``, ``bytes_convention``.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

from membench.core.errors import SchemaError
from membench.core.terms import BytesConvention, Metric, PeakBasis, Stat, Tier
from membench.results.formats.figures import Origin, number, objects, row, text_of
from membench.results.formats.reading import Record, Unplaced
from membench.results.schema import Row

SCHEMA = "membench.cited/1"
_NEEDED = ("case", "tier", "metric", "value", "source")
_ALLOWED = frozenset((*_NEEDED, "note", "stat", "peak", "peak_basis", "bytes_convention"))


def read(data: bytes, origin: Origin) -> list[Record]:
    """A record for each figure, a row with ``backend=cited``; one that is wrong is an error.

    What somebody types has to be right as a whole: nothing of it is passed over.
    """
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"not TOML: {error!s:.80}") from None
    if content.get("schema") != SCHEMA:
        raise SchemaError(f'the first line is not: schema = "{SCHEMA}"')
    unknown = content.keys() - {"schema", "machine", "device", "figure"}
    if unknown:
        raise SchemaError(f"'{min(unknown):.40}' is not known here")
    named = replace(origin, machine=text_of(content.get("machine")) or origin.machine)
    device = text_of(content.get("device"))
    rows = [_row(one, named, device) for one in objects(content, "figure")]
    twice = next((row.case for row in rows if [one.key for one in rows].count(row.key) > 1), "")
    if twice:
        raise SchemaError(f"two figures for {twice}")
    return [(row,) for row in rows]


def _row(figure: dict[str, Any], origin: Origin, device: str) -> Row:
    case = text_of(figure.get("case"))
    missing = [name for name in _NEEDED if not figure.get(name)]
    unknown = sorted(figure.keys() - _ALLOWED)
    if missing or unknown:
        what = f"no {', '.join(missing)}" if missing else f"'{unknown[0]:.40}' is not known here"
        raise SchemaError(f"{case or 'a figure without a case'}: {what}")
    value = number(figure["value"])
    if value is None or isinstance(figure["value"], str):
        raise SchemaError(f"{case}: the value is not a number above 0")
    peak = figure.get("peak")
    words = {"source": text_of(figure["source"]), "note": text_of(figure.get("note"))}
    try:
        made = row(
            origin,
            Tier(figure["tier"]),
            case,
            Metric(figure["metric"]),
            value,
            stat=Stat(figure.get("stat", Stat.MEDIAN)),
            device=device,
            peak=number(peak),
            peak_basis=PeakBasis(figure.get("peak_basis", PeakBasis.SPEC)) if peak else None,
            bytes_convention=_convention(figure),
            detail={key: text for key, text in words.items() if text},
        )
    except ValueError as error:
        raise SchemaError(f"{case:.200}: {error!s:.200}") from None
    if isinstance(made, Unplaced):
        raise SchemaError(made.what)
    return replace(made, backend="cited", flags=(), started="")  # gathered then, measured whenever


def _convention(figure: dict[str, Any]) -> BytesConvention | None:
    word = figure.get("bytes_convention")
    return BytesConvention(word) if word else None
