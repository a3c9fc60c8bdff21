"""Find GPUs, or pairs of GPUs, that are slower than the other GPUs of the same host.

The GPUs are judged like the machines of a fleet (`membench.analysis.fleet.summary`). If cases
differ only in the GPU, they count as one case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from membench.analysis.check.tiers import gpu_of
from membench.analysis.fleet.reading import Key, Values
from membench.analysis.fleet.summary import SlowCell, summarise
from membench.analysis.likeness import NOT_THE_CASE
from membench.analysis.thresholds import PRESETS
from membench.core.case_id import split_case
from membench.core.record import record
from membench.core.terms import OFF_TIER_FLAGS, Status
from membench.results.schema import Row

PEER = "peer/"
_MATRICES = ("p2p", "device_to_device")
"""Words in test names of p2pBandwidthLatencyTest and nvbandwidth for transfers between GPUs."""


@record
class Straggler:
    """A GPU, or a pair of GPUs, that is slower than the other GPUs of the host.

    Attributes:
        name: such as ``GPU 3`` or ``GPU 3 to GPU 4``.
        slow: the cases in which the GPU or pair was slow, the slowest first.
        chance: see `membench.analysis.fleet.summary.MachineLine`.
    """

    name: str
    slow: tuple[SlowCell, ...]
    chance: float


def stragglers(rows: Iterable[Row], run_gpus: Mapping[str, int]) -> tuple[Straggler, ...]:
    """Find the slow GPUs, then the slow pairs. Fewer than five GPUs or pairs are not judged.

    ``run_gpus``: see `membench.analysis.check.tiers.gpu_of`.
    """

    def gpu(row: Row) -> int | None:
        return gpu_of(row, run_gpus)

    ok = [
        row
        for row in rows
        if row.status is Status.OK
        and row.value is not None
        and gpu(row) is not None
        and OFF_TIER_FLAGS.isdisjoint(row.flags)
    ]
    pairs = [row for row in ok if _is_of_pair(row)]
    own = [row for row in ok if not row.case.startswith(PEER) and "/src=" not in row.case]
    return (
        *_found(own, lambda row: f"GPU {gpu(row)}"),
        *_found(pairs, lambda row: _pair(row, gpu(row))),
    )


def _is_of_pair(row: Row) -> bool:
    axes = split_case(row.case)[1]
    matrix = any(word in axes.get("test", "") for word in _MATRICES)
    return row.case.startswith(PEER) or (matrix and axes.get("src", "") != axes.get("dst", ""))


def _pair(row: Row, gpu: int | None) -> str:
    """The name of the pair, such as ``GPU 0 to GPU 1`` (source, then destination)."""
    said = {**row.detail, **split_case(row.case)[1]}
    ends = said.get("src", ""), said.get("dst", "")
    if all(ends):
        return f"GPU {ends[0]} to GPU {ends[1]}"
    both = said.get("gpus", "")
    return f"GPUs {both}" if both else f"GPU {gpu} and another"


def _found(rows: Sequence[Row], name: Callable[[Row], str]) -> list[Straggler]:
    keys: dict[Key, int] = {}
    names: dict[str, int] = {}
    places: dict[tuple[int, int], float] = {}
    for row in rows:
        key = keys.setdefault(_key(row), len(keys))
        places[key, names.setdefault(name(row), len(names))] = row.value or 0.0
    if not places:
        return []
    summary = summarise(
        Values(
            keys=tuple(keys),
            machines=tuple(names),
            key=np.array([key for key, _ in places], np.int32),
            machine=np.array([place for _, place in places], np.int32),
            value=np.array(list(places.values())),
        ),
        PRESETS["default"],
    )
    return [Straggler(line.name, line.slow, line.chance) for line in summary.stragglers]


def _key(row: Row) -> Key:
    """The key of the row's case without the axes that name a GPU."""
    parts = row.case.split("/")
    return Key(
        row.tier,
        "/".join(part for part in parts if part.partition("=")[0] not in NOT_THE_CASE),
        row.case_version,
        row.metric,
        row.stat,
        row.unit,
        str(row.bytes_convention or ""),
        row.better,
    )
