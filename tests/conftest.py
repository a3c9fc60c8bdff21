"""What all tests share: no deadlines, repeatable properties, and how a missing GPU is treated."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import settings

# A deadline would judge by the clock; examples drawn anew each time would not repeat.
settings.register_profile("membench", deadline=None, derandomize=True)
settings.load_profile("membench")


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
