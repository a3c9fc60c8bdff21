"""The documents say what is true: the example runs, columns and flags are all there."""

from __future__ import annotations

import importlib.util
import itertools
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from contributing import examples

from membench.core.case import Bench
from membench.core.errors import VerificationFailed
from membench.core.registry import benches_of
from membench.core.terms import FLAGS
from membench.core.work import Timed
from membench.host.memory.backend import CpuBackend
from membench.machine import snapshot
from membench.results.schema import COLUMNS
from membench.results.sidecar import Sidecar

ROOT = Path(__file__).parents[2]


def blocks(document: str, language: str) -> list[str]:
    """The fenced code blocks of ``document`` in ``language``."""
    text = (ROOT / document).read_text(encoding="ascii")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The benchmark that CONTRIBUTING.md shows, imported from a file as a bench module is."""
    path = tmp_path / "documented.py"
    path.write_text(examples()["membench/benches/host/memmove.py"])
    spec = importlib.util.spec_from_file_location("documented", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "documented", module)
    spec.loader.exec_module(module)
    (bench,) = benches_of(module)
    return bench


def test_documented_benchmark_does_its_work(example: Bench) -> None:
    cpu = CpuBackend(snapshot())
    try:
        work = example.build(cpu, {"size": "64KiB"})
        assert isinstance(work, Timed)
        assert work.bytes_moved == 2 * 64 * 1024
        with pytest.raises(VerificationFailed):
            work.verify(0)
        assert cpu.elapsed_ns(work.run, 2) > 0
        work.verify(2)
    finally:
        cpu.close()


def test_documented_columns_are_the_columns() -> None:
    text = (ROOT / "docs" / "results-schema.md").read_text(encoding="ascii")
    assert tuple(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == COLUMNS


def test_documented_flags_are_the_flags() -> None:
    text = (ROOT / "docs" / "results-schema.md").read_text(encoding="ascii")
    section = text.partition("## Flags")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([a-z-]+) \| (.*) \|$", section, re.MULTILINE)[2:]  # after the head
    assert rows == [(flag.code, flag.meaning) for flag in FLAGS.values()]


def test_documented_keys_are_those_of_the_sidecar() -> None:
    text = (ROOT / "docs" / "results-schema.md").read_text(encoding="ascii")
    keys = re.findall(r"^\| (\w+) \|", text.partition("The JSON beside it")[2], re.MULTILINE)
    assert keys == ["key", *(field.name for field in fields(Sidecar))]


def test_readme_opens_with_two_commands_of_one_line_each() -> None:
    first, second, *_ = blocks("README.md", "sh")
    for command, end in ((first, "/membench run\n"), (second, "ci/cpu.sh .venv-dev/bin/python\n")):
        assert command.startswith("python3 -m venv ")
        assert command.endswith(end)
        assert command.count("\n") == 1
        subprocess.run(["bash", "-n", "-c", command], check=True)


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/README.md"]
)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="ascii")):
        assert (path.parent / target).exists(), target


def test_the_picture_of_the_house_is_the_import_contract() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="ascii")
    drawn = re.findall(r"^ ?(\d+) +(\w+) {2,}\S", text, re.MULTILINE)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [re.findall(r"\w+", layer) for layer in contracts["contracts"][0]["layers"]]
    floors = itertools.groupby(drawn, key=lambda line: line[0])
    assert [[room for _, room in rooms] for _, rooms in floors] == layers
    assert [int(floor) for floor, _ in drawn] == sorted((int(f) for f, _ in drawn), reverse=True)
    for _, room in drawn:
        place = ROOT / "membench" / room
        assert place.is_dir() or place.with_suffix(".py").is_file(), room


def test_the_paths_of_the_house_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="ascii")
    table = text.partition("Where to look:")[2].partition("\n## ")[0]
    paths = re.findall(r"`([a-z_]+/[\w/.]*)`", table)
    assert len(paths) > 10
    for path in paths:
        assert (ROOT / "membench" / path).exists(), path
