from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from membench.benches import registry
from membench.cli import main
from membench.core.terms import FLAGS
from membench.report.screens.explain import print_flag
from membench.report.screens.explain_topics import counting, next_steps


@pytest.mark.parametrize("name", ["hbm/energy", "link/energy", "decode/energy"])
def test_energy_is_measured_per_byte(name: str) -> None:
    assert counting(registry().benches[name]).startswith("the payload")


@pytest.mark.parametrize(("code", "asks"), [("noisy", True), ("best-of", False)])
def test_the_doctor_is_recommended_only_for_flags_of_this_machine(code: str, *, asks: bool) -> None:
    stream = io.StringIO()
    print_flag(Console(file=stream, width=80), FLAGS[code])
    assert ("membench doctor" in stream.getvalue()) is asks


def test_a_bench_outside_the_quick_profile_is_measured_with_the_full_profile() -> None:
    bench = registry().benches["hbm/energy"]
    assert next_steps(bench, quick=False)[0] == "membench run --profile full --select 'hbm/energy'"
    assert next_steps(bench, quick=True)[0] == "membench run --select 'hbm/energy'"


def test_an_axis_that_a_case_leaves_out_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["explain", "kv/d2h"])
    quick, full = re.findall(r"^(?:quick|full): .*", capsys.readouterr().out, re.MULTILINE)
    assert "grid" not in quick
    assert "grid=(left out),1,4,16,64" in full
