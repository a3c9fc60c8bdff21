"""How the command line parses the values of its options."""

from __future__ import annotations

from types import ModuleType

import click
import pytest

from membench.cli import check_command, run_command
from membench.cli.replay_command import _policies, command


def test_lru_and_repeats_are_not_printed_again() -> None:
    context = click.Context(command)
    (policy,) = [one for one in command.params if one.name == "policies"]
    asked = _policies(context, policy, "lru,fifo,lru,fifo,ttl:9")
    assert [str(one) for one in asked] == ["fifo", "ttl:9"]
    assert _policies(context, policy, "lru") == ()


@pytest.mark.parametrize("of", [run_command, check_command])
def test_the_help_of_a_dry_run_names_what_is_measured_anyway(of: ModuleType) -> None:
    (option,) = [one for one in of.command.params if one.name == "dry_run"]
    assert "measure no case. " in option.help
    assert "pointer chase" in option.help
