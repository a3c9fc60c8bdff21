"""The verdicts of a report, computed on the workers of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from distributed import Client

from membench import cli
from membench.core.errors import MembenchError
from membench.fleet import sweep
from membench.fleet.sweep import spread_by, spread_over
from membench.results.table import read_rows
from membench.thesis.claims.verdict_file import to_json
from membench.thesis.claims.verdicts import verdicts

REFERENCE = Path(__file__).resolve().parents[2] / "results" / "reference" / "epyc-zen4-2cpu-vm"
DRAWS = 32  # fewer than in a report, to save time


def test_verdicts_are_the_same_to_the_byte_wherever_they_are_judged(cluster: Client) -> None:
    (csv,) = REFERENCE.glob("*.csv")
    rows = read_rows(csv)
    here = to_json(verdicts(rows, draws=DRAWS), [])
    there = to_json(verdicts(rows, draws=DRAWS, spread=spread_by(cluster)), [])
    assert there == here
    assert len(here) > 10_000


def test_workers_of_another_version_judge_nothing(
    cluster: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "__version__", "0.0.0")
    with (
        pytest.raises(MembenchError, match=r"has membench .*, but this host has 0\.0\.0"),
        spread_over(cluster.scheduler_info()["address"]),
    ):
        pass


def test_a_worker_that_cannot_identify_itself_has_no_version(
    cluster: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks = ImportError("No module named 'membench'")
    monkeypatch.setattr(sweep, "identities", lambda _client, workers: dict.fromkeys(workers, lacks))
    with (
        pytest.raises(MembenchError, match=r"the worker .*: No module named 'membench'") as caught,
        spread_over(cluster.scheduler_info()["address"]),
    ):
        pass
    assert "restart the worker" in caught.value.hint


def test_an_invalid_address_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (csv,) = REFERENCE.glob("*.csv")
    with pytest.raises(SystemExit) as left:
        cli.main(["report", str(csv), "-o", str(tmp_path / "x.html"), "--scheduler", "what"])
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("Error: 'what' is not the address of a Dask")
    assert not list(tmp_path.iterdir())
