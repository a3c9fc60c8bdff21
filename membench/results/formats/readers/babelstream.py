"""Reads the text output and the ``--csv`` output of BabelStream 3.4 to 6.0.

The header names the unit. A result is usually the best of all repetitions. With ``--triad-only``
(up to version 5.0) and in the order ``Isolated`` (6.0), a result is the mean. The file never names
the measured memory, so the user must give the tier: ``hbm`` or ``ddr``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from membench.core.errors import SchemaError
from membench.core.terms import BytesConvention, Metric, Tier
from membench.core.units import format_size, parse_size
from membench.results.formats.documents import text_in
from membench.results.formats.figures import Origin, case_id, count, number, row
from membench.results.formats.reading import Item, Record, Unplaced

_TOOL = "babelstream"
_UNITS = {  # the unit, lower case and without "ytes" -> GB/s
    "mb": 1e-3,
    "mib": 2**20 / 1e9,
    "gb": 1.0,
    "gib": 2**30 / 1e9,
    "tb": 1e3,
    "tib": 2**40 / 1e9,
}
_OPERATIONS = {"Copy": ("copy", 2), "Mul": ("scale", 2), "Add": ("add", 3), "Triad": ("triad", 3)}
_OPERATIONS |= {"Dot": ("dot", 2), "Nstream": ("nstream", 4)}
"""Function -> membench's name for the function, and how many arrays the function moves."""
_ASSUMED = {
    Tier.DDR: {"threads": "all", "pages": "4k", "stores": "plain"},
    Tier.HBM: {"vec": "16"},  # BabelStream's only configuration is membench's default
}
"""Values of axes that the file lacks, for a usual build; `--set` overrides them."""

_RATE = re.compile(r"(max_)?(m|g|t|mi|gi|ti)b(?:ytes)?_per_sec", re.IGNORECASE)
_TABLE = re.compile(r"Function +(m|g|t|mi|gi|ti)b(?:ytes)?/s(?:ec)? +Min", re.IGNORECASE)
_TRIAD = re.compile(r"Bandwidth \((GB|GiB)/s\): +([\d.]+)")
_DEVICES = (
    re.compile(r"Using \S+ device (.+)"),
    re.compile(r'(?:CUDA|HIP) Device \d+: "(.+?)"'),
)
_PHASE = re.compile(r"(Init|Read): +[\d.]+ s \(=")
_DRIVER = re.compile(r"(?:CUDA )?Driver: *(\S+)")
_SIZE = re.compile(r"Array size: ([\d.]+) (KB|KiB|MB|MiB|GB|GiB|TB|TiB)\b")
_BYTES = {f"{prefix}B": 1000**power for power, prefix in enumerate("KMGT", 1)}
_BYTES |= {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)}


@dataclass
class _Header:
    """Facts from lines without a result. A fact that is unknown is None.

    Attributes:
        width: bytes of one element.
        size: bytes of one array.
        guessed: whether `size` is a power of 2 that was found for a rounded size.
        isolated: whether the results are means (order ``Isolated``).
        header: names of the columns of the CSV; empty outside of CSV.
        table: prefix of the unit of the rates, such as ``M``; empty outside of the text table.
        valid: False if the validation failed.
    """

    origin: Origin
    tier: Tier
    device: str = ""
    driver: str = ""
    width: int = 8
    elements: int | None = None
    size: int | None = None
    guessed: bool = False
    repetitions: int = 1
    isolated: bool = False
    header: Sequence[str] = ()
    table: str = ""
    valid: bool | None = None


@dataclass(frozen=True)
class _Line:
    """The result of one function. A value that is unknown is None.

    Attributes:
        value: bandwidth in GB/s.
        size: bytes of one array.
        slowest: time of the slowest repetition in seconds.
        mean: whether `value` is the mean of the repetitions; otherwise the best.
    """

    function: str
    value: float | None
    repetitions: int
    size: int | None
    slowest: float | None = None
    mean: bool = False


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    """Yield a record for each function, such as Copy or Triad."""
    run = _Header(origin, origin.tier(of=(Tier.DDR, Tier.HBM)))
    any_yet = False
    for line in text_in(data, _TOOL).splitlines():
        for record in _line(line.strip(), run):
            any_yet = True
            yield record
    if not any_yet and not (run.header or run.table):
        raise SchemaError(
            "the file is not the output of BabelStream: it has no column such as max_MB_per_sec"
        )


def _line(line: str, run: _Header) -> Iterator[Record]:
    cells = [cell.strip().strip('"') for cell in line.split(",")]
    if cells[0] in ("function", "phase"):
        run.header = cells
    elif table := _TABLE.match(line):
        run.table, run.header = table[1], ()
    elif run.header and len(cells) == len(run.header):
        yield _csv(dict(zip(run.header, cells, strict=True)), run)
    elif run.table and line.partition(" ")[0] in _OPERATIONS:
        yield _table(line.split(), run)
    elif triad := _TRIAD.match(line):
        value = (number(triad[2]) or 0) * _UNITS[triad[1].lower()]
        yield _figure(_Line("Triad", value, run.repetitions, run.size, mean=True), run)
    elif phase := _PHASE.match(line):
        yield (Unplaced(f"the phase {phase[1]}, not a function such as Copy"),)
    elif run.header and len(cells) > 2:
        yield (Unplaced("a line that is truncated or does not match its header"),)
    else:
        _about(line, run)


def _about(line: str, run: _Header) -> None:
    for pattern in _DEVICES:
        if match := pattern.match(line):
            run.device = match[1].strip()
    if match := _DRIVER.match(line):
        run.driver = match[1]
    elif match := re.match(r"Running.* (\d+) times", line):
        run.repetitions, run.isolated = count(match[1]), "Isolated" in line
    elif line.startswith("Validation failed on "):  # precedes the results
        run.valid = False
    elif line.startswith("Number of elements: "):
        run.elements = int(number(line.rpartition(" ")[2]) or 0) or None
    elif line.startswith("Precision: "):
        run.width = 4 if line.endswith("float") else 8
    elif match := _SIZE.match(line):
        if run.elements:
            run.size = run.elements * run.width
        else:
            run.size = _power_of_2(match[1], _BYTES[match[2]])
            run.guessed = run.size is not None


def _power_of_2(shown: str, unit: int) -> int | None:
    """The power of 2 (bytes) that is printed as ``shown`` in units of ``unit`` bytes.

    None if no power of 2 from 1 KiB to 128 TiB is printed as ``shown``.
    """
    sizes = (1 << power for power in range(10, 48))
    return next((size for size in sizes if f"{size / unit:.1f}" == shown), None)


def _csv(cells: Mapping[str, str], run: _Header) -> Record:
    rate = next((match for name in cells if (match := _RATE.fullmatch(name))), None)
    if "phase" in cells:
        return (Unplaced(f"the phase {cells['phase']}, not a function such as Copy"),)
    if rate is None:
        return (Unplaced("a line under a header without a unit"),)
    elements, width = number(cells.get("n_elements")), number(cells.get("sizeof"))
    value = number(cells[rate[0]])
    fastest, slowest = number(cells.get("min_runtime")), number(cells.get("max_runtime"))
    repetitions = count(cells.get("num_times"))
    same = repetitions > 2 and fastest is not None and fastest == slowest
    line = _Line(
        cells.get("function", ""),
        value * _UNITS[f"{rate[2].lower()}b"] if value else None,
        repetitions,
        int(elements * width) if elements and width else None,
        slowest,
        mean=rate[1] is None or same,
    )
    return _figure(line, run)


def _table(cells: Sequence[str], run: _Header) -> Record:
    if len(cells) != 5:
        return (Unplaced("a truncated line of a function"),)
    size = _given_size(run) or run.size
    shown, fastest = number(cells[1]) or 0, number(cells[2])
    value = shown * _UNITS[f"{run.table.lower()}b"]
    if size and fastest and cells[0] in _OPERATIONS and shown * 5e-6 < fastest * 5e-4:
        # The time (five decimals) has more significant digits than the rate (three decimals).
        value = _OPERATIONS[cells[0]][1] * size / fastest / 1e9
    line = _Line(
        cells[0],
        value or None,
        run.repetitions,
        size,
        number(cells[3]),
        mean=run.isolated,
    )
    return _figure(line, run)


def _given_size(run: _Header) -> int | None:
    return parse_size(run.origin.given["size"]) if "size" in run.origin.given else None


def _figure(line: _Line, run: _Header) -> Iterator[Item]:
    operation = _OPERATIONS.get(line.function)
    if operation is None or line.value is None:
        yield Unplaced(
            f"a line without the result of a known function: {line.function or 'no name'}"
        )
        return
    word, arrays = operation
    size, origin, tier = line.size, run.origin, run.tier
    if size is None:  # the text output has a rounded size, which is no power of 2
        case = case_id(tier, _TOOL, word, *_params(origin, tier))
    else:
        case = case_id(tier, word, f"size={format_size(size)}", *_params(origin, tier))
    moved = arrays * size if size else None
    ends = not line.mean
    yield row(
        origin,
        tier,
        case,
        Metric.BANDWIDTH,
        line.value,
        n=line.repetitions,
        max=line.value if ends else None,
        min=min(line.value, moved / line.slowest / 1e9)
        if ends and moved and line.slowest
        else None,
        size_bytes=moved,
        bytes_moved=moved,
        bytes_convention=BytesConvention.RW_SUM,
        timer="tool:babelstream",
        verified=run.valid,
        device=run.device,
        driver=run.driver,
        flags=("best-of",) if ends else (),
        detail=_detail(line, run),
    )


def _params(origin: Origin, tier: Tier) -> tuple[str, ...]:
    assumed = _ASSUMED[tier].items()
    return tuple(f"{key}={origin.given.get(key, value)}" for key, value in assumed)


def _detail(line: _Line, run: _Header) -> dict[str, str]:
    assumed = [key for key in _ASSUMED[run.tier] if key not in run.origin.given]
    if run.guessed and line.size == run.size and "size" not in run.origin.given:
        assumed.append("size")
    statistic = {"statistic": "mean" if line.mean else "best"}
    return {**statistic, **({"assumed": ",".join(assumed)} if assumed else {})}
