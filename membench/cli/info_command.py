"""The command `membench info`: prints the snapshot of this machine."""

from __future__ import annotations

import click


@click.command(name="info")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Show the properties of this machine. A run stores these properties as a snapshot."""
    from membench.machine import snapshot
    from membench.measure.options import RESULTS

    machine = snapshot([RESULTS])
    if as_json:
        import json

        from membench.core.plain import dump

        click.echo(json.dumps(dump(machine), indent=2))
        return
    from membench.report.screens.console import screen
    from membench.report.screens.info import print_machine

    print_machine(screen(), machine)
