"""Filesystems on loop devices, each in a separate mount namespace. The caller must be root.

The filesystem and its loop device disappear with the last process of the namespace, even if the
process is killed.

    python tests/support/loop_filesystems.py

prints the table of docs/storage.md for this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

LOOP = """
mount -o loop$OPTIONS "$IMAGE" "$POINT"
losetup --direct-io=on "$(findmnt -no SOURCE "$POINT")"
"""
VOLUME = """
loop=$(losetup -f --show --direct-io=on "$IMAGE")
trap 'set +e; umount "$POINT"; dmsetup remove "$NAME"; losetup -d "$loop"' EXIT
dmsetup create "$NAME" --table "0 $(blockdev --getsz "$loop") linear $loop 0"
mount "/dev/mapper/$NAME" "$POINT"
"""
ARRAY = """
loop=$(losetup -f --show --direct-io=on "$IMAGE")
trap 'set +e; umount "$POINT"; mdadm --stop "/dev/md/$NAME"; losetup -d "$loop"' EXIT
mdadm --create "/dev/md/$NAME" --run --force --level=0 --raid-devices=1 "$loop"
mkfs.ext4 -q "/dev/md/$NAME"
mount "/dev/md/$NAME" "$POINT"
"""
OVERLAY = """
mkdir lower below
mount -o loop "$IMAGE" below
losetup --direct-io=on "$(findmnt -no SOURCE below)"
mkdir below/upper below/work
mount -t overlay -o lowerdir=lower,upperdir=below/upper,workdir=below/work none "$POINT"
"""
TMPFS = 'mount -t tmpfs -o size=1g none "$POINT"\n'


class CannotBeMounted(Exception):
    """This machine cannot mount the filesystem. The message is the output of the mount command."""


@dataclass(frozen=True)
class Kind:
    """A type of filesystem, with the commands that make and mount the filesystem.

    Attributes:
        make: command that makes the filesystem; the image is appended as the last argument.
        mount: shell lines that mount ``$IMAGE`` on ``$POINT``.
        options: options of the mount, in addition to ``loop``.
        arguments: arguments for `direct_io`.
    """

    name: str
    make: tuple[str, ...]
    mount: str = LOOP
    options: str = ""
    arguments: tuple[str, ...] = ()


BTRFS = ("mkfs.btrfs", "-q")
EXT4 = ("mkfs.ext4", "-qF")
KINDS = (
    Kind("ext4", EXT4),
    Kind("xfs", ("mkfs.xfs", "-q")),
    Kind("btrfs", BTRFS),
    Kind("btrfs, compressed", BTRFS, options=",compress-force=zstd"),
    Kind("btrfs, copy-on-write", BTRFS, arguments=("--copy-on-write",)),
    Kind("f2fs", ("mkfs.f2fs", "-q")),
    Kind("ext4 on a volume (device mapper)", EXT4, VOLUME),
    Kind("ext4 on an array (md)", EXT4, ARRAY),
    Kind("overlay on ext4", EXT4, OVERLAY),
    Kind("tmpfs", (), TMPFS),
)


def on_filesystem(
    kind: Kind, folder: Path, command: Sequence[str], size: int = 1 << 30
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` in ``folder`` with a new filesystem of ``kind`` on ``folder/point``.

    Raises:
        CannotBeMounted: this kernel does not support the filesystem.
        RuntimeError: the tool that makes the filesystem is not installed, or fails.
    """
    image, point = folder / "image", folder / "point"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    if kind.make:
        if shutil.which(kind.make[0]) is None:
            raise RuntimeError(f"{kind.make[0]} is not installed")
        made = subprocess.run([*kind.make, image], capture_output=True, text=True, check=False)
        if made.returncode:
            raise RuntimeError(f"{kind.make[0]}: {made.stderr.strip()}")
    script = f"set -e\n{kind.mount}touch mounted\n" + '"$@"\n'
    environment = {"IMAGE": "image", "POINT": "point", "OPTIONS": kind.options}
    environment["NAME"] = f"mb{os.getpid()}"
    try:
        done = subprocess.run(
            ["unshare", "-m", "bash", "-c", script, "bash", *command],
            cwd=folder,
            env={**_environment(), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        image.unlink()
    if not (folder / "mounted").exists():
        raise CannotBeMounted(" ".join(done.stderr.split()))
    return done


def _environment() -> dict[str, str]:
    path = os.environ.get("PATH", "")
    return {**os.environ, "PATH": f"{path}:/usr/sbin:/sbin"}


def facts(kind: Kind, folder: Path) -> dict[str, Any]:
    """The results of `direct_io` on ``kind``.

    Raises:
        CannotBeMounted: this kernel does not support the filesystem.
        RuntimeError: a required tool is missing or fails.
    """
    command = [sys.executable, str(HERE / "direct_io.py"), "point", *kind.arguments]
    done = on_filesystem(kind, folder, command)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


ASKED = {
    "O_TMPFILE": "`O_TMPFILE`",
    "fallocate": "`fallocate`",
    "aligned": "direct read of 4 KiB",
    "memory at 512": "direct read of 4 KiB into memory aligned to 512 bytes",
    "length 1000": "direct read of 1,000 bytes",
    "untouched memory": "direct read of 1 MiB into memory that was never touched",
    "RWF_NOWAIT, cold": "buffered read, `RWF_NOWAIT`, page not cached",
    "RWF_DONTCACHE": "buffered read, `RWF_DONTCACHE`",
}


def table(found: dict[str, dict[str, Any] | str]) -> str:
    """The properties of the filesystems as a Markdown table.

    For a filesystem that cannot be mounted, ``found`` contains the reason as a string.
    """
    known = {name: one for name, one in found.items() if not isinstance(one, str)}
    lines = [["", *known], ["---"] * (1 + len(known))]

    def line(title: str, cell: Callable[[dict[str, Any]], object]) -> None:
        lines.append([title, *(str(cell(one)) for one in known.values())])

    line("alignment of memory, offset", lambda one: _alignment(one["alignment"]))
    for key, title in ASKED.items():
        line(title, lambda one, key=key: one[key])  # type: ignore[misc]
    for what in ("read", "write"):
        line(
            f"time in `io_submit`, {what}s at depth 1, 8, 32",
            lambda one, what=what: _shares(one["submission"], what),  # type: ignore[misc]
        )
    line("pages dirtied by direct writes", lambda one: _percent(one["submission"].get("dirtied")))
    for title, bench in (("ssd/read", "ssd/read"), ("ssd/write", "ssd/write/pattern=rand")):
        line(f"row of `{title}`", lambda one, bench=bench: _row(one["product"], bench))  # type: ignore[misc]
    unaligned = "ssd/buffer/pages=thp/align=512B"
    line("row of `ssd/buffer/align=512B`", lambda one: _row(one["product"], unaligned))
    line("requests for each read of 1 MiB: huge pages, 4 KiB pages", _requests)
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    missing = [f"- {name}: {why}" for name, why in found.items() if isinstance(why, str)]
    return "\n".join([text, "", *missing])


def _alignment(found: list[int] | None) -> str:
    return "unknown" if found is None else ", ".join(map(str, found))


def _shares(submission: dict[str, Any], what: str) -> str:
    shares = [submission.get(f"{what} {depth}") for depth in (1, 8, 32)]
    blocked = any(submission.get(f"{what} {depth} blocked") for depth in (8, 32))
    told = ", ".join(_percent(share) for share in shares) + (", blocked" if blocked else "")
    return "-" if None in shares else told


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _requests(found: dict[str, Any]) -> str:
    rows = [found["product"][f"ssd/buffer/pages={pages}/align=4KiB"] for pages in ("thp", "4k")]
    return ", ".join(row["detail"].get("requests", "-") for row in rows)


def _row(rows: dict[str, Any], bench: str) -> str:
    row = next(row for case, row in rows.items() if case.startswith(bench))
    flags = [flag for flag in row["flags"] if flag not in ("single-round", "vm", "noisy")]
    nocow = ["nocow"] if "file=nocow" in [f"{k}={v}" for k, v in row["detail"].items()] else []
    return ", ".join([row["status"], *nocow, *(f"`{flag}`" for flag in flags)])


def main() -> None:
    found: dict[str, dict[str, Any] | str] = {}
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                found[kind.name] = facts(kind, Path(folder))
            except CannotBeMounted as error:
                found[kind.name] = f"cannot be mounted here: {error}"
    print(table(found))


if __name__ == "__main__":
    main()
