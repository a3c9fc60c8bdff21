"""Every reader on broken, huge or hostile files.

A reader either returns the contents or raises an error of one line. By default, each reader gets a
fixed number of damaged files. `MEMBENCH_FUZZ=60 pytest tests/fuzz` tries new files for 60 seconds
per reader, and prints the seed of each failure.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from mutilation import mutilated, typed_differently

from membench.analysis.sources import read_source
from membench.analysis.thresholds import PRESETS, thresholds, to_toml
from membench.core.errors import MembenchError
from membench.core.untrusted import read_bytes
from membench.results.formats import importer
from membench.results.formats.origin import origin_of
from membench.results.formats.recognise import MAX_BYTES
from membench.results.journal import reading as journal_reading
from membench.results.schema import COLUMNS, check, to_cells
from membench.results.sidecar import read_sidecar
from membench.results.table import read_rows

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "results" / "formats" / "data"
REFERENCE = next((ROOT / "results" / "reference").glob("epyc-zen4-*/*.csv"))
SECONDS = float(os.environ.get("MEMBENCH_FUZZ", "0"))
SHARE = 120  # damaged files per reader without MEMBENCH_FUZZ


@dataclass(frozen=True)
class Reader:
    """A reader, a valid file for the reader, and the required file name."""

    read: Callable[[Path], object]
    good: Callable[[], bytes]
    name: str = "r.csv"
    target: str = ""  # name of the damaged file, if it is not the file that is read


def imported(tool: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        data = read_bytes(path, MAX_BYTES)
        found = importer(tool)(data, origin_of(tool, path, data, {"tier": "ddr"}))
        for row in found:
            check(row)
        assert len({row.key for row in found}) == len(found)
        return found

    return read


def of(name: str) -> Callable[[], bytes]:
    return (DATA / name).read_bytes


@cache
def short_csv() -> bytes:
    """The first rows of a real results file, with three samples per round."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in read_rows(REFERENCE)[:4]:
        samples = tuple(one[:3] for one in row.samples)
        writer.writerow(to_cells(replace(row, samples=samples)))
    return text.getvalue().encode()


def short_sidecar() -> bytes:
    content = json.loads(REFERENCE.with_suffix(".json").read_bytes())
    content["plan"]["cases"] = content["plan"]["cases"][:2]
    content["order"], content["notes"] = content["order"][:1], content["notes"][:1]
    return json.dumps(content).encode()


def some_journal() -> bytes:
    content = json.loads(short_sidecar())
    case = content["plan"]["cases"][0]["id"]
    head = {
        "schema": journal_reading.SCHEMA,
        "plan": content["plan"],
        "machine": content["machine"],
    }
    reading = {"metric": "bandwidth", "stat": "median", "value": 1.5, "n": 2, "samples": [1.0, 2.0]}
    unit = {"round": 1, "case": case, "status": "ok", "started": "", "readings": [reading]}
    lines = (head, {"note": {"kind": "round", "data": {}}}, {"unit": unit})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def preset() -> bytes:
    return to_toml(PRESETS["default"]).encode()


def cited() -> bytes:
    return (ROOT / "results" / "reference" / "h100-sxm" / "figures.toml").read_bytes()


READERS = {
    "csv": Reader(read_rows, short_csv),
    "compare": Reader(read_source, short_csv),
    "sidecar": Reader(read_sidecar, short_sidecar, target="r.json"),
    "facts": Reader(read_source, short_sidecar, target="r.json"),
    "journal": Reader(journal_reading.read_journal, some_journal),
    "thresholds": Reader(lambda path: thresholds(str(path)), preset),
    "nvbandwidth": Reader(imported("nvbandwidth"), of("nvbandwidth.json")),
    "nvbandwidth text": Reader(imported("nvbandwidth"), of("nvbandwidth.txt")),
    "babelstream": Reader(imported("babelstream"), of("babelstream.csv")),
    "babelstream text": Reader(imported("babelstream"), of("babelstream/5.0.txt")),
    "fio": Reader(imported("fio"), of("awkward/fio-numjobs2.json")),
    "fio terse": Reader(imported("fio"), of("fio/3.42.terse5")),
    "fio text": Reader(imported("fio"), of("fio/3.42.txt")),
    "stream": Reader(imported("stream"), of("host/stream.txt")),
    "mlc": Reader(imported("mlc"), of("host/mlc.txt")),
    "likwid-bench": Reader(imported("likwid-bench"), of("host/likwid_bench.txt")),
    "sysbench": Reader(imported("sysbench"), of("host/sysbench.txt")),
    "mbw": Reader(imported("mbw"), of("host/mbw.txt")),
    "tinymembench": Reader(imported("tinymembench"), of("host/tinymembench.txt")),
    "stress-ng": Reader(imported("stress-ng"), of("host/stress_ng.txt")),
    "stress-ng yaml": Reader(imported("stress-ng"), of("host/stress_ng.yaml")),
    "gdsio": Reader(imported("gdsio"), of("gdsio.txt")),
    "bandwidthTest": Reader(imported("cuda-samples"), of("bandwidth_test.txt")),
    "p2pBandwidthLatencyTest": Reader(imported("cuda-samples"), of("p2p.txt")),
    "nvbench": Reader(imported("nvbench"), of("nvbench.json")),
    "pytest-benchmark": Reader(imported("pytest-benchmark"), of("pytest_benchmark.json")),
    "cited": Reader(imported("cited"), cited),
}


def attempts(reader: Reader) -> Iterator[tuple[int, bytes]]:
    """Pairs (seed, broken file): a fixed number, or as many as fit into `SECONDS`."""
    good = reader.good()
    seed = 0 if not SECONDS else time.time_ns() % 10**9
    end = time.monotonic() + SECONDS
    count = 0
    while count < SHARE or time.monotonic() < end:
        rng = random.Random(seed)
        as_json = good.lstrip()[:1] == b"{" and b"\n{" not in good and rng.random() < 0.5
        yield seed, typed_differently(good, rng) if as_json else mutilated(good, rng)
        seed += 1
        count += 1


@pytest.mark.sampled(12)
@pytest.mark.parametrize("name", READERS)
def test_a_reader_returns_or_says_in_one_line_why_not(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    path = tmp_path / reader.name
    path.write_bytes(reader.good() if not reader.target else short_csv())
    target = tmp_path / (reader.target or reader.name)
    target.write_bytes(reader.good())
    reader.read(path)  # checks that the original file is valid
    for seed, data in attempts(reader):
        target.write_bytes(data)
        try:
            reader.read(path)
        except MembenchError as error:
            for text in (str(error), error.hint):
                assert "\n" not in text, f"seed {seed}"
                assert len(text) < 2000, f"seed {seed}"
        except BaseException as error:
            error.add_note(f"reader {name}, seed {seed}: {data[:200]!r}")
            raise


LARGE = 100_000_000 if SECONDS else 6_000_000
HEAVY = {
    "a million columns": ("compare", b"schema," + b"c," * 1_000_000 + b"x\n"),
    "a million cells": ("compare", short_csv() + b"," * 1_000_000 + b"\n"),
    "commas": ("compare", short_csv() + b"," * LARGE),
    "one cell": ("compare", short_csv() + b"1" * LARGE),
    "quotes": ("compare", short_csv() + b'"' * LARGE),
    "newlines": ("compare", short_csv() + b"\n" * LARGE),
    "40 MB of brackets": ("import", b'{"nvbandwidth":' + b"[" * 40_000_000),
    "empty lists": ("import", b'{"nvbandwidth":[' + b"[]," * (LARGE // 10) + b"[]]}"),
    "a million deep": ("import", b"[" * 1_000_000),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("what", HEAVY)
def test_a_huge_file_costs_bounded_memory_and_time_and_gets_one_line(
    what: str, tmp_path: Path
) -> None:
    command, data = HEAVY[what]
    (tmp_path / "huge").write_bytes(data)
    done = command_line(command, tmp_path)
    assert done.returncode == 1, done.stderr[:500]
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) <= 2
    assert len(done.stderr) < 1000


def command_line(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ``command`` on the file ``huge``, limited to 2 GiB of memory and one minute."""
    arguments = (
        ["compare", "huge", "huge"]
        if command == "compare"
        else ["import", "nvbandwidth", "huge", "-o", "o.csv"]
    )
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30));"
        "from membench.cli import main; main(sys.argv[1:])"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_endless_pipe_is_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "huge")
    pipe = os.open(tmp_path / "huge", os.O_RDWR)
    with subprocess.Popen(["yes"], stdout=pipe) as endless:
        try:
            done = command_line("import", tmp_path)
        finally:
            endless.kill()
            os.close(pipe)
    assert done.returncode == 1
    assert "larger than 256" in done.stderr


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", ".", "nowhere", "/proc/self/mem"])
def test_what_is_no_file_is_said_to_be_none(name: str, tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        for reader in READERS.values():
            read = read_rows if reader.target else reader.read
            with pytest.raises(MembenchError):
                read(Path(name))
