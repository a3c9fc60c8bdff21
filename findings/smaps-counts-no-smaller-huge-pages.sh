#!/usr/bin/env bash
# Reading from smaps or /proc/meminfo how much memory is on transparent huge pages, if multi-size
# huge pages are enabled (hugepages-64kB/enabled).
#
# Expected: AnonHugePages counts multi-size huge pages, because the setting belongs to
# transparent_hugepage.
# Seen (Linux 6.18): smaps shows 0 KiB although all of the memory is in folios of 64 KiB, as
# /proc/kpageflags shows. KernelPageSize stays at 4 KiB, but THPeligible is 1. Without root only the
# counters of the whole machine show such pages (hugepages-64kB/stats/anon_fault_alloc).
# For users: the latencies of two benchmarks with "0 huge pages" can differ by a quarter. Record
# which of the files hugepages-*/enabled are on.
# Needs root: the script changes two settings for a moment, and restores them.
set -euo pipefail
folder=/sys/kernel/mm/transparent_hugepage
[ -w "$folder/hugepages-64kB/enabled" ] || { echo "needs root, and Linux 6.8 or newer with 64 KiB" >&2; exit 2; }
echo "version: Linux $(uname -r)"
python3 - "$folder" <<'PYTHON'
import ctypes, mmap, os, sys

SIZE, KIB = 8 << 20, 1024
folder = sys.argv[1]
NAMES = ("hugepages-2048kB/enabled", "hugepages-64kB/enabled")


def read(path):
    with open(path) as file:
        return file.read()


def chosen(name):
    text = read(f"{folder}/{name}")
    return text[text.index("[") + 1 : text.index("]")]


def choose(name, word):
    with open(f"{folder}/{name}", "w") as file:
        file.write(word)


def smaps(address):
    inside, found = False, {}
    for line in read("/proc/self/smaps").splitlines():
        name, *words = line.split()
        if "-" in name and not name.endswith(":"):
            low, high = (int(part, 16) for part in name.split("-"))
            inside = low <= address < high
        elif inside and words and words[0].isdigit():
            found[name[:-1]] = int(words[0])
    return found


def in_large_folios(address):
    """KiB whose page is head or tail of a compound page."""
    with open("/proc/self/pagemap", "rb") as file:
        file.seek(address // 4096 * 8)
        entries = memoryview(file.read(SIZE // 4096 * 8)).cast("Q")
    flags = os.open("/proc/kpageflags", os.O_RDONLY)
    found = [int.from_bytes(os.pread(flags, 8, (one & (1 << 55) - 1) * 8), "little") for one in entries]
    return 4 * sum(bool(one & (1 << 15 | 1 << 16)) for one in found)


before = {name: chosen(name) for name in NAMES}
allocated = f"{folder}/hugepages-64kB/stats/anon_fault_alloc"
try:
    choose(NAMES[0], "never")
    choose(NAMES[1], "always")
    first = int(read(allocated))
    memory = mmap.mmap(-1, SIZE + (2 << 20), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    start += -start % (2 << 20)
    ctypes.memset(start, 1, SIZE)
    counted, large = smaps(start), in_large_folios(start)
    stats = int(read(allocated)) - first
finally:
    for name, word in before.items():
        choose(name, word)
print(f"expected: AnonHugePages {SIZE // KIB} KiB")
print("seen: " + ", ".join(f"{name} {counted[name]}" for name in ("AnonHugePages", "THPeligible", "KernelPageSize")))
print(f"in folios above 4 KiB, by kpageflags: {large} KiB; faults that took 64 KiB, by stats: {stats}")
sys.exit(0 if counted["AnonHugePages"] == 0 and counted["THPeligible"] and large == SIZE // KIB else 1)
PYTHON
