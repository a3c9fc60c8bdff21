#!/usr/bin/env python3
"""Print how kernel settings affect the pages that a case gets, as tables for docs/memory.md.

    sudo python ci/memory_states.py     # takes some seconds; restores each setting within 0.3 s

The script needs root. For each state, the script changes /sys/kernel/mm/transparent_hugepage,
hugetlbfs and swap for a moment. The script allocates memory as a case does (`map_pages`), and reads
the folio sizes of the memory from /proc/kpageflags. The change affects memory that other programs
allocate during this moment, but not their existing memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from membench.core.snapshot import Machine
from membench.core.terms import FLAGS
from membench.host.memory.arena import Bytes, huge_bytes, map_pages
from membench.host.memory.backend import CpuBackend
from membench.host.memory.ring import HostRing, Walk
from membench.machine import snapshot
from membench.machine.memory import read_memory
from membench.measure.flags import HUGE_SHARE

THP = Path("/sys/kernel/mm/transparent_hugepage")
GIGANTIC = Path("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages")
CGROUPS = Path("/sys/fs/cgroup/memory")
KIB = 1024
SIZE = 16 << 20
LIBC = ctypes.CDLL(None, use_errno=True)
MADV_COLLAPSE = 25
PR_SET_THP_DISABLE = 41
MAP_HUGE_1GB = 0x40000 | 30 << 26
_HEAD, _TAIL = 15, 16  # bits of /proc/kpageflags, include/uapi/linux/kernel-page-flags.h

STATES: dict[str, Mapping[str, str]] = {
    "no change": {},
    "`enabled` is always": {"enabled": "always"},
    "`enabled` is never": {"enabled": "never"},
    "2 MiB is never": {"hugepages-2048kB/enabled": "never"},
    "`enabled` is never, 2 MiB is always": {
        "enabled": "never",
        "hugepages-2048kB/enabled": "always",
    },
    "64 KiB is always": {"hugepages-64kB/enabled": "always"},
    "2 MiB is never, 64 KiB is always": {
        "hugepages-2048kB/enabled": "never",
        "hugepages-64kB/enabled": "always",
    },
    "`enabled` is never, 64 KiB is inherit": {
        "enabled": "never",
        "hugepages-64kB/enabled": "inherit",
    },
    **{f"`defrag` is {mode}": {"defrag": mode} for mode in ("always", "defer", "never")},
}


@contextlib.contextmanager
def state(settings: Mapping[str, str]) -> Iterator[None]:
    """Apply ``settings`` (path relative to `THP` -> value) until the end of the block."""
    before: dict[Path, str] = {}
    try:
        for name, value in settings.items():
            path = THP / name
            text = path.read_text()
            before[path] = text[text.index("[") + 1 : text.index("]")] if "[" in text else text
            path.write_text(value)
        yield
    finally:
        for path, value in before.items():
            path.write_text(value)


def case(pages: str, size: int = SIZE) -> Bytes:
    """``size`` bytes of memory as a case gets them, with all pages touched."""
    memory = map_pages(size, pages)
    memory.fill(1)
    return memory


def folios(memory: Bytes) -> str:
    """The shares of ``memory`` in folios of each size, as text."""
    pages = memory.nbytes // mmap.PAGESIZE
    with Path("/proc/self/pagemap").open("rb") as file:
        file.seek(memory.ctypes.data // mmap.PAGESIZE * 8)
        entries = np.frombuffer(file.read(8 * pages), np.uint64)
    frames = entries & np.uint64((1 << 55) - 1)
    descriptor = os.open("/proc/kpageflags", os.O_RDONLY)
    flags = [int.from_bytes(os.pread(descriptor, 8, int(frame) * 8), "little") for frame in frames]
    os.close(descriptor)
    sizes: Counter[int] = Counter()
    start = 0
    while start < pages:
        end = start + 1
        while flags[start] >> _HEAD & 1 and end < pages and flags[end] >> _TAIL & 1:
            end += 1
        sizes[(end - start) * 4] += end - start
        start = end
    return ", ".join(f"{100 * n // pages} % in {size} KiB" for size, n in sorted(sizes.items()))


def row(memory: Bytes) -> str:
    """The text that a row of a case with ``pages=thp`` contains for ``memory``."""
    share = huge_bytes(memory) / memory.nbytes
    assert "few-huge-pages" in FLAGS
    return f"huge={100 * share:.0f}%" + (", `few-huge-pages`" if share < HUGE_SHARE else "")


def settings_table() -> None:
    """Print a table with one line for each state of the huge page settings."""
    print(
        "| setting | page size with `pages=thp` | row with `pages=thp` | "
        "page size with `pages=4k` | `thp` and `small_thp` in the JSON file |\n"
        + "| --- " * 5
        + "|"
    )
    for name, settings in STATES.items():
        with state(settings):
            huge, small = case("thp"), case("4k")
            memory = read_memory()
            seen = f"{row(huge)} | {folios(small)}"  # before khugepaged scans the memory
            where = folios(huge)
        word = ", ".join([memory.thp, *(f"{size // KIB} KiB" for size in memory.small_thp)])
        print(f"| {name} | {where} | {seen} | {word} |", flush=True)


def collapse(memory: Bytes) -> str:
    """The effect of MADV_COLLAPSE on ``memory``, as text; or the error."""
    start = time.monotonic()
    failed = LIBC.madvise(
        ctypes.c_void_p(memory.ctypes.data), ctypes.c_size_t(memory.nbytes), MADV_COLLAPSE
    )
    if failed:
        return os.strerror(ctypes.get_errno())
    took = time.monotonic() - start
    return f"{row(memory)}, {1e3 * took / (memory.nbytes / 2**20):.1f} ms a MiB"


def collapse_table() -> None:
    """Print the effect of MADV_COLLAPSE on memory that was touched while huge pages were off."""
    print("\n| touched under | MADV_COLLAPSE of pages=thp | of pages=4k |\n| --- | --- | --- |")
    with state({"enabled": "never"}):
        huge, small = case("thp"), case("4k")
        print(f"| `enabled` never | {collapse(huge)} | {collapse(small)} |")
    LIBC.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    huge, small = case("thp"), case("4k")
    print(f"| PR_SET_THP_DISABLE | {collapse(huge)} | {collapse(small)} |")
    LIBC.prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)
    khugepaged()


def khugepaged() -> None:
    """Print how khugepaged changes memory that was touched while huge pages were off."""
    late = map_pages(SIZE, "thp")
    with state({"enabled": "never"}):
        late.fill(1)
        before = row(late)
    quick = {"khugepaged/scan_sleep_millisecs": "50", "khugepaged/pages_to_scan": "65536"}
    with state(quick):
        start = time.monotonic()
        while huge_bytes(late) < late.nbytes and time.monotonic() - start < 20:
            time.sleep(0.02)
        took = time.monotonic() - start
    print(f"\nkhugepaged, scanning every 50 ms: {before} becomes {row(late)} after {took:.1f} s")
    sleep = int((THP / "khugepaged/scan_sleep_millisecs").read_text()) / 1000
    pages = int((THP / "khugepaged/pages_to_scan").read_text())
    print(f"khugepaged scans {pages * 4 / 1024:g} MiB every {sleep:g} s, in all processes together")


def gigantic() -> None:
    """Print the reports of the kernel and of membench about a reserved page of 1 GiB."""
    before = GIGANTIC.read_text()
    free = read_memory().available
    GIGANTIC.write_text("1")
    try:
        if GIGANTIC.read_text().strip() != "1":
            print("\nno page of 1 GiB can be allocated: memory is fragmented")
            return
        memory = read_memory()
        print(
            f"\n1 GiB page set aside: available {(memory.available - free) / 2**30:+.2f} GiB, "
            f"HugePages_Total {memory.hugetlb_total}, Hugetlb {memory.hugetlb_bytes / 2**30:g} GiB"
        )
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGE_1GB
        with mmap.mmap(-1, 1 << 30, flags=flags) as mapping:
            mapping[0] = 1
            array = np.frombuffer(mapping, np.uint8)
            status = Path("/proc/self/status").read_text()
            held = next(line for line in status.splitlines() if line.startswith("HugetlbPages"))
            print(
                f"mapped and touched: AnonHugePages {huge_bytes(array)}, {' '.join(held.split())}"
            )
            del array
    finally:
        GIGANTIC.write_text(before)


def swapped() -> None:
    """Print the state of memory that was swapped out by a control group's limit and read again."""
    group = CGROUPS / f"membench-{os.getpid()}"
    if not (CGROUPS / "memory.limit_in_bytes").exists():
        print(f"\nswap: no control groups of version 1 at {CGROUPS}")
        return
    with tempfile.TemporaryDirectory() as folder:
        swap = Path(folder) / "swap"
        swap.write_bytes(bytes(512 << 20))
        swap.chmod(0o600)
        subprocess.run(["/usr/sbin/mkswap", "-q", swap], check=True)
        subprocess.run(["/usr/sbin/swapon", swap], check=True)
        group.mkdir()
        try:
            (group / "cgroup.procs").write_text(str(os.getpid()))
            memory = case("thp", 256 << 20)
            before = row(memory)
            (group / "memory.limit_in_bytes").write_text(str(160 << 20))
            (group / "memory.limit_in_bytes").write_text("-1")
            start = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
            memory.sum(dtype=np.uint64)
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_majflt - start
            print(
                f"\nswapped out and read again: {before} becomes {row(memory)}, "
                f"{faults} major faults"
            )
        finally:
            (CGROUPS / "cgroup.procs").write_text(str(os.getpid()))
            subprocess.run(["/usr/sbin/swapoff", swap], check=True)
            group.rmdir()


def latency(machine: Machine) -> None:
    """Print the latency of loads from 64 MiB for each folio size."""
    kinds: dict[str, Mapping[str, str]] = {
        "2048 KiB": {},
        "64 KiB": STATES["2 MiB never, 64 KiB always"],
        "4 KiB": {"hugepages-2048kB/enabled": "never"},
    }
    cpu = CpuBackend(machine)
    walks = {}
    for name, settings in kinds.items():
        with state(settings):
            memory = case("thp", 64 << 20)
        LIBC.madvise(  # keeps khugepaged from merging the folios
            ctypes.c_void_p(memory.ctypes.data),
            ctypes.c_size_t(memory.nbytes),
            mmap.MADV_NOHUGEPAGE,
        )
        ring = HostRing.over(memory, cpu.line_bytes)
        cpu.each(1, lambda _, ring=ring: ring.link())  # type: ignore[misc]
        walks[name] = (memory, Walk(ring))
    loads = 1 << 15
    rounds: dict[str, list[float]] = {name: [] for name in walks}
    for _ in range(61):
        for name, (_, walk) in walks.items():
            cpu.launch([walk.job(loads)])
            rounds[name].append(cpu.span_ns / loads)
    cpu.close()
    print("\nlatency of loads from 64 MiB: minimum of 61 rounds, ratio to minimum of 4 KiB pages,")
    print("median ratio to 4 KiB pages within a round:")
    small = rounds["4 KiB"]
    for name, values in rounds.items():
        ratio = statistics.median(one / beside for one, beside in zip(values, small, strict=True))
        print(
            f"  {name}: {min(values):.0f} ns, x{min(values) / min(small):.2f}, x{ratio:.2f}; "
            f"{folios(walks[name][0][: 4 << 20])}"
        )


def main() -> int:
    """Print all tables. Returns 2 if the user is not root."""
    if os.geteuid():
        sys.stderr.write("only root can change these settings\n")
        return 2
    machine = snapshot()
    print(f"Linux {machine.kernel}, {machine.cpu.model}\n")
    settings_table()
    collapse_table()
    gigantic()
    swapped()
    latency(machine)
    return 0


if __name__ == "__main__":
    sys.exit(main())
