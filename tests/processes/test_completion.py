"""Completion in a real bash, with the function that membench prints."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from membench.core.terms import FLAGS
from membench.results.reference_files import reference_root
from membench.thesis.models.catalogue import models

Complete = Callable[..., list[list[str]]]
ROOT = Path(__file__).parents[2]
ASK = r"""
source <(_MEMBENCH_COMPLETE=bash_source membench)
complete -p membench
for line in "$@"; do
    COMP_LINE="$line" COMP_POINT=${#line}
    _membench_completion membench 2> /dev/null  # compopt wants a line that is being edited
    printf '%s\n' "${COMPREPLY[@]}" "end of $line"
done
"""


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """A function that returns bash's completions for each line, after the last word break."""
    program = tmp_path / "membench"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m membench "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def ask(*lines: str) -> list[list[str]]:
        done = subprocess.run(
            ["bash", "--norc", "-c", ASK, "bash", *lines],
            capture_output=True,
            text=True,
            check=True,
        )
        head, *answers = done.stdout.splitlines()
        assert head == "complete -o default -o nosort -F _membench_completion membench"
        found: list[list[str]] = [[]]
        for answer in answers:
            if answer.startswith("end of "):
                found.append([])
            else:
                found[-1].append(answer)
        return found[:-1]

    return ask


def test_commands_options_and_names_are_completed(complete: Complete) -> None:
    command, option, reference, joined, model, flag, choice, trace, policy = complete(
        "membench ru",
        "membench run --sel",
        "membench compare a.csv --against ref:",
        "membench compare a.csv --against=ref:h100-s",
        "membench advise x.csv --model llama-3.1-7",
        "membench explain few",
        "membench list --profile f",
        "membench replay con",
        "membench replay agent --policy fifo,opt",
    )
    assert (trace, policy) == (["conversation"], ["fifo,optimal"])
    assert (command, option, flag, choice) == (["run"], ["--select"], ["few-huge-pages"], ["full"])
    root = reference_root()
    assert root is not None
    assert reference == sorted(path.name for path in root.iterdir() if path.is_dir())
    assert joined == ["h100-sxm"]
    assert model == [name for name in models() if name.startswith("llama-3.1-7")]
    assert "few-huge-pages" in FLAGS


@pytest.mark.slow
def test_a_bench_comes_first_and_then_its_cases_whole_or_behind_the_last_break(
    complete: Complete,
) -> None:
    bench, cases, behind, quoted = complete(
        "membench run --select host/cha",
        "membench run --select host/chase/",
        "membench run --select host/chase/size=16",
        "membench run --skip 'host/chase/size=16",
    )
    assert bench == ["host/chase/"]
    assert "host/chase/size=16KiB/pages=thp" in cases
    assert [f"host/chase/size={rest}" for rest in behind] == quoted
    assert set(quoted) == {case for case in cases if case.startswith("host/chase/size=16")}


LINES = {
    "membench chec": ["membench check"],
    "membench compare a.csv --against ref:h100-s": ["ref:h100-sxm"],
    "membench compare a.csv --against=ref:h100-s": ["--against=ref:h100-sxm"],
    "membench compare old=ref:h100-s": ["old=ref:h100-sxm"],
    "membench compare old=some": ["old=some.csv"],
    "membench report some": ["some.csv"],
    "membench list --profile=f": ["--profile=full"],
    "membench list --select ddr/cop": ["ddr/copy/"],
    "membench check a.csv --expect hi": ["history"],
}
"""Line -> completions of its last word. Text before the completed part stays."""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A membench program in a folder on the PATH, and a CSV file in the home directory."""
    path = tmp_path / "bin" / "membench"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m membench "$@"\n')
    path.chmod(0o755)
    (tmp_path / "some.csv").write_text("")
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return path


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_the_same(program: Path) -> None:
    asked = "".join(f"complete -C {shlex.quote(line)}; echo end\n" for line in LINES)
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"_MEMBENCH_COMPLETE=fish_source membench | source\n{asked}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    answers = [part.split("\n") for part in done.stdout.split("end\n")[:-1]]
    for (line, expected), found in zip(LINES.items(), answers, strict=True):
        words = [word.partition("\t")[0] for word in found if word]
        assert words == [one.removeprefix("membench ") for one in expected], line


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_the_same(program: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execvp("zsh", ["zsh", "-f", "-i"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))

    def until(mark: bytes) -> bytes:
        seen, end = b"", time.monotonic() + 60
        while mark not in seen and time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 65536)
        assert mark in seen, seen
        return seen

    try:
        # The widget prints the line unchanged, after the completion has ended.
        os.write(
            terminal,
            b"PS1='% '; autoload -U compinit; compinit -D -u; setopt nobeep; unsetopt automenu\n"
            b"source <(_MEMBENCH_COMPLETE=zsh_source membench)\n"
            b"show() { print -n -- \"<<$BUFFER>>\" }; zle -N show; bindkey '^X^P' show\n"
            b"print READ''Y\n",
        )
        until(b"READY")
        for line, (expected,) in LINES.items():
            os.write(terminal, line.encode() + b"\t\x18\x10")
            (found,) = re.findall(rb"<<(.*?)>>", until(b">>"), re.DOTALL)
            whole = line.rpartition(" ")[0] + " " + expected.removeprefix("membench ")
            assert found.decode().rstrip(" ") == whole
            if whole.endswith("/"):
                assert found.decode() == whole  # without a space, because the word continues
            os.write(terminal, b"\x15")
    finally:
        os.write(terminal, b"\x15exit\n")
        os.close(terminal)
        os.waitpid(pid, 0)
