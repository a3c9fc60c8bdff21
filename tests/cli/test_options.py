"""How the command line parses the values of its options."""

from __future__ import annotations

import click

from membench.cli.replay_command import _policies, command


def test_lru_and_repeats_are_not_printed_again() -> None:
    context = click.Context(command)
    (policy,) = [one for one in command.params if one.name == "policies"]
    asked = _policies(context, policy, "lru,fifo,lru,fifo,ttl:9")
    assert [str(one) for one in asked] == ["fifo", "ttl:9"]
    assert _policies(context, policy, "lru") == ()
