"""Thresholds: presets, files, and invalid contents of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from compare_rows import around, row, run_cli, write
from hypothesis import given
from hypothesis import strategies as st

from membench.analysis.thresholds import PRESETS, Thresholds, thresholds, to_toml
from membench.core.errors import MembenchError
from membench.core.terms import Metric, Tier

FRACTION = st.floats(1e-6, 1)
TABLE = st.dictionaries(st.sampled_from(Metric), FRACTION, min_size=1)


def read(path: Path, text: str) -> Thresholds:
    path.write_text(text)
    return thresholds(str(path))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_being_written(tmp_path: Path, name: str) -> None:
    back = read(tmp_path / "t.toml", to_toml(PRESETS[name]))
    for tier in Tier:
        for metric in Metric:
            assert back.of(tier, metric) == PRESETS[name].of(tier, metric)


@given(
    every=TABLE,
    tiers=st.dictionaries(st.sampled_from(Tier), TABLE),
    base=st.sampled_from(list(PRESETS)),
)
def test_what_a_file_says_holds_and_the_rest_is_the_bases(
    tmp_path_factory: pytest.TempPathFactory,
    every: dict[Metric, float],
    tiers: dict[Tier, dict[Metric, float]],
    base: str,
) -> None:
    lines = ['schema = "membench.thresholds/1"', f'base = "{base}"']
    for name, table in (("all", every), *tiers.items()):
        lines += [f"[{name}]", *(f"{metric} = {limit!r}" for metric, limit in table.items())]
    made = read(tmp_path_factory.getbasetemp() / "t.toml", "\n".join(lines))
    for tier in Tier:
        for metric in Metric:
            fallback = every.get(metric, PRESETS[base].of(tier, metric))
            assert made.of(tier, metric) == tiers.get(tier, {}).get(metric, fallback)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line must be"),
        ('schema = "membench.thresholds/2"', "the first line must be"),
        ('schema = "membench.thresholds/1"\nbase = "lax"', "is not one of strict"),
        ('schema = "membench.thresholds/1"\nbase = 3', "is not one of strict"),
        ('schema = "membench.thresholds/1"\nspeed = 3', "'speed' is neither 'all' nor a tier"),
        ('schema = "membench.thresholds/1"\nssd = 3', "'ssd' is not a table"),
        ('schema = "membench.thresholds/1"\n[ssd]\nspeed = 3', "'speed' is not a metric"),
        ('schema = "membench.thresholds/1"\n[ssd]\nlatency = 3', "is not a fraction above 0"),
        ('schema = "membench.thresholds/1"\n[ssd]\nlatency = 0', "is not a fraction above 0"),
        ('schema = "membench.thresholds/1"\n[ssd]\nlatency = nan', "is not a fraction above 0"),
        ('schema = "membench.thresholds/1"\n[ssd]\nlatency = inf', "is not a fraction above 0"),
        (
            f'schema = "membench.thresholds/1"\n[ssd]\nlatency = 1{"0" * 400}',
            "a number has more than 40 digits",
        ),
        ('schema = "membench.thresholds/1"\n[ssd]\nlatency = true', "is not a fraction above 0"),
        ('schema = "membench.thresholds/1"\n[ssd]\nlatency = "5"', "is not a fraction above 0"),
        ("schema = ", "cannot be read: Invalid value"),
        ("a = " + "[" * 10_000, "nested too deeply|cannot be read"),
        ("#" * (1 << 20) + "\n", "larger than 1.00 MiB"),
    ],
)
def test_a_file_that_says_what_it_may_not(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(MembenchError, match=message) as error:
        read(tmp_path / "t.toml", text)
    assert "\n" not in str(error.value)
    assert error.value.hint


def test_no_preset_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(MembenchError, match="neither a preset nor a file") as error:
        thresholds(str(tmp_path / "nowhere"))
    assert "strict, default, permissive" in error.value.hint
    (tmp_path / "binary").write_bytes(b"\xff\xfe\0")
    with pytest.raises(MembenchError, match="the file is not text"):
        thresholds(str(tmp_path / "binary"))


def test_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, dumped, _ = run_cli(capsys, "--dump-config", "--preset", "strict")
    assert code == 0
    (tmp_path / "mine.toml").write_text(dumped.replace("bandwidth = 0.01", "bandwidth = 0.2"))
    a, b = write(tmp_path / "a.csv", row(around(100))), write(tmp_path / "b.csv", row(around(110)))
    code, out, _ = run_cli(capsys, a, b)
    assert (code, "1 better" in out) == (0, True)
    code, out, _ = run_cli(capsys, a, b, "--preset", "mine.toml")
    assert (code, "1 same" in out, "20% bandwidth (mine.toml)" in out) == (0, True, True)
    code, _, err = run_cli(capsys, a, b, "--preset", "laxx")
    assert code == 2
    assert err.startswith("Error: --preset laxx is neither a preset nor a file")
