"""ci/gpu_ab.py on the CuPy double: groups, table, and a second call that continues."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cupy_double import patched
from cupy_double.real import no_driver

from membench.benches import registry
from membench.gpu.cuda.backend import open_cuda
from membench.machine import snapshot
from membench.measure.worker.stopwatch import Stopwatches

pytestmark = pytest.mark.skipif(not no_driver(), reason="this machine has a driver")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_ab", ROOT / "ci" / "gpu_ab.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


def test_every_variant_is_a_case_of_its_bench(script: ModuleType) -> None:
    machine = snapshot()
    found = list(script.groups(machine))
    assert len({group.name for group in found}) == len(found)
    for group in found:
        assert len({variant.name for variant in group.variants}) == len(group.variants) > 1
        for variant in group.variants:
            bench = registry().benches[variant.bench]
            assert set(variant.params) == {axis.name for axis in bench.axes}, variant
            assert bench.case(dict(variant.params), machine).id


def test_a_group_is_timed_verified_and_held_against_its_first(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, number in (("SAMPLES", 2), ("REPEATS", 2), ("STEPS", 20)):
        monkeypatch.setattr(script, name, number)
    params = {"size": 64 << 10, "vec": "", "config": "best"}
    config = {"vec": 16, "unroll": 1, "block": 256, "once": 0, "hint": 0}
    variants = [
        script.Variant("resident", "hbm/copy", params, config),
        script.Variant("once", "hbm/copy", params, {**config, "once": 1}),
        script.Variant("too wide", "hbm/copy", params, {**config, "vec": 32}),
    ]
    with patched(ns_per_step=1000) as (_, machine, _):
        gpu: Any = open_cuda(machine, 0)
        watches = Stopwatches()
        table = list(script.rows(script.Group("copies", tuple(variants)), gpu, watches))
        steps = list(script.clock_steps(gpu))
        gpu.close()
    assert [line[:2] for line in table] == [("copies", variant.name) for variant in variants]
    assert all(float(line[2] or 0) > 0 for line in table[:2]), table[0][7]
    assert table[0][5] == "1.000"
    assert "once=1" in table[1][7]
    assert table[2][2:7] == ("", "", "", "", "")
    assert "compute capability 10.0" in table[2][7]
    assert [line[1] for line in steps] == ["event", "globaltimer"]
    assert all(len(line) == len(script.HEAD) for line in (*table, *steps))
