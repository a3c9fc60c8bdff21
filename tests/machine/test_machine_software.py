"""Versions of the software in the machine snapshot."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import membench
from membench.machine import software

Plant = Callable[[Mapping[str, str]], Path]


def test_installed_agrees_with_the_standard_library() -> None:
    mine = software.installed()
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            key = re.sub(r"[-_.]+", "-", name).lower()
            assert mine[key] == importlib.metadata.version(name)


def test_the_first_folder_of_the_path_counts(plant: Plant) -> None:
    root = plant(
        {
            "a/numpy-2.4.6.dist-info/METADATA": "",
            "b/numpy-1.26.0.dist-info/METADATA": "",
            "b/nvidia_cuda_nvrtc_cu12-12.9.86.dist-info/METADATA": "",
            "b/Jinja2-3.1.6-py3.11.egg-info": "",
            "b/~umpy-1.0.dist-info/METADATA": "",
            "b/module.py": "",
        }
    )
    found = software.installed([str(root / "a"), str(root / "b"), str(root / "absent.zip")])
    assert found == {"numpy": "2.4.6", "nvidia-cuda-nvrtc-cu12": "12.9.86", "jinja2": "3.1.6"}


def test_packages_are_those_that_matter() -> None:
    found = software.packages()
    assert found["numpy"] == importlib.metadata.version("numpy")
    assert list(found) == sorted(found)
    assert "pytest" not in found


@pytest.mark.parametrize(
    ("tree", "name"),
    [
        (
            {"etc/os-release": 'ID=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'},
            "Debian GNU/Linux 12 (bookworm)",
        ),
        ({"usr/lib/os-release": "NAME='Fedora'\n"}, "Fedora"),
        ({"etc/os-release": "ID=x\n"}, ""),
        ({}, ""),
    ],
)
def test_the_distribution(plant: Plant, tree: Mapping[str, str], name: str) -> None:
    assert software.read_system(plant(tree)) == name


def test_this_system() -> None:
    assert software.read_kernel() == os.uname().release
    assert software.python().split()[-1].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert re.fullmatch(r"(glibc \d+\.\d+\S*|musl|)", software.libc())


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def checkout(plant: Plant) -> Path:
    files = ("pyproject.toml", "membench/__init__.py", "kernels/stream.cu", "results/old.csv")
    root = plant(dict.fromkeys(files, "first\n"))
    _git(root, "init", "-q")
    _git(root, "add", ".")
    _git(root, "commit", "-q", "-m", "one")
    return root


def test_the_version_of_a_checkout(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")  # a git hook of another repository sets GIT_DIR
    package = checkout / "membench"
    head = _git(checkout, "rev-parse", "HEAD")
    version = software.software_version(package)
    base, _, commit = version.partition("+g")
    assert base == membench.__version__
    assert len(commit) >= 7
    assert head.startswith(commit)
    _git(checkout, "tag", "v9.9")
    assert software.software_version(package) == version
    for result in ("new.csv", "results/old.csv"):  # not part of the program
        (checkout / result).write_text("changed\n")
    assert software.software_version(package) == version


@pytest.mark.parametrize("file", ["membench/__init__.py", "kernels/stream.cu", "pyproject.toml"])
def test_a_changed_program_is_dirty(checkout: Path, file: str) -> None:
    (checkout / file).write_text("changed\n")
    assert software.software_version(checkout / "membench").endswith(".dirty")


def test_asking_git_leaves_its_index_alone(checkout: Path) -> None:
    index = checkout / ".git" / "index"
    os.utime(checkout / "membench" / "__init__.py", (0, 0))  # git would record the new time
    before = (index.stat().st_ino, index.stat().st_mtime_ns)
    assert not software.software_version(checkout / "membench").endswith(".dirty")
    assert (index.stat().st_ino, index.stat().st_mtime_ns) == before


def test_a_wheel_has_a_plain_version(plant: Plant) -> None:
    package = plant({"membench/__init__.py": ""}) / "membench"
    assert software.software_version(package) == membench.__version__


def test_another_project_s_repository_around_the_package(checkout: Path) -> None:
    (checkout / "pyproject.toml").unlink()
    assert software.software_version(checkout / "membench") == membench.__version__


def test_git_fails_or_is_absent(
    plant: Plant, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert software.software_version(checkout / "membench") == membench.__version__
    monkeypatch.undo()
    plant({"broken/.git": "gitdir: /nonexistent", "broken/pyproject.toml": ""})
    assert software.software_version(checkout / "broken/membench") == membench.__version__


def test_git_that_hangs_is_not_waited_for(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = checkout / "tools"
    tools.mkdir()
    (tools / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(software, "_GIT_SECONDS", 0.1)
    assert software.software_version(checkout / "membench") == membench.__version__
