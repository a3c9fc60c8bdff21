"""The command line: whole runs with options, outputs and exit codes."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from driver import Membench, alone

from membench import __version__, cli
from membench.core.terms import FLAGS, Status
from membench.results.sidecar import read_sidecar
from membench.results.table import read_rows


def test_a_run_from_the_case_to_a_file_that_a_stranger_can_read(membench: Membench) -> None:
    # Without this variable, the run measures the staircase before the plan.
    del membench.environment["TEST_STAIRS"]
    done = membench(
        *("run", "--select", "ddr/steady", "--rounds", "3", "--seed", "7"),
        *("--label", "my-box", "-o", "deep/er/o.csv"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    csv = membench.directory / "deep" / "er" / "o.csv"
    rows = read_rows(csv)
    assert [row.case for row in rows] == [f"ddr/steady/n={n}" for n in (1, 2, 3)]
    for row in rows:
        assert row.machine == "my-box"
        assert row.status is Status.OK
        assert row.rounds == 3
        assert [len(samples) for samples in row.samples] == [5, 5, 5]
        assert row.bytes_moved == 1 << 20
        assert row.timer == "perf_counter_ns"
        assert row.detail["engine"] == "memset"
        assert row.membench.startswith(__version__)
        assert re.fullmatch(r"k[0-9a-f]{12}", row.kernel)
        assert row.device
    sidecar = read_sidecar(csv)
    assert sidecar is not None
    assert sidecar.plan.seed == 7
    assert sidecar.plan.argv[:2] == ("membench", "run")
    assert len(sidecar.order) == 3
    assert len(set(sidecar.order)) > 1  # the rounds have different orders
    assert not sidecar.interrupted
    assert sidecar.seconds["total"] >= sidecar.seconds["measuring"] > 0
    assert sidecar.machine["cpu"]["model"]


def test_on_a_pipe_there_is_one_plain_line_a_unit_and_ids_are_whole(membench: Membench) -> None:
    done = membench("run", "--select", "ddr/steady", "--rounds", "2", "-o", "o.csv")
    lines = [line for line in done.stdout.splitlines() if line.startswith("[round")]
    assert len(lines) == 6
    form = r"\[round [12]/2 [123]/3\] ddr/steady/n=[123] \d+(\.\d+)? GB/s \d+\.\d s"
    assert all(re.fullmatch(form, line) for line in lines), lines
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    assert "provisional, after 1 round" in done.stdout
    assert done.stdout.count("\ntier ") == 2
    assert "Results: o.csv and o.json" in done.stdout
    assert "Next: membench " in done.stdout
    assert re.search(r"\d+% measuring, \d+% filling, \d+% verifying, \d+% overhead", done.stdout)


@pytest.mark.slow
def test_the_default_path_is_by_machine_time_and_profile(membench: Membench) -> None:
    done = membench("run", "--select", "ddr/steady/n=1", "--rounds", "1", "--label", "box")
    assert done.returncode == 0, done.stderr
    (csv,) = (membench.directory / "results" / "box").glob("*.csv")
    assert re.fullmatch(r"\d{8}T\d{6}Z_quick\.csv", csv.name)


@pytest.mark.slow
def test_two_runs_that_start_in_one_second_both_keep_their_results(membench: Membench) -> None:
    run = ("run", "--select", "ddr/steady/n=1", "--rounds", "1", "--label", "box")
    both = [membench.start(*run) for _ in range(2)]
    said = [one.communicate(timeout=60)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    results = membench.directory / "results" / "box"
    assert len(list(results.glob("*.csv"))) == len(list(results.glob("*.json"))) == 2
    assert list(results.glob("*.journal")) == []


@pytest.mark.slow
def test_the_next_command_can_be_pasted(membench: Membench) -> None:
    output = os.fsdecode(b"a b\xff.csv")
    done = membench("run", "--select", "ddr/steady/n=1", "--rounds", "1", "-o", output)
    (line,) = re.findall(r"^Next: membench (.*)$", done.stdout, re.MULTILINE)
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True
    ).stdout.split(b"\0")
    assert [os.fsdecode(word) for word in words[:3]] == ["report", output, "-o"]


def test_a_dry_run_shows_the_plan_and_writes_nothing(membench: Membench) -> None:
    done = membench("run", "--dry-run", "--select", "ddr/steady", "--select", "hbm/nothing")
    assert done.returncode == 0, done.stderr
    assert "ddr/steady/n=2" in done.stdout
    assert re.search(r"3 of 4 cases can run here; 5 rounds: about \d", done.stdout)
    assert list(membench.directory.iterdir()) == []


def test_a_dry_run_without_a_case_that_can_run_names_no_time(membench: Membench) -> None:
    done = membench("run", "--dry-run", "--select", "hbm/nothing")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0 of 1 case can run here"


@pytest.mark.slow
def test_a_dry_run_of_full_says_where_the_time_goes(membench: Membench) -> None:
    of = ("--select", "ddr/*", "--select", "host/chase*", "--device", "cpu", "--profile", "full")
    done = membench("run", "--dry-run", *of)
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("benches ")[2]
    shares = [int(one) for one in re.findall(r" (\d+)%$", table, re.MULTILINE)]
    assert len(shares) >= 2
    # The last share is the time outside of all families.
    assert shares[:-1] == sorted(shares[:-1], reverse=True)
    assert 98 <= sum(shares) <= 102
    assert re.search(r"^host/chase +\d+ +10, 5 ", table, re.MULTILINE)
    assert "With --rounds 10, every case has 10." in done.stdout
    every = membench("run", "--dry-run", *of, "--rounds", "10").stdout.partition("benches ")[2]
    assert re.search(r"^host/chase +\d+ +10 ", every, re.MULTILINE)
    assert "in fewer" not in every


def test_list_says_what_can_run_here_and_why_not(membench: Membench) -> None:
    done = membench("list", "--select", "ddr/steady", "--select", "hbm/nothing")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].split()[0] == "ddr/steady/n=1"
    assert lines[1].split()[-1] == "ddr"
    assert lines[-2].startswith("1 cannot run here: ")
    assert lines[-1].strip() == "hbm/nothing"
    many = membench("list", "--profile", "full", "--select", "hbm/*").stdout.splitlines()
    if " cannot run here: " in "\n".join(many):  # without a GPU
        assert many[-1] == "--all names all these cases"
    data = json.loads(membench("list", "--select", "hbm/nothing", "--json").stdout)
    assert data[0]["id"] == "hbm/nothing"
    assert data[0]["skipped"]


def test_list_shows_every_case_of_the_project(membench: Membench) -> None:
    quick = membench("list").stdout
    full = membench("list", "--profile", "full").stdout
    for bench in ("ddr/copy", "ddr/triad", "host/chase", "host/loaded"):
        assert bench in quick
    assert len(full.splitlines()) > len(quick.splitlines())


def test_info_describes_this_machine(membench: Membench) -> None:
    text = membench("info").stdout
    assert re.search(r"^machine +\S+", text, re.MULTILINE)
    assert re.search(r"^memory +\S+ GiB", text, re.MULTILINE)
    data = json.loads(membench("info", "--json").stdout)
    assert data["slug"] in text
    assert data["memory"]["total"] > 0


@pytest.mark.parametrize("code", list(FLAGS))
def test_every_flag_is_explained(membench: Membench, code: str) -> None:
    if code not in ("noisy", "vm"):  # one process for each code would be slow
        assert FLAGS[code].remedy
        return
    done = membench("explain", code)
    assert done.returncode == 0
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        *(code, "What", "How bad", "What to do", "Next", "  membench doctor")
    ]


@pytest.mark.parametrize("what", ["ddr/steady", "ddr/steady/n=2"])
def test_benches_and_cases_are_explained(membench: Membench, what: str) -> None:
    done = membench("explain", what)
    assert done.returncode == 0
    assert "ddr/steady\nOverwrites memory.\n" in done.stdout
    assert ("ddr/steady/n=2\nValues: n=2\n" in done.stdout) == ("=" in what)
    assert "Yields: bandwidth (median), GB/s, higher is better" in done.stdout
    assert "quick: 3 cases; n=1,2,3" in done.stdout


def test_what_cannot_be_explained_gets_a_suggestion(membench: Membench) -> None:
    done = membench("explain", "noisi")
    assert done.returncode == 2
    assert (
        done.stderr == "Error: 'noisi' is not the name of a flag, bench, case or claim\n"
        "Hint: did you mean noisy?\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("run", "--select", "nothing/*"), 4, "Error: no case matches 'nothing/*'"),
        (("run", "--select", "ddr/copy", "--skip", "*"), 4, "Error: --skip leaves no case"),
        (("run", "--select", "host/mlp"), 4, "in the quick profile\nHint: "),
        (("run", "--profile", "slow"), 2, "Error: Invalid value for '--profile'"),
        (("run", "--rounds", "0"), 2, "Error: Invalid value for '--rounds'"),
        (("run", "--device", "cuda:99"), 2, "Error: there is no cuda:99"),
        (("run", "--device", "gpu"), 2, "Error: 'gpu' is not a device"),
        (("run", "--label", "../evil"), 2, "Error: "),
        (("run", "--resume", "o.csv", "--rounds", "3"), 2, "Error: --resume cannot be combined"),
        (("run", "--resume", "o.csv", "--set", "ddr/copy:size=1B"), 2, "combined with --set\n"),
        (("run", "--resume", "o.csv", "--no-hold"), 2, "combined with --no-hold\n"),
        (("frobnicate",), 2, "Error: No such command 'frobnicate'"),
        (("run", "--nonsense"), 2, "Error: No such option"),
        (("list", "--select", "nothing"), 4, "Error: no case matches 'nothing'"),
    ],
)
def test_bad_input_is_one_clear_line_and_a_hint(
    membench: Membench, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = membench.refuses(*arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["Error", "Hint"]
    assert list(membench.directory.iterdir()) == []


def test_a_traceback_only_on_request(membench: Membench) -> None:
    quiet = membench("run", "--device", "gpu")
    loud = membench("-v", "run", "--device", "gpu")
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr
    assert loud.returncode == quiet.returncode == 2


@pytest.mark.parametrize(
    ("number", "file", "said"),
    [
        (errno.ENOSPC, "a/file", "a/file: No space left on device"),
        (errno.EMFILE, None, "Too many open files"),  # such as of os.pipe()
    ],
)
def test_another_failure_is_not_mistaken_for_lost_output(
    number: int,
    file: str | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number), file)

    monkeypatch.setattr(cli.group, "main", fail)
    with pytest.raises(SystemExit) as left:
        cli.main(["list"])
    assert left.value.code == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error == f"Error: {said}"
    assert hint.startswith("Hint: ")


@pytest.mark.slow
def test_verbose_shows_what_a_failing_bench_said(membench: Membench) -> None:
    done = membench("-v", "run", "--select", "ddr/raises", "--rounds", "1", "-o", "o.csv")
    assert done.returncode == 3
    assert 'raise RuntimeError("a line' in done.stderr


def test_help_and_version(membench: Membench) -> None:
    shown = membench("--help").stdout
    for command in ("run", "list", "info", "explain"):
        assert re.search(rf"^  {command} +\w", shown, re.MULTILINE)
    assert membench("--version").stdout == f"membench {__version__} (membench.results/1)\n"


def test_no_help_shows_a_mark_of_its_source() -> None:
    def shown(words: list[str]) -> Iterator[str]:
        text = CliRunner().invoke(cli.group, [*words, "--help"]).output
        yield text
        listed = text.partition("Commands:")[2]
        for name in re.findall(r"^  ([a-z-]+) ", listed, re.MULTILINE):
            yield from shown([*words, name])

    texts = list(shown([]))
    assert len(texts) > 12
    for text in texts:
        assert text.startswith("Usage:")
        assert "\\b" not in text
        assert "\b" not in text


def test_a_broken_plug_in_is_named_and_costs_nothing_else(membench: Membench) -> None:
    site = membench.directory.parent / "site"
    (site / "membench_test_benches.py").write_text("import nowhere_to_be_found\n")
    done = membench("list")
    assert done.returncode == 0
    assert "ddr/copy" in done.stdout
    assert done.stderr.startswith("Warning: plug-in 'tests' cannot be loaded: ModuleNotFoundError")


@pytest.mark.slow
def test_a_module_in_the_working_directory_cannot_break_a_worker(membench: Membench) -> None:
    (membench.directory / "random.py").write_text("raise SystemExit('mine')\n")
    done = membench("run", "--select", "ddr/steady/n=1", "--rounds", "1", "-o", "o.csv")
    assert done.returncode == 0, done.stderr


@pytest.mark.sampled(1)
@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_gets_a_bar_and_tables_that_fit(membench: Membench, columns: int) -> None:
    """The terminal is a pseudo-terminal. Shortened case ids must remain different."""
    script = Path(__file__).with_name("in_terminal.py")
    done = subprocess.run(
        [
            *(sys.executable, str(script), str(columns)),
            *(sys.executable, "-P", "-m", "membench"),
            *("run", "--select", "ddr/steady", "--rounds", "2", "-o", "o.csv"),
        ],
        cwd=membench.directory,
        env={**membench.environment, "TERM": "xterm"},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stdout)
    text = alone(text.replace("\r\n", "\n"))
    lines = [line.rpartition("\r")[2].rstrip() for line in text.split("\n")]
    assert "round 2/2" in text
    assert "[round 2/2" not in text
    assert max(map(len, lines)) <= columns
    for n in (1, 2, 3):
        assert any(f"ddr/steady/n={n}" in line for line in lines)
    assert any(line.startswith("Next: ") for line in lines)
