"""`--require-gpu`: on a machine with a GPU, a skipped GPU test fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TESTS = """
import pytest
@pytest.mark.gpu
def test_on_the_gpu(): pytest.skip("no driver")
@pytest.mark.gpu
@pytest.mark.skipif(True, reason="no device")
def test_never_started(): pass
def test_something_else(): pytest.skip("not today")
"""


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("options", "summary"),
    [((), "3 skipped"), (("--require-gpu",), "1 failed, 1 skipped, 1 error")],
)
def test_skips_of_gpu_tests_are_failures_when_a_gpu_is_required(
    options: tuple[str, ...], summary: str, tmp_path: Path
) -> None:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rf", *options]
    environment = {**os.environ, "PYTHONPATH": str(CONFTEST.parent / "support")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    last = done.stdout.splitlines()[-1]
    assert re.search(rf"\b{summary} in ", last), done.stdout
    assert ("--require-gpu: no driver" in done.stdout) == bool(options)
    assert ("--require-gpu: no device" in done.stdout) == bool(options)
