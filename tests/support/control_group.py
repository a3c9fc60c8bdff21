"""A control group with little memory, if this machine permits creating one."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def little_memory(limit: int) -> Iterator[Path]:
    """The directory of a control group limited to ``limit`` bytes of memory.

    If the machine does not allow control groups, the test is skipped. A process joins the group
    when the process id is written to `cgroup.procs`. Cgroup versions 1 and 2 are supported.
    """
    own = {
        line.split(":", 2)[1]: line.split(":", 2)[2].rstrip("\n")
        for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    }
    places = [
        (ROOT / "memory" / own.get("memory", "").lstrip("/"), "memory.limit_in_bytes"),
        (ROOT / own.get("", "").lstrip("/"), "memory.max"),
    ]
    for parent, name in places:
        group = parent / f"membench-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / name).write_text(str(limit), encoding="ascii")
        except OSError:
            group.rmdir()
            continue
        try:
            yield group
        finally:
            deadline = time.monotonic() + 10
            while (group / "cgroup.procs").read_text(encoding="ascii").strip():
                assert time.monotonic() < deadline, "a process is left in the group"
                time.sleep(0.01)
            group.rmdir()
        return
    pytest.skip("no control group for memory can be made here")
