"""Time of all verdicts on a machine with complete measurements. The limit is 10 s."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from membench.thesis.claims import verdicts as room
from membench.thesis.claims.verdict_file import to_json
from membench.thesis.claims.verdicts import verdicts

pytestmark = pytest.mark.slow


def test_all_verdicts(benchmark: BenchmarkFixture) -> None:
    place = Path(__file__).parents[1] / "thesis" / "gpu_box.py"
    spec = importlib.util.spec_from_file_location("thesis_box", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = module.make_box({})

    def judged() -> str:
        room._as_shipped.cache_clear()  # as in a new process
        return to_json(verdicts(rows))

    assert '"verdict": "contradicted"' in benchmark(judged)
