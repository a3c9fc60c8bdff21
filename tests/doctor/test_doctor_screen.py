"""The output of doctor: complete on a pipe, at most 80 columns on a terminal, only ASCII."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from membench.doctor import CHECKS, GPU_CHECKS, Facts, Finding, Severity, examine
from membench.report.screens.console import console
from membench.report.screens.doctor import print_findings

FINDINGS = [
    Finding("memory", Severity.FAIL, "too little of it", "free --human | sudo tee /dev/null " * 4),
    Finding("a-long-name", Severity.WARN, "words " * 40, "echo 1"),
    Finding("numa", Severity.OK, "2 memory nodes", "numactl membench run"),
    Finding("gpu", Severity.OK, "none"),
]


@pytest.fixture
def on_a_pipe() -> io.StringIO:
    stream = io.StringIO()
    print_findings(console(stream), FINDINGS)
    return stream


def test_on_a_pipe_a_finding_and_its_fix_are_a_line_each(on_a_pipe: io.StringIO) -> None:
    lines = on_a_pipe.getvalue().splitlines()
    assert lines[0] == "FAIL  memory       too little of it"
    assert lines[1] == f"      fix: {FINDINGS[0].fix}".rstrip()
    assert lines[2] == f"WARN  a-long-name  {FINDINGS[1].seen}".rstrip()
    assert lines[4:] == [
        "OK    numa         2 memory nodes",
        "      numactl membench run",
        "OK    gpu          none",
        "4 checks: 1 failed, 1 warning, 2 fine",
    ]


def terminal(findings: list[Finding]) -> list[str]:
    stream = io.StringIO()
    print_findings(Console(file=stream, width=80, highlight=False), findings)
    return stream.getvalue().splitlines()


def test_on_a_terminal_lines_are_folded_between_words() -> None:
    lines = terminal(FINDINGS)
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines[:3]).split()) == (
        f"FAIL memory too little of it fix: {FINDINGS[0].fix}".strip()
    )


def test_real_findings_fit(healthy: Facts) -> None:
    findings = examine(healthy)
    assert len(terminal(findings)) == len(CHECKS) + len(GPU_CHECKS) + 1
    assert max(map(len, terminal(findings))) <= 80


def test_a_name_cannot_move_the_cursor_or_break_the_line() -> None:
    evil = Finding("busy", Severity.WARN, "a\x1b[2Jb\nc\u2028d[bold]\xe9", "f\x07x")
    first, second, _ = terminal([evil])
    assert first == "WARN  busy  a?[2Jb?c?d[bold]?"
    assert second == "      fix: f?x"
