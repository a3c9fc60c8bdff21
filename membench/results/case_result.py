"""The result of one case in one round: the record of the journal from which rows are made.

Floor 1, plain data that goes through JSON unchanged.
"""

from __future__ import annotations

from dataclasses import field

from membench.core.record import record
from membench.core.terms import Metric, Stat, Status


@record
class Reading:
    """The samples of one (metric, stat) in one round, in the metric's unit.

    Attributes:
        value: the statistic of all samples, the value of the round.
        n: number of samples taken.
        samples: the samples; if more than 512 were taken, 129 evenly spaced quantiles of them, and
            `quantiles` is True.
    """

    metric: Metric
    stat: Stat
    value: float
    n: int
    samples: tuple[float, ...]
    quantiles: bool = False


@record
class Seconds:
    """The wall time of a case in a round, by kind of work."""

    setup: float = 0.0  # allocating and filling
    measure: float = 0.0  # warming up and timing
    verify: float = 0.0


@record
class CaseResult:
    """The outcome of one case in one round.  Rounds count from 1.

    The optional facts have the names of the row's columns.
    """

    round: int
    case: str
    status: Status
    started: str  # ISO 8601, UTC, with Z
    reason: str = ""
    readings: tuple[Reading, ...] = ()
    seconds: Seconds = Seconds()
    size_bytes: int | None = None
    bytes_moved: int | None = None
    bytes_convention: str = ""
    iters: int | None = None
    timer: str = ""
    cache_state: str = ""
    verified: bool | None = None
    converged: bool | None = None
    stop_reason: str = ""
    peak: float | None = None
    peak_basis: str = ""
    sm_mhz: float | None = None
    backend: str = ""
    device: str = ""
    driver: str = ""
    cuda: str = ""
    kernel: str = ""
    detail: dict[str, str | int | float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
