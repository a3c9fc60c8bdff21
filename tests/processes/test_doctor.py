"""`membench doctor` from the command line: exit codes, JSON, and no side effects."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from driver import Membench

HEAVY = ("cupy", "matplotlib", "numba", "numpy", "pandas")
KEYS = {"schema", "membench", "machine", "scratch", "worst", "findings"}


def _json(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    assert set(document) == KEYS
    assert document["schema"] == "membench.doctor/1"
    return document


def test_json_and_exit_code_agree(membench: Membench) -> None:
    del membench.environment["TEST_STAIRS"]
    done = membench("doctor", "--json")
    document = _json(done.stdout)
    assert done.stderr == ""
    levels = [one["level"] for one in document["findings"]]
    assert levels == sorted(levels, key=["FAIL", "WARN", "OK"].index)
    assert document["worst"] == levels[0]
    assert done.returncode == (3 if levels[0] == "FAIL" else 0)
    for one in document["findings"]:
        assert set(one) == {"check", "level", "seen", "fix"}
        assert one["seen"]
        assert one["fix"] or one["level"] == "OK"
    assert document["scratch"] == "."
    assert list(membench.directory.iterdir()) == []


def test_results_are_the_default_scratch_directory_where_they_exist(membench: Membench) -> None:
    (membench.directory / "results").mkdir()
    assert _json(membench("doctor", "--json").stdout)["scratch"] == "results"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("place", ["/dev/null", "a-file"])
def test_what_is_no_directory_fails(membench: Membench, place: str) -> None:
    (membench.directory / "a-file").write_text("mine")
    done = membench("doctor", "--scratch", place)
    assert done.returncode == 3
    assert "is not a directory" in done.stdout
    assert (membench.directory / "a-file").read_text() == "mine"


def test_a_directory_in_memory_fails(membench: Membench) -> None:
    if not Path("/dev/shm").is_dir():
        pytest.skip("there is no /dev/shm")
    done = membench("doctor", "--scratch", "/dev/shm", "--json")
    assert done.returncode == 3
    (direct,) = (one for one in _json(done.stdout)["findings"] if one["check"] == "direct-io")
    assert (direct["level"], direct["fix"].endswith("--scratch DIR")) == ("FAIL", True)


def test_the_limits_of_the_process_itself_are_seen(membench: Membench) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 4096))

    done = membench("doctor", "--json", preexec_fn=limit)
    (locked,) = (one for one in _json(done.stdout)["findings"] if one["check"] == "locked-memory")
    assert locked["level"] == "WARN"
    assert "4.00 KiB" in locked["seen"]


def test_one_cpu_of_several_is_seen(membench: Membench) -> None:
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < 2:
        pytest.skip("only one CPU may be used")
    done = membench("doctor", "--json", preexec_fn=lambda: os.sched_setaffinity(0, mine[:1]))
    (affinity,) = (one for one in _json(done.stdout)["findings"] if one["check"] == "affinity")
    assert affinity["level"] == "WARN"
    assert affinity["seen"].startswith("this process may use only 1 of ")


def test_a_forbidden_engine_and_a_homeless_cache_are_seen(membench: Membench) -> None:
    environment = {**membench.environment, "MEMBENCH_ENGINE": "numpy"}
    for key in ("HOME", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        environment.pop(key, None)
    found = _json(membench("doctor", "--json", env=environment).stdout)["findings"]
    levels = {one["check"]: one["level"] for one in found}
    assert (levels["numba"], levels["kernel-cache"]) == ("WARN", "WARN")


def test_the_table_on_a_pipe_is_plain_and_ends_with_the_sum(membench: Membench) -> None:
    done = membench("doctor")
    *lines, last = done.stdout.splitlines()
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    heads = [line[:4].strip() for line in lines if line[:4].strip()]
    counts = [heads.count(level) for level in ("FAIL", "WARN", "OK")]
    warnings = "1 warning" if counts[1] == 1 else f"{counts[1]} warnings"
    assert last == f"{len(heads)} checks: {counts[0]} failed, {warnings}, {counts[2]} fine"


def test_it_loads_no_numerical_library(membench: Membench) -> None:
    code = (
        "import sys; from membench.cli import main\n"
        "try: main(['doctor', '--json'])\n"
        f"finally: print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=membench.directory,
        env=membench.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "[]\n"
