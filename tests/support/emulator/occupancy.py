"""Number of resident blocks per SM, limited by registers, threads and shared memory.

The allocation units are the units of the CUDA occupancy calculator for compute capability 8.0 and
later: 256 registers per warp, and 128 bytes of shared memory. The system reserves 1 KiB of shared
memory per block. An SM has 65536 registers.
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
    """Resident blocks per SM.

    Args:
        shared: static plus dynamic shared memory per block, in bytes.
    """
    warps = -(-threads // 32)
    by_threads = threads_per_sm // 32 // warps
    of_warp = -(-max(registers, 1) * 32 // 256) * 256
    by_registers = REGISTERS // of_warp // warps
    by_shared = shared_per_sm // (-(-(shared + RESERVED) // 128) * 128)
    return min(by_threads, by_registers, by_shared, _MOST_BLOCKS.get(arch, 32))
