"""Reads published figures from TOML, each with its source.

::

    schema = "membench.cited/2"
    machine = "h100-sxm"
    device = "NVIDIA H100 SXM 80 GB"

    [[figure]]
    case = "hbm/copy/size=1GiB/vec=16"
    tier = "hbm"
    metric = "bandwidth"
    value = 2900            # in the unit of the metric: GB/s, ns, ...
    source = "Azure AI-benchmarking-guide, ND_H100_v5"

Optional in a figure are ``note``, ``stat``, ``peak`` with ``peak_basis``, and ``bytes_convention``.
Version 2 adds keys that show whether a figure can be trusted and how it can be compared:

- ``low``, ``high``: the range in the source; the value is within the range.
- ``kind``: measured, datasheet, derived (computed from the speed of an application), threshold (a
  published pass mark) or target (a published expectation).
- ``trust``: a (a raw log or a maker's file, conditions known), b (a table or a single report) or c
  (not confirmed).
- ``best``: true for the best of the tool's repetitions. The row gets the flag ``best-of``.
- ``tool``, ``conditions``, ``date``: how and when somebody measured.
- ``seen``: how the author of the file read the source.
- ``quantity``, ``unit``: the measured quantity in words, and the unit of the value.
- ``depth``: queue depth of the figure.
- ``alike``: a rule for each axis that may differ, such as ``{size = ">=256MiB", vec = "any"}``.
  Sizes and whole numbers are compared by ``>=``, ``<=`` and ``16KiB..64KiB``.

The column ``detail`` contains these facts, except ``best`` and ``unit``. Rules are in words there,
because ``=`` is a separator in that column.

Version 2 also has two optional keys for the file, by which `membench check` finds the reference for
a machine. ``names`` lists the names of the device (GPU, processor or disk) as the system reports
them. ``sockets`` is the number of processors for which the figures are valid.

A figure is rejected if its fraction of the peak is outside the range that its tool usually reaches
(`USUAL`).
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from membench.core.errors import SchemaError
from membench.core.globs import matches
from membench.core.terms import UNIT, BytesConvention, Metric, PeakBasis, Stat, Tier
from membench.results.cells import number_text
from membench.results.formats.figures import Origin, number, objects, row, text_of
from membench.results.formats.reading import Record, Unplaced
from membench.results.schema import Row

SCHEMAS = ("membench.cited/1", "membench.cited/2")
KINDS = ("measured", "datasheet", "derived", "threshold", "target")

_NEEDED = ("case", "tier", "metric", "value", "source")
_OF_1 = (*_NEEDED, "note", "stat", "peak", "peak_basis", "bytes_convention")
_WORDS = ("kind", "trust", "tool", "conditions", "date", "seen", "quantity")
_OF_2 = (*_OF_1, *_WORDS, "unit", "low", "high", "alike", "best", "depth")
_OF_FILE = ("schema", "machine", "device", "figure")
_OF_FILE_2 = (*_OF_FILE, "names", "sockets")
_ALLOWED = dict(zip(SCHEMAS, (frozenset(_OF_1), frozenset(_OF_2)), strict=True))
_UNITS: Mapping[str, Mapping[str, float]] = {
    Metric.BANDWIDTH: {"MB/s": 1e-3, "TB/s": 1e3},
    Metric.LATENCY: {"us": 1e3, "ms": 1e6},
    Metric.IOPS: {"IOPS": 1.0, "kIOPS": 1e3, "MIOPS": 1e6},
    Metric.FLOPS: {"TFLOP/s": 1e3},
}
"""Metric -> alternative unit -> factor to the metric's own unit."""
_RULE = re.compile(r"(?P<sign>>=|<=)?(?P<value>[A-Za-z0-9_-]+)(?:\.\.(?P<end>[A-Za-z0-9_-]+))?")
_SIGNS = {">=": "from ", "<=": "to "}

USUAL: tuple[tuple[str, str, tuple[float, float]], ...] = (
    # Device memory: fraction of the peak (bus width x clock, or data sheet) that kernels reach.
    ("BabelStream", "hbm/*", (0.75, 0.97)),
    ("gpu-stream", "hbm/*", (0.78, 1.0)),
    ("mt4g", "hbm/*", (0.85, 1.0)),
    ("gpu-benches gpu-l2-cache", "hbm/*", (0.90, 1.0)),
    ("OpenCL-Benchmark", "hbm/*", (0.78, 1.0)),
    ("clpeak", "hbm/*", (0.80, 1.0)),
    ("bandwidthTest*", "hbm/*", (0.65, 0.95)),
    ("p2pBandwidthLatencyTest", "hbm/*", (0.70, 0.95)),
    ("nvbandwidth*", "hbm/*", (0.40, 0.95)),  # nvbandwidth's local copy counts each byte once
    ("FluidX3D*", "*", (0.45, 0.95)),
    # Host links and links between GPUs: the fraction that packet headers leave for data.
    ("nvbandwidth*", "link/*/engine=ce/*", (0.75, 0.93)),
    ("bandwidthTest*", "link/*", (0.75, 0.93)),
    ("nvbandwidth*", "link/*/engine=sm/*", (0.70, 0.93)),
    ("nvbandwidth*", "peer/*", (0.70, 0.93)),
    ("p2pBandwidthLatencyTest", "peer/*", (0.80, 0.93)),
    # Host memory and matrix products.
    ("MLC*", "ddr/*", (0.70, 0.97)),
    ("STREAM", "ddr/*", (0.60, 0.97)),
    ("mamf-finder", "gpu/gemm/*", (0.65, 0.92)),
    ("cuBLASLt", "gpu/gemm/*", (0.55, 0.92)),
)
"""Fractions of the peak that tools usually reach: glob for tools, glob for cases, range.

The first matching entry counts. The ranges come from 313 figures for 40 machines, gathered in
November 2026. Figures that contradict other figures of the same tool were left out
(``docs/check.md``).
"""


def read(data: bytes, origin: Origin) -> list[Record]:
    """Make a record with one row for each figure; the rows have ``backend=cited``.

    Users write the file by hand, so a single invalid figure rejects the whole file.
    """
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"the file is not TOML: {error!s:.80}") from None
    schema = content.get("schema")
    if schema not in SCHEMAS:
        raise SchemaError(f'the first line must be: schema = "{SCHEMAS[-1]}"')
    allowed = _ALLOWED[schema]
    unknown = content.keys() - set(_OF_FILE if schema == SCHEMAS[0] else _OF_FILE_2)
    if unknown:
        raise SchemaError(f"unknown key '{min(unknown):.40}'")
    _check_names(content)
    named = replace(origin, machine=text_of(content.get("machine")) or origin.machine)
    device = text_of(content.get("device"))
    rows = [_row(one, named, device, allowed) for one in objects(content, "figure")]
    twice = [key for key, times in Counter(one.key for one in rows).items() if times > 1]
    if twice:
        _, case, metric, stat = twice[0]
        raise SchemaError(f"the file has two figures for {case} ({metric} {stat})")
    return [(row,) for row in rows]


def _row(figure: dict[str, Any], origin: Origin, device: str, allowed: frozenset[str]) -> Row:
    case = text_of(figure.get("case"))
    missing = [name for name in _NEEDED if not figure.get(name)]
    unknown = sorted(figure.keys() - allowed)
    if missing or unknown:
        what = (
            f"{', '.join(missing)}: missing, empty or 0"
            if missing
            else f"unknown key '{unknown[0]:.40}'"
        )
        raise SchemaError(f"{case or 'a figure without a case'}: {what}")
    value = number(figure["value"])
    if value is None or isinstance(figure["value"], str):
        raise SchemaError(f"{case}: the value is not a number above 0")
    peak, scale = figure.get("peak"), _scale(figure, case)
    words = {"source": text_of(figure["source"]), "note": text_of(figure.get("note"))}
    words |= _trust(figure, case, value)
    _check_share(figure, case, value)
    try:
        made = row(
            origin,
            Tier(figure["tier"]),
            case,
            Metric(figure["metric"]),
            value * scale,
            stat=Stat(figure.get("stat", Stat.MEDIAN)),
            device=device,
            peak=(number(peak) or 0) * scale or None,
            peak_basis=PeakBasis(figure.get("peak_basis", PeakBasis.SPEC)) if peak else None,
            bytes_convention=_convention(figure),
            detail={key: text for key, text in words.items() if text},
        )
    except ValueError as error:
        raise SchemaError(f"{case:.200}: {error!s:.200}") from None
    if isinstance(made, Unplaced):
        raise SchemaError(made.what)
    best = ("best-of",) if figure.get("best", False) else ()
    # The row has no start time: nobody may know when the value was measured.
    return replace(made, backend="cited", flags=best, started="")


def _convention(figure: dict[str, Any]) -> BytesConvention | None:
    word = figure.get("bytes_convention")
    return BytesConvention(word) if word else None


def _trust(figure: dict[str, Any], case: str, value: float) -> dict[str, str]:
    """The facts of ``figure`` that only version 2 of the format has, as text for `detail`."""
    said = {name: text_of(figure.get(name)) for name in _WORDS}
    depth = figure.get("depth", 1)
    if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
        raise SchemaError(f"{case}: 'depth' is not a whole number above 0")
    if not isinstance(figure.get("best", False), bool):
        raise SchemaError(f"{case}: 'best' is neither true nor false")
    said["depth"] = str(depth) if "depth" in figure else ""
    for name, words in (("kind", KINDS), ("trust", ("a", "b", "c"))):
        if name in figure and said[name] not in words:
            raise SchemaError(f"{case}: '{name}' is not one of {', '.join(words)}")
    low, high = (number(figure.get(name)) for name in ("low", "high"))
    if ("low" in figure) != (low is not None) or ("high" in figure) != (high is not None):
        raise SchemaError(f"{case}: 'low' or 'high' is not a number above 0")
    if not (low or value) <= value <= (high or value):
        raise SchemaError(f"{case}: the value is not between 'low' and 'high'")
    scale = _scale(figure, case)
    said |= {name: number_text(end * scale) for name, end in (("low", low), ("high", high)) if end}
    return {**said, "alike": _alike(figure.get("alike", {}), case)}


def _scale(figure: dict[str, Any], case: str) -> float:
    """Factor that converts the figure's values to the unit of their metric."""
    metric = figure["metric"]
    if metric not in tuple(Metric):
        raise SchemaError(f"{case}: '{metric!s:.40}' is not a metric")
    units = {**_UNITS.get(metric, {}), UNIT[metric]: 1.0}
    unit = figure.get("unit", UNIT[metric])
    if unit not in units:
        raise SchemaError(f"{case}: '{unit!s:.20}' is not a unit of {metric!s:.20}")
    return units[unit]


def _check_share(figure: dict[str, Any], case: str, value: float) -> None:
    peak, tool = number(figure.get("peak")), text_of(figure.get("tool"))
    if not peak or not tool:
        return
    usual = next(
        (ends for tools, cases, ends in USUAL if fnmatchcase(tool, tools) and matches(case, cases)),
        None,
    )
    share = value / peak
    if usual is not None and not usual[0] <= round(share, 3) <= usual[1]:
        raise SchemaError(
            f"{case}: {value:g} is {share:.0%} of the peak, but {tool} usually reaches "
            f"{usual[0]:.0%} to {usual[1]:.0%}",
            "check the machine, the unit, and whether the run saturated the memory",
        )


def _check_names(content: Mapping[str, Any]) -> None:
    names, sockets = content.get("names", []), content.get("sockets", 1)
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise SchemaError("'names' is not a list of strings")
    if not isinstance(sockets, int) or isinstance(sockets, bool) or sockets < 1:
        raise SchemaError("'sockets' is not a whole number above 0")


def _alike(axes: object, case: str) -> str:
    if not isinstance(axes, dict) or not all(isinstance(rule, str) for rule in axes.values()):
        raise SchemaError(
            f'{case}: \'alike\' is not a table such as {{size = ">=1GiB", vec = "any"}}'
        )
    return ", ".join(f"{axis} {_in_words(rule, case)}" for axis, rule in axes.items())


def _in_words(rule: str, case: str) -> str:
    """Convert a rule to text: ``>=1GiB`` to ``from 1GiB``, ``1MiB..4MiB`` to ``1MiB to 4MiB``."""
    found = _RULE.fullmatch(rule)
    if found is None or (found["sign"] and found["end"]):
        raise SchemaError(
            f"{case}: alike: '{rule:.40}' is not a rule such as any, >=1GiB or 1MiB..4MiB"
        )
    ends = [found["value"], *([found["end"]] if found["end"] else [])]
    return _SIGNS.get(found["sign"], "") + " to ".join(ends)
