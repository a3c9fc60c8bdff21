"""The command that a user gives for a side of a paired run."""

from __future__ import annotations

import pytest

from membench.measure.paired.setup import SetupFailed, set_up
from membench.measure.rounds.interrupt import interrupts
from membench.results.plan import Pairing


def ran(command: str, timeout: float = 60.0) -> None:
    with interrupts() as interrupt:
        set_up(Pairing("id", "b", "a.csv", setup_b=command), timeout, interrupt)


@pytest.mark.parametrize(
    ("command", "end"),
    [
        ("exit 5", "ended with exit code 5"),
        ("echo no governor; exit 1", "ended with exit code 1: no governor"),
        ("kill -9 $$", "was killed by SIGKILL"),
    ],
)
def test_the_end_of_a_command_that_fails_is_named(command: str, end: str) -> None:
    with pytest.raises(SetupFailed, match=f"^the command of --setup-b {end}$"):
        ran(command)


def test_a_command_may_not_take_longer_than_the_timeout() -> None:
    ran("true")
    with pytest.raises(SetupFailed, match=r"--setup-b took longer than 0\.05 s: sleep 9"):
        ran("sleep 9", timeout=0.05)
