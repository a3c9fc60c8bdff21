"""Settings for all tests: no deadlines, reproducible property tests, handling of a missing GPU."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sampling
from hearing import hear_signals
from hypothesis import settings

if TYPE_CHECKING:
    from nvml_stub import NvmlProcess

# Hundreds of test processes import the same modules. Without bytecode files, each process would
# compile all modules again, and each worker of pytest would compile all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

hear_signals()


def pytest_configure(config: pytest.Config) -> None:
    """Choose the number of examples per property test before pytest imports the tests."""
    if "not slow" not in config.option.markexpr:
        sampling.take_all()
    # A deadline would depend on the clock. Random examples would not be reproducible.
    settings.register_profile(
        "membench", deadline=None, derandomize=True, max_examples=sampling.examples()
    )
    settings.load_profile("membench")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that the sampling leaves out as `slow`, before pytest selects tests by marks."""
    sampling.mark_the_rest_slow(items)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-gpu",
        action="store_true",
        help="a skipped test marked `gpu` counts as a failure",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    required = item.config.getoption("--require-gpu") and item.get_closest_marker("gpu")
    if required and report.skipped and not hasattr(report, "wasxfail"):
        reason = call.excinfo.value if call.excinfo else "skipped"
        report.outcome = "failed"
        report.longrepr = f"--require-gpu: {reason}"
    return report


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled stub of NVIDIA's management library (NVML)."""
    from nvml_stub import build

    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def nvml(nvml_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NvmlProcess]:
    """A process that uses the stub of NVML."""
    from nvml_stub import NvmlProcess

    asked = NvmlProcess(nvml_library, tmp_path_factory.mktemp("nvml-facts") / "facts")
    yield asked
    asked.close()
