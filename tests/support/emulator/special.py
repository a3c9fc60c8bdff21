"""Special registers: the position of a thread in the launch, clocks, and similar values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from emulator.access import SHARED_START
from emulator.faults import UnknownInstruction
from emulator.machine import Triple
from emulator.scalars import Lanes

if TYPE_CHECKING:
    from emulator.wave import Wave

_AXES = {"x": 0, "y": 1, "z": 2}


def special_register(wave: Wave, name: str) -> Lanes:
    """The special register ``name`` as 32-bit words: one word per lane, or a scalar.

    Raises:
        UnknownInstruction: the register is not emulated.
    """
    stem, _, axis = name.removeprefix("%").partition(".")
    if axis:
        return _word(_dimension(wave, stem, _AXES[axis]))
    if stem.startswith("lanemask_"):
        return _lane_mask(wave, stem.removeprefix("lanemask_"))
    if stem not in _SCALARS:
        raise UnknownInstruction(f"special register not emulated: {name}")
    return _word(_SCALARS[stem](wave))


def _word(value: Lanes | int) -> Lanes:
    return np.asarray(value).astype(np.uint32)


def _along(index: Lanes, extent: Triple, axis: int) -> Lanes:
    x, y, _ = extent
    return (index % x, index // x % y, index // (x * y))[axis]


def _dimension(wave: Wave, stem: str, axis: int) -> Lanes | int:
    shape = wave.shape
    block = _along(wave.first + wave.block_of, shape.grid, axis)
    cluster = shape.cluster if axis == 0 else 1
    match stem:
        case "tid":
            return _along(wave.thread_of, shape.block, axis)
        case "ntid":
            return shape.block[axis]
        case "ctaid":
            return block
        case "nctaid":
            return shape.grid[axis]
        case "clusterid":
            return block // cluster
        case "nclusterid":
            return shape.grid[axis] // cluster
        case "cluster_ctaid":
            return block % cluster
        case "cluster_nctaid":
            return cluster
    raise UnknownInstruction(f"special register not emulated: %{stem}")


def _sm(wave: Wave) -> Lanes:
    seats = wave.machine.seats(wave.shape.cluster)
    return wave.machine.number_of(seats[(wave.first + wave.block_of) % seats.size])


_SCALARS: dict[str, Callable[[Wave], Lanes | int]] = {
    "laneid": lambda wave: wave.thread_of % 32,
    "warpid": lambda wave: wave.thread_of // 32,
    "nwarpid": lambda wave: wave.machine.resident // 32,
    "smid": _sm,
    "nsmid": lambda wave: wave.machine.numbers,
    "gridid": lambda _wave: 0,
    "cluster_ctarank": lambda wave: wave.block_of % wave.shape.cluster,
    "cluster_nctarank": lambda wave: wave.shape.cluster,
    "is_explicit_cluster": lambda wave: int(wave.shape.cluster > 1),
    "dynamic_smem_size": lambda wave: wave.shape.shared,
    "total_smem_size": lambda wave: wave.shared_end - SHARED_START,
}


def _lane_mask(wave: Wave, which: str) -> Lanes:
    lane = (wave.thread_of % 32).astype(np.uint64)
    own = np.left_shift(np.uint64(1), lane)
    below = own - np.uint64(1)
    masks = {"eq": own, "lt": below, "le": below | own, "gt": ~(below | own), "ge": ~below}
    return masks[which].astype(np.uint32)
