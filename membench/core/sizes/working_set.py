"""Array sizes so large that memory serves them, not a cache: the meaning of `size=auto`."""

from __future__ import annotations

from collections.abc import Callable

from membench.core.sizes.reach import BEYOND, CACHE_MULTIPLE, Reach, of_the_chase
from membench.core.snapshot import Machine
from membench.core.units import GIB, MIB

LEAST_ARRAY = 256 * MIB
"""The smallest array in bytes that is used to measure memory, even if the caches are small."""

DEVICE_ARRAY = 4 * GIB
"""Bytes of an array in GPU memory, if it fits: the largest L2 cache of 2026 has 126 MiB, and other
tools use arrays of gigabytes.
"""

GPU_SHARE = 0.9
"""Largest share of a GPU's memory that a case may hold; the CUDA context needs the rest."""

Cost = Callable[[int], float]
"""Bytes of memory that a case holds, given the bytes of one of its arrays."""


def host_array(machine: Machine, reach: Reach, held: Cost) -> int:
    """Bytes of an array in main memory that the reachable caches cannot serve.

    A power of two, as rings require. If the memory budget is too small for it, the largest that
    fits, but at least `LEAST_ARRAY`; a case that does not fit even then is skipped.
    """
    size = _power_of_two(max(LEAST_ARRAY, CACHE_MULTIPLE * (reach.bytes or 0)))
    return _fitting(size, held, machine.memory.budget)


def most_of_gpu(machine: Machine) -> int:
    """80 % of the first GPU's memory in bytes, as a multiple of 1 GiB; 0 if unknown.

    This is the size of a typical KV pool.
    """
    devices = machine.gpus.devices
    return int(0.8 * (devices[0].memory or 0)) // GIB * GIB if devices else 0


def device_array(machine: Machine, held: Cost) -> int:
    """Bytes of an array in GPU memory: `DEVICE_ARRAY`, or the largest power of two that fits.

    A GPU whose memory size is unknown is assumed to share the host's memory.
    """
    devices, budget = machine.gpus.devices, machine.memory.budget
    if not devices:
        return DEVICE_ARRAY
    known = [gpu.memory for gpu in devices if gpu.memory]
    room = GPU_SHARE * min(known) if len(known) == len(devices) else budget
    if any(gpu.integrated for gpu in devices):
        room = min(room, budget)  # an integrated GPU uses the memory that the host uses
    return _fitting(DEVICE_ARRAY, held, room)


def top_ring(machine: Machine) -> int:
    """Bytes of the largest ring of a staircase; too large for the reported cache."""
    return _power_of_two(max(LEAST_ARRAY, int(BEYOND * (of_the_chase(machine) or 0))))


def _fitting(size: int, held: Cost, room: float) -> int:
    while size > LEAST_ARRAY and held(size) > room:
        size //= 2
    return size


def _power_of_two(size: int) -> int:
    """The smallest power of two that is at least ``size``."""
    return 1 << (size - 1).bit_length()
