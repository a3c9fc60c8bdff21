"""Whether a directory can contain the scratch file and the compiled kernels: real directories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from membench.core.cache_dir import cache_problem
from membench.core.files import no_file_in
from membench.doctor.facts import gather


def test_a_directory_that_does_not_exist_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    assert no_file_in(tmp_path) == ""
    assert no_file_in(tmp_path / "not" / "yet") == ""
    assert list(tmp_path.iterdir()) == []


def test_only_directories_are_accepted(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert no_file_in(file) == f"{file} is not a directory"
    assert no_file_in(file / "below") == f"{file} is not a directory"
    assert no_file_in(Path("/dev/null")) == "/dev/null is not a directory"
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    assert no_file_in(link) == f"{link} is a dangling symbolic link"


def test_a_directory_where_nothing_can_be_made(tmp_path: Path) -> None:
    place = tmp_path / "closed"
    place.mkdir(mode=0o500)
    assert no_file_in(place.parent) == ""
    user = os.getresuid()
    if os.geteuid() == 0:
        os.setresuid(65534, 65534, 0)  # root may write to every directory
    try:
        problem = no_file_in(place / "results")
    finally:
        os.setresuid(*user)
    assert problem.endswith(("is not writable", "Permission denied"))


def test_a_link_to_itself_is_no_directory(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert str(loop) in no_file_in(loop)


@pytest.mark.parametrize(
    ("environ", "cache"),
    [
        ({"NUMBA_CACHE_DIR": "{}/a", "XDG_CACHE_HOME": "{}/b", "HOME": "{}/c"}, "{}/a/membench"),
        ({"XDG_CACHE_HOME": "{}/b", "HOME": "{}/c"}, "{}/b/membench"),
        ({"HOME": "{}/c", "XDG_CACHE_HOME": "rel"}, "{}/c/.cache/membench"),
        ({"HOME": "{}/c", "XDG_CACHE_HOME": ""}, "{}/c/.cache/membench"),
        ({}, ""),
    ],
)
def test_the_kernel_cache_is_where_the_backend_keeps_it(
    environ: dict[str, str], cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from membench.core.cache_dir import cache_directory

    environ = {key: value.format(tmp_path) for key, value in environ.items()}
    for key in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(key, raising=False)
    for key, value in environ.items():
        monkeypatch.setenv(key, value)
    assert (cache_problem(environ) == "") == bool(cache)
    kept = cache_directory("host")
    assert (kept.parent if kept else None) == (Path(cache.format(tmp_path)) if cache else None)

    if cache:  # a file in place of the directory prevents caching
        kept_parent = Path(cache.format(tmp_path))
        for directory in (*kept_parent.glob("*"), kept_parent):
            directory.rmdir()
        kept_parent.write_text("")
        assert "not a directory" in cache_problem(environ)
        assert cache_directory("host") is None


@pytest.mark.slow
def test_this_machine_can_be_looked_at(tmp_path: Path) -> None:
    facts = gather(tmp_path / "results")
    assert facts.machine.memory.total > 0
    assert facts.scratch.filesystem.free > 0
    assert facts.scratch.problem == ""
    assert facts.kernels.numba
    assert list(tmp_path.iterdir()) == []
