"""membench measures, flags or skips every filesystem that this machine can mount.

The tests ask the kernel about each filesystem without membench, and compare membench's rows with
the answers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from loop_filesystems import KINDS, CannotBeMounted, Kind, facts

pytestmark = pytest.mark.slow

DIRECT = ("ext4", "xfs", "btrfs", "btrfs, compressed")
READ = "ssd/read/pattern=rand/block=4KiB/qd=32/pages=thp"
WRITES = (
    "ssd/write/pattern=rand/block=4KiB/qd=16",
    "ssd/write/pattern=seq/block=1MiB/qd=4",
)
UNALIGNED = "ssd/buffer/pages=thp/align=512B"
BUFFERS = ("ssd/buffer/pages=thp/align=4KiB", "ssd/buffer/pages=4k/align=4KiB")
OFF_TIER = {"page-cache", "sync-submit"}


FOUND: dict[str, dict[str, Any]] = {}


def seen(kind: Kind, folder: Path) -> dict[str, Any]:
    if os.geteuid():
        pytest.skip("only root mounts filesystems")
    try:
        if kind.name not in FOUND:
            FOUND[kind.name] = facts(kind, folder)
        return FOUND[kind.name]
    except CannotBeMounted as error:
        pytest.skip(f"{kind.name} cannot be mounted here: {error}")


def flags(row: dict[str, Any]) -> set[str]:
    return OFF_TIER & set(row["flags"])


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_what_does_not_reach_the_disk_is_said(kind: Kind, tmp_path: Path) -> None:
    found = seen(kind, tmp_path)
    rows = found["product"]
    assert set(rows) == {READ, *WRITES, *BUFFERS, UNALIGNED}
    if found["direct_io"]:
        assert {row["status"] for row in rows.values()} == {"skipped"}
        assert all(found["direct_io"] in row["reason"] for row in rows.values())
        return
    assert found["device"].startswith("/dev/")
    measured = [row for row in rows.values() if row["status"] == "ok"]
    assert all(found["device"] in row["device"] for row in measured)

    assert rows[READ]["status"] == "ok"
    assert ("page-cache" in flags(rows[READ])) == (found["aligned"] != "direct")
    buffered = found["submission"]["dirtied"] >= 0.5
    for case in WRITES:
        assert rows[case]["status"] == "ok"
        assert ("page-cache" in flags(rows[case])) == buffered
    unaligned = rows[UNALIGNED]
    if found["memory at 512"] == "direct":
        assert (unaligned["status"], flags(unaligned)) == ("ok", set())
    else:
        assert unaligned["status"] == "skipped"
        assert "aligned to 512 bytes" in unaligned["reason"]


@pytest.mark.parametrize("name", DIRECT)
def test_these_are_measured_without_a_flag(name: str, tmp_path: Path) -> None:
    (kind,) = (kind for kind in KINDS if kind.name == name)
    found = seen(kind, tmp_path)
    assert found["direct_io"] == ""
    for case in (READ, *WRITES, *BUFFERS):
        row = found["product"][case]
        assert (row["status"], flags(row)) == ("ok", set()), case
        assert ("file" in row["detail"]) == (found["kind"] == "btrfs" and case in WRITES)
    assert found["submission"]["nocow"] == (found["kind"] == "btrfs")


def test_copies_on_write_are_buffered_block_and_are_flagged(tmp_path: Path) -> None:
    """Linux 6.15 and newer buffer direct writes that copy. Older kernels write directly."""
    (kind,) = (kind for kind in KINDS if kind.arguments)
    found = seen(kind, tmp_path)
    assert not found["submission"]["nocow"]
    if tuple(map(int, found["kernel"].split(".")[:2])) < (6, 15):
        assert not found["submission"]["dirtied"] >= 0.5
        return
    assert found["submission"]["dirtied"] >= 0.5
    for case in WRITES:
        assert "page-cache" in flags(found["product"][case])
    assert flags(found["product"][READ]) == set()
