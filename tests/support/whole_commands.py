"""Run every command that reads a file, in this process, on valid files."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import lzma
import os
import resource
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import FrameType

import pytest
from fleet_files import make_fleet

from membench import cli
from membench.results.journal.reading import SCHEMA as JOURNAL
from membench.results.schema import COLUMNS, Row, to_cells
from membench.results.table import read_rows

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "results" / "formats" / "data"
REFERENCE = next((ROOT / "results" / "reference").glob("epyc-zen4-*/*.csv"))
SECONDS = 60.0
"""Maximum run time of a command in seconds."""
MEMORY = 1 << 30
"""Maximum number of bytes that a command may allocate."""
_TOML = b"""[price.ddr5]
value = 5
low = 4
high = 6
unit = "USD/GB"
source = "a page"
date = 2026-01-31
kind = "price"
"""


@dataclass(frozen=True)
class Case:
    """A command, and the contents of its files by name.

    Attributes:
        target: name of the file that a test damages.
        slow: whether the command takes a second instead of milliseconds.
    """

    argv: tuple[str, ...]
    files: Callable[[], dict[str, bytes]]
    target: str
    slow: bool = False

    def prepare(self, directory: Path, target: bytes | None = None) -> None:
        """Write the files into the empty ``directory``.

        A given ``target`` replaces the content of the target file.
        """
        for name, data in self.files().items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(target if target is not None and name == self.target else data)

    def good(self) -> bytes:
        """The valid content of the target file."""
        return self.files()[self.target]


@dataclass(frozen=True)
class Done:
    """The output and exit code of a command."""

    code: int
    out: bytes
    err: bytes


class OutOfTime(BaseException):
    """A command ran for longer than `SECONDS`."""


def call(argv: tuple[str, ...], directory: Path) -> Done:
    """Run ``membench`` with ``argv`` in ``directory``, within `SECONDS` and `MEMORY`.

    The command runs in this process.

    Raises:
            OutOfTime: the command takes more than `SECONDS`.
    """
    with (
        contextlib.chdir(directory),
        tempfile_pair() as (out, err),
        _limits(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main([*argv])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        out.flush()
        err.flush()
        return Done(code, _content(out), _content(err))


@contextlib.contextmanager
def tempfile_pair() -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
    """Two files in memory with descriptors, to replace standard output and standard error."""
    with (
        os.fdopen(os.memfd_create("out"), "w+", encoding="utf-8") as out,
        os.fdopen(os.memfd_create("err"), "w+", encoding="utf-8", errors="backslashreplace") as err,
    ):
        yield out, err


def _content(file: io.TextIOWrapper) -> bytes:
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise OutOfTime(f"not done after {SECONDS:g} s")


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    heard = signal.signal(signal.SIGALRM, _stop)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, heard)
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


def table(rows: list[Row]) -> bytes:
    """The bytes of a results file with ``rows``, made without a temporary file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(to_cells, rows))
    return text.getvalue().encode()


@cache
def short_csv() -> bytes:
    """The first rows of a real results file, with three samples per round, and one skipped row."""
    rows = read_rows(REFERENCE)
    skipped = [row for row in rows if row.reason][:1]
    few = [row for row in rows if not row.reason][:4]
    return table(
        [replace(row, samples=tuple(one[:3] for one in row.samples)) for row in few] + skipped
    )


@cache
def short_sidecar() -> bytes:
    """The sidecar of `short_csv`, reduced to two cases."""
    content = json.loads(REFERENCE.with_suffix(".json").read_bytes())
    content["plan"]["cases"] = content["plan"]["cases"][:2]
    content["order"], content["notes"] = content["order"][:1], content["notes"][:1]
    return json.dumps(content).encode()


@cache
def some_journal() -> bytes:
    """A journal of the run of `short_csv`, cut off after the first case."""
    content = json.loads(short_sidecar())
    case = content["plan"]["cases"][0]["id"]
    head = {"schema": JOURNAL, "plan": content["plan"], "machine": content["machine"]}
    reading = {"metric": "bandwidth", "stat": "median", "value": 1.5, "n": 2, "samples": [1.0, 2.0]}
    unit = {"round": 1, "case": case, "status": "ok", "started": "", "readings": [reading]}
    lines = (head, {"note": {"kind": "round", "data": {}}}, {"unit": unit})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@cache
def fleet() -> dict[str, bytes]:
    """Results of four machines with three cases each, and the ledger of their fleet run."""
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        make_fleet(Path(place), 4, 3)
        files = {
            str(path.relative_to(place)): path.read_bytes() for path in Path(place).rglob("*.csv")
        }
    hosts = [
        {"name": Path(name).parent.name, "state": "arrived", "csv": name, "detail": "all is well"}
        for name in files
    ]
    hosts += [{"name": "node-9", "state": "failed", "detail": "the worker left"}]
    ledger = {
        "schema": "membench.fleet/1",
        "fleet_id": "20260101T000000Z-0001",
        "arguments": ["--select", "ddr/*"],
        "hosts": hosts,
    }
    return {**files, "20260101T000000Z-0001.fleet.json": json.dumps(ledger).encode()}


@cache
def parquet() -> bytes:
    """The values of `fleet` as Parquet, written by ``membench fleet report -o``."""
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        Case((), lambda: {f"f/{name}": data for name, data in fleet().items()}, "").prepare(
            Path(place)
        )
        done = call(("fleet", "report", "f", "-o", "v.parquet"), Path(place))
        assert not done.code, done.err
        return (Path(place) / "v.parquet").read_bytes()


def trace() -> bytes:
    """A trace of a few requests in the Mooncake format."""
    lines = [
        {"timestamp": 1000 * n, "input_length": 1024, "output_length": 5, "hash_ids": [n % 3, 7]}
        for n in range(6)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def agent_trace() -> bytes:
    """A trace of two sessions in the agent format."""
    asked = [{"t": n, "in": 128, "out": 4, "api": 0.5, "h": [[0, 1]]} for n in range(3)]
    line = {"block_size": 64, "scope": "local", "requests": asked}
    return json.dumps(line).encode() + b"\n" + json.dumps(line).encode() + b"\n"


def model() -> bytes:
    return json.dumps(
        {
            "model_type": "llama",
            "num_hidden_layers": 4,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "hidden_size": 256,
            "intermediate_size": 512,
            "vocab_size": 1000,
            "torch_dtype": "bfloat16",
        }
    ).encode()


def window_model() -> bytes:
    """The configuration of a model with a sliding window in each layer (a small Mistral 7B)."""
    return _changed_model(
        model_type="mistral",
        num_hidden_layers=4,
        num_attention_heads=32,
        num_key_value_heads=8,
        hidden_size=4096,
        sliding_window=4096,
    )


def linear_model() -> bytes:
    """The configuration of a model with linear attention in each layer (a small Qwen3-Next)."""
    return _changed_model(
        model_type="qwen3_next",
        layer_types=["linear_attention"] * 4,
        head_dim=256,
        linear_num_key_heads=16,
        linear_key_head_dim=128,
        linear_num_value_heads=32,
        linear_value_head_dim=128,
        linear_conv_kernel_dim=4,
        num_experts=512,
        num_experts_per_tok=10,
        moe_intermediate_size=512,
        shared_expert_intermediate_size=512,
    )


def _changed_model(**changes: object) -> bytes:
    return json.dumps({**json.loads(model()), **changes}).encode()


def _advice_of(make: Callable[[], bytes]) -> Callable[[], dict[str, bytes]]:
    return lambda: {**_pair(), "m.json": make()}


def _replay_of(make: Callable[[], bytes]) -> Callable[[], dict[str, bytes]]:
    return lambda: {"t.jsonl": trace(), "m.json": make()}


def _pair() -> dict[str, bytes]:
    return {"r.csv": short_csv(), "r.json": short_sidecar()}


def _data(name: str) -> Callable[[], dict[str, bytes]]:
    return lambda: {"in": (DATA / name).read_bytes()}


def _two() -> dict[str, bytes]:
    return {**_pair(), "b.csv": _pair()["r.csv"]}


def _of(name: str, make: Callable[[], bytes]) -> Callable[[], dict[str, bytes]]:
    return lambda: {name: make()}


def _with_assumptions() -> dict[str, bytes]:
    return {**_pair(), "a.toml": _TOML}


def _thresholds() -> bytes:
    from membench.analysis.thresholds import PRESETS, to_toml

    return to_toml(PRESETS["default"]).encode()


def _cited() -> bytes:
    return (ROOT / "results" / "reference" / "h100-sxm" / "figures.toml").read_bytes()


def _ledger() -> dict[str, bytes]:
    return {f"f/{name}": data for name, data in fleet().items()}


_IMPORTED = {
    "nvbandwidth": _data("nvbandwidth.json"),
    "babelstream": _data("babelstream.csv"),
    "fio": _data("fio.json"),
    "nvbench": _data("nvbench.json"),
    "pytest-benchmark": _data("pytest_benchmark.json"),
    "cited": _of("in", _cited),
}
_SAID = {"babelstream": ("--set", "tier=ddr")}
_ADVISE = ("advise", "r.csv", "--model", "m.json", "--context", "4096")
_LEDGER = "f/20260101T000000Z-0001.fleet.json"

CASES: dict[str, Case] = {
    "compare": Case(("compare", "r.csv", "b=r.csv"), _pair, "r.csv"),
    "compare csv": Case(("compare", "r.csv", "b=r.csv", "--format", "csv"), _pair, "r.csv"),
    "compare json": Case(("compare", "r.csv", "b=r.csv", "--format", "json"), _pair, "r.csv"),
    "compare github": Case(("compare", "r.csv", "b=r.csv", "--format", "github"), _pair, "r.csv"),
    "compare by": Case(("compare", "r.csv", "--by", "n"), _pair, "r.csv"),
    "compare sidecar": Case(("compare", "r.csv", "b=r.csv"), _pair, "r.json"),
    "compare preset": Case(
        ("compare", "r.csv", "b=r.csv", "--preset", "t.toml"),
        lambda: {**_pair(), "t.toml": _thresholds()},
        "t.toml",
    ),
    "history": Case(("history", "r.csv"), _pair, "r.csv"),
    "history json": Case(("history", "r.csv", "--all", "--json"), _pair, "r.csv"),
    "history sidecar": Case(("history", "r.csv", "--all"), _pair, "r.json"),
    "history page": Case(("history", "r.csv", "-o", "o.html"), _pair, "r.csv", slow=True),
    "check": Case(("check", "r.csv"), _pair, "r.csv"),
    "check sidecar": Case(("check", "r.csv", "--format", "junit"), _pair, "r.json"),
    "check expected": Case(("check", "r.csv", "--expect", "b.csv", "--json"), _two, "b.csv"),
    "export samples": Case(("export", "samples", "r.csv"), _pair, "r.csv"),
    "export bencher": Case(("export", "bencher", "r.csv"), _pair, "r.csv"),
    "export pytest-benchmark": Case(("export", "pytest-benchmark", "r.csv"), _pair, "r.csv"),
    "export github": Case(
        ("export", "github-action-benchmark", "r.csv", "-o", "o"), _pair, "r.csv"
    ),
    "report": Case(("report", "r.csv", "-o", "o.html"), _pair, "r.csv", slow=True),
    "report sidecar": Case(("report", "r.csv", "-o", "o.md"), _pair, "r.json", slow=True),
    "report verdicts": Case(("report", "r.csv", "-o", "o.json"), _pair, "r.csv", slow=True),
    "report assumptions": Case(
        ("report", "r.csv", "-o", "o.json", "--assumptions", "a.toml"),
        _with_assumptions,
        "a.toml",
        slow=True,
    ),
    "advise": Case(_ADVISE, _advice_of(model), "r.csv"),
    "advise model": Case(_ADVISE, _advice_of(model), "m.json"),
    "advise json": Case((*_ADVISE, "--json"), _advice_of(model), "m.json"),
    "advise windows": Case(_ADVISE, _advice_of(window_model), "m.json"),
    "advise states": Case(_ADVISE, _advice_of(linear_model), "m.json"),
    "replay": Case(("replay", "t.jsonl"), _of("t.jsonl", trace), "t.jsonl"),
    "replay agent": Case(("replay", "t.jsonl"), _of("t.jsonl", agent_trace), "t.jsonl"),
    "replay packed": Case(
        ("replay", "t.jsonl.xz"), _of("t.jsonl.xz", lambda: lzma.compress(trace())), "t.jsonl.xz"
    ),
    **{
        f"replay {what}": Case(
            ("replay", "t.jsonl", "--model", "m.json", "--format", "json"),
            _replay_of(make),
            "m.json",
        )
        for what, make in (
            ("model", model),
            ("windows", window_model),
            ("states", linear_model),
        )
    },
    "fleet report": Case(("fleet", "report", "f"), _ledger, "f/node-00001/run.csv"),
    "fleet report ledger": Case(("fleet", "report", "f"), _ledger, _LEDGER),
    "fleet report json": Case(("fleet", "report", "f", "--format", "json"), _ledger, _LEDGER),
    "fleet report page": Case(
        ("fleet", "report", "f", "-o", "o.html"), _ledger, _LEDGER, slow=True
    ),
    "fleet report parquet": Case(
        ("fleet", "report", "v.parquet", "--format", "csv"),
        _of("v.parquet", parquet),
        "v.parquet",
        slow=True,  # the command reads Parquet in a separate process
    ),
    "run --resume": Case(("run", "--resume", "r.csv"), _of("r.journal", some_journal), "r.journal"),
    **{
        f"import {form}": Case(
            (
                "import",
                form,
                "in",
                "-o",
                "o.csv",
                *(("--set", "tier=ddr") if form == "babelstream" else ()),
            ),
            files,
            "in",
        )
        for form, files in _IMPORTED.items()
    },
}

PARAMETERS = [
    pytest.param(name, marks=pytest.mark.slow) if case.slow else name
    for name, case in CASES.items()
]
"""The names of `CASES` for parametrize. Slow cases have the mark `slow`."""
