"""ci/gpu_peers.py without a GPU: from the output of another tool to the table of ratios."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from c_library import build

from membench.benches import registry
from membench.machine import snapshot
from membench.results.table import read_rows, write_rows

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "results" / "formats" / "data"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_peers", ROOT / "ci" / "gpu_peers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_peers"] = module  # dataclasses search the module here
    spec.loader.exec_module(module)
    return module


def test_what_is_selected_exists(script: ModuleType) -> None:
    """A selected case may be outside of the profiles."""
    assert all(registry().case(one, snapshot()) is not None for one in script.OURS)


def test_a_peers_output_becomes_a_results_file_and_a_ratio(
    script: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    show = f"cat {shlex.quote(str(DATA / 'nvbandwidth.json'))}"
    peer = script.Peer("nvbandwidth", "nvbandwidth", "mkdir -p {out}", ((show, ("size=256MiB",)),))
    found = script.figures(peer, tmp_path, tmp_path, tmp_path / "scratch")
    assert found == [tmp_path / "nvbandwidth.csv"]
    rows = {row.case: row for row in read_rows(found[0])}
    h2d = rows["link/h2d/size=256MiB/mem=pinned/engine=ce/streams=1"]
    assert h2d.value == 12.3964

    ours = tmp_path / "peers.csv"
    faster = [24.0, 24.1, 24.2, 24.1, 24.0]
    write_rows(
        ours,
        [
            replace(
                h2d,
                run_id="20260101T000000Z-ff",
                machine="box",
                backend="cuda",
                value=24.1,
                rounds=5,
                n=5,
                round_values=tuple(faster),
                samples=tuple((one,) for one in faster),
                spread=None,
                min=24.0,
                max=24.2,
                flags=(),
            )
        ],
    )
    assert script.ratios(ours, found, tmp_path) == 0
    table = list(csv.DictReader((tmp_path / "ratios.csv").read_text().splitlines()))
    (line,) = [one for one in table if one["case"] == h2d.case and one["label"] == "membench"]
    assert float(line["ratio"]) == pytest.approx(24.1 / 12.3964)
    assert h2d.case in capfd.readouterr().out


@pytest.mark.parametrize(
    ("build", "run", "said"),
    [
        ("false", "true", "does not build"),
        ("true", "exit 7", "ends with exit code 7"),
        ("true", "echo nonsense", "prints unreadable output"),
    ],
)
def test_a_peer_that_does_not_work_is_named(
    script: ModuleType, tmp_path: Path, build: str, run: str, said: str
) -> None:
    peer = script.Peer("x", "nvbandwidth", build, ((run, ()),))
    (tmp_path / "scratch").mkdir()
    assert script.figures(peer, tmp_path, tmp_path, tmp_path / "scratch") == said


def test_peers_link_with_the_libraries_that_the_loader_finds(
    script: ModuleType, tmp_path: Path
) -> None:
    """Only the driver's development package contains the library names for linking."""
    driver = tmp_path / "driver"
    driver.mkdir()
    build(driver / "libcuda.so.1", "int cuInit(unsigned flags) { return flags; }")
    code = (
        "import importlib.util as u, json, sys; from pathlib import Path;"
        "s = u.spec_from_file_location('p', sys.argv[1]); m = u.module_from_spec(s);"
        "sys.modules['p'] = m; s.loader.exec_module(m);"
        "print(json.dumps(m.build_environment(Path('peers'), Path(sys.argv[2]))))"
    )
    asked = [sys.executable, "-c", code, str(ROOT / "ci" / "gpu_peers.py"), str(tmp_path)]
    ran = subprocess.run(
        asked,
        env={**os.environ, "LD_LIBRARY_PATH": str(driver)},
        capture_output=True,
        check=True,
    )
    environment = json.loads(ran.stdout)
    assert environment["CPATH"].startswith("peers/include")
    program = b"int cuInit(unsigned); int main(void) { return cuInit(0); }"
    subprocess.run(
        ["cc", "-x", "c", "-", "-o", tmp_path / "peer", "-lcuda"],
        input=program,
        env=environment,
        check=True,
    )
