"""The client keeps a host's reply only if the reply is the output of a valid run."""

from __future__ import annotations

import hashlib
import json
import resource
from pathlib import Path
from typing import Any

import pytest
from fleet_files import fleet_row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.core.errors import MembenchError, OutputError
from membench.fleet import collect
from membench.fleet.collect import keep
from membench.results.paths import sidecar_path
from membench.results.plan import Plan
from membench.results.sidecar import Sidecar, write_sidecar
from membench.results.table import write_rows

RUN = "20260131T080412Z-12ab"
HOST = "node-1"
Reply = dict[str, Any]


@pytest.fixture(scope="module")
def reply(tmp_path_factory: pytest.TempPathFactory) -> Reply:
    """A valid reply: the files of a complete run."""
    csv = tmp_path_factory.mktemp("host") / "node-1.csv"
    write_rows(csv, [fleet_row(HOST, RUN, place, (1.0, 2.0, 1.5)) for place in range(3)])
    plan = Plan(
        run_id=RUN,
        machine=HOST,
        profile="quick",
        rounds=3,
        seed=1,
        timeout=9,
        device="auto",
        software="0.1.0",
        argv=(),
        started="2026-01-31T08:04:12Z",
        cases=(),
    )
    write_sidecar(csv, Sidecar(plan=plan, machine={}))
    return {
        "code": 0,
        "csv": csv.read_bytes(),
        "sidecar": sidecar_path(csv).read_bytes(),
        "errors": "",
        "where": "",
    }


def changed(reply: Reply, **plan: Any) -> Reply:
    """``reply`` with changed fields in the plan of its sidecar."""
    sidecar = json.loads(reply["sidecar"])
    sidecar["plan"] |= plan
    return reply | {"sidecar": json.dumps(sidecar).encode()}


def edited(reply: Reply, old: bytes, new: bytes) -> Reply:
    """``reply`` with changed text in its CSV, and the matching digest in the sidecar."""
    csv = reply["csv"].replace(old, new)
    sidecar = json.loads(reply["sidecar"]) | {"sha256": hashlib.sha256(csv).hexdigest()}
    return reply | {"csv": csv, "sidecar": json.dumps(sidecar).encode()}


def test_a_whole_answer_is_kept_where_it_belongs(reply: Reply, tmp_path: Path) -> None:
    arrived = keep(tmp_path, HOST, reply)
    assert arrived.csv == Path("node-1/20260131T080412Z_quick.csv")
    assert (arrived.rows, arrived.failed) == (3, 0)
    assert (tmp_path / arrived.csv).read_bytes() == reply["csv"]
    assert sidecar_path(tmp_path / arrived.csv).read_bytes() == reply["sidecar"]
    assert keep(tmp_path, HOST, reply) == arrived  # the client died before it wrote the ledger
    (tmp_path / arrived.csv).write_text("mine")
    with pytest.raises(MembenchError, match="nothing is overwritten"):
        keep(tmp_path, HOST, reply)
    assert sorted(path.name for path in tmp_path.iterdir()) == [HOST]


def test_whatever_else_comes_is_refused_and_nothing_of_it_is_kept(
    reply: Reply, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "MAX_FILE", 1 << 20)
    hostile = {
        "exit code or a file is missing": None,
        "a file is missing": reply | {"csv": "text"},
        "larger than 1.00 MiB": reply | {"csv": b"x" * ((1 << 20) + 1)},
        "exit code 1: no disk": reply | {"code": 1, "errors": "Error: no\ndisk"},
        "signal 9": reply | {"code": -9},
        "binary": reply | {"csv": b"\0"},
        "no rows, or the JSON is missing": reply | {"csv": reply["csv"].splitlines()[0] + b"\n"},
        "not JSON": reply | {"sidecar": b"{"},
        "was changed after its run": reply | {"csv": reply["csv"] + b"\n"},
        "to a machine other than": edited(reply, b"node-1", b"node-2"),
        "different runs": changed(reply, run_id="20260131T080412Z-0000"),
        "no valid time or profile": changed(reply, started="../../../../tmp/x"),
        "time or profile": changed(reply, profile="../x"),
    }
    for message, answer in hostile.items():
        with pytest.raises(MembenchError, match=message) as caught:
            keep(tmp_path, HOST, answer)
        assert "\n" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)
        assert not list(tmp_path.iterdir())


def test_a_full_disk_here_is_one_line_and_the_files_can_be_fetched_again(
    reply: Reply, tmp_path: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OutputError) as caught:
            keep(tmp_path, HOST, reply)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value) == f"cannot write {tmp_path}: File too large"
    assert not list(tmp_path.iterdir())
    assert keep(tmp_path, HOST, reply).rows == 3
    with pytest.raises(OutputError, match=r"cannot write .*gone: No such file or directory"):
        keep(tmp_path / "gone", HOST, reply)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 4000), st.sampled_from(["csv", "sidecar"]))
def test_no_bytes_end_in_anything_but_one_line(
    reply: Reply, tmp_path: Path, noise: bytes, at: int, part: str
) -> None:
    data = reply[part][:at] + noise + reply[part][at:]
    try:
        arrived = keep(tmp_path, HOST, reply | {part: data})
    except MembenchError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most, not all of it, is refused
    else:  # blanks and similar changes leave the rows unchanged
        assert arrived.rows == 3
        (tmp_path / arrived.csv).unlink()
        sidecar_path(tmp_path / arrived.csv).unlink()
