"""A cached kernel is loaded only if its file belongs to this user and is complete."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

import membench
from membench.core.cache_dir import (
    cache_directory,
    cache_problem,
    cache_remedy,
    private_cache,
    untrusted,
)
from membench.core.kept import load, store
from membench.gpu.cuda.image_cache import load_image, store_image
from membench.host.compiled.kernels import UNUSED_DAYS, _cache
from membench.host.compiled.object_code import (
    SUFFIX,
    ObjectCode,
    discard_damaged,
    read_object,
    write_object,
)
from membench.measure.kernel_cache import kernel_cache

root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "user"))
    found = cache_directory("abc")
    assert found is not None
    return found.parent


class Heard:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: None

    def warned(self, message: str, hint: str) -> None:
        assert hint
        self.warnings.append(message)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_directory_that_others_may_write_to_is_not_used(base: Path, level: int) -> None:
    place = (base / "abc", base, base.parent)[level]
    place.chmod(0o777)
    assert cache_directory("abc") is None
    assert f"{place} can be written by other users" == cache_problem(os.environ)


@root_only
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_directory_of_another_user_is_not_used(base: Path, level: int) -> None:
    place = (base / "abc", base, base.parent)[level]
    os.chown(place, 12345, -1)
    assert cache_directory("abc") is None
    assert f"{place} belongs to another user" == cache_problem(os.environ)


def test_a_file_that_others_may_write_is_not_loaded(base: Path) -> None:
    planted = base / "abc" / "planted.nbc"
    planted.write_bytes(b"")
    planted.chmod(0o666)
    assert cache_directory("abc") is None
    assert str(planted) in cache_problem(os.environ)


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_the_cache_is_private_whatever_the_umask(
    umask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new" / "deeper"))
    before = os.umask(umask)
    try:
        place = cache_directory("abc")
        assert place is not None
        write_object(place / f"a{SUFFIX}", KEPT)
        store("abc", "key", b"content")
    finally:
        os.umask(before)
    assert cache_directory("abc") == place
    assert cache_problem(os.environ) == ""
    assert read_object(place / f"a{SUFFIX}") == KEPT
    assert load("abc", "key") == b"content"
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "new").rglob("*"))


def test_a_file_that_another_process_renames_is_no_reason_to_compile(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base / "abc" / "kept").write_bytes(b"")
    gone = base / "abc" / "gone"
    monkeypatch.setattr(Path, "iterdir", lambda self: iter([gone, base / "abc" / "kept"]))
    assert cache_directory("abc") == base / "abc"
    (base / "abc" / "kept").chmod(0o666)
    assert cache_directory("abc") is None


@pytest.mark.parametrize(("method", "usable"), [("stat", False), ("iterdir", True)])
def test_a_run_continues_with_a_cache_that_it_may_not_read(
    method: str, usable: bool, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = getattr(Path, method)

    def refused(self: Path, **options: bool) -> Any:
        if self == base:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return true(self, **options)

    monkeypatch.setattr(Path, method, refused)
    heard = Heard()
    with kernel_cache(tmp_path, heard) as variables:  # type: ignore[arg-type]
        assert (variables == {}) == usable
    assert len(heard.warnings) == (not usable)


def test_a_run_says_that_a_file_prevents_the_cache_and_compiles_once(
    base: Path, tmp_path: Path
) -> None:
    (base / "abc").rmdir()
    base.rmdir()
    base.touch()
    heard = Heard()
    with kernel_cache(tmp_path, heard) as variables:  # type: ignore[arg-type]
        assert Path(variables["NUMBA_CACHE_DIR"]).parent == tmp_path
    (warning,) = heard.warnings
    assert f"({base} is not a directory)" in warning
    assert warning.endswith("this run compiles the kernels again")
    assert "NUMBA_CACHE_DIR" in cache_remedy(os.environ)


def test_a_directory_that_others_may_write_to_is_made_private_by_one_command(base: Path) -> None:
    base.chmod(0o777)
    assert cache_remedy(os.environ) == f"chmod go-w {base}"
    subprocess.run(cache_remedy(os.environ), shell=True, check=True)
    assert cache_problem(os.environ) == cache_remedy(os.environ) == ""


def test_a_directory_in_place_of_a_kernel_is_discarded(base: Path) -> None:
    place = base / "abc" / f"a{SUFFIX}"
    (place / "below").mkdir(parents=True)
    assert discard_damaged(base / "abc") == [place]
    write_object(place, KEPT)
    assert read_object(place) == KEPT


def test_kernels_that_were_not_used_for_a_month_are_removed(base: Path) -> None:
    old = time.time() - (UNUSED_DAYS + 1) * 86400
    contents = {
        "old": ["a.kernel", "b.kernel"],
        "mixed": ["a.kernel", "x.json"],
        "new": ["a.kernel"],
    }
    for name, files in contents.items():
        (base / name).mkdir()
        for file in files:
            (base / name / file).touch()
        if name != "new":
            os.utime(base / name, (old, old))
    (base / "link").symlink_to(base / "old")
    mine = _cache()
    assert mine is not None
    assert {one.name for one in base.iterdir()} == {"abc", "mixed", "new", "link", mine.name}
    os.utime(mine, (old, old))
    assert _cache() == mine
    assert mine.stat().st_mtime > old  # used again, so it stays


def test_a_link_does_not_hide_where_it_leads(base: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    other.chmod(0o777)
    (tmp_path / "link").symlink_to(other)
    assert untrusted(tmp_path / "link" / "deeper")


def test_the_sticky_bit_makes_a_shared_directory_fine_on_the_way(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    assert untrusted(shared)
    assert not untrusted(shared / "mine")


def test_a_run_gets_a_cache_of_its_own_instead_and_leaves_nothing(
    base: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    results.mkdir(mode=0o755)
    base.chmod(0o777)
    heard = Heard()
    with kernel_cache(results, heard) as variables:  # type: ignore[arg-type]
        (private,) = results.iterdir()
        assert variables == {"NUMBA_CACHE_DIR": str(private)}
        assert private.stat().st_mode & 0o077 == 0
    assert len(heard.warnings) == 1
    assert "can be written by other users" in heard.warnings[0]
    assert not list(results.iterdir())
    results.chmod(0o777)
    with private_cache(results) as nothing:
        assert nothing == {}


KEPT = ObjectCode(("i64", "ptr", "i8"), ("", "int64:1", ""), bytes(range(256)) * 4)


def test_an_object_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / f"a{SUFFIX}"
    write_object(path, KEPT)
    assert read_object(path) == KEPT
    assert list(tmp_path.iterdir()) == [path]
    write_object(tmp_path / "missing" / f"a{SUFFIX}", KEPT)  # an unwritable cache is no error
    assert read_object(tmp_path / "missing" / f"a{SUFFIX}") is None


@settings(max_examples=examples(60))
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7), cut=st.booleans())
def test_a_changed_bit_or_a_missing_end_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("object") / f"a{SUFFIX}"
    write_object(path, KEPT)
    whole = path.read_bytes()
    at %= len(whole)
    changed = bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
    path.write_bytes(whole[:at] + (b"" if cut else changed))
    assert read_object(path) is None
    assert discard_damaged(path.parent) == [path]
    assert not path.exists()


def test_damage_is_told_once_and_discarded(base: Path, tmp_path: Path) -> None:
    kept = base / "abc"
    for name in ("a", "b"):
        write_object(kept / f"{name}{SUFFIX}", KEPT)
    assert discard_damaged(kept) == []
    (kept / f"a{SUFFIX}").write_bytes(b"")
    heard = Heard()
    for _ in range(2):
        with kernel_cache(tmp_path, heard) as variables:  # type: ignore[arg-type]
            assert variables == {}
    assert heard.warnings == ["the kernel cache was damaged: membench removed 1 file"]
    assert [path.name for path in kept.iterdir()] == [f"b{SUFFIX}"]


TWICE = """
from membench.host.compiled.jit import kernel

@kernel("int64(int64)")
def twice(value):
    return 2 * value
"""
PROGRAM = """
import sys
import time
from membench.host.compiled.kernels import HostKernels
run = HostKernels("twice").twice
print(run(21), int("numba" in sys.modules))
"""


def compiled(directory: Path, source: Path, **variables: str) -> list[str]:
    """What the kernel returns for 21, and whether the process imported Numba to compile it."""
    (source / "twice.py").write_text(TWICE)
    path = os.pathsep.join([str(source), str(Path(membench.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "NUMBA_CACHE_DIR": str(directory), "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_kernel_is_compiled_once_more(damage: str, tmp_path: Path) -> None:
    cache, source = tmp_path / "cache", tmp_path / "source"
    source.mkdir()
    assert compiled(cache, source) == ["42", "1"]
    assert compiled(cache, source) == ["42", "0"]
    (file,) = cache.rglob(f"*{SUFFIX}")
    whole = file.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    file.write_bytes({"flip": flipped, "cut": whole[:middle], "empty": b""}[damage])
    assert compiled(cache, source) == ["42", "1"]
    assert compiled(cache, source) == ["42", "0"]


@pytest.mark.slow
def test_a_changed_source_is_compiled_again(tmp_path: Path) -> None:
    cache, source = tmp_path / "cache", tmp_path / "source"
    source.mkdir()
    assert compiled(cache, source) == ["42", "1"]
    (source / "beside.py").write_text("FACTOR = 3")
    assert compiled(cache, source) == ["42", "1"]


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["NUMBA_OPT", "NUMBA_DISABLE_JIT"])
def test_other_settings_of_numba_compile_again(setting: str, tmp_path: Path) -> None:
    cache, source = tmp_path / "cache", tmp_path / "source"
    source.mkdir()
    assert compiled(cache, source, **{setting: "1"}) == ["42", "1"]
    assert compiled(cache, source) == ["42", "1"]
    assert compiled(cache, source, **{setting: "1"}) == ["42", "0"]
    assert compiled(cache, source) == ["42", "0"]


def test_a_damaged_image_never_reaches_a_gpu(base: Path) -> None:
    store_image("key", {"cubin": b"machine code", "ptx": "", "log": ""})
    assert (load_image("key") or {})["cubin"] == b"machine code"
    (file,) = (base / "images").glob("*.json")
    file.write_text(file.read_text().replace("bWFj", "bWFk"))
    assert load_image("key") is None
