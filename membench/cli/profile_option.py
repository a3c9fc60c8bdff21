"""The option `--profile` of the commands that plan cases."""

from __future__ import annotations

import click

from membench.core.case import PROFILES

profile_option = click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="quick",
    show_default=True,
    help="Set of cases; full has more cases and sizes, and takes longer.",
)
