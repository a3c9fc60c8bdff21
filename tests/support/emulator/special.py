"""Special registers: what a thread knows of its place in the launch."""

from __future__ import annotations

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
    """The register ``name``, as 32-bit words: one a lane, or a scalar.

    Raises:
        UnknownInstruction: it is not emulated.
    """
    stem, _, axis = name.removeprefix("%").partition(".")
    if axis:
        return _word(_dimension(wave, stem, _AXES[axis]))
    if stem.startswith("lanemask_"):
        return _lane_mask(wave, stem.removeprefix("lanemask_"))
    return _word(_scalar(wave, stem))


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


def _scalar(wave: Wave, stem: str) -> Lanes | int:
    shape = wave.shape
    match stem:
        case "laneid":
            return wave.thread_of % 32
        case "warpid":
            return wave.thread_of // 32
        case "nwarpid":
            return wave.machine.resident // 32
        case "smid":
            return (wave.first + wave.block_of) % wave.machine.sms
        case "nsmid":
            return wave.machine.sms
        case "gridid":
            return 0
        case "cluster_ctarank":
            return wave.block_of % shape.cluster
        case "cluster_nctarank":
            return shape.cluster
        case "is_explicit_cluster":
            return int(shape.cluster > 1)
        case "dynamic_smem_size":
            return shape.shared
        case "total_smem_size":
            return wave.shared_end - SHARED_START
    raise UnknownInstruction(f"special register not emulated: %{stem}")


def _lane_mask(wave: Wave, which: str) -> Lanes:
    lane = (wave.thread_of % 32).astype(np.uint64)
    own = np.left_shift(np.uint64(1), lane)
    below = own - np.uint64(1)
    masks = {"eq": own, "lt": below, "le": below | own, "gt": ~(below | own), "ge": ~below}
    return masks[which].astype(np.uint32)
