"""Comparisons of ``size=auto`` with an explicit size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compare_rows import around, of_run, row, run_cli, write

from membench.analysis.comparison import compare
from membench.analysis.finding import Difference
from membench.analysis.sides import make_sides
from membench.analysis.sources import read_source
from membench.analysis.verdict import Reason, Verdict
from membench.core.terms import Tier
from membench.results.schema import Row

MIB = 1 << 20
AUTO, ASKED = (f"ddr/triad/size={size}/threads=all/pages=thp" for size in ("auto", "256MiB"))


def findings(tmp_path: Path, first: list[Row], second: list[Row]) -> dict[str, Difference]:
    a = read_source(write(tmp_path / "a.csv", *first))
    b = read_source(write(tmp_path / "b.csv", *of_run("other", second)))
    comparison = compare(make_sides([("a", a), ("b", b)]))
    return {
        line.row.case: entry.finding
        for line in comparison.lines
        for entry in line.entries
        if entry.finding
    }


def auto(value: float = 110, **changes: Any) -> Row:
    return row(around(value), AUTO, case_version=2, size_bytes=3 * 1024 * MIB, **changes)


def asked(value: float = 100, case: str = ASKED, **changes: Any) -> Row:
    return row(around(value), case, size_bytes=3 * 256 * MIB, **changes)


def test_the_ratio_is_shown_without_a_verdict(tmp_path: Path) -> None:
    """The order of the files and the version of the bench do not matter."""
    for first, second, ratio in (([asked()], [auto()], 1.1), ([auto()], [asked()], 1 / 1.1)):
        ((case, found),) = findings(tmp_path, first, second).items()
        assert case == first[0].case
        assert (found.verdict, found.reason) == (Verdict.NA, Reason.SIZE)
        assert found.ratio == pytest.approx(ratio)
        assert found.interval is None
        assert "768 MiB" in found.detail
        assert "auto (3.00 GiB)" in found.detail


@pytest.mark.parametrize(
    "other",
    [
        asked(flags=("cache-served",)),  # served by caches, not by memory
        asked(case=ASKED.replace("thp", "4k")),
        asked(case=ASKED.replace("triad", "add")),
        asked(tier=Tier.CACHE),
        asked(case=AUTO.replace("size=auto/", "")),
        row((), ASKED),  # a failed row
    ],
)
def test_what_is_not_alike_stands_alone(tmp_path: Path, other: Row) -> None:
    assert findings(tmp_path, [auto()], [other]) == {}
    assert findings(tmp_path, [auto(flags=("cache-served",))], [asked()]) == {}


def test_the_same_case_comes_first_and_then_the_nearest_size(tmp_path: Path) -> None:
    own = row(around(120), AUTO, case_version=2, size_bytes=3 * 512 * MIB)
    found = findings(tmp_path, [auto()], [own, asked()])
    assert found[AUTO].verdict is Verdict.BETTER
    assert ASKED not in found
    case = ASKED.replace("256MiB", "1GiB")
    large = row(around(130), case, size_bytes=3 * 1024 * MIB)
    found = findings(tmp_path, [auto(100)], [asked(), large])
    assert found[AUTO].ratio == pytest.approx(1.3)


def test_two_sizes_that_were_asked_for_are_two_cases(tmp_path: Path) -> None:
    other = asked(case=ASKED.replace("256MiB", "1GiB"))
    assert findings(tmp_path, [asked()], [other]) == {}


def test_other_obstacles_come_before_the_size(tmp_path: Path) -> None:
    other = auto(backend="cuda")
    found = findings(tmp_path, [asked()], [other])[ASKED]
    assert (found.reason, found.ratio) == (Reason.BACKEND, None)


def test_the_screen_says_it_and_no_mean_takes_it_in(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    a = write(tmp_path / "a.csv", asked())
    b = write(tmp_path / "b.csv", *of_run("other", [auto()]))
    code, out, _ = run_cli(capsys, a, b)
    assert code == 0
    assert "- n/a (other size)" in out
    assert "1.100" in out
    assert "geomean" not in out


def test_auto_is_compared_with_auto_and_other_bytes_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    a = write(tmp_path / "a.csv", auto(100))
    small = row(around(120), AUTO, case_version=2, size_bytes=768 * MIB)
    b = write(tmp_path / "b.csv", *of_run("other", [small]))
    _, out, _ = run_cli(capsys, a, b)
    assert "^ better" in out
    assert "size=auto means different sizes in 1 row" in out
    assert f"{AUTO} 3.00 GiB | 768 MiB" in " ".join(out.split())
    _, out, _ = run_cli(capsys, a, write(tmp_path / "c.csv", *of_run("third", [auto(100)])))
    assert "different sizes" not in out


def test_another_tools_figure_is_of_no_version_of_ours(tmp_path: Path) -> None:
    """Results imported from another tool have no bench version, so versions are not compared."""
    imported = asked(backend="import:babelstream", device="AMD EPYC")
    own = row(around(110), ASKED, case_version=2, size_bytes=3 * 256 * MIB)
    assert findings(tmp_path, [imported], [own])[ASKED].verdict is Verdict.BETTER
    old = asked()
    assert findings(tmp_path, [old], [own])[ASKED].reason is Reason.CASE_VERSION


def test_published_figures_get_no_advice_to_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_cli(capsys, "ref:h100-sxm", "ref:h200-sxm")
    assert code == 0
    assert "the nearest case: engine sm, here ce; compare figures of the same case\n" in out
    assert "only one run" not in out
    assert "membench run" not in out
