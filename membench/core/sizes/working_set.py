"""Array sizes for `size=auto`: large enough that memory, not a cache, serves the arrays."""

from __future__ import annotations

from collections.abc import Callable

from membench.core.sizes.reach import BEYOND, CACHE_MULTIPLE, Reach, of_the_chase
from membench.core.snapshot import Machine
from membench.core.units import GIB, MIB

LEAST_ARRAY = 256 * MIB
"""Smallest size of an array for measuring memory, in bytes, even if the caches are small."""

DEVICE_ARRAY = 4 * GIB
"""Size in bytes of an array in GPU memory, if the array fits.

The largest L2 cache of 2026 has 126 MiB.
"""

GPU_SHARE = 0.9
"""Largest share of a GPU's memory that a case may allocate; the CUDA context also needs memory."""

Cost = Callable[[int], float]
"""A function from the size of one array to the memory that the case allocates, both in bytes."""


def host_array(machine: Machine, reach: Reach, held: Cost) -> int:
    """Size in bytes of an array in main memory, if possible too large for the reachable caches.

    The size is a power of two, because a pointer chase needs one, and at least `LEAST_ARRAY`. If
    the caches are unknown, the size is `LEAST_ARRAY`. If the case does not fit in the memory
    budget, the size is the largest one that fits, or `LEAST_ARRAY` if none fits.

    Args:
        held: returns the bytes that the case allocates in all if its arrays have a given size.
    """
    size = _power_of_two(max(LEAST_ARRAY, CACHE_MULTIPLE * (reach.bytes or 0)))
    return _fitting(size, held, machine.memory.budget)


def most_of_gpu(machine: Machine) -> int:
    """80 % of the first GPU's memory in bytes, rounded down to whole GiB; 0 if unknown.

    The KV cache of an inference engine can be that large.
    """
    devices = machine.gpus.devices
    return int(0.8 * (devices[0].memory or 0)) // GIB * GIB if devices else 0


def device_array(machine: Machine, held: Cost) -> int:
    """Size in bytes of an array in GPU memory.

    The size is `DEVICE_ARRAY` if the case then fits in `GPU_SHARE` of the memory of every GPU.
    Otherwise, the size is the largest power of two with which the case fits, but at least
    `LEAST_ARRAY`. If the memory size of a GPU is unknown, the case must fit in the host's memory
    budget instead. If a GPU is integrated, the case must fit in both.

    Args:
        held: returns the bytes that the case allocates in all if its arrays have a given size.
    """
    devices, budget = machine.gpus.devices, machine.memory.budget
    if not devices:
        return DEVICE_ARRAY
    known = [gpu.memory for gpu in devices if gpu.memory]
    room = GPU_SHARE * min(known) if len(known) == len(devices) else budget
    if any(gpu.integrated for gpu in devices):
        room = min(room, budget)
    return _fitting(DEVICE_ARRAY, held, room)


def top_ring(machine: Machine) -> int:
    """Size in bytes of the largest buffer for the pointer chases of `Cpu.staircase`."""
    return _power_of_two(max(LEAST_ARRAY, int(BEYOND * (of_the_chase(machine) or 0))))


def _fitting(size: int, held: Cost, room: float) -> int:
    while size > LEAST_ARRAY and held(size) > room:
        size //= 2
    return size


def _power_of_two(size: int) -> int:
    """The smallest power of two that is at least ``size``."""
    return 1 << (size - 1).bit_length()
