"""The Slurm recipe of docs/fleet.md, run unchanged with a stand-in for srun."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from membench.results.table import read_rows

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# srun with the options of the recipe: one task per node, with the node's name.
SRUN = """#!/bin/bash
nodes=0
while [[ $1 == --* ]]; do
    case "$1" in --nodes=*) nodes=${1#*=} ;; esac
    shift
done
for ((n = 1; n <= nodes; n++)); do SLURMD_NODENAME=Node$n "$@" || exit; done
"""
# A run without Dask, with one short case instead of the whole profile.
MEMBENCH = """#!/bin/bash
words=("$@")
if [[ $1 == run ]]; then words+=(--select 'host/chase/size=16KiB/pages=thp' --rounds 1); fi
exec {python} -P -c '
import sys
sys.modules["dask"] = sys.modules["distributed"] = None
from membench.cli import main
main(sys.argv[1:])
' "${{words[@]}}"
"""


def recipe() -> str:
    """The shell block of the section on Slurm in docs/fleet.md."""
    text = (ROOT / "docs" / "fleet.md").read_text(encoding="ascii")
    section = text.partition("### Slurm, without Dask\n")[2]
    found = re.search(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_recipe_measures_each_node_and_reports_without_dask(tmp_path: Path) -> None:
    for name, text in (
        ("bin/srun", SRUN),
        (".venv/bin/membench", MEMBENCH.format(python=shlex.quote(sys.executable))),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    shown = recipe()
    assert "--nodes=8 " in shown
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-ec", shown.replace("--nodes=8 ", "--nodes=3 ")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "rack7").glob("*.csv"))
    assert [path.stem for path in files] == ["Node1", "Node2", "Node3"]
    machines = {row.machine for path in files for row in read_rows(path)}
    assert machines == {"node1", "node2", "node3"}
    assert "3 machines" in done.stdout
