"""Reading an untrusted file: memory and time are bounded before the file is read."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whole_commands import CASES, Done, call, short_csv

from membench.core.errors import SchemaError
from membench.core.text import ascii_line, one_line
from membench.core.untrusted import (
    MAX_DIGITS,
    open_file,
    parse_json,
    parse_toml,
    read_bytes,
    unpack,
)

MIB = 1 << 20
PACKERS: dict[str, Callable[[bytes], bytes]] = {".xz": lzma.compress, ".gz": gzip.compress}


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """Less than 1 MB of xz data that decompress to 2 GiB of zero bytes."""
    return lzma.compress(bytes(8 * MIB), preset=0) * 256


@pytest.mark.parametrize("end", PACKERS)
@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_what_was_packed_is_unpacked(end: str, size: int) -> None:
    data = bytes(index % 251 for index in range(min(size, 5000))).ljust(size, b"x")
    packed = PACKERS[end](data)
    assert unpack(packed, f"t{end}", size) == data
    assert unpack(packed + packed, f"t{end}", 2 * size) == data * 2  # several members in one file
    if size:
        with pytest.raises(SchemaError, match="larger than"):
            unpack(packed, f"t{end}", size - 1)
    with pytest.raises(SchemaError, match="damaged or truncated"):
        unpack(packed[:-1], f"t{end}", size)
    assert unpack(data, "t.jsonl", size) == data


def test_a_packed_bomb_takes_no_more_memory_than_its_limit(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(SchemaError, match=r"larger than 16\.0 MiB"):
            unpack(bomb, "t.xz", 16 * MIB)
        assert tracemalloc.get_traced_memory()[1] < 40 * MIB
    finally:
        tracemalloc.stop()


def test_a_stream_that_wants_gigabytes_to_unpack_is_refused() -> None:
    whole = bytearray(lzma.compress(b"abc"))
    # Size of the first block header, which follows the 12 bytes of the stream header.
    size = 4 * (whole[12] + 1)
    # LZMA2 has one byte of properties: the size of its dictionary.
    assert whole[14:16] == b"\x21\x01"
    whole[16] = 40  # dictionary of 4 GiB
    whole[12 + size - 4 : 12 + size] = zlib.crc32(whole[12 : 12 + size - 4]).to_bytes(4, "little")
    with pytest.raises(SchemaError, match="cannot be unpacked"):
        unpack(bytes(whole), "t.xz", MIB)


def test_a_file_of_holes_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "holes.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    tracemalloc.start()
    try:
        with pytest.raises(SchemaError, match="larger than"):
            read_bytes(path, 64 * MIB)
        os.truncate(path, 64 * MIB)
        with pytest.raises(SchemaError, match="not text"):
            read_bytes(path, 64 * MIB, text=True)
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_pipe_that_nobody_named_is_not_waited_for(pipe: Path) -> None:
    with pytest.raises(SchemaError, match="not a regular file"):
        read_bytes(pipe, MIB)
    with pytest.raises(SchemaError, match="not a regular file"):
        open_file(pipe)


def test_a_pipe_that_a_person_named_is_read_to_its_limit(pipe: Path) -> None:
    held = os.open(pipe, os.O_RDWR)
    os.write(held, b"abc")
    copy = os.open(pipe, os.O_WRONLY)
    try:
        with pytest.raises(SchemaError, match="larger than"):
            read_bytes(pipe, 2, pipe=True)
    finally:
        os.close(held)
        os.close(copy)


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/full", "/dev/tty", "."])
@pytest.mark.parametrize("named", [True, False])
def test_what_is_no_file_is_refused(name: str, named: bool) -> None:
    with pytest.raises(SchemaError):
        read_bytes(Path(name), MIB, pipe=named)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 5000,
        "-" + "9" * MAX_DIGITS,
        "1e999",
        "-1e400",
        "NaN",
        "[Infinity]",
        "",
        '"\x00"',
    ],
)
def test_json_that_nobody_means_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000,
        "a = " + "9" * 5000,
        "a = [1, { b = -" + "9" * 41 + " }]",
        "a.b = 1\na = 2",
        "a = \x00",
        "a = 1 b",
    ],
)
def test_toml_that_nobody_means_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_toml(text.encode())


@given(st.text())
def test_text_becomes_one_printable_line_and_stays_it(text: str) -> None:
    for clean in (one_line, ascii_line):
        line = clean(text)
        assert line.isprintable()
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
        assert clean(line) == line


@given(st.text(alphabet=":# [a\n\u2028", max_size=12))
def test_no_workflow_command_is_left(text: str) -> None:
    for clean in (one_line, ascii_line):
        line = clean(text)
        assert not any(word.startswith("::") for word in line.split())
        assert "##[" not in line
        assert clean(line) == line


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(-1e9, 1e9), st.text()
)


@given(
    st.recursive(
        LEAVES,
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
        max_leaves=8,
    )
)
def test_every_text_of_a_json_file_is_one_printable_line(content: object) -> None:
    for ascii_only in (True, False):
        try:
            data = json.dumps(content, ensure_ascii=ascii_only).encode()
        except UnicodeEncodeError:
            continue
        assert all(text.isprintable() for text in texts(parse_json(data)))


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (*texts(key), *texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def refused(done: Done) -> None:
    assert done.code in {1, 2}, done.err
    assert done.err.startswith(b"Error: ")
    assert b"this is a bug" not in done.err
    assert len(done.err.splitlines()) <= 2


NAMED = {
    "compare": ("compare", "x", "x"),
    "report": ("report", "x", "-o", "o.html"),
    "export": ("export", "samples", "x"),
    "import": ("import", "nvbandwidth", "x", "-o", "o.csv"),
    "cited": ("import", "cited", "x", "-o", "o.csv"),
    "replay": ("replay", "x"),
    "advise": ("advise", "x", "--model", "llama-3.1-8b", "--context", "4096"),
    "model": ("advise", "r.csv", "--model", "./x", "--context", "4096"),
    "assumptions": ("report", "r.csv", "-o", "o.json", "--assumptions", "x"),
    "preset": ("compare", "r.csv", "b=r.csv", "--preset", "./x"),
    "fleet": ("fleet", "report", "x"),
    "parquet": ("fleet", "report", "x.parquet"),
    "hosts": ("fleet", "run", "--local", "1", "--hosts", "x"),
}


@pytest.mark.parametrize("what", ["holes", "zero", "socket"])
@pytest.mark.parametrize("name", NAMED)
def test_no_command_is_filled_by_what_is_no_file(name: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / ("x.parquet" if name == "parquet" else "x")
    if what == "holes":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    elif what == "zero":
        path.symlink_to("/dev/zero")
    else:
        os.mknod(path, 0o140644)
    (tmp_path / "r.csv").write_bytes(short_csv())
    refused(call(NAMED[name], tmp_path))


@pytest.mark.parametrize(
    "name", ["r.json", "f/node-00001/run.csv", "f/20260101T000000Z-0001.fleet.json"]
)
def test_a_pipe_beside_a_file_hangs_nothing(name: str, tmp_path: Path) -> None:
    case = CASES["compare sidecar" if name == "r.json" else "fleet report ledger"]
    case.prepare(tmp_path)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    done = call(case.argv, tmp_path)
    assert b"this is a bug" not in done.err
    if name.endswith("csv"):
        assert b"not a regular file" in done.out
    elif name == "r.json":
        assert done.code == 0
    else:
        refused(done)


def test_a_packed_bomb_costs_a_command_no_gigabyte(bomb: bytes, tmp_path: Path) -> None:
    assert len(bomb) < MIB
    (tmp_path / "t.jsonl.xz").write_bytes(bomb)
    done = call(("replay", "t.jsonl.xz"), tmp_path)  # with a limit of 1 GiB of memory
    refused(done)
    assert b"larger than" in done.err
