"""Show the progress of a fleet run: as a table on a terminal, as one line per change on a pipe."""

from __future__ import annotations

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from membench.report.screens.console import console, is_terminal, warn
from membench.results.fleet_ledger import Host, HostState

STYLES = {
    HostState.WAITING: "dim",
    HostState.RUNNING: "",
    HostState.ARRIVED: "green",
    HostState.FAILED: "bold red",
    HostState.MISSING: "bold red",
}
_ORDER = (
    HostState.FAILED,
    HostState.MISSING,
    HostState.RUNNING,
    HostState.WAITING,
    HostState.ARRIVED,
)
_SPARE_LINES = 4  # lines of the screen reserved for header, counts and cursor


class FleetLines:
    """Prints a line when the state of a host changes."""

    def __init__(self, shown_on: Console | None = None) -> None:
        self.console = shown_on or console()

    def changed(self, host: Host, *, news: bool) -> None:
        if news:
            self.console.print(_sentence(host), soft_wrap=True)

    def warned(self, message: str, hint: str) -> None:
        warn(message, hint)

    def ticked(self) -> None:
        """Do nothing, because `changed` has printed every line."""

    def close(self) -> None:
        """Do nothing, because the lines stay on the screen."""


class FleetTable(FleetLines):
    """A table of hosts; failed and missing hosts are at the top."""

    def __init__(self, shown_on: Console | None = None) -> None:
        super().__init__(shown_on)
        self._hosts: dict[str, Host] = {}
        self._undrawn = False
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._live.start()

    def changed(self, host: Host, *, news: bool) -> None:
        """Store the new state; `ticked` draws the table."""
        self._hosts[host.name] = host
        self._undrawn = True

    def ticked(self) -> None:
        if not self._undrawn:
            return
        self._undrawn = False
        height = max(1, self.console.height - _SPARE_LINES)
        table = host_table(tuple(self._hosts.values()), height, self.console.width)
        self._live.update(table, refresh=True)

    def close(self) -> None:
        self._live.stop()


def fleet_watcher() -> FleetLines:
    return FleetTable() if is_terminal() else FleetLines()


def host_table(hosts: tuple[Host, ...], height: int, width: int) -> Table:
    """A table of at most ``height`` hosts, and below it the number of hosts in each state.

    The messages of the hosts are cut so that a line has at most ``width`` characters.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("host", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("", no_wrap=True)
    ordered = sorted(hosts, key=lambda host: (_ORDER.index(host.state), host.name))
    shown = ordered[:height]
    names = max((len(host.name) for host in shown), default=0)
    room = max(8, width - max(names, 4) - max(map(len, HostState)) - 3 * 2)
    for host in shown:
        said = host.detail if len(host.detail) <= room else f"{host.detail[: room - 2]}.."
        table.add_row(Text(host.name), Text(host.state, STYLES[host.state]), Text(said))
    counts = ", ".join(
        f"{count} {state}"
        for state in HostState
        if (count := sum(host.state is state for host in hosts))
    )
    table.caption = Text(counts, "bold")
    table.caption_justify = "left"
    return table


def _sentence(host: Host) -> Text:
    state = Text(host.state, STYLES[host.state])
    return Text.assemble(f"{host.name} ", state, f": {host.detail}" if host.detail else "")
