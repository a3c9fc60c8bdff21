"""Hostile text in a file reaches the terminal and the CI log only as printable lines."""

from __future__ import annotations

import csv
import io
import json
import lzma
import os
import random
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from whole_commands import CASES, PARAMETERS, Case, Done, call

FEW = 6 if not os.environ.get("MEMBENCH_FUZZ") else 10_000
"""Number of fields that get hostile text one at a time. All fields together are always tried."""
EVERYWHERE = ("all of free text", "text None, True", "key")
HOSTILE = (
    "\x1b]0;title\x07\x1b[31m\x1b]8;;http://a.example\x1b\\link\x9b31m\b\b\x7f"
    "\n::error file=a::b\r\n  ::set-output name=a::b\u2028::warning::c ::notice::d"
    "##[error]e \u202edcba\u2066\u200f\u061c\ufeff\x85::add-mask::f\v\f[bold]g[/h]:smile:"
)
_ALLOWED = re.compile(rb"[\n\x20-\x7e\x80-\xff]*")


def assert_printable(done: Done, what: str) -> None:
    """Check that both outputs are printable, and that no line is a command for a CI system."""
    for name, data in (("stdout", done.out), ("stderr", done.err)):
        assert _ALLOWED.fullmatch(data), f"{what}: {name}: {data!r}"
        text = data.decode("utf-8")
        assert all(line.isprintable() for line in text.split("\n")), f"{what}: {name}: {text!r}"
        for line in text.split("\n"):
            assert not line.lstrip().startswith("::"), f"{what}: {name}: {line!r}"
            assert "##[" not in line, f"{what}: {name}: {line!r}"
    assert b"this is a bug" not in done.err, f"{what}: {done.err!r}"


def variants(good: bytes, target: str) -> Iterator[tuple[str, bytes]]:
    """(description, content): ``good`` with hostile text in all fields, and in single fields."""
    rng = random.Random(0)
    if target.endswith((".csv", "in")) and b"," in good.split(b"\n")[0] and good[:1] != b"{":
        records = list(csv.reader(io.StringIO(good.decode())))
        places = [(y, x) for y, record in enumerate(records) for x in range(len(record))]
        for y, x in rng.sample(places, min(FEW, len(places))):
            yield f"cell {y},{x} alone", _csv(records, {(y, x)}, "")
            yield f"cell {y},{x} too", _csv(records, {(y, x)}, records[y][x])
        yield from _columns(records, rng)
    elif target.endswith(".xz"):
        yield "all", lzma.compress(HOSTILE.encode())
    elif good[:1] == b"{":
        first, *rest = good.split(b"\n") if b"\n{" in good else [good]
        content = json.loads(first[first.index(b"{") :])
        count = sum(1 for _ in _texts(content))
        chosen = rng.sample(range(count), min(FEW, count))
        for which in (None, *chosen):
            for keep in (True, False):
                changed = json.dumps(_changed(content, which, [0], keep=keep)).encode()
                yield f"text {which}, {keep}", b"\n".join([changed, *rest])
    elif b"=" in good:
        for found in list(re.finditer(rb'"[^"]*"', good))[:FEW]:
            text = json.dumps(HOSTILE, ensure_ascii=True).encode().replace(b"\\u00", b"\\u00")
            yield str(found.start()), good[: found.start()] + _toml(text) + good[found.end() :]
        yield "raw", good + HOSTILE.encode()
        yield "key", _toml(json.dumps(HOSTILE).encode()) + b" = 1\n" + good
        yield "table", good + b"[" + _toml(json.dumps(HOSTILE).encode()) + b"]\nvalue = 1\n"
    else:
        yield "raw", good + HOSTILE.encode()
        yield "instead", HOSTILE.encode()


def _toml(text: bytes) -> bytes:
    tomllib.loads(f"a = {text.decode()}")
    return text


def _csv(records: list[list[str]], places: set[tuple[int, int]], before: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for y, record in enumerate(records):
        writer.writerow(
            before + HOSTILE if (y, x) in places else cell for x, cell in enumerate(record)
        )
    return text.getvalue().encode()


def _columns(records: list[list[str]], rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Hostile text in whole columns of free text, which the reader accepts."""
    free = [x for x, name in enumerate(records[0]) if name in _FREE]
    for x in free if len(free) <= FEW else rng.sample(free, FEW):
        some = {(y, x) for y in range(1, len(records)) if records[y][x]}
        yield f"column {records[0][x]}", _csv(records, some, "")
    if free:
        some = {(y, x) for x in free for y in range(1, len(records)) if records[y][x]}
        yield "all of free text", _csv(records, some, "")
    if "detail" in records[0]:
        x = records[0].index("detail")
        inner = HOSTILE.replace(";", ",").replace("=", ":")
        changed = [[*record] for record in records]
        for record in changed[1:]:
            record[x] = f"engine={inner};threads={inner}"
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(changed)
        yield "detail", text.getvalue().encode()


_FREE = frozenset(
    {"timer", "stop_reason", "device", "driver", "cuda", "membench", "kernel", "reason"}
)


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for value in content.values():
            yield from _texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)


def _changed(content: Any, which: int | None, count: list[int], *, keep: bool) -> Any:
    """``content`` with hostile text in text number ``which``; None means all texts."""
    if isinstance(content, str):
        count[0] += 1
        if which is not None and count[0] - 1 != which:
            return content
        return (content if keep else "") + HOSTILE
    if isinstance(content, dict):
        odd = {f"{key}{HOSTILE}": 1 for key in list(content)[:1] if which is None}
        return odd | {
            key: _changed(value, which, count, keep=keep) for key, value in content.items()
        }
    if isinstance(content, list):
        return [_changed(value, which, count, keep=keep) for value in content]
    return content


@pytest.mark.sampled(14)
@pytest.mark.parametrize("name", PARAMETERS)
def test_hostile_text_reaches_no_terminal_and_no_log(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    case = CASES[name]
    for number, (what, data) in enumerate(variants(case.good(), case.target)):
        if case.slow and what not in EVERYWHERE and FEW < 100:
            continue
        place = tmp_path / str(number)
        place.mkdir()
        case.prepare(place, data)
        assert_printable(call(case.argv, place), what)


NAMES = (
    HOSTILE.replace("/", "")[:90],
    "::error::a\u202eb",
    os.fsdecode(b"\xff\xfe\x1b[31m"),
    "[/bold]",
)


@pytest.mark.sampled(40)
@pytest.mark.parametrize("bad", NAMES)
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.slow])
def test_hostile_names_of_files_reach_no_terminal_and_no_log(
    name: str, bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    case = _renamed(CASES[name], bad)
    case.prepare(tmp_path)
    assert_printable(call(case.argv, tmp_path), "there")
    (tmp_path / "empty").mkdir()
    assert_printable(call(case.argv, tmp_path / "empty"), "not there")


def _renamed(case: Case, bad: str) -> Case:
    """``case`` with hostile names for all of its files, including its outputs."""
    ends = (".csv", ".json", ".jsonl", ".xz", ".parquet", ".toml", ".journal")

    def name(word: str) -> str:
        if word == "in" or word.endswith(ends):
            label, equals, path = word.rpartition("=")
            folder, slash, file = path.rpartition("/")
            if file.endswith(".fleet.json"):
                return word
            return f"{label}{equals}{folder}{slash}{bad}{file}"
        return word

    files = {name(one): data for one, data in case.files().items()}
    return Case(tuple(map(name, case.argv)), lambda: files, name(case.target))
