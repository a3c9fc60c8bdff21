"""What the command line makes of the values of its options."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from membench import cli

TRACE = "".join(
    f'{{"timestamp": {at}, "input_length": 1024, "output_length": 1, "hash_ids": [1, {block}]}}\n'
    for at, block in enumerate((2, 3, 2, 4))
)


def test_lru_and_repeats_are_not_printed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.jsonl").write_text(TRACE)
    asked = ["replay", "t.jsonl", "--capacity", "2", "--format", "csv", "--policy"]
    with pytest.raises(SystemExit):
        cli.main([*asked, "lru,fifo,lru,fifo"])
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    assert [row[0] for row in rows] == ["policy", "lru", "lru", "fifo"]
    with pytest.raises(SystemExit):
        cli.main([*asked, "lru"])
    assert capsys.readouterr().out.startswith("capacity_blocks,hit_rate\n2,")
