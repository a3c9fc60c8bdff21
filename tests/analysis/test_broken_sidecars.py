"""A sidecar that cannot be read: every command warns, and continues without the sidecar."""

from __future__ import annotations

from pathlib import Path

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
