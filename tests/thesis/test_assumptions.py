"""Assumptions: each has a range, a source and a date, and a claim uses it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from membench.thesis.claims.assumptions import (
    UNITS,
    AssumptionError,
    EntryKind,
    assumptions,
    parse,
    shipped,
)
from membench.thesis.claims.given import waited_for
from membench.thesis.claims.ledger import ledger

ENTRY = (
    '[device.h100]\nmemory = { value = 80, low = 70, high = 90, unit = "GB", '
    'source = "a page", date = 2026-01-31, kind = "spec" }\n'
)


def test_what_is_shipped_covers_devices_drives_prices_and_workloads() -> None:
    entries = shipped()
    devices = {name.split(".")[1] for name in entries if name.startswith("device.")}
    assert devices == {
        "a100", "h100", "h200", "gh200", "b200", "gb200", "b300", "gb300", "rubin",
        "rtx-4090", "rtx-5090",
    }  # fmt: skip
    for device in devices:
        assert {f"device.{device}.memory", f"device.{device}.bandwidth"} <= entries.keys()
    assert {"ssd.gen4.read", "ssd.gen5.write", "ssd.gen6.read", "ssd.qlc.read"} <= entries.keys()
    assert {"price.ddr5", "price.hbm", "price.essd", "price.gpu_hour"} <= entries.keys()
    assert {entry.kind for entry in entries.values()} == set(EntryKind)
    assert entries["device.h200.bandwidth"].value * entries["device.h200.bandwidth"].scale == 4.8e12
    for entry in entries.values():
        assert 0 < entry.low <= entry.value <= entry.high
        assert entry.source.isascii()


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        (
            ', source = "a page"',
            "",
            "'source' is missing or empty",
            "give the source and the",
        ),
        ('source = "a page"', 'source = ""', "'source' is missing or empty", "give the source"),
        ('source = "a page"', 'source = "  "', "'source' is not text, or is blank", ""),
        (
            ", date = 2026-01-31",
            "",
            "'date' is missing or empty",
            "give the source and the",
        ),
        ("date = 2026-01-31", 'date = "soon"', "'date' is not a date", ""),
        ("date = 2026-01-31", "date = 2026-01-31T10:00:00", "'date' is not a date", ""),
        ("low = 70", "low = 81", "not finite numbers in the order 0 < low <= value <= high", ""),
        (
            "low = 70",
            "low = 0",
            "not finite numbers in the order 0 < low <= value <= high",
            "numbers above 0",
        ),
        ("high = 90", "high = inf", "not finite numbers in the order 0 < low", ""),
        ("value = 80", "value = nan", "not finite numbers in the order 0 < low", ""),
        ("value = 80", 'value = "80"', "'value' is not a number", ""),
        ("value = 80", "value = true", "'value' is not a number", ""),
        ("low = 70, ", "", "'low' is missing", "the keys are value"),
        ('unit = "GB"', 'unit = "GiB"', "unit 'GiB' is not known", "known units"),
        ('unit = "GB"', 'unit = "share"', "a share must not be above 1, but high is 90", ""),
        ('kind = "spec"', 'kind = "hope"', "kind 'hope' is not one of spec", ""),
        ('kind = "spec"', 'kind = "spec", sure = 1', "'sure' is not a key", "the keys are"),
        (
            'kind = "spec"',
            'kind = "spec", evidence = "hearsay"',
            "evidence 'hearsay' is not one of",
            "",
        ),
        ('kind = "spec"', 'kind = "spec", evidence = ["model"]', "'evidence' is not text", ""),
        ("memory = {", "memory = 3\nx = {", "'device.h100.memory' is not a table", ""),
        ("[device.h100]", "[device.x]\n[device.h100]", "the table 'device.x' is empty", "remove"),
        ("[device.h100]", "[device.h100", "not TOML", ""),
        (
            "[device.h100]",
            "[device.h101]",
            "unknown assumption",
            "did you mean device.h100",
        ),
        ('unit = "GB"', 'unit = "GB/s"', "a value in GB/s cannot replace a value in GB", "in GB"),
    ],
)
def test_an_entry_that_does_not_stand_is_refused_in_one_line(
    tmp_path: Path, old: str, new: str, message: str, hint: str
) -> None:
    assert old in ENTRY
    path = tmp_path / "mine.toml"
    path.write_text(ENTRY.replace(old, new))
    with pytest.raises(AssumptionError, match=re.escape(message)) as caught:
        assumptions(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert hint in caught.value.hint


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        AssumptionError, match=r"absent\.toml: cannot be read: No such file"
    ) as caught:
        assumptions(tmp_path / "absent.toml")
    assert caught.value.hint == "check the file name and the directory"
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AssumptionError, match="the file is not text"):
        assumptions(tmp_path / "binary.toml")


def test_own_entries_take_the_place_of_their_namesakes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(ENTRY)
    entries = assumptions(path)
    assert entries["device.h100.memory"].own
    assert (entries["device.h100.memory"].low, entries["device.h100.memory"].scale) == (70, 1e9)
    assert not entries["device.h200.memory"].own
    assert entries.keys() == shipped().keys()


def test_records_to_come_and_substitutes_may_be_added(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "[measurement]\n"
        'gemm = { value = 700, low = 600, high = 800, unit = "TFLOP/s", source = "a page", '
        'date = 2026-01-31, kind = "spec" }\n'
    )
    with pytest.raises(AssumptionError, match="unknown assumption"):
        assumptions(path)
    names = waited_for(ledger(), shipped())
    assert "record.tsmc.n2_share_2026" in names
    assert assumptions(path, declared=names)["measurement.gemm"].own
    path.write_text(path.read_text().replace("TFLOP/s", "GB/s"))
    with pytest.raises(
        AssumptionError, match="in GB/s cannot replace a value in GFLOP/s or TFLOP/s"
    ):
        assumptions(path, declared=names)


def test_units_are_of_one_dimension_each() -> None:
    assert {scale for base, scale in UNITS.values() if base == "B/s"} == {1e9, 1e12}
    assert all(text.isascii() for text in UNITS)
    assert parse("", "nothing") == {}
