"""The scratch file changes no file of the user and stays within its budget."""

from __future__ import annotations

import ctypes
import errno
import itertools
import mmap
import os
import resource
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.errors import BackendUnavailable, OutputError
from membench.core.units import GIB, MIB
from membench.host.storage import scratch as module
from membench.host.storage.content import Content
from membench.host.storage.file_size import CHUNK, LEAST_CUT, cut
from membench.host.storage.scratch import LEAST, ScratchFile
from membench.machine.disks.filesystem import read_filesystem
from membench.machine.pages import huge_page_bytes

SIZE = LEAST


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """An empty directory on a filesystem with direct I/O; otherwise the test is skipped."""
    if reason := read_filesystem(tmp_path).direct_io:
        pytest.skip(reason)
    return tmp_path


def make(directory: Path, **changes: Any) -> ScratchFile:
    return ScratchFile.create(
        directory, **{"size": SIZE, "budget": 64 * MIB, "seed": 3, "rounds": 5, **changes}
    )


def test_no_directory_lists_it_and_others_can_read_it(disk: Path) -> None:
    with make(disk) as file:
        assert list(disk.iterdir()) == []
        scratch = file.scratch
        assert (scratch.size, scratch.budget, scratch.rounds) == (SIZE, 64 * MIB - SIZE, 5)
        assert scratch.kind == read_filesystem(disk).kind
        program = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())"
        read = subprocess.run(
            [sys.executable, "-c", program, scratch.path], capture_output=True, check=True
        ).stdout
        assert len(read) == SIZE
        assert Content(3).wrong(memoryview(read), 0) == -1
        assert Path(scratch.path).stat().st_mode & 0o777 == 0o600
        assert file.written == SIZE
    assert not Path(scratch.path).exists()
    assert list(disk.iterdir()) == []


def test_it_is_written_not_only_allocated(disk: Path) -> None:
    with make(disk) as file:
        status = Path(file.scratch.path).stat()
        assert status.st_blocks * 512 >= SIZE
        fd = os.open(file.scratch.path, os.O_RDONLY)
        # lseek would find a hole here; on some filesystems also an unwritten extent.
        assert os.lseek(fd, 0, os.SEEK_HOLE) == SIZE
        os.close(fd)


def test_a_size_is_rounded_up_to_whole_chunks(disk: Path) -> None:
    with make(disk, size=LEAST + 1) as file:
        assert file.scratch.size == LEAST + CHUNK
    with make(disk, size=1) as file:
        assert file.scratch.size == LEAST


def test_closing_twice_is_fine(disk: Path) -> None:
    file = make(disk)
    file.close()
    file.close()


def test_only_directories_are_accepted(
    disk: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mine = disk / "mine.db"
    mine.write_bytes(b"precious")
    link = disk / "link.db"
    link.symlink_to(mine)
    for place in (mine, link, Path("/dev/null"), disk / "missing"):
        with pytest.raises(OutputError, match="scratch path") as caught:
            make(place)
        assert "directory" in caught.value.hint
        assert "\n" not in str(caught.value)
    assert mine.read_bytes() == b"precious"


def test_block_devices_are_refused() -> None:
    devices = [path for path in Path("/dev").iterdir() if path.is_block_device()]
    for device in devices[:3]:
        with pytest.raises(OutputError, match="not a directory"):
            make(device)


def test_a_link_to_a_directory_is_followed(disk: Path) -> None:
    real = disk / "real"
    real.mkdir()
    link = disk / "link"
    link.symlink_to(real)
    with make(link) as file:
        assert Path(file.scratch.path).stat().st_dev == real.stat().st_dev
        assert list(real.iterdir()) == []


def test_a_link_to_another_filesystem_is_judged_by_where_it_leads(disk: Path) -> None:
    memory = Path("/dev/shm")
    if read_filesystem(memory).kind != "tmpfs":
        pytest.skip("/dev/shm is no tmpfs here")
    link = disk / "fast"
    link.symlink_to(memory)
    for place in (memory, link):
        with pytest.raises(BackendUnavailable, match="tmpfs keeps its files in memory") as caught:
            make(place)
        assert "--scratch" in caught.value.hint


def test_a_directory_without_permission_is_refused(disk: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    disk.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        make(disk)


def without_tmpfile(monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    """Simulate a filesystem without nameless files. ``names`` replace the random file names."""
    real = os.open

    def opened(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return real(path, flags, *args, **kwargs)

    drawn = iter(names)
    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(drawn))


def test_planted_names_are_never_opened(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = disk / "victim"
    victim.write_bytes(b"precious")
    (disk / ".membench-a").symlink_to(victim)
    (disk / ".membench-b").write_bytes(b"mine")
    (disk / ".membench-c").symlink_to(disk / "to-be-made")
    before = sorted(disk.iterdir())
    without_tmpfile(monkeypatch, ["a", "b", "c", "d"])
    with make(disk) as file:
        assert sorted(disk.iterdir()) == before  # the temporary name is already removed
        assert Path(file.scratch.path).stat().st_nlink == 0
        assert Path(file.scratch.path).stat().st_mode & 0o777 == 0o600
    assert victim.read_bytes() == b"precious"
    assert (disk / ".membench-b").read_bytes() == b"mine"


def test_when_every_name_is_taken_it_gives_up(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (disk / ".membench-a").write_bytes(b"mine")
    without_tmpfile(monkeypatch, ["a"] * 100)
    with pytest.raises(OutputError, match="no unused name"):
        make(disk)


def test_it_stays_within_the_budget_and_half_of_what_is_free(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError, match="exceeds the budget") as caught:
        make(disk, budget=SIZE - 1)
    assert "--disk-budget" in caught.value.hint
    real = os.fstatvfs

    def nearly_full(fd: int) -> Any:
        fields = list(real(fd))
        fields[4] = (2 * SIZE - 1) // fields[1]  # f_bavail, in units of f_frsize
        return os.statvfs_result(fields)

    monkeypatch.setattr(os, "fstatvfs", nearly_full)
    with pytest.raises(OutputError, match="more than half of the"):
        make(disk)
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_is_one_clear_line(
    disk: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pwrite", full)
    before = len([*Path("/proc/self/fd").iterdir()])
    with pytest.raises(OutputError, match=f"no space is left .*{os.strerror(code)}") as caught:
        make(disk)
    assert "--scratch" in caught.value.hint
    assert "\n" not in str(caught.value)
    assert len([*Path("/proc/self/fd").iterdir()]) == before  # the descriptor of the file is closed


def test_a_limit_of_the_system_is_an_error_and_not_a_signal(disk: Path) -> None:
    program = f"""
import resource, sys
from pathlib import Path
from membench.host.storage.scratch import ScratchFile
from membench.core.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, ({8 * MIB}, {8 * MIB}))
try:
    ScratchFile.create(Path(sys.argv[1]), {SIZE}, budget={SIZE}, seed=1)
except OutputError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(disk)], capture_output=True, text=True, check=True
    )
    assert "exceeds the limit of the file size: File too large" in done.stdout


def test_the_limit_on_file_sizes_is_the_old_one_afterwards(disk: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with make(disk):
        assert resource.getrlimit(resource.RLIMIT_FSIZE) == before


def test_the_parent_needs_nothing_heavy_for_it() -> None:
    program = "import sys, membench.host.storage.scratch; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-B", "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"numpy", "numba", "psutil", "cupy"} & set(done.stdout.split())


@given(st.integers(LEAST, 64 * GIB), st.integers(0, 64 * GIB), st.integers(0, 1 << 45))
def test_a_file_is_cut_to_what_is_granted_and_never_below_what_says_something(
    wanted: int, budget: int, free: int
) -> None:
    size = cut(wanted, budget, free)
    assert size <= min(wanted, budget, free / 2)
    if size:
        assert size >= min(wanted, LEAST_CUT)
        assert size == wanted or size % CHUNK == 0
        assert size == wanted or min(wanted, budget, free // 2) - size < CHUNK
    else:
        assert min(budget, free / 2) < min(wanted, LEAST_CUT)


def test_a_cut_file_is_what_fits() -> None:
    assert cut(GIB, 2 * GIB, 100 * GIB) == GIB
    assert cut(GIB, 2 * GIB, 623 * MIB) == 308 * MIB
    assert cut(GIB, 512 * MIB, 100 * GIB) == 512 * MIB
    assert cut(GIB, 2 * GIB, 511 * MIB) == 0
    assert cut(16 * MIB, 8 * MIB, 100 * GIB) == 0


def test_the_layout_writes_from_huge_pages() -> None:
    available = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not available.exists() or "[never]" in available.read_text():
        pytest.skip("there are no transparent huge pages here")
    buffer = module._pages(2 * CHUNK)
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    assert huge_page_bytes(address, 2 * CHUNK) > 0


def test_writes_that_are_dirtied_in_the_page_cache_are_seen(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make(disk) as file:
        assert file.scratch.dirtied < 0.5
        assert not file.scratch.buffered_writes
    pages = CHUNK // mmap.PAGESIZE
    ours, steps = itertools.cycle((0, pages, 0)), itertools.count()
    seen = 0

    def dirtied(others: int) -> int:
        """The number of dirty pages; ``others`` of them belong to other programs."""
        nonlocal seen
        seen += next(ours) + others
        next(steps)
        return seen

    monkeypatch.setattr(module, "dirtied_pages", lambda: dirtied(pages // 100))
    with make(disk, size=LEAST) as file:
        assert file.scratch.dirtied == pytest.approx(1)
        assert file.scratch.buffered_writes
    assert next(steps) == 3 * LEAST // CHUNK
    ours = itertools.cycle((0,))
    monkeypatch.setattr(module, "dirtied_pages", lambda: dirtied(5 * pages))
    with make(disk, size=LEAST) as file:  # another program copies a file at the same time
        assert file.scratch.dirtied == 0
    monkeypatch.setattr(module, "dirtied_pages", lambda: None)
    with make(disk) as file:
        assert file.scratch.dirtied == 0


def test_a_place_that_reads_through_the_page_cache_has_no_disk(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "resident_share", lambda *_: 1.0)
    with pytest.raises(BackendUnavailable, match="reads through the page cache") as caught:
        make(disk)
    assert "--scratch" in caught.value.hint
    assert list(disk.iterdir()) == []
