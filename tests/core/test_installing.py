"""Hints with an install command: the packages of an extra, for the Python that runs membench."""

from __future__ import annotations

import shlex
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import membench
from membench.core import installing
from membench.core.installing import install, install_extra, interpreter, requirements, uninstall

ROOT = Path(membench.__file__).parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory outside the Python installation; PATH and HOME are inside this directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_is_its_packages_as_pip_takes_them(extra: str, away: Path) -> None:
    command = shlex.split(install_extra(extra))
    assert command == [sys.executable, "-m", "pip", "install", *EXTRAS[extra]]


def test_what_was_installed_says_what_an_extra_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed package has no pyproject.toml, so membench reads the package's metadata.

    The lines in this test have the form of hatchling's metadata.
    """
    monkeypatch.setattr(membench, "__file__", str(tmp_path / "membench" / "__init__.py"))
    lines = [
        "click>=8.1.7",
        "cuda-toolkit[cublas,cudart,nvrtc]==13.*; extra == 'cuda13'",
        "cupy-cuda13x<15,>=14; extra == 'cuda13'",
        "cupy-cuda12x<15,>=14; extra == 'cuda12'",
    ]
    monkeypatch.setattr(metadata, "requires", lambda _: lines)
    needed = ("cuda-toolkit[cublas,cudart,nvrtc]==13.*", "cupy-cuda13x<15,>=14")
    assert requirements("cuda13") == needed
    assert shlex.split(install_extra("cuda13"))[-2:] == [*needed]
    assert requirements("cuda1") == requirements("nothing") == ()
    assert install_extra("nothing").endswith(" install 'membench[nothing]'")


def test_the_interpreter_has_the_shortest_name_that_leads_to_it(
    away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interpreter() == sys.executable
    python = away / "a place" / "bin" / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    assert interpreter() == "'a place/bin/python'"
    python.parent.mkdir(parents=True)
    python.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(python.parent))
    assert interpreter() == "python"
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("HOME", str(away / "a place"))
    monkeypatch.chdir(python.parent.parent)
    assert interpreter() == "bin/python"
    monkeypatch.chdir("/")
    assert interpreter() == str(python.relative_to("/")).join(("'", "'"))
    monkeypatch.chdir("/usr")
    assert interpreter() == "~/bin/python"


def test_an_environment_of_uv_is_filled_by_uv(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (away / "uv").touch(mode=0o755)
    monkeypatch.setattr(installing, "find_spec", lambda _: None)
    assert install("numba") == f"uv pip install --python {sys.executable} numba"
    assert uninstall("a", "b") == f"uv pip uninstall --python {sys.executable} a b"
    monkeypatch.undo()
    assert " -m pip uninstall -y a b" in uninstall("a", "b")


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_shell_gets_the_very_packages(packages: list[str]) -> None:
    assert shlex.split(install(*packages))[-len(packages) :] == packages
