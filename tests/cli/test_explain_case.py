"""`membench explain` of a case id, and of several benches."""

from __future__ import annotations

import pytest

from membench import cli


def explained(capsys: pytest.CaptureFixture[str], what: str) -> str:
    with pytest.raises(SystemExit) as end:
        cli.main(["explain", what])
    assert not end.value.code
    return capsys.readouterr().out


def test_a_case_shows_its_values_and_whether_it_can_run_here(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = explained(capsys, "ddr/copy/size=auto/threads=1/pages=thp/stores=plain")
    head, _, bench = out.partition("\n\n")
    assert "Values: size=auto (here " in head
    assert "threads=1, pages=thp, stores=plain" in head
    assert "Here: " in head
    assert bench.startswith("ddr/copy\n")
    many = explained(capsys, "ddr/copy/size=auto/threads=9999/pages=thp/stores=plain")
    assert "Here: cannot run: needs 9999 CPUs" in many


@pytest.mark.parametrize("what", ["ddr/copy", "ddr/copy/size=auto", "ddr/copy*"])
def test_an_incomplete_id_shows_only_the_bench(
    capsys: pytest.CaptureFixture[str], what: str
) -> None:
    out = explained(capsys, what)
    assert out.startswith("ddr/copy\n")
    assert "Here: " not in out


def test_several_benches_share_the_meanings_of_the_flags(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = explained(capsys, "ssd")
    assert out.count("noisy: ") == 1
    assert out.count("Possible flags: noisy, ") > 1
