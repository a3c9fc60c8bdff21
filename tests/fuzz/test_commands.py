"""Whole commands on broken files: no traceback, no hang, and limited memory.

By default, each command gets a fixed number of files. ``MEMBENCH_FUZZ=60 pytest
tests/fuzz/test_commands.py`` tries new files for 60 seconds per command, and prints the seed of
each failure.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutilation import edged, mutilated, typed_differently
from whole_commands import CASES, PARAMETERS, Case, Done, call

SECONDS = float(os.environ.get("MEMBENCH_FUZZ", "0"))
SHARE = 12
KINDS = ("Error: ", "Hint: ", "Warning: ", "Found: ", "Written: ")


def attempts(case: Case) -> Iterator[tuple[int, bytes]]:
    """Pairs (seed, broken file): a fixed number, or as many as fit into `SECONDS`."""
    good = case.good()
    seed = 0 if not SECONDS else time.time_ns() % 10**9
    end = time.monotonic() + SECONDS
    share = 2 if case.slow else SHARE
    count = 0
    while count < share or time.monotonic() < end:
        rng = random.Random(seed)
        yield seed, _broken(good, rng)
        seed += 1
        count += 1


def _broken(good: bytes, rng: random.Random) -> bytes:
    """``good`` with changed bytes, changed structure or changed numbers."""
    if rng.random() < 0.5:
        if good.startswith(b"schema,"):
            return edged(good, rng)
        if good.lstrip()[:1] == b"{" and b"\n{" not in good:
            return typed_differently(good, rng)
    return mutilated(good, rng)


def assert_sound(done: Done, where: str) -> None:
    """Check that the command succeeded, or failed with one error line."""
    said = done.err.decode("utf-8")
    assert "this is a bug" not in said, f"{where}: {said}"
    assert done.code in {0, 1, 2, 3, 4}, where
    lines = said.splitlines()
    if done.code in {1, 2, 4}:
        assert [line for line in lines if line.startswith("Error: ")], f"{where}: {said}"
    left = [line for line in lines if not line.startswith(KINDS)]
    if where.startswith("import "):
        left = []  # import prints which parts of a file it skipped
    assert not [line for line in left if not line.startswith("Left out: ")], f"{where}: {said}"
    assert all(len(line) < 2100 for line in lines), f"{where}: {said}"
    assert b"Traceback" not in done.out, where
    if done.out[:1] in {b"{", b"["}:
        assert_strict_json(done.out)


def assert_strict_json(data: bytes) -> None:
    """Check that JSON contains no NaN and no Infinity, which other programs refuse."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    json.loads(data, parse_constant=refuse)


@pytest.mark.sampled(14)
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_command_does_its_work_or_says_in_one_line_why_not(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    case = CASES[name]
    place = tmp_path / "place"
    count = 0
    for seed, data in attempts(case):
        count += 1
        place.mkdir()
        case.prepare(place, data)
        try:
            done = call(case.argv, place)
        except BaseException as error:
            error.add_note(f"{name}, seed {seed}: {data[:300]!r}")
            raise
        assert_sound(done, f"{name}, seed {seed}")
        for made in place.glob("o*.json"):
            assert_strict_json(made.read_bytes())
        shutil.rmtree(place)
    print(f"{name}: {count} inputs")
