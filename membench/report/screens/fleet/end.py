"""Print the end of a fleet run: the number of hosts, the missing hosts, and the next command."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.core.text import counted
from membench.report.screens.fleet.live import STYLES
from membench.results.fleet_ledger import FleetLedger, HostState


def print_end(console: Console, ledger: FleetLedger, directory: Path, workers: str) -> None:
    """Print the hosts without results, and the next commands.

    ``workers`` is the option that named the workers, such as ``--local 3``.
    """
    arrived = ledger.of_state(HostState.ARRIVED)
    console.print(
        Text(
            f"results of {len(arrived)} of {counted(len(ledger.hosts), 'host')} arrived: "
            f"{directory}",
            "bold",
        )
    )
    absent = [host for host in ledger.hosts if host.state is not HostState.ARRIVED]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for host in absent:
        table.add_row(
            Text(host.name),
            Text(host.state, STYLES[host.state]),
            Text(host.detail, overflow="fold"),
        )
    if absent:
        console.print(table)
    where = shlex.quote(str(directory))
    if absent:
        console.print(
            Text(f"To complete the run: membench fleet run {workers} --resume {where}"),
            soft_wrap=True,
        )
    if arrived:
        console.print(Text(f"To see the results: membench fleet report {where}"), soft_wrap=True)
