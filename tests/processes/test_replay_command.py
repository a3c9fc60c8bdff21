"""`membench replay` in real processes: options, outputs, exit codes."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from driver import Membench

pytestmark = pytest.mark.slow

LINE = '{"timestamp": %d, "input_length": %d, "output_length": 1, "hash_ids": %s}\n'


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_the_shipped_conversation_as_csv(membench: Membench) -> None:
    done = membench("replay", "conversation", "--capacity", "10000,1000,1000", "--format", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "capacity_blocks,hit_rate\n1000,0.044530\n10000,0.211598\ninf,0.366412\n"
    )


def test_both_shipped_traces_without_a_name(membench: Membench) -> None:
    done = membench("replay", "--format", "csv")
    head, *body = rows(done.stdout)
    assert head == ["trace", "capacity_blocks", "hit_rate"]
    for name in ("conversation", "agent"):
        mine = [row for row in body if row[0] == name]
        assert mine[-1][1] == "inf"
        assert mine[-1][2] == mine[-2][2]  # the last knee is enough
        rates = [float(rate) for _, _, rate in mine]
        assert rates == sorted(rates)


def test_a_file_of_the_mooncake_form_on_a_pipe(membench: Membench) -> None:
    path = membench.directory / "mine.jsonl"
    path.write_text(LINE % (0, 48, [0, 1, 2]) + LINE % (60_000, 48, [0, 1, 3]))
    done = membench(
        *("replay", "mine.jsonl", "--block-tokens", "16", "--capacity", "1,2,3"),
        *("--model", "llama-3.1-70b", "--kv-dtype", "fp8"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert (
        "2 requests, 6 references to blocks of 16 tokens in 3 ranges of consecutive ids"
        in done.stdout
    )
    assert "     2      32               0.00524  0.333333   0.333333 " in done.stdout
    assert re.search(r"^30 s to 1 min +100\.0 % +100\.0 %$", done.stdout, re.MULTILINE)


def test_json_holds_what_was_asked_and_found(membench: Membench) -> None:
    done = membench(
        *("replay", "conversation", "--capacity", "10000", "--format", "json"),
        *("--arrivals", "poisson:3.5", "--seed", "7", "--model", "deepseek-v3"),
    )
    document = json.loads(done.stdout)
    assert document["schema"] == "membench.replay/1"
    (trace,) = document["traces"]
    assert (trace["trace"], trace["seed"], trace["arrivals"]) == ("conversation", 7, "poisson:3.5")
    assert trace["references"] == 288_500
    assert [point["capacity"] for point in trace["points"]] == [10_000, None]
    assert trace["points"][0]["gigabytes"] == pytest.approx(10_000 * 512 * 70_272 / 1e9)
    assert sum(band["traffic"] for band in trace["reread"]) == pytest.approx(1)
    assert trace["resting"] == []
    assert trace["reread"][-1]["to_s"] is None


def test_a_seed_decides_random_arrivals(membench: Membench) -> None:
    request = '{"t": %d, "in": 640, "out": 1, "api": 1, "h": [[0, 9]]}'
    requests = ", ".join(request % (10 * number) for number in range(5))
    session = f'{{"block_size": 64, "requests": [{requests}]}}\n'
    (membench.directory / "sessions.jsonl").write_text(6 * session)
    command = ("replay", "sessions.jsonl", "--capacity", "10,20,30", "--arrivals", "poisson:0.1")
    csvs = [
        membench(*command, "--format", "csv", "--seed", seed).stdout for seed in ("1", "1", "2")
    ]
    assert csvs[0] == csvs[1] != csvs[2]
    assert rows(csvs[0])[-1] == rows(csvs[2])[-1] == ["inf", "0.800000"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--capacity", "0"), 2, "'0' is not a number of blocks"),
        (("--capacity", "1,,2"), 2, "'' is not a number of blocks"),
        (("--capacity", "9" * 5000), 2, "is not a number of blocks"),
        (("--arrivals", "poisson:0"), 2, "'poisson:0' is neither 'file' nor"),
        (("--arrivals", "poisson:nan"), 2, "is neither 'file' nor"),
        (("--arrivals", "uniform:1"), 2, "is neither 'file' nor"),
        (("--block-tokens", "0"), 2, "'0' is not a number of tokens from 1"),
        (("--block-tokens", "16"), 1, "blocks of 512 tokens, not of 16: a block cannot be split"),
        (("--model", "gpt-5"), 2, "'gpt-5' is not a known model"),
        (("--seed", "-1"), 2, "-1 is not in the range"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_a_hint(
    arguments: tuple[str, ...], code: int, says: str, membench: Membench
) -> None:
    done = membench.refuses("replay", "conversation", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    error, hint = done.stderr.splitlines()
    assert error.startswith("Error: ")
    assert says in error
    assert hint.startswith("Hint: ")


def test_a_cut_off_trace_gives_no_half_result(membench: Membench) -> None:
    path = membench.directory / "cut.jsonl"
    path.write_text((LINE % (0, 600, [0, 1])) * 3 + LINE[:40])
    done = membench("replay", "cut.jsonl", "--format", "csv")
    assert (done.returncode, done.stdout) == (1, "")
    error, hint = done.stderr.splitlines()
    assert error == "Error: cut.jsonl, line 4: this is not JSON: is the file cut off?"
    assert hint.startswith("Hint: ")


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_of_any_width_holds_the_tables(columns: int, membench: Membench) -> None:
    script = Path(__file__).with_name("in_terminal.py")
    command = [sys.executable, "-m", "membench", "replay", "conversation", "--model", "qwen3-32b"]
    done = subprocess.run(
        [sys.executable, script, str(columns), *command],
        cwd=membench.directory,
        env=membench.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = re.sub(r"\x1b\[[\d;]*m|\r", "", done.stdout).splitlines()
    assert max(map(len, lines)) <= columns
    assert any("158,281" in line and "0.366412" in line for line in lines)
