"""Compare the emulator's counts with the hardware's counters for six access patterns.

    ci/gpu_counts.py FILE [--dry-run]

Each pattern is a launch of one of the project's own kernels. Nsight Compute (`ncu`) counts the
sectors of global memory that the launch requests; the emulator of the tests counts the same launch.
The script prints the table and writes the table to FILE as CSV. The exit code is 3 if a count
differs. If the counters cannot be read (no ncu, or no permission), the script prints the reason,
and the exit code is 0. PYTHONPATH must name the checkout and ``tests/support``; ci/gpu.sh sets it.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from membench.gpu.protocol import Gpu, KernelVariant
from membench.gpu.verify.ring import GpuRing

LOADS = "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum"
STORES = "l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum"

VECTORS = 1 << 16
RING = GpuRing(1 << 12, 1 << 12, 0x5EED)
RING_ARGS = (np.uint32(RING.bits), np.uint32(RING.seed))


@dataclass(frozen=True)
class Pattern:
    """An access pattern. ``run`` launches ``entry`` exactly once on the given GPU."""

    name: str
    entry: str
    run: Callable[[Gpu], None]


def copy(width: int) -> Callable[[Gpu], None]:
    """Neighbouring threads copy neighbouring vectors of ``width`` bytes."""

    def run(gpu: Gpu) -> None:
        source, target = gpu.allocate(VECTORS * width), gpu.allocate(VECTORS * width)
        gpu.fill(source, 1)
        kernel = gpu.kernel(KernelVariant.of("stream.cu", VEC=width), "stream_copy")
        gpu.launch(kernel, 64, 256, (target, source, np.uint64(VECTORS)))

    return run


def read(gpu: Gpu) -> None:
    """Reads of vectors of 8 bytes, with one sum per block."""
    source, sums = gpu.allocate(VECTORS * 8), gpu.allocate(4 * 64)
    gpu.fill(source, 1)
    gpu.fill(sums, 0)
    kernel = gpu.kernel(KernelVariant.of("stream.cu", VEC=8), "stream_read")
    gpu.launch(kernel, 64, 256, (sums, source, np.uint64(VECTORS)))


def fill(gpu: Gpu) -> None:
    """Stores of 4 bytes: neighbouring threads store neighbouring words."""
    target = gpu.allocate(4 * VECTORS)
    kernel = gpu.kernel(KernelVariant.of("pattern.cu"), "pattern_fill")
    gpu.launch(kernel, 64, 256, (target, np.uint64(VECTORS), np.uint32(3)))


def link(gpu: Gpu) -> None:
    """Stores of 8 bytes. Each thread of a warp stores to a different cache line."""
    memory = gpu.allocate(128 * RING.lines)
    kernel = gpu.kernel(KernelVariant.of("chase.cu"), "chase_link")
    gpu.launch(kernel, 16, 256, (memory, np.uint32(RING.lines), *RING_ARGS))


def chase(gpu: Gpu) -> None:
    """Loads of 8 bytes by one thread. Each load is from a different cache line."""
    memory, out = gpu.allocate(128 * RING.lines), gpu.allocate(24)
    variant = KernelVariant.of("chase.cu")
    args = (memory, np.uint32(RING.lines), *RING_ARGS)
    gpu.launch(gpu.kernel(variant, "chase_link"), 16, 256, args)
    walk = (out, np.uint64(memory.address + 128 * RING.place(5)), np.uint32(16))
    gpu.launch(gpu.kernel(variant, "chase_run"), 1, 1, walk)


PATTERNS = (
    Pattern("copy, 16 bytes a thread", "stream_copy", copy(16)),
    Pattern("copy, 4 bytes a thread", "stream_copy", copy(4)),
    Pattern("read, 8 bytes a thread", "stream_read", read),
    Pattern("fill, 4 bytes a thread", "pattern_fill", fill),
    Pattern("scattered stores of 8 bytes", "chase_link", link),
    Pattern("one thread's dependent loads", "chase_run", chase),
)


def emulated() -> list[tuple[int, int]]:
    """(load, store) sectors of each pattern, counted by the emulator."""
    from emulator import EmulatedGpu, small

    found = []
    for pattern in PATTERNS:
        gpu = EmulatedGpu(small(4))
        pattern.run(gpu)
        gpu.synchronize()
        sectors = gpu.counts[pattern.entry].sectors
        found.append((sectors["ld.global"], sectors["st.global"]))
    return found


def launch() -> None:
    """Run every pattern on the GPU. ncu profiles this process."""
    from membench.machine import snapshot
    from membench.measure.backends import open_backend

    gpu = open_backend("cuda", snapshot())
    for pattern in PATTERNS:
        pattern.run(gpu)  # type: ignore[arg-type]
        gpu.reclaim()
    gpu.close()


def counted() -> list[tuple[int, int]] | str:
    """(load, store) sectors of each pattern, counted by the hardware; or why no counts exist."""
    ncu = shutil.which("ncu")
    if ncu is None:
        return "ncu is not installed"
    command = [
        # By default ncu locks the clocks, which changes a setting of the GPU.
        *(ncu, "--clock-control", "none", "--csv", "--metrics", f"{LOADS},{STORES}"),
        *(sys.executable, __file__, "--launch"),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    table = "".join(ran.stdout.partition('"ID"')[1:])
    if ran.returncode or not table:
        said = [line for line in (ran.stdout + ran.stderr).splitlines() if "ERR" in line]
        return (
            f"ncu cannot read the counters: {(said or [f'exit code {ran.returncode}'])[0].strip()}"
        )
    rows = list(csv.DictReader(io.StringIO(table)))
    launches: dict[str, dict[str, str]] = {}
    for row in rows:
        launches.setdefault(row["ID"], {"entry": row["Kernel Name"].partition("(")[0]})
        launches[row["ID"]][row["Metric Name"]] = row["Metric Value"].replace(",", "")
    queue = list(launches.values())
    found = []
    for pattern in PATTERNS:
        while (
            queue[0]["entry"] != pattern.entry
        ):  # earlier launches belong to the preparation of the pattern
            queue.pop(0)
        one = queue.pop(0)
        found.append((int(one[LOADS]), int(one[STORES])))
    return found


def main(arguments: list[str]) -> int:
    """Print and write the table; return 3 if the counts differ."""
    if arguments == ["--launch"]:
        launch()
        return 0
    path, *rest = arguments
    ours = emulated()
    theirs = "not counted: --dry-run" if rest == ["--dry-run"] else counted()
    known = theirs if isinstance(theirs, list) else [("", "")] * len(ours)
    lines: list[tuple[str, ...]] = [
        ("pattern", "emulated_ld", "emulated_st", "counted_ld", "counted_st")
    ]
    for pattern, mine, hardware in zip(PATTERNS, ours, known, strict=True):
        lines.append((pattern.name, *map(str, mine), *map(str, hardware)))
    with Path(path).open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
    for line in lines:
        print("".join(f"{cell:<30}" if n == 0 else f"{cell:>13}" for n, cell in enumerate(line)))
    if isinstance(theirs, str):
        print(f"skipped: {theirs}")
        return 0
    return 0 if ours == theirs else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
