"""The command `membench fleet run`: measures many hosts with the workers of a Dask cluster."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from membench.cli.extras import demand_dask
from membench.cli.mistakes import option_of
from membench.cli.ranges import FiniteRange
from membench.cli.run_command import command as run_command
from membench.core.errors import EXIT_FINDING, EXIT_OK, EXIT_SIGNAL_BASE, UsageError

if TYPE_CHECKING:
    from membench.results.fleet_ledger import FleetLedger

_SIGINT = 2
_NOT_PASSED_ON = frozenset(
    (
        *("output", "label", "resume", "dry_run", "versus", "setup_a", "setup_b"),
        *("everything", "card"),  # nobody reads what a host prints
    )
)
"""Options of `membench run` that `membench fleet run` does not pass on to the hosts."""
_PASSED_ON = [option for option in run_command.params if option.name not in _NOT_PASSED_ON]


def _with_options_of_run(made: click.Command) -> click.Command:
    made.params += _PASSED_ON
    return made


@_with_options_of_run
@click.command(name="run")
@click.option(
    "--scheduler",
    metavar="ADDR",
    help="Address of the Dask scheduler, such as tls://10.0.0.1:8786.",
)
@click.option(
    "--local",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Trial without a cluster: N workers in this process measure in turn.",
)
@click.option(
    "--insecure",
    is_flag=True,
    help="Allow a scheduler without TLS that other hosts can reach. Every host that reaches the "
    "scheduler can run code on all workers.",
)
@click.option(
    "--hosts",
    "hosts_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File listing the expected hosts, one per line.  [default: all connected workers]",
)
@click.option(
    "--per",
    type=click.Choice(["host", "worker"]),
    default="host",
    show_default=True,
    help="Unit to measure: each machine (by one of its workers), or each worker.",
)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    default="results",
    show_default=True,
    metavar="DIR",
    help="Directory for the results; the results of a host are in DIR/<host>/.",
)
@click.option(
    "--host-directory",
    metavar="DIR",
    help="Directory on every host for its journal and results.  [default: /var/tmp/membench-<uid>]",
)
@click.option(
    "--wait",
    type=FiniteRange(0, 1e7),
    default=30.0,
    show_default=True,
    metavar="S",
    help="Maximum time in seconds to wait for a missing worker, or for a scheduler that does not "
    "respond.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 100),
    default=2,
    show_default=True,
    help="Maximum number of retries for a host whose worker was lost.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Complete the newest fleet run in DIR: measure only the hosts without results.",
)
@click.pass_context
def run(
    ctx: click.Context,
    /,
    scheduler: str | None,
    local: int | None,
    insecure: bool,
    hosts_file: Path | None,
    per: str,
    output: Path,
    host_directory: str | None,
    wait: float,
    retries: int,
    resume: Path | None,
    **options: Any,
) -> int:
    """Measure every host of a Dask cluster once, with one run at a time per host.

    The runs use the Dask workers that offer the resource membench-host.  membench copies
    the results of each host to this machine and checks the copy.  The remaining options
    are options of `membench run`; membench passes these options to every host.

    \b
    Examples:
      membench fleet run --local 3 --select 'ddr/*'
      membench fleet run --scheduler tls://10.0.0.1:8786 --hosts rack7.txt -o rack7
      membench fleet run --scheduler tls://10.0.0.1:8786 --resume rack7

    Exit codes: 0 all hosts arrived, 1 error, 2 usage, 3 a host failed or is
    missing or a case failed, 4 nothing to resume, 130 interrupted.
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    if (scheduler is None) == (local is None):
        raise UsageError(
            "fleet run needs exactly one of --scheduler ADDR and --local N",
            "for a trial without a cluster, use --local 3",
        )
    demand_dask()
    from membench.fleet.fleet_run import Patience
    from membench.fleet.hosts import read_hosts
    from membench.fleet.run import Order, Where, start
    from membench.fleet.run import resume as resume_run
    from membench.report.screens.fleet.live import fleet_watcher
    from membench.results.fleet_ledger import latest_ledger

    workers = f"--scheduler {shlex.quote(scheduler)}" if scheduler else f"--local {local}"
    where, patience = Where(scheduler or "", local or 0, insecure), Patience(wait, retries)
    if resume is not None:
        _refuse_others(ctx)
    hosts = read_hosts(hosts_file) if hosts_file else ()
    directory = resume if resume is not None else output
    watch = fleet_watcher()
    try:
        if resume is not None:
            ledger = resume_run(where, resume, watch, patience)
        else:
            arguments = tuple(_arguments(ctx, options))
            order = Order(output, arguments, hosts, per, host_directory or "")
            ledger = start(where, order, watch, patience)
    except KeyboardInterrupt:
        watch.close()
        stopped = latest_ledger(directory)
        if stopped is None:
            raise
        _say_end(stopped, directory, workers)
        return EXIT_SIGNAL_BASE + _SIGINT
    finally:
        watch.close()
    _say_end(ledger, directory, workers)
    whole = all(host.csv and not host.failed_cases for host in ledger.hosts)
    return EXIT_OK if whole else EXIT_FINDING


def _given(ctx: click.Context) -> Iterator[str]:
    default = click.core.ParameterSource.DEFAULT
    return (name for name in ctx.params if ctx.get_parameter_source(name) is not default)


def _refuse_others(ctx: click.Context) -> None:
    allowed = {"scheduler", "local", "insecure", "wait", "retries", "resume"}
    for name in _given(ctx):
        if name not in allowed:
            raise UsageError(
                f"--resume cannot be combined with {option_of(ctx, name)}",
                "leave out this option: --resume uses the options of the fleet run in DIR",
            )


def _arguments(ctx: click.Context, options: dict[str, Any]) -> Iterator[str]:
    """The given options of `membench run`, as command-line arguments."""
    given = set(_given(ctx))
    for option in _PASSED_ON:
        value = options[option.name or ""]
        if option.name not in given:
            continue
        if isinstance(option, click.Option) and option.is_flag:
            yield option.opts[0]
        elif option.name == "disk_budget":
            yield from (option.opts[0], f"{value}B")
        else:
            for one in value if isinstance(value, tuple) else (value,):
                yield from (option.opts[0], str(one))


def _say_end(ledger: FleetLedger, directory: Path, workers: str) -> None:
    from membench.report.screens.console import console
    from membench.report.screens.fleet.end import print_end

    print_end(console(), ledger, directory, workers)
