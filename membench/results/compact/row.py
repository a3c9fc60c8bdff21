"""The columns of a row that comparisons need, as a named tuple."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple

from membench.core.errors import SchemaError
from membench.core.terms import Better, BytesConvention, Metric, Stat, Status, Tier
from membench.results.cells import DETAIL, SAMPLES, VALUES
from membench.results.schema import Row, array_bytes, is_median


class Common(NamedTuple):
    """Values that many rows share, as one object; each field is the column of the same name."""

    tier: Tier
    case: str
    case_version: int
    metric: Metric
    stat: Stat
    status: Status
    unit: str
    better: Better
    rounds: int
    bytes_convention: BytesConvention | None
    peak: float | None
    backend: str
    device: str
    driver: str
    cuda: str
    membench: str
    kernel: str
    flags: tuple[str, ...]
    reason: str
    size_bytes: int | None

    @property
    def cited(self) -> bool:
        return self.backend == "cited"

    @property
    def imported(self) -> bool:
        return self.backend.startswith("import:")


class Measurement(NamedTuple):
    """The row of one case, metric and statistic in one run, with the columns for comparisons.

    `best` is the column `max` if a higher value is better, otherwise `min`. Fields whose name ends
    in ``_cell`` contain unparsed cells. None stands for an empty cell.
    """

    common: Common
    run_id: str
    machine: str
    value: float | None
    spread: float | None
    best: float | None
    detail_cell: str
    rounds_cell: str
    samples_cell: str

    @property
    def tier(self) -> Tier:
        return self.common.tier

    @property
    def case(self) -> str:
        return self.common.case

    @property
    def case_version(self) -> int:
        return self.common.case_version

    @property
    def metric(self) -> Metric:
        return self.common.metric

    @property
    def stat(self) -> Stat:
        return self.common.stat

    @property
    def status(self) -> Status:
        return self.common.status

    @property
    def unit(self) -> str:
        return self.common.unit

    @property
    def better(self) -> Better:
        return self.common.better

    @property
    def rounds(self) -> int:
        return self.common.rounds

    @property
    def bytes_convention(self) -> BytesConvention | None:
        return self.common.bytes_convention

    @property
    def peak(self) -> float | None:
        return self.common.peak

    @property
    def backend(self) -> str:
        return self.common.backend

    @property
    def device(self) -> str:
        return self.common.device

    @property
    def driver(self) -> str:
        return self.common.driver

    @property
    def cuda(self) -> str:
        return self.common.cuda

    @property
    def membench(self) -> str:
        return self.common.membench

    @property
    def kernel(self) -> str:
        return self.common.kernel

    @property
    def flags(self) -> tuple[str, ...]:
        return self.common.flags

    @property
    def reason(self) -> str:
        return self.common.reason

    @property
    def key(self) -> tuple[str, str, Metric, Stat]:
        return (self.run_id, self.case, self.metric, self.stat)

    @property
    def detail(self) -> Mapping[str, str]:
        return read_detail(self.detail_cell) or {}

    @property
    def array_bytes(self) -> int | None:
        return array_bytes(self.case, self.detail, self.common.size_bytes)

    @property
    def round_values(self) -> tuple[float, ...]:
        """The value of each round.

        Raises:
            SchemaError: a round value is not a finite number above 0, or `value` is not the median
                of the round values.
        """
        values = tuple(map(float, self.rounds_cell.split(";"))) if self.rounds_cell else ()
        if not values:
            return values
        ordered = sorted(values)
        # Only if this fast check fails, each value is checked.
        middle = ordered[len(values) // 2] if len(values) % 2 else None
        if ordered[0] > 0 and ordered[-1] < math.inf and self.value == middle:
            return values
        if not VALUES.valid(values):
            raise SchemaError(f"{self.case}: column 'round_values' must contain {VALUES.what}")
        if self.value is not None and not is_median(self.value, values):
            raise SchemaError(
                f"{self.case}: column 'value': the value is not the median of the round values"
            )
        return values

    @property
    def samples(self) -> tuple[tuple[float, ...], ...]:
        """The stored samples, one tuple per round; empty unless the row has exactly one round.

        Raises:
            SchemaError: the cell does not contain valid samples.
        """
        try:
            samples: tuple[tuple[float, ...], ...] = SAMPLES.from_cell(self.samples_cell)
        except ValueError as error:
            raise SchemaError(f"{self.case}: column 'samples': {error}") from None
        if not SAMPLES.valid(samples):
            raise SchemaError(f"{self.case}: column 'samples' must contain {SAMPLES.what}")
        return samples


def commons_of(rows: Iterable[Measurement]) -> tuple[Common, ...]:
    return distinct(list(map(attrgetter("common"), rows)))


def distinct(commons: Sequence[Common]) -> tuple[Common, ...]:
    """The distinct objects (by identity) in ``commons``, in the order of the first occurrence."""
    return tuple(dict(zip(map(id, commons), commons, strict=True)).values())


def of_row(row: Row) -> Measurement:
    """Convert ``row`` to a `Measurement`, with samples only if ``row`` has a single round."""
    cells = (DETAIL.to_cell(row.detail), VALUES.to_cell(row.round_values))
    samples = SAMPLES.to_cell(row.samples) if row.rounds == 1 else ""
    common = Common._make(getattr(row, name) for name in Common._fields)
    best = row.max if row.better is Better.HIGHER else row.min
    return Measurement(
        *(common, row.run_id, row.machine, row.value, row.spread, best), *cells, samples
    )


@lru_cache(maxsize=1 << 14)
def read_detail(cell: str) -> Mapping[str, str] | None:
    """Parse a `detail` cell; None if ``cell`` is invalid."""
    try:
        return MappingProxyType(DETAIL.from_cell(cell))
    except ValueError:
        return None
