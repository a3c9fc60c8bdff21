"""Sizes and values: strict parsing and exact output."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.errors import UsageError
from membench.core.terms import BETTER, FLAGS, NOISE_THRESHOLD, UNIT, Metric, Tier
from membench.core.units import (
    about_size,
    common_scale,
    format_seconds,
    format_size,
    format_value,
    parse_size,
    significant,
)


@given(st.integers(0, 2**62))
def test_a_size_survives_formatting(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [("0B", 0), ("64KiB", 65536), ("1.5GiB", 1610612736), ("256 MiB", 268435456), ("2TiB", 2**41)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "12", "1GB", "1kb", "-1KiB", "1e3KiB", "KiB", "1 gib", "0x1KiB"]
)
def test_what_is_no_size_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert "KiB" in caught.value.hint


@pytest.mark.parametrize(("text", "near"), [("0.3B", "1B"), ("1.3GiB", "1363148KiB")])
def test_a_fraction_of_a_byte_is_refused_with_a_size_that_is_not(text: str, near: str) -> None:
    with pytest.raises(UsageError, match="whole number of bytes") as caught:
        parse_size(text)
    assert caught.value.hint.endswith(near)


@given(st.floats(1e-6, 1e12), st.integers(1, 7))
def test_significant_digits_are_right_and_no_exponent_is_shown(value: float, digits: int) -> None:
    text = significant(value, digits)
    assert "e" not in text.lower()
    # Half a unit of the last shown digit; 0.5 for values shown as integers.
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    assert (
        abs(float(text) - value) <= max(0.5, 0.0) * 10.0 ** min(0, exponent - digits + 1) * 1.0001
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (9.9996, "10.00"), (38.1234, "38.12"), (123456, "123456"), (0.0034561, "0.003456")],
)
def test_significant(value: float, text: str) -> None:
    assert significant(value) == text


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        (Metric.LATENCY, 1.19, "1.19 ns"),
        (Metric.LATENCY, 68_000.0, "68.0 us"),
        (Metric.BANDWIDTH, 38.12, "38.1 GB/s"),
        (Metric.IOPS, 64_200.0, "64.2 k/s"),
        (Metric.RATE, 4.2e9, "4.20 G/s"),
    ],
)
def test_values_carry_their_unit(metric: Metric, value: float, text: str) -> None:
    assert format_value(metric, value) == text


def test_one_scale_fits_the_smallest_value() -> None:
    assert common_scale(Metric.LATENCY, (1.2, 90_000.0)).unit == "ns"
    assert common_scale(Metric.LATENCY, (1_200.0, 90_000.0)).unit == "us"
    assert common_scale(Metric.LATENCY, ()).unit == "ns"


@pytest.mark.parametrize(("seconds", "text"), [(0.94, "0.9 s"), (62, "62 s"), (250, "4 min 10 s")])
def test_durations(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_about_size() -> None:
    assert about_size(2 * 1024**3 * 0.975) == "1.95 GiB"
    assert about_size(12) == "12 B"


def test_every_metric_has_a_unit_and_a_direction_and_every_tier_a_threshold() -> None:
    assert set(UNIT) == set(BETTER) == set(Metric)
    assert set(NOISE_THRESHOLD) == set(Tier)


def test_the_flags_are_the_closed_list() -> None:
    assert list(FLAGS) == [
        *("noisy", "throttled", "above-peak", "cache-served", "cache-unknown", "transition"),
        *("single-round", "best-of"),
        *(
            "short-run",
            "not-converged",
            "unpinned",
            "few-huge-pages",
            "unpinned-numa",
            "busy-cpu",
            "busy-gpu",
            "link-downtrained",
            "other-memory",
            "encrypted-link",
            "page-cache",
            "sync-submit",
            "vm",
            "cgroup-limited",
        ),
    ]
    assert all(flag.meaning and flag.weight and flag.remedy for flag in FLAGS.values())
