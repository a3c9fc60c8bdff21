"""The documents agree with the code: examples run, and columns and flags are complete."""

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

from membench.benches import registry
from membench.core.case import Bench
from membench.core.errors import VerificationFailed
from membench.core.registry import benches_of
from membench.core.terms import FLAGS
from membench.core.work import Timed
from membench.host.memory.backend import CpuBackend
from membench.machine import snapshot
from membench.results.schema import COLUMNS
from membench.results.sidecar import Sidecar
from membench.thesis.claims.ledger import ledger
from membench.thesis.models.catalogue import models

ROOT = Path(__file__).parents[2]
REFERENCES = ROOT / "results" / "reference"
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/*.md", "*/README.md") for path in ROOT.glob(pattern)
)


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="ascii")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The benchmark in CONTRIBUTING.md, imported from a file like a bench module."""
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
    # Without the head of the table.
    rows = re.findall(r"^\| ([a-z-]+) \| (.*) \|$", section, re.MULTILINE)[2:]
    assert rows == [(flag.code, flag.meaning) for flag in FLAGS.values()]


def test_documented_keys_are_those_of_the_sidecar() -> None:
    text = (ROOT / "docs" / "results-schema.md").read_text(encoding="ascii")
    keys = re.findall(
        r"^\| (\w+) \|", text.partition("## The JSON file beside the CSV")[2], re.MULTILINE
    )
    assert keys == ["key", *(field.name for field in fields(Sidecar))]


def test_readme_opens_with_two_commands_of_one_line_each() -> None:
    first, second, *_ = blocks("README.md", "sh")
    for command, end in ((first, "/membench run\n"), (second, "ci/cpu.sh .venv-dev/bin/python\n")):
        assert command.startswith("python3 -m venv ")
        assert command.endswith(end)
        assert command.count("\n") == 1
        subprocess.run(["bash", "-n", "-c", command], check=True)


def anchor(heading: str) -> str:
    """The anchor that GitHub generates for ``heading``."""
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if link.startswith("http"):
            continue
        name, _, fragment = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        if fragment:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert fragment in map(anchor, headings), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_document_names_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    ours = r"(?:tests|ci|kernels|examples|findings|membench)/[\w./-]*(?:\w\.\w+|NOTICE)"
    named = set(re.findall(rf"(?<![\w/.])(?:{ours}|docs/[\w-]+\.md)\b", text))
    if document.parent.name == "examples":
        named = {f"examples/{path}" if path.startswith("ci/") else path for path in named}
    for path in named - set(examples()):
        assert (ROOT / path).exists(), path


def test_counts_in_the_documents_are_counted() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="ascii")
    tools = (ROOT / "docs" / "other-tools.md").read_text(encoding="utf-8")
    facts = tools.partition("## How `membench import`")[0]
    others = set(re.findall(r"^\| (?!tool,|---)([\w-]+)", facts, re.MULTILINE))
    scripts = [path.name for path in (ROOT / "findings").glob("*.sh")]
    findings = (ROOT / "findings" / "README.md").read_text(encoding="ascii")
    linked = re.findall(r"^\| \[[\w-]+\]\(([\w-]+\.sh)\)", findings, re.MULTILINE)
    assert sorted(linked) == sorted(scripts)
    for sentence in (
        f"the numbers of {len(others)} other tools",
        f"`findings/` contains {len(scripts)} scripts",
        f"as {len(ledger().claims)} claims",
        f"of {len(models())} models",
        f"published figures of {len(list(REFERENCES.glob('*/figures.toml')))} machines and parts",
    ):
        assert sentence in changes


def test_the_versions_of_benches_are_in_the_changelog() -> None:
    """The changelog lists every version above 1, because such results are not comparable."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="ascii")
    told: dict[str, int] = {}
    for version, names in re.findall(r"Version (\d): ([^:\n]*)\.(?= Version|\n)", text):
        room = ""
        for name in re.findall(r"`([\w/]+)`", names):
            room = name.rpartition("/")[0] or room
            told[name if "/" in name else f"{room}/{name}"] = int(version)
    assert told == {
        name: bench.version for name, bench in registry().benches.items() if bench.version > 1
    }


def test_the_diagram_of_the_layers_is_the_import_contract() -> None:
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


def test_the_paths_of_the_data_flow_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="ascii")
    table = text.partition("the files through which data flow:")[2].partition("\n## ")[0]
    paths = re.findall(r"`([a-z_]+/[\w/.]*)`", table)
    assert len(paths) > 10
    for path in paths:
        assert (ROOT / "membench" / path).exists(), path
