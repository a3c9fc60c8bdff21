#!/usr/bin/env bash
# Disabling transparent huge pages, or checking whether they are enabled, with
# /sys/kernel/mm/transparent_hugepage/enabled. Tuning guides, Redis, MongoDB and most monitoring
# tools read this file.
#
# Expected: with "never" no program gets a huge page at a page fault; with "always" every program
# gets huge pages.
# Seen (Linux 6.18; since 6.8): each page size has its own file, such as hugepages-2048kB/enabled.
# The file of the size has priority. The old file has an effect only if the file of the size contains
# "inherit". With "never" in the old file and "always" for 2 MiB, all of 8 MiB is on huge pages. With
# "always" in the old file and "never" for 2 MiB, no memory is on huge pages.
# For users: a machine with "never" in the old file may have huge pages, and a machine with "always"
# may have no huge pages. Read both files, or read AnonHugePages in smaps of the memory itself.
# Needs root: the script changes both settings for a moment, and restores them.
set -euo pipefail
folder=/sys/kernel/mm/transparent_hugepage
size=$folder/hugepages-2048kB/enabled
[ -w "$size" ] || { echo "needs root, and Linux 6.8 or newer: $size" >&2; exit 2; }
echo "version: Linux $(uname -r)"
python3 - "$folder/enabled" "$size" <<'PYTHON'
import mmap, sys

SIZE, HUGE = 8 << 20, 2 << 20


def chosen(path):
    with open(path) as file:
        text = file.read()
    return text[text.index("[") + 1 : text.index("]")]


def choose(path, word):
    with open(path, "w") as file:
        file.write(word)


def huge_kib():
    """KiB of huge pages in 8 MiB of new memory that was written to."""
    def count():
        with open("/proc/self/smaps") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("AnonHugePages:"))

    before = count()
    memory = mmap.mmap(-1, SIZE + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    for place in range(0, SIZE + HUGE, 4096):
        memory[place] = 1
    found = count() - before
    memory.close()
    return found


of_all, of_size = sys.argv[1:]
before = chosen(of_all), chosen(of_size)
seen = {}
try:
    for pair in (("never", "inherit"), ("never", "always"), ("always", "never")):
        choose(of_all, pair[0])
        choose(of_size, pair[1])
        seen[pair] = huge_kib()
finally:
    choose(of_all, before[0])
    choose(of_size, before[1])
for (all_sizes, two), kib in seen.items():
    print(f"enabled {all_sizes}, hugepages-2048kB/enabled {two}: {kib} KiB on huge pages")
print("expected: 0 under never, all of it under always")
off, on_although_never, off_although_always = seen.values()
sys.exit(0 if off == off_although_always == 0 and on_although_never >= SIZE >> 10 else 1)
PYTHON
