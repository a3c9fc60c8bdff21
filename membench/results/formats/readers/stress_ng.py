"""Reads the metrics of stress-ng 0.12 to 0.21 (``--metrics``), as text or ``--yaml``.

MB is 2^20 bytes. Since 0.15, ``--stream`` reports bytes read and bytes written separately. Before
0.15, ``--stream`` reports the sum (ColinIanKing/stress-ng, ``stress-stream.c``,
``stress-memrate.c``, ``stress-ng.h``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from membench.core.terms import Metric, Tier
from membench.core.units import MIB
from membench.results.formats.documents import text_in
from membench.results.formats.figures import Origin, number, row
from membench.results.formats.readers.host_text import host_case
from membench.results.formats.reading import Record, Unplaced

_TOOL = "stress-ng"
_METRIC = re.compile(
    r"stress-ng: +\w+: +\[\d+\] +([\w-]+) +([\d.]+) (.*?) \(\w+ mean of (\d+) instances?\)"
)
_INLINE = re.compile(
    r"stress-ng: +\w+: +\[\d+\] +(?:stress-ng-)?([\w-]+): +(\S.*?): +([\d.]+) MB/sec"
)
_STRESSOR = re.compile(r" +- stressor: +([\w-]+)$")
_YAML = re.compile(r" +([\w-]*mb-per-sec[\w-]*): +([\d.]+)$")
_SHORT = re.compile(r"run duration too short")
_RATE = re.compile(r"MB/sec|MB per sec", re.IGNORECASE)
_OTHER = re.compile(r"[^a-z0-9]+")


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    """Yield a record for each rate in MB per second, and count all other metrics."""
    text = text_in(data, _TOOL)
    metrics = [(match[1], match[3], match[2], match[4]) for match in _METRIC.finditer(text)]
    rates = [one for one in metrics if _RATE.search(one[1])]
    if not rates:  # before 0.13 the output has no table of rates
        rates = [(match[1], match[2], match[3], "") for match in _INLINE.finditer(text)]
    rates += _from_yaml(text)
    for stressor, label, cell, instances in rates:
        yield _rate(stressor, label, cell, instances, origin)
    yield [Unplaced("a metric that is not a byte rate")] * (
        len(metrics) - sum(bool(_RATE.search(one[1])) for one in metrics)
    )
    yield [Unplaced("a stressor that ran too briefly to measure a rate")] * len(
        _SHORT.findall(text)
    )


def _from_yaml(text: str) -> list[tuple[str, str, str, str]]:
    found, stressor = [], ""
    for line in text.splitlines():
        if start := _STRESSOR.match(line):
            stressor = start[1]
        elif stressor and (match := _YAML.match(line)):
            found.append((stressor, match[1], match[2], ""))
    return found


def _rate(stressor: str, label: str, cell: str, instances: str, origin: Origin) -> Record:
    value = number(cell)
    method = _OTHER.sub("-", label.lower().replace("mb per sec", "").replace("mb/sec", ""))
    method = method.replace("mb-per-sec", "").strip("-").replace("--", "-") or "rate"
    if value is None:
        return (Unplaced(f"no rate of {stressor} {method}"),)
    tier = origin.tier(Tier.DDR, of=(Tier.DDR, Tier.CACHE))
    several = (
        {"counts": "mean-of-instances", "instances": instances}
        if instances not in ("", "1")
        else {}
    )
    return (
        row(
            origin,
            tier,
            host_case(tier, _TOOL, f"stressor={stressor}", f"method={method}"),
            Metric.BANDWIDTH,
            value * MIB / 1e9,
            timer="tool:stress-ng",
            detail={
                "statistic": "mean-of-run",
                **several,
                **({} if "tier" in origin.given else {"assumed": "tier"}),
            },
        ),
    )
