"""A cached kernel is loaded only if its file belongs to this user and is complete."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from membench.core.cache_dir import (
    cache_directory,
    cache_problem,
    private_cache,
    untrusted,
)
from membench.doctor.facts import no_kernel_cache
from membench.gpu.cuda.image_cache import load_image, store_image
from membench.host.compiled.cache_integrity import (
    compiling,
    discard_damaged,
    record_digests,
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
    assert no_kernel_cache(os.environ) == cache_problem(os.environ)


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
    assert "is not used" in heard.warnings[0]
    assert not list(results.iterdir())
    results.chmod(0o777)
    with private_cache(results) as nothing:
        assert nothing == {}


def test_damage_is_told_once_and_discarded(base: Path, tmp_path: Path) -> None:
    kept = base / "abc"
    for name in ("a.nbi", "a.nbc"):
        (kept / name).write_bytes(name.encode())
    record_digests(kept)
    assert discard_damaged(kept) == []
    (kept / "a.nbc").write_bytes(b"A.nbc")
    (kept / "new.nbc").write_bytes(b"not recorded yet")
    heard = Heard()
    for _ in range(2):
        with kernel_cache(tmp_path, heard) as variables:  # type: ignore[arg-type]
            assert variables == {}
    assert heard.warnings == ["the kernel cache was damaged: 1 file discarded"]
    assert sorted(path.name for path in kept.iterdir() if path.suffix in {".nbi", ".nbc"}) == [
        "a.nbi",
        "new.nbc",
    ]


def test_nothing_is_damage_while_another_process_compiles(base: Path) -> None:
    kept = base / "abc"
    (kept / "a.nbi").write_bytes(b"of one signature")
    record_digests(kept)
    with compiling(kept), compiling(kept):
        (kept / "a.nbi").write_bytes(b"of two signatures")
        assert discard_damaged(kept) == []
        record_digests(kept)
    assert discard_damaged(kept) == []
    (kept / "a.nbi").write_bytes(b"of no signature")
    assert discard_damaged(kept) == [kept / "a.nbi"]


CODE = """
from membench.host.compiled.jit import kernel

@kernel("int64(int64)")
def twice(value):
    return 2 * value

print(twice.entry(21), sum(twice._dispatcher.stats.cache_misses.values()))
"""


def compiled(directory: Path, script: Path) -> list[str]:
    if not script.exists():  # Numba compiles again if the source is newer than the cache
        script.write_text(CODE)
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "NUMBA_CACHE_DIR": str(directory)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a kernel in ``script.py`` and the compiled code in ``cache``."""
    folder = tmp_path_factory.mktemp("kernel")
    assert compiled(folder / "cache", folder / "script.py") == ["42", "1"]
    return folder


@pytest.mark.slow
def test_a_whole_kernel_is_not_compiled_again(warm: Path) -> None:
    assert compiled(warm / "cache", warm / "script.py") == ["42", "0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        (".nbc", "flip"),
        (".nbi", "cut"),
        (".nbi", "flip"),
        (".nbc", "cut"),
    ],
)
def test_a_damaged_kernel_is_compiled_once_more(
    suffix: str, damage: str, warm: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(warm / "cache", cache)
    (file,) = cache.rglob(f"*{suffix}")
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        whole[:middle]
        if damage == "cut"
        else whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    )
    assert compiled(cache, warm / "script.py")[0] == "42"
    assert compiled(cache, warm / "script.py") == ["42", "0"]


def test_a_damaged_image_never_reaches_a_gpu(base: Path) -> None:
    store_image("key", {"cubin": b"machine code", "ptx": "", "log": ""})
    assert (load_image("key") or {})["cubin"] == b"machine code"
    (file,) = (base / "images").glob("*.json")
    file.write_text(file.read_text().replace("bWFj", "bWFk"))
    assert load_image("key") is None
