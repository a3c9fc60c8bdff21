"""Completion as bash asks for it: a real bash calls the function that membench prints."""

from __future__ import annotations

import shlex
import subprocess
import sys
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
    """Ask bash for several lines at once: what readline would put behind its last word break."""
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
    command, option, reference, joined, model, flag, choice = complete(
        "membench ru",
        "membench run --sel",
        "membench compare a.csv --against ref:",
        "membench compare a.csv --against=ref:h100-s",
        "membench advise x.csv --model llama-3.1-7",
        "membench explain few",
        "membench list --profile f",
    )
    assert (command, option, flag, choice) == (["run"], ["--select"], ["few-huge-pages"], ["full"])
    root = reference_root()
    assert root is not None
    assert reference == sorted(path.name for path in root.iterdir() if path.is_dir())
    assert joined == ["h100-sxm"]
    assert model == [name for name in models() if name.startswith("llama-3.1-7")]
    assert "few-huge-pages" in FLAGS


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
