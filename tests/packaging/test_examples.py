"""The plug-in, the Python script and the CI workflow in `examples/` work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "examples" / "ci" / "github.yml"


def run(*command: str | Path, path: Path, cwd: Path) -> str:
    """Standard output of Python with the arguments ``command``.

    Python imports from ``path`` and from this checkout.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-P", *map(str, command)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_plug_in_installed_from_its_folder_is_listed_run_and_compared(tmp_path: Path) -> None:
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    pip = ("-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index", "--no-deps")
    source = ROOT / "examples" / "plug_in"
    run(*pip, "--no-build-isolation", "--target", site, source, path=tmp_path, cwd=work)
    membench = ("-m", "membench")
    listed = run(*membench, "list", "--select", "ddr/memset", path=site, cwd=work)
    assert "ddr/memset/size=256MiB" in listed
    select = ("--select", "ddr/memset", "--rounds", "1", "-o", "a.csv")
    run(*membench, "run", *select, path=site, cwd=work)
    shown = run(*membench, "compare", "a.csv", "a.csv", path=site, cwd=work)
    assert "ddr/memset/size=256MiB" in shown


def test_the_example_of_the_python_api(tmp_path: Path) -> None:
    script = ROOT / "examples" / "compare_runs.py"
    shown = run(script, "host/chase/size=16KiB/*", "1", path=tmp_path, cwd=tmp_path)
    assert len(re.findall(r"host/chase/size=16KiB/pages=thp", shown)) == 3
    assert re.search(r" (better|worse|same|unclear) ", shown)


def test_the_workflow_calls_membench_and_gates() -> None:
    text = WORKFLOW.read_text(encoding="ascii")
    assert "--fail-on worse" in text
    assert "make" not in re.sub(r"#.*", "", text)
