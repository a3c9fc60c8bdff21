"""Blocks that an SM holds at the same time, by the resources that they need.

Units of allocation as in the CUDA occupancy calculator for compute capability 8.0
and later: registers in 256 a warp, shared memory in 128 bytes, of which the system
keeps 1 KiB a block; 65536 registers an SM.
"""

from __future__ import annotations

REGISTERS = 65536
RESERVED = 1024
_MOST_BLOCKS = {"80": 32, "86": 16, "87": 16, "89": 24, "90": 32, "100": 32, "120": 24}


def blocks_per_sm(
    arch: str,
    threads: int,
    registers: int,
    shared: int,
    threads_per_sm: int,
    shared_per_sm: int,
) -> int:
    """Resident blocks of ``threads`` threads, with ``shared`` bytes, static and dynamic."""
    warps = -(-threads // 32)
    by_threads = threads_per_sm // 32 // warps
    of_warp = -(-max(registers, 1) * 32 // 256) * 256
    by_registers = REGISTERS // of_warp // warps
    by_shared = shared_per_sm // (-(-(shared + RESERVED) // 128) * 128)
    return min(by_threads, by_registers, by_shared, _MOST_BLOCKS.get(arch, 32))
