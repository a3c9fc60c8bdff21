"""Report how the filesystem of a directory handles direct I/O, and what membench reports.

`loop_filesystems` runs this script in a mount namespace:

    python direct_io.py DIRECTORY [--copy-on-write]

The script prints one JSON object. With ``--copy-on-write``, the scratch file on btrfs stays
copy-on-write, as with a kernel that refuses the attribute "no copy-on-write".
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import mmap
import os
import platform
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from membench.core.errors import MembenchError
from membench.core.units import KIB, MIB
from membench.host.storage import scratch as scratch_module
from membench.host.storage.files import resident_share
from membench.host.storage.scratch import ScratchFile
from membench.machine import snapshot
from membench.machine.disks.filesystem import read_filesystem

SIZE = 64 * MIB
DEPTHS = (1, 8, 32)
CASES = (
    "ssd/read/pattern=rand/block=4KiB/qd=32/pages=thp",
    "ssd/write/pattern=rand/block=4KiB/qd=16",
    "ssd/write/pattern=seq/block=1MiB/qd=4",
    "ssd/buffer/pages=thp/align=4KiB",
    "ssd/buffer/pages=4k/align=4KiB",
    "ssd/buffer/pages=thp/align=512B",
)
_STATX = {"x86_64": 332, "aarch64": 291}
_DIOALIGN = 0x2000
_DONTCACHE = 0x80  # RWF_DONTCACHE, Linux 6.14


def alignment(fd: int) -> list[int] | None:
    """Alignment of memory and offsets that the kernel requires for direct I/O (STATX_DIOALIGN)."""
    buffer = ctypes.create_string_buffer(256)
    libc = ctypes.CDLL(None)
    number = ctypes.c_long(_STATX[platform.machine()])
    empty_path = 0x1000
    if libc.syscall(number, fd, b"", empty_path, _DIOALIGN, buffer):
        return None
    (mask,) = struct.unpack_from("I", buffer)
    return list(struct.unpack_from("II", buffer, 152)) if mask & _DIOALIGN else None


def _said(call: Callable[[], object]) -> str:
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "works"


def _read(direct: int, buffered: int, memory: memoryview, offset: int, flags: int = 0) -> str:
    """Read once, and return the error as text, or "direct", or "through the page cache"."""
    os.posix_fadvise(buffered, 0, 0, os.POSIX_FADV_DONTNEED)
    said = _said(lambda: os.preadv(direct, [memory], offset, flags))
    if said != "works":
        return said
    return "through the page cache" if resident_share(buffered, SIZE) else "direct"


@contextlib.contextmanager
def _file(directory: Path, *, nocow: bool) -> Iterator[int]:
    """The descriptor of an unnamed file of random bytes, synced to the disk."""
    with scratch_module._opened(directory) as folder:
        made = scratch_module._nameless(folder, directory)
    try:
        if nocow:
            scratch_module._without_copies(made, read_filesystem(directory))
        for offset in range(0, SIZE, MIB):
            os.pwrite(made, os.urandom(MIB), offset)
        os.fsync(made)
        yield made
    finally:
        os.close(made)


def kernel_facts(directory: Path, *, nocow: bool) -> dict[str, Any]:
    """How the kernel handles direct I/O in ``directory``.

    membench's code is used only to create files.
    """
    flags = os.O_RDWR | os.O_TMPFILE
    nameless = _said(lambda: os.close(os.open(directory, flags, 0o600)))
    with _file(directory, nocow=nocow) as fd:
        direct = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_DIRECT)
        page = mmap.mmap(-1, 64 * KIB)
        page[:] = bytes(len(page))
        view = memoryview(page)
        fresh = mmap.mmap(-1, MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        found = {
            "O_TMPFILE": nameless,
            "fallocate": _said(lambda: os.posix_fallocate(fd, 0, SIZE)),
            "alignment": alignment(direct),
            "aligned": _read(direct, fd, view[: 4 * KIB], 0),
            "memory at 512": _read(direct, fd, view[512 : 512 + 4 * KIB], 0),
            "length 1000": _read(direct, fd, view[:1000], 0),
            "untouched memory": _read(direct, fd, memoryview(fresh), 0),
            "RWF_NOWAIT, cold": _read(fd, fd, view[: 4 * KIB], 0, os.RWF_NOWAIT),
            "RWF_DONTCACHE": _read(fd, fd, view[: 4 * KIB], 0, _DONTCACHE),
        }
        os.close(direct)
    return found


def submission(directory: Path, *, nocow: bool) -> dict[str, Any]:
    """Properties of membench's scratch file, and the share of time that submission takes."""
    from membench.host.storage.backend import open_storage
    from membench.host.storage.flow import TrafficShape
    from membench.host.storage.native_engine import NativeAio

    if not nocow:
        scratch_module._without_copies = lambda *_: False
    try:
        made = ScratchFile.create(directory, SIZE, budget=SIZE + 256 * MIB, seed=7)
    except MembenchError as error:
        return {"problem": str(error)}
    found: dict[str, Any] = {}
    with made, contextlib.closing(open_storage(snapshot([]), made.scratch)) as storage:
        engine = NativeAio(storage.cpu)
        vars(storage)["engine"] = engine
        for reads, name in ((100, "read"), (0, "write")):
            for depth in DEPTHS:
                most = 0 if reads else 16 * MIB
                shape = TrafficShape(
                    pattern="rand", block=4 * KIB, depth=depth, reads=reads, most=most
                )
                flow = storage.flow(shape)
                trace = flow.run(0.2)
                flow.close()
                found[f"{name} {depth}"] = round(trace.submitting, 2)
                found[f"{name} {depth} blocked"] = trace.blocked
        found["nocow"], found["dirtied"] = made.scratch.nocow, round(made.scratch.dirtied, 2)
    return found


def product_rows(directory: Path, *, nocow: bool) -> dict[str, Any]:
    """Status, flags, reason and detail of a few cases of a run in ``directory``."""
    from membench.api import run

    if not nocow:
        scratch_module._without_copies = lambda *_: False
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as results:
        outcome = run(
            profile="full",
            select=CASES,
            rounds=1,
            output=Path(results) / "o.csv",
            scratch=directory,
            disk_budget=256 * MIB,
        )
    return {
        row.case: {
            "status": str(row.status),
            "flags": list(row.flags),
            "reason": row.reason,
            "detail": dict(row.detail),
            "device": row.device,
        }
        for row in outcome.rows
    }


def main() -> None:
    directory = Path(sys.argv[1])
    nocow = "--copy-on-write" not in sys.argv
    place = read_filesystem(directory)
    found: dict[str, Any] = {
        "kernel": platform.release(),
        "kind": place.kind,
        "device": place.device,
        "direct_io": place.direct_io,
        **kernel_facts(directory, nocow=nocow),
        "submission": submission(directory, nocow=nocow),
        "product": product_rows(directory, nocow=nocow),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
