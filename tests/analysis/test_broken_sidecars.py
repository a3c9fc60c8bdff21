"""A sidecar that cannot be read: every command warns, and continues without the sidecar."""

from __future__ import annotations

import json
import re
from pathlib import Path

import h100_box
import pytest
from history_files import make_history

from membench.cli import main

COMMANDS = (
    ("check", "{}", "--json"),
    ("advise", "{}", "--model", "llama-3.1-8b", "--context", "8k"),
    ("report", "{}", "-o", "{}.html"),
    ("history", "{}", "--json"),
    ("compare", "{}", "ref:epyc-9654", "--format", "csv", "--cross-machine"),
)


@pytest.mark.parametrize("command", COMMANDS[:3], ids=lambda words: words[0])
def test_an_invalid_machine_is_named_with_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    path = h100_box.written(tmp_path / "a.csv", h100_box.rows())
    beside = json.loads(path.with_suffix(".json").read_text(encoding="ascii"))
    beside["machine"] = {"slug": 3}
    path.with_suffix(".json").write_text(json.dumps(beside), encoding="ascii")
    with pytest.raises(SystemExit):
        main([word.replace("{}", str(path)) for word in command])
    err = capsys.readouterr().err
    (line,) = (line for line in err.splitlines() if "a.json" in line)
    assert re.match("Warning: .*a.json has an invalid description of the machine: Machine", line)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_every_command_warns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], content: str
) -> None:
    (path,) = make_history(tmp_path, 1).glob("*.csv")
    path.with_suffix(".json").write_text(content, encoding="ascii")
    with pytest.raises(SystemExit):
        main([word.replace("{}", str(path)) for word in command])
    err = capsys.readouterr().err
    (warning,) = (line for line in err.splitlines() if path.with_suffix(".json").name in line)
    assert warning.startswith("Warning: ")
    assert "unknown" in warning  # says which information is missing
    assert not any(line.startswith("Error: ") and ".json" in line for line in err.splitlines())


@pytest.mark.parametrize("run_id", ["20200101T000000Z-beef", ["a", "list"], None])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_the_sidecar_of_another_run_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], run_id: object
) -> None:
    (path,) = make_history(tmp_path, 1).glob("*.csv")
    beside = json.loads(path.with_suffix(".json").read_text(encoding="ascii"))
    beside["plan"]["run_id"] = run_id
    beside["sha256"] = "0" * 64
    path.with_suffix(".json").write_text(json.dumps(beside), encoding="ascii")
    with pytest.raises(SystemExit):
        main([word.replace("{}", str(path)) for word in command])
    err = capsys.readouterr().err
    (warning,) = (line for line in err.splitlines() if path.with_suffix(".json").name in line)
    assert re.fullmatch(r"Warning: .*\.json describes another run than .*\.csv .*", warning)
