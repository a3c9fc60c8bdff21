"""The cases that match a published figure, and the differences of all other cases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.analysis.likeness import likeness, read_rules
from membench.core.units import GIB, MIB, format_size

STREAM = "size from 256MiB, vec any, config any"
THEIRS = "hbm/copy/size=256MiB/vec=16"


@pytest.mark.parametrize(
    ("ours", "size", "alike"),
    [
        ("hbm/copy/size=256MiB/vec=16", 256 * MIB, True),
        ("hbm/copy/size=auto/vec=16", 4 * GIB, True),
        ("hbm/copy/size=auto/vec=16/gpu=3", 4 * GIB, True),
        ("hbm/copy/size=auto/config=best", 4 * GIB, True),
        ("hbm/copy/size=1GiB/vec=4", GIB, True),
        ("hbm/copy/size=64MiB/vec=16", 64 * MIB, False),
        ("hbm/copy/size=auto/vec=16", None, False),  # the size of the buffer is unknown
        ("hbm/copy/size=256MiB/vec=16/order=random", 256 * MIB, False),
    ],
)
def test_axes_that_may_differ(ours: str, size: int | None, alike: bool) -> None:
    found = likeness(THEIRS, read_rules(STREAM), ours, size)
    assert found is not None
    assert found.alike is alike


def test_what_differs_is_named() -> None:
    found = likeness(THEIRS, read_rules(STREAM), "hbm/copy/size=auto/config=best", 4 * GIB)
    assert found is not None
    assert [str(one) for one in found.harmless] == [
        "size 256MiB, here auto",
        "vec 16, here -",
        "config -, here best",
    ]
    assert likeness(THEIRS, {}, "hbm/read/size=256MiB/vec=16", 256 * MIB) is None


@pytest.mark.parametrize(
    ("rule", "value", "fits"),
    [
        ("16KiB to 64KiB", "16KiB", True),
        ("16KiB to 64KiB", "64KiB", True),
        ("16KiB to 64KiB", "128KiB", False),
        ("to 64KiB", "4KiB", True),
        ("from 8", "32", True),
        ("from 8", "4", False),
        ("near", "near", True),
        ("near", "far", False),
        ("from 8", "many", False),
    ],
)
def test_rules(rule: str, value: str, fits: bool) -> None:
    found = likeness("link/h2d", read_rules(f"a {rule}"), f"link/h2d/a={value}", None)
    assert found is not None
    assert found.alike is fits


@given(st.integers(1, 2**40), st.integers(1, 2**40))
def test_auto_is_the_bytes_that_it_was(least: int, size: int) -> None:
    rules = read_rules(f"size from {format_size(least)}")
    auto = likeness("ddr/read/size=1B", rules, "ddr/read/size=auto", size)
    asked = likeness("ddr/read/size=1B", rules, f"ddr/read/size={format_size(size)}", size)
    assert auto is not None
    assert asked is not None
    assert auto.alike is (size >= least)
    assert asked.alike is (size >= least or size == 1)
