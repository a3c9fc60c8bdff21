"""BabelStream ``--csv``: the unit is in the header, and the figure is the best of all repetitions.

The file names neither the device nor the programming model, so it has to be
said whether a GPU's memory (``hbm``) or the host's (``ddr``) was measured.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from membench.core.errors import SchemaError
from membench.core.terms import BytesConvention, Metric, Tier
from membench.core.units import format_size
from membench.results.formats.figures import Origin, case_id, checked, number, row
from membench.results.schema import Row

_TOOL = "babelstream"
_UNITS = {  # the unit in the header -> GB/s
    "MB": 1e-3,
    "MiB": 2**20 / 1e9,
    "GB": 1.0,
    "GiB": 2**30 / 1e9,
    "TB": 1e3,
    "TiB": 2**40 / 1e9,
}
_OPERATIONS = {"Copy": ("copy", 2), "Mul": ("scale", 2), "Add": ("add", 3), "Triad": ("triad", 3)}
_OPERATIONS |= {"Dot": ("dot", 2), "Nstream": ("nstream", 4)}
"""Function -> our word, and how many arrays it moves.  Dot has no case of ours."""
_ASSUMED = {
    Tier.DDR: {"threads": "all", "pages": "4k", "stores": "plain"},
    Tier.HBM: {"vec": "16"},  # whatever it is, it is its only configuration, as that is our default
}
"""What a build without special flags does; `--set` says otherwise."""


def read(data: bytes, origin: Origin) -> list[Row]:
    """A row for each function."""
    tier = origin.tier(of=(Tier.DDR, Tier.HBM))
    try:
        text = data.decode("utf-8")
        records = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SchemaError(f"not the CSV of BabelStream: {error!s:.80}") from None
    return checked(_rows(records, origin, tier), _TOOL)


def _rows(records: list[dict[str, str]], origin: Origin, tier: Tier) -> Iterator[Row]:
    heads = list(records[0]) if records else []
    units = [unit for unit in _UNITS if f"max_{unit}_per_sec" in heads]
    if len(units) != 1:
        raise SchemaError("not the CSV of BabelStream: no column such as max_MB_per_sec")
    (unit,) = units
    for record in records:
        operation = _OPERATIONS.get(record.get("function") or "")
        best = number(record.get(f"max_{unit}_per_sec"))
        elements, width = number(record.get("n_elements")), number(record.get("sizeof"))
        if operation is None or best is None or elements is None or width is None:
            raise SchemaError(
                f"a line that is no result: {' '.join(map(str, record.values())):.60}"
            )
        word, arrays = operation
        size = int(elements * width)
        longest = number(record.get("max_runtime"))
        value = best * _UNITS[unit]
        yield row(
            origin,
            tier,
            case_id(tier, word, f"size={format_size(size)}", *_params(origin, tier)),
            Metric.BANDWIDTH,
            value,
            n=int(number(record.get("num_times")) or 1),
            max=value,
            min=min(value, arrays * size / longest / 1e9) if longest else None,
            size_bytes=arrays * size,
            bytes_moved=arrays * size,
            bytes_convention=BytesConvention.RW_SUM,
            timer="tool:babelstream",
            flags=("best-of",),
            detail=_detail(origin, tier),
        )


def _params(origin: Origin, tier: Tier) -> tuple[str, ...]:
    """As our ids have them."""
    assumed = _ASSUMED[tier].items()
    return tuple(f"{key}={origin.given.get(key, value)}" for key, value in assumed)


def _detail(origin: Origin, tier: Tier) -> dict[str, str]:
    assumed = [key for key in _ASSUMED[tier] if key not in origin.given]
    return {"statistic": "best", **({"assumed": ",".join(assumed)} if assumed else {})}
