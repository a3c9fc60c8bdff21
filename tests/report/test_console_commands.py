"""The commands that membench recommends start the membench that the user started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rich.text import Text

from membench.report.screens.console import console, say_command, screen


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    path = tmp_path / "my bin" / "membench"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n", encoding="ascii")
    path.chmod(0o755)
    return path


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argv: str) -> str:
    monkeypatch.setattr(sys, "argv", [argv])
    say_command(screen(), "Next: ", "membench check a.csv")
    return capsys.readouterr().out


def test_a_program_on_the_path_is_named(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(installed.parent))
    assert said(monkeypatch, capsys, str(installed)) == "Next: membench check a.csv\n"


def test_a_program_that_the_shell_does_not_find_has_its_path(
    installed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", "")
    assert said(monkeypatch, capsys, str(installed)) == f"Next: '{installed}' check a.csv\n"
    other = tmp_path / "other" / "membench"
    other.parent.mkdir()
    other.write_bytes(installed.read_bytes())
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent))  # the shell finds another membench
    assert said(monkeypatch, capsys, str(installed)) == f"Next: '{installed}' check a.csv\n"


def test_a_module_is_named_as_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(monkeypatch, capsys, "/x/membench/__main__.py") == "Next: membench check a.csv\n"


def test_a_pipe_gets_plain_text_even_if_colours_are_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    console().print(Text("hello", style="bold yellow"))
    assert capsys.readouterr().out == "hello\n"
