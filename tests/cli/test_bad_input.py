"""Wrong input of a user gives one Error line, one Hint line and a fixed exit code.

The exit code is 2 for an unknown or invalid argument, 4 for a glob that matches nothing, and 1 for
a file that cannot be read or written.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from membench import cli

REFERENCE = next((Path(__file__).parents[2] / "results" / "reference").glob("epyc-zen4-*/*.csv"))

NAMES = [
    ("explain cache-served1", "did you mean cache-served"),
    ("explain ddr/cpoy", "did you mean ddr/copy"),
    ("explain C99", "the claims are C01 to"),
    ("explain ref:h100-sxm", "membench list --references"),
    ("explain c01z", "membench list"),
    ("advise run.csv --model lama-3.1-8b --context 4096", "did you mean llama-3.1-8b"),
    ("advise run.csv --model lama-3.1-8b", "did you mean llama-3.1-8b"),
    ("advise run.csv --model no-such/model-at-all --context 4096", "--model list"),
    ("advise run.csv --model llama-3.1-8b", "--context"),
    ("advise run.csv --model llama-3.1-8b --context 32x", "32k"),
    ("advise run.csv --model llama-3.1-8b --context 99 --weights fp9", "--help"),
    ("advise run.csv --model llama-3.1-8b --context 99 --gpu h200-smx", "ref:h200-sxm"),
    ("advise run.csv --model llama-3.1-8b --context 99 --gpu ref:h200-smx", "ref:h200-sxm"),
    ("advise ref:h200-smx --model llama-3.1-8b --context 99", "ref:h200-sxm"),
    ("advise run.csv --model llama-3.1-8b --context 99 --trace conversatoin", "conversation"),
    ("advise run.csv --model llama-3.1-8b --context 99 --tiers drr=1TB", "did you mean ddr"),
    ("replay conversatoin", "did you mean conversation"),
    ("replay agent --policy s3fio", "did you mean s3fifo"),
    ("replay agent --model lama-3.1-8b --capacity 80GB", "did you mean llama-3.1-8b"),
    ("replay agent --model llama-3.1-8b --tiers hmb=80GB", "did you mean hbm"),
    ("compare run.csv ref:h200-smx", "did you mean ref:h200-sxm"),
    ("compare run.csv --against ref:h200-smx", "did you mean ref:h200-sxm"),
    ("compare a=run.csv b=run.csv --ref c", "the labels are a, b"),
    ("compare run.csv --by storse", "give an axis"),
    ("compare a=run.csv b=run.csv --preset strikt", "did you mean strict"),
    ("compare a=run.csv b=run.csv --status beter", "did you mean better"),
    ("compare a=run.csv b=run.csv --fail-on wors", "did you mean worse"),
    ("compare a=run.csv b=run.csv --sort rato", "--help"),
    ("compare run.csv", "--against ref:NAME"),
    ("compare a=run.csv a=run.csv", "two files"),
    ("compare", "FILE"),
    ("report run.csv -o x.html --assume system.lnik=50", "did you mean system.link"),
    ("report run.csv -o x.html --assume system.link", "NAME=VALUE"),
    ("report run.csv -o x.html --assume 'system.link=5 parsec'", "known units"),
    ("report run.csv -o x.txt", "-o report.html"),
    ("run -o", "membench run --help"),
    ("run --rounds three", "membench run --help"),
    ("report run.csv -o x.html --lang fr", "--help"),
    ("import fioo run.csv -o x.csv", "did you mean fio"),
    ("import mlc run.csv -o x.csv --set teir=ddr", "did you mean tier"),
    ("import mlc run.csv -o x.csv --set tier=drr", "did you mean ddr"),
    ("import mlc run.csv -o x.csv --set size=0B", "256MiB"),
    ("import mlc run.csv -o x.csv --set size=", "--set size=VALUE"),
    ("export benchr run.csv", "did you mean bencher"),
    ("export github-action-benchmark run.csv", "-o bench"),
    ("export bencher ref:h200-smx", "did you mean ref:h200-sxm"),
    ("check run.csv --expect histroy", "did you mean history"),
    ("check run.csv --expect h200-sxm", "did you mean ref:h200-sxm"),
    ("check run.csv --expect ref:h200-smx", "did you mean ref:h200-sxm"),
    ("check run.csv --require drr", "did you mean ddr"),
    ("check run.csv --require gpu=x", "1 to 1024"),
    ("check run.csv --fail-on lok", "did you mean look"),
    ("check run.csv -o x.csv", "leave out FILE"),
    ("history ref:h200-smx", "did you mean ref:h200-sxm"),
    ("history run.csv --fail-on wors", "did you mean worse"),
    ("history run.csv -o x.pdf", "-o"),
    ("list --profile fast", "--help"),
    ("run --device cuda:99 --dry-run", "GPU"),
    ("run --device gpu --dry-run", "cuda:N"),
    ("run --set 'ddr/*:sise=3MiB' --dry-run", "size"),
    ("run --set ddr/copy:size=3 --dry-run", "MiB"),
    ("run --disk-budget 5 --dry-run", "256MiB"),
    ("run --set ddr/copy --dry-run", "BENCHGLOB"),
    ("run --select paging/ssd-ddr --set paging/ssd-ddr:block=1B --dry-run", "multiple of 4KiB"),
    ("run --label a/b --dry-run", "such as a-b"),
    ("run --versus what=ever --dry-run", "env=NAME=VALUE"),
    ("run --disk-budget 3GB --dry-run", "GiB"),
    ("run --rounds 0", "--help"),
    ("run --resume run.csv --rounds 3", "interrupted run"),
    ("fleet run", "--local 3"),
    ("frobnicate", "membench --help"),
    ("chek run.csv", "did you mean check?"),
    ("fleet repot x", "did you mean report?"),
    ("check run.csv --against ref:h100-sxm", "use --expect"),
    ("compare run.csv --expect ref:h100-sxm", "use --against"),
    ("check run.csv --exepct auto", "did you mean --expect"),
    ("info --nonsense", "--help"),
]
GLOBS = [
    ("explain 'ddr/cop*x'", "did you mean ddr/copy"),
    ("compare a=run.csv b=run.csv --select drr", "did you mean ddr"),
    ("compare a=run.csv b=run.csv --normalize peak --select ddr", "leave out --normalize"),
    ("history run.csv --select drr", "did you mean ddr"),
    ("list --select ddr/cpoy", "did you mean ddr/copy"),
    ("list --select DDR/copy", "did you mean ddr/copy?"),
    ("list --select ddr/copy/size=256MiB", "did you mean ddr/copy/size=auto/"),
    ("list --references --select h200-smx", "did you mean ref:h200-sxm"),
    ("run --select ddr/cpoy --dry-run", "did you mean ddr/copy"),
    ("run --select ddr/copy --skip 'ddr/*' --dry-run", "skip fewer"),
    ("run --set drr/copy:size=4MiB --dry-run", "did you mean ddr/copy"),
]
FILES = [
    ("advise nofile.csv --model llama-3.1-8b --context 99", "check the file name"),
    ("advise run.csv --model nofile.json --context 99", "config.json"),
    ("advise run.csv --model bad.json --context 99", "add 'num_hidden_layers'"),
    ("advise run.csv --model text.json --context 99", "config.json"),
    ("advise run.csv --model . --context 99", "config.json"),
    ("replay nofile.jsonl", "conversation or agent"),
    ("replay text.json", "docs/replay.md"),
    ("compare run.csv nofile.csv", "check the file name"),
    ("compare run.csv /dev/null", "name a regular file or a pipe"),
    ("compare run.csv .", "name a file"),
    ("compare a=run.csv b=run.csv --preset nofile.toml", "check the file name"),
    ("compare a=run.csv b=run.csv --preset text.json", "--dump-config"),
    ("report nofile.csv -o x.html", "check the file name"),
    ("report run.csv -o x.html --assumptions nofile.toml", "file name"),
    ("report run.csv -o x.html --assumptions text.json", ""),
    ("report text.json -o x.html", ""),
    ("import mlc nofile -o x.csv", "check the file name"),
    ("import mlc /dev/null -o x.csv", "name a regular file or a pipe"),
    ("import mlc text.json -o x.csv", "Intel Memory Latency Checker"),
    ("import fio bad.json -o x.csv", ""),
    ("import mlc run.csv -o x.csv", "without an import"),
    ("import mlc run.csv -o run.csv", "another file"),
    ("import cited text.json -o x.csv", ""),
    ("export bencher nofile.csv", "check the file name"),
    ("export bencher run.csv -o run.csv", "another file"),
    ("export bencher run.csv -o .", "name a file"),
    ("export bencher text.json", ""),
    ("check nofile.csv", "check the file name"),
    ("check run.csv --expect nofile.csv", "check the file name"),
    ("history nofolder", "check the file name"),
    ("history text.json", ""),
    ("fleet report nofolder", "(-o) of a fleet run"),
    ("run --resume nofile.csv", "give --resume the name"),
    ("run --scratch /no/such/folder --dry-run", "directory"),
    ("run --select ddr/copy -o run.csv --dry-run", "another file"),
    ("doctor --scratch /no/such/folder", "existing directory"),
    ("run --select ddr/copy -o run.csv/x.csv", "is a file"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a results file, a text file, and a JSON file that is no model configuration."""
    (tmp_path / "run.csv").write_bytes(REFERENCE.read_bytes())
    (tmp_path / "text.json").write_text("this is a text\n" * 40)
    (tmp_path / "bad.json").write_text(json.dumps({"model_type": "llama"}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "code", "hint"),
    [(line, code, hint) for code, of in ((2, NAMES), (4, GLOBS), (1, FILES)) for line, hint in of],
)
def test_a_mistake_gets_an_error_a_hint_and_the_code_of_its_kind(
    line: str, code: int, hint: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name for path in folder.iterdir()}
    with pytest.raises(SystemExit) as left:
        cli.main(shlex.split(line))
    errors = capsys.readouterr().err.splitlines()
    assert [text.partition(":")[0] for text in errors] == ["Error", "Hint"], errors
    assert hint in errors[1]
    assert left.value.code == code
    assert errors[1] != "Hint: "
    assert not errors[0].endswith(".")
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.parametrize("arguments", [[], ["fleet"]])
def test_without_a_command_there_is_help_and_no_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(arguments)
    shown = "".join(capsys.readouterr())
    assert shown.startswith("Usage: membench")
    assert "Error:" not in shown
    assert len(shown.splitlines()) > 6


@pytest.mark.parametrize(
    "command", ["run --select ddr/read -o", "replay", "check run.csv --expect"]
)
def test_a_name_that_is_too_long_gets_a_hint_about_the_name(
    command: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.csv").write_bytes(REFERENCE.read_bytes())
    with pytest.raises(SystemExit, match="1"):
        cli.main([*command.split(), "x" * 300])
    error, hint = capsys.readouterr().err.splitlines()
    assert error.endswith(": File name too long")
    assert "a shorter name" in hint
