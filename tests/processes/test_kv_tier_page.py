"""The commands in `docs/kv-tier.md` run unchanged, and every question has a command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from driver import Membench

PAGE = (Path(__file__).parents[2] / "docs" / "kv-tier.md").read_text(encoding="ascii")
(SHELL,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES = re.findall(r"^membench .*?(?<!\\)$", SHELL, re.DOTALL | re.MULTILINE)


def test_every_question_has_a_command() -> None:
    rows = re.findall(r"^\| (\d+)\. .*\| (.*) \|$", PAGE, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 11))
    assert sum("`membench " in command for _, command in rows) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_runs_as_it_stands(membench: Membench, text: str) -> None:
    _, *words = shlex.split(text.replace("\\\n", " "))
    done = membench(*words)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.isascii()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 5
