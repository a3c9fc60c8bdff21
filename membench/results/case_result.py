"""The result of one case in one round, as the journal stores the result."""

from __future__ import annotations

from dataclasses import field

from membench.core.record import record
from membench.core.terms import Metric, Stat, Status


@record
class Reading:
    """The samples of one metric and statistic in one round, in the metric's unit.

    Attributes:
        value: the statistic over all samples.
        n: number of samples taken.
        samples: all samples, or 129 evenly spaced quantiles of the samples.
        quantiles: whether ``samples`` are quantiles, as for more than 512 samples.
    """

    metric: Metric
    stat: Stat
    value: float
    n: int
    samples: tuple[float, ...]
    quantiles: bool = False


@record
class Seconds:
    """The wall time in seconds that each phase of a case took in one round."""

    setup: float = 0.0  # allocating and filling
    measure: float = 0.0  # warming up and timing
    verify: float = 0.0


@record
class CaseResult:
    """The result of one case in one round; rounds are numbered from 1.

    Each optional field except `readings` and `seconds` has the name of the column for its value.
    None or an empty field means that the value is absent.
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
