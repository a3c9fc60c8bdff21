"""`membench fleet`, the group of the commands ``run`` and ``report``."""

from __future__ import annotations

import click

from membench.cli.fleet_report_command import report
from membench.cli.fleet_run_command import run


@click.group(name="fleet")
def command() -> None:
    """Measure many hosts on a Dask cluster, and name the slow hosts."""


command.add_command(run)
command.add_command(report)
