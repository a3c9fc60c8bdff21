"""Every membench command in the documents is valid, and runs successfully."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from whole_commands import DATA, REFERENCE, call, fleet, parquet

from membench.analysis.thresholds import PRESETS, to_toml
from membench.cli import group
from membench.core.errors import EXIT_FINDING, EXIT_OK

ROOT = Path(__file__).parents[2]
H100 = ROOT / "results" / "reference" / "h100-sxm" / "figures.csv"
WORKFLOW = Path("examples/ci/github.yml")
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/*.md", "examples/*.md", "results/*.md", "findings/README.md")
    for path in ROOT.glob(pattern)
)
STANDS_FOR = {
    "FILE": "mybox.csv",
    "FILE...": "mybox.csv",
    "TRACE": "t.jsonl",
    "DIR": "trial",
    "M": "llama-3.1-8b",
    "FLAG": "noisy",
    "CODE": "noisy",
    "KEY": "stores",
}
"""Placeholder in the documents -> a real value."""
OPEN = re.compile(
    r"[A-Z]{2,}(?![a-z0-9])[A-Z:=_]*|.*=NAME=VALUE|\.\.\.|.*[\[|].*|.*(SCHEDULER|NODE|GLOB).*"
)
"""Words without a real value. A command with such a word is parsed only up to its options."""
ELSEWHERE = (
    *("fleet run", "ddr/memmove", "memset", "--resume", "old.csv new.csv --select 'kv/*'"),
    *("python=/opt/", "scratch=/mnt/", "--expect history"),
)
"""Commands that are not run here: other tests run them, or they need GPU rows on both sides."""
PLACES = {"/var/lib/node_exporter/membench.prom": "membench.prom", "/mnt/nvme": "."}


def shown(document: Path) -> Iterator[tuple[str, bool]]:
    """(text after ``membench``, whether the command is in a code block)."""
    text = (ROOT / document).read_text(encoding="utf-8")
    if document == WORKFLOW:
        blocks, inline = [text], []
    else:
        blocks = re.findall(r"^```(?:sh|)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        inline = re.findall(r"(?<!`)`(membench [^`]+)`", prose)
    for block in blocks:
        for line in re.sub(r" *\\\n *", " ", block).splitlines():
            for part in line.split("&&"):
                if match := re.match(r"\s*(?:\$ )?(?:\S*/)?membench ([a-z-].*)$", part):
                    yield match[1], True
    for one in inline:
        yield " ".join(one.split()).removeprefix("membench "), False


def words(command: str) -> list[str]:
    """The arguments of ``command``, with values for placeholders.

    Comments, pipes and redirections are left out.
    """
    plain = re.split(r"\s#\s|\s{3,}", command)[0]
    found = shlex.split(plain)
    ends = next((place for place, word in enumerate(found) if word in {"|", ">", "<"}), None)
    return [PLACES.get(word, STANDS_FOR.get(word, word)) for word in found[:ends]]


SHOWN = sorted(
    {
        (str(document), tuple(arguments), block)
        for document in (*DOCUMENTS, WORKFLOW)
        for command, block in shown(document)
        if (arguments := words(command))[0] not in {"reference", "COMMAND"}
    }
)
IDS = [f"{document}: {shlex.join(arguments)}" for document, arguments, _ in SHOWN]


def found_command(arguments: tuple[str, ...]) -> tuple[click.Command, str, list[str]]:
    """(command, its name, its remaining arguments)."""
    context = click.Context(group)
    name, *rest = arguments
    command = group.get_command(context, name)
    if isinstance(command, click.Group) and rest:
        inner, *rest = rest
        name, command = f"{name} {inner}", command.get_command(context, inner)
    assert command is not None, name
    return command, name, rest


def test_the_documents_show_commands() -> None:
    assert len(SHOWN) > 100
    documents = {document for document, *_ in SHOWN}
    assert {"README.md", "docs/compare.md", "docs/replay.md", "docs/fleet.md"} <= documents


@pytest.mark.parametrize(("document", "arguments", "block"), SHOWN, ids=IDS)
def test_a_command_that_is_shown_can_be_given(
    document: str, arguments: tuple[str, ...], block: bool
) -> None:
    command, name, rest = found_command(arguments)
    options = {option for one in command.params for option in one.opts}
    named = {
        word.partition("=")[0].lstrip("[") for word in rest if word.lstrip("[").startswith("-")
    }
    assert named <= options, document
    if block and not any(OPEN.fullmatch(word) for word in rest):
        command.make_context(name, rest)


ANOTHER_TOOLS = {
    # Options of pytest and of scripts in ci.
    *("--benchmark-enable", "--benchmark-json", "--require-gpu", "--write"),
    *("--interleave", "--triad-only", "--order", "--csv", "--status-interval", "--metrics"),
    *("--yaml", "--nthreads", "--memory-limit", "--no-dashboard", "--resources", "--hostfile"),
    *("--worker-options", "--name", "--nodes", "--ntasks-per-node", "--exclusive"),
    *("--gpus-per-task", "--gpus-per-node", "--enable-prefix-caching", "--kv-events-config"),
    *("--page-size", "--crash-dump-folder", "--log-requests", "--log-requests-level"),
    "--vm-bytes",
}
"""Options of other tools in the documents."""


def every_command(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from every_command(found)


def test_an_option_that_a_document_names_exists() -> None:
    """The test also checks options within sentences.

    docs/other-tools.md is left out, because the document names options of other tools.
    """
    options = {
        option
        for command in every_command(group)
        for one in command.get_params(click.Context(command))
        for option in (*one.opts, *one.secondary_opts)
    }
    assert len(options) > 50
    for document in DOCUMENTS:
        if document.name != "other-tools.md":
            text = (ROOT / document).read_text(encoding="utf-8")
            named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text))
            assert named <= options | ANOTHER_TOOLS, document


RUN = [
    pytest.param(document, arguments, id=name)
    for (document, arguments, block), name in zip(SHOWN, IDS, strict=True)
    if (block or len(arguments) > 2)
    and not any(OPEN.fullmatch(word) for word in arguments)
    and not any(part in shlex.join(arguments) for part in ELSEWHERE)
    and document != "CHANGELOG.md"  # CHANGELOG.md names options, not commands
    and (arguments[0] != "check" or any(word.endswith(".csv") for word in arguments))
]


_RUN_ID = r"\b\d{8}T\d{6}Z-[0-9a-f]{4}\b"


def prepare(directory: Path, arguments: tuple[str, ...]) -> None:
    """Write the files that ``arguments`` name: results, outputs of other tools, a fleet."""
    for word in arguments:
        name = word.rpartition("=")[2]
        path = directory / name
        if name.endswith(".csv"):
            of_gpu = name in {"h100.csv", "h200.csv", "kv.csv"} or "ref:h100-sxm" in arguments
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((H100 if of_gpu else REFERENCE).read_bytes())
    for name, data in (
        ("nvbandwidth.json", DATA / "nvbandwidth.json"),
        ("a.json", DATA / "nvbandwidth.json"),
        ("runs/c.json", DATA / "nvbandwidth.json"),
        ("jobs.json", DATA / "fio.json"),
        ("stream.csv", DATA / "babelstream.csv"),
        ("bs1.txt", DATA / "babelstream.csv"),
    ):
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_bytes(data.read_bytes())
    (directory / "b.json.gz").write_bytes(gzip.compress((DATA / "nvbandwidth.json").read_bytes()))
    (directory / "t.jsonl").write_text(_trace())
    (directory / "ci.toml").write_text(to_toml(PRESETS["strict"]))
    (directory / "mine.toml").write_text("")
    (directory / "values.parquet").write_bytes(parquet())
    runs = directory / "results" / "mybox"
    runs.mkdir(parents=True, exist_ok=True)
    for hour in range(3):
        run = f"20260101T0{hour}0000Z-000{hour}"
        (runs / f"{run}_quick.csv").write_text(re.sub(_RUN_ID, run, REFERENCE.read_text()))
    for folder in ("trial", "rack7"):
        for name, content in fleet().items():
            (directory / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / folder / name).write_bytes(content)


def _trace() -> str:
    """A trace with half an hour of requests, in blocks of 64 tokens."""
    lines = [
        {"block_size": 64, "timestamp": 60_000 * n, "input_length": 256, "output_length": 5}
        | {"hash_ids": [7, n % 3, n % 3 + 10, n + 20]}
        for n in range(30)
    ]
    return "".join(f"{json.dumps(line)}\n" for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize(("document", "arguments"), RUN)
def test_a_command_that_is_shown_does_its_work(
    document: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    prepare(tmp_path, arguments)
    if "-o" in arguments:
        (tmp_path / arguments[arguments.index("-o") + 1]).unlink(missing_ok=True)
    if arguments == ("history",):
        arguments = ("history", "results/mybox")  # the folder of this machine has another name
    measures = arguments[0] == "check" and not any(word.endswith(".csv") for word in arguments)
    if arguments[0] == "run" or measures:
        arguments = (*arguments, *(() if "--dry-run" in arguments else ("--dry-run",)))
    done = call(arguments, tmp_path)
    assert done.code in {EXIT_OK, EXIT_FINDING}, f"{document}: {done.err.decode()}"
    assert done.out or done.err
