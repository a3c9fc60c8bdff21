"""verdicts.json: reproducible bytes, valid for its schema, with all badges."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from gpu_box import make_box, make_row

from membench.cli import main
from membench.core.terms import Metric
from membench.results.schema import Row
from membench.results.table import write_rows
from membench.thesis.claims.verdict_file import number, to_json
from membench.thesis.claims.verdicts import verdicts

REFERENCES = sorted((Path(__file__).parents[2] / "results" / "reference").glob("*/figures.csv"))
MINE = (
    '[record.tsmc]\ncapex_2026 = { value = 46, low = 46, high = 46, unit = "1e9 USD", '
    'source = "a rumour", date = 2026-01-31, kind = "record" }\n'
)


@pytest.fixture(scope="module")
def valid() -> Callable[[str], dict[str, Any]]:
    """A function that parses verdicts.json after validating it with the schema."""
    schema = json.loads((files("membench.thesis.claims") / "verdicts.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    def check(text: str) -> dict[str, Any]:
        document = json.loads(text)
        validator.validate(document)
        assert isinstance(document, dict)
        return document

    return check


@pytest.fixture(scope="module")
def both() -> list[Row]:
    """Rows of two machines with complete measurements."""
    there = {"machine": "other", "run_id": "r-2", "device": "NVIDIA H200"}
    return [
        *make_box({}),
        make_row("decode/weights/batch=1", Metric.RATE, 100.0),
        *make_box({"hbm-read": 1.43}, **there),
        make_row("decode/weights/batch=1", Metric.RATE, 138.0, **there),
    ]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    assert isinstance(left.value.code, int)
    return left.value.code


def claims(document: dict[str, Any], machine: str = "") -> dict[str, Any]:
    (subject,) = (one for one in document["subjects"] if machine in ("", one["machine"]))
    return {claim["id"]: claim for claim in subject["claims"]}


@pytest.mark.slow
def test_the_same_inputs_and_seed_give_the_same_bytes(
    both: list[Row], valid: Callable[[str], dict[str, Any]]
) -> None:
    first, again = (to_json(verdicts(both, draws=60), [("a.csv", "0" * 64)]) for _ in range(2))
    assert first == again
    assert to_json(verdicts([], draws=60)) != to_json(verdicts([], draws=60, seed=2))
    document = valid(first)
    for machine in ("box", "other"):
        found = claims(document, machine)
        assert len(found) == 27
        (elasticity, _) = found["C13"]["parts"]
        assert elasticity["verdict"] == "supported"
        assert {row["machine"] for row in elasticity["evidence"]} == {"box", "other"}
        assert not any(part["why"] == "no data" for one in found.values() for part in one["parts"])
    assert found["C19"]["notes"]
    flip = found["C08"]["flip"]
    assert flip["becomes"] == "inconclusive"
    assert flip["change"].startswith("x")
    (capex,) = found["C19"]["parts"]
    assert (capex["why"], capex["kinds"], capex["weak"]) == ("forecasts alone", ["forecast"], True)
    # The assumption is from April, months before the date of the newest entry.
    assert capex["assumptions"][0]["old"] is True
    assert found["C14"]["not_found"]
    (_, hits, _) = found["C12"]["parts"]
    assert {one["axis"] for one in hits["strata"]} == {
        "model generation",
        "GPU class",
        "model generation and GPU class",
        "trace",
    }


def test_a_run_without_a_gpu(tmp_path: Path, valid: Callable[[str], dict[str, Any]]) -> None:
    rows = [make_row("ddr/read/size=256MiB", Metric.BANDWIDTH, 25.0, backend="cpu", device="CPU")]
    write_rows(tmp_path / "a.csv", rows)
    output = tmp_path / "verdicts.json"
    for _ in range(2):  # the command overwrites its own file
        assert run("report", str(tmp_path / "a.csv"), "-o", str(output)) == 0
    document = valid(output.read_text(encoding="utf-8"))
    assert document["sources"][0]["file"] == "a.csv"
    assert document["subjects"][0]["badges"] == []
    by_part = {part["id"]: part for one in claims(document).values() for part in one["parts"]}
    assert (by_part["C13a"]["why"], by_part["C13b"]["why"]) == ("one machine", "no data")
    assert by_part["C17b"]["evidence"][0]["case"] == "ddr/read/size=256MiB"
    assert by_part["C04b"]["supporting"] is None


@pytest.mark.slow
def test_verdicts_on_cited_references_wear_a_badge(
    tmp_path: Path, valid: Callable[[str], dict[str, Any]]
) -> None:
    assert REFERENCES
    output = tmp_path / "verdicts.json"
    assert run("report", *map(str, REFERENCES[:2]), "-o", str(output)) == 0
    document = valid(output.read_text(encoding="utf-8"))
    assert [subject["badges"] for subject in document["subjects"]] == [["cited"], ["cited"]]
    for subject in document["subjects"]:
        for claim in subject["claims"]:
            for part in claim["parts"]:
                assert part["badges"] == (["cited"] if part["evidence"] else [])


@pytest.mark.slow
def test_own_assumptions_change_the_verdict_and_wear_a_badge(
    tmp_path: Path, valid: Callable[[str], dict[str, Any]]
) -> None:
    write_rows(tmp_path / "a.csv", [make_row("ddr/read/size=256MiB", Metric.BANDWIDTH, 25.0)])
    (tmp_path / "mine.toml").write_text(MINE)
    arguments = ["report", str(tmp_path / "a.csv"), "-o", str(tmp_path / "v.json")]
    assert run(*arguments, "--assumptions", str(tmp_path / "mine.toml")) == 0
    document = valid((tmp_path / "v.json").read_text(encoding="utf-8"))
    assert document["own_assumptions"] == ["record.tsmc.capex_2026"]
    (part,) = claims(document)["C19"]["parts"]
    assert (part["verdict"], part["badges"]) == ("supported", ["own assumptions"])
    assert part["assumptions"][0]["source"] == "a rumour"


def test_wrong_assumptions_are_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path / "a.csv", [make_row("ddr/read/size=256MiB", Metric.BANDWIDTH, 25.0)])
    (tmp_path / "mine.toml").write_text(MINE.replace('source = "a rumour", ', ""))
    arguments = ["report", str(tmp_path / "a.csv"), "-o", str(tmp_path / "v.json")]
    assert run(*arguments, "--assumptions", str(tmp_path / "mine.toml")) == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("Error: ")
    assert "record.tsmc.capex_2026: 'source' is missing" in error
    assert hint == "Hint: give the source and the publication date of the value"
    assert not (tmp_path / "v.json").exists()


def test_another_json_file_is_not_overwritten(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", [make_row("ddr/read/size=256MiB", Metric.BANDWIDTH, 25.0)])
    (tmp_path / "v.json").write_text('{"schema": "somebody else\'s"}')
    assert run("report", str(tmp_path / "a.csv"), "-o", str(tmp_path / "v.json")) == 1
    assert "somebody" in (tmp_path / "v.json").read_text()


def test_explain_tells_a_claim(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", "c13b") == 0
    text = capsys.readouterr().out
    assert "HBM remains an indispensable key component" in text
    assert "supported if 95 % of the draws are at least 5 x" in text
    assert "Evidence against the claim: End to end, the effect is smaller" in text
    assert run("explain", "C99") == 2
    assert "Error: there is no claim 'C99'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.23456789, 1.23457), (float("nan"), None), (float("inf"), None), (None, None), (0.0, 0.0)],
)
def test_numbers_have_six_digits_or_are_absent(value: float | None, expected: float | None) -> None:
    assert number(value) == expected
