"""The cost of a start: commands that only list cases load no numerical library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"cupy", "jinja2", "matplotlib", "numba", "numpy", "pandas", "scipy"}
CALL = """
import json, sys
from pathlib import Path
from membench.cli import main
try:
    main(sys.argv[2:])
except SystemExit as end:
    code = end.code
Path(sys.argv[1]).write_text(json.dumps([code, sorted(sys.modules)]))
"""
IMPORT = """
import json, sys
before = set(sys.modules)
import membench
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--help"], ["--version"], ["list"], ["run", "--help"]),
        *(["report", "--help"], ["compare", "--help"], ["doctor", "--help"], ["replay", "--help"]),
        *(["history", "--help"], ["check", "--help"], ["advise", "--help"]),
    ],
)
def test_asking_loads_no_numerical_library(arguments: list[str], tmp_path: Path) -> None:
    seen = tmp_path / "modules.json"
    command = [sys.executable, "-c", CALL, str(seen), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert seen.exists(), done.stderr
    code, modules = json.loads(seen.read_text())
    assert code == 0, done.stderr
    assert done.stdout
    assert "membench.cli" in modules
    assert {name.partition(".")[0] for name in modules} & HEAVY == set()


def test_a_list_for_a_pipe_is_written_without_rich(tmp_path: Path) -> None:
    """Rich and the random numbers of the scratch file take as long to load as click."""
    seen = tmp_path / "modules.json"
    command = [sys.executable, "-c", CALL, str(seen), "list", "--profile", "full"]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    _, modules = json.loads(seen.read_text())
    slow = {"decimal", "difflib", "gzip", "json", "lzma", "rich", "secrets", "shutil", "tomllib"}
    # This test itself imports json.
    assert {name.partition(".")[0] for name in modules} & slow == {"json"}


def test_import_loads_nothing_from_outside() -> None:
    command = [sys.executable, "-c", IMPORT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded - sys.stdlib_module_names == {"membench"}


RUN = next(ROOT.glob("results/reference/epyc-zen4-2cpu-vm/*_quick.csv"))
QUESTION = ("--model", "llama-3.1-70b", "--context", "32768")


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", f"a={RUN}", f"b={RUN}"],
        ["compare", "ref:h100-sxm", "ref:gh200-96"],
        ["advise", str(RUN), *QUESTION],
        ["advise", "results/reference/h100-sxm/figures.csv", *QUESTION],
        ["info"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_reading_a_few_files_for_a_pipe_loads_neither_numpy_nor_rich(
    arguments: list[str], tmp_path: Path
) -> None:
    """These commands also need no bench, and no random number."""
    seen = tmp_path / "modules.json"
    command = [sys.executable, "-c", CALL, str(seen), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    code, modules = json.loads(seen.read_text())
    assert code == 0
    assert done.stdout
    slow = {*HEAVY, "html", "random", "rich", "secrets", "statistics", "tempfile"}
    assert {name.partition(".")[0] for name in modules} & slow == set()
    ours = {"membench.benches", "membench.core.registry", "membench.results.formats.recognise"}
    assert ours.isdisjoint(modules)
