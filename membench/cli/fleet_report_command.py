"""`membench fleet report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from membench.analysis.thresholds import PRESETS, thresholds
from membench.cli.extras import demand_dask
from membench.cli.page_language import page_language
from membench.cli.word_lists import words_of
from membench.core.errors import EXIT_FINDING, EXIT_OK, NothingMatched, UsageError
from membench.core.files import shown

if TYPE_CHECKING:  # the reports import numpy, which --help does not need
    from membench.analysis.fleet.summary import FleetSummary

FINDINGS = ("straggler", "missing", "failed")


@click.command(name="report")
@click.argument("source", metavar="DIR|FILE.parquet", type=click.Path(path_type=Path))
@click.option(
    "--fail-on",
    callback=words_of(FINDINGS),
    metavar="V,..",
    help=f"Exit with 3 if any row is one of {', '.join(FINDINGS)}.",
)
@click.option(
    "--preset",
    metavar="|".join((*PRESETS, "FILE")),
    default="default",
    show_default=True,
    help="Thresholds: how much slower than the median counts as slow; FILE is a TOML file.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="csv: every machine and case; json: the summary.",
)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write a page (.html), or all values in one file for later reports (.parquet).",
)
@page_language
def report(
    source: Path,
    fail_on: tuple[str, ...],
    preset: str,
    form: str,
    output: Path | None,
    language: str,
) -> int:
    """Show the slow machines of a fleet, its spread, and the missing hosts.

    DIR is the -o directory of a fleet run, or any directory with results files in it
    or one level below.  A machine is slow in a case if it is far from the fleet's
    median, both relative to the fleet's own spread and by more than the threshold
    of --preset.

    \b
    Examples:
      membench fleet report rack7
      membench fleet report rack7 -o rack7.html --fail-on straggler
      membench fleet report everything.parquet --format csv

    Exit codes: 0 done, 1 error, 2 usage, 3 --fail-on found something, 4 no values.
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    limits = thresholds(preset)
    if output is not None and output.suffix.lower() not in {".html", ".parquet"}:
        raise UsageError(
            f"'{output}' does not end in .html or .parquet",
            "the suffix selects the format; --format csv writes to standard output",
        )
    from membench.analysis.fleet.reading import read_fleet
    from membench.analysis.fleet.summary import summarise

    if source.suffix.lower() == ".parquet" and not source.is_dir():
        demand_dask()
        from membench.fleet.exchange import read_parquet

        values = read_parquet(source)
    else:
        values = read_fleet(source)
    summary = summarise(values, limits)
    if not summary.cases and values.ledger is None:
        raise NothingMatched(
            f"no machine in {source} has a value",
            "name the -o directory of a fleet run, with its files in it",
        )
    if output is not None:
        _write(summary, output, language)
    _show(summary, form)
    counts = (len(summary.stragglers), summary.missing, summary.failed)
    there = dict(zip(FINDINGS, counts, strict=True))
    hits = [f"{there[word]} {word}" for word in fail_on if there[word]]
    if hits:
        click.echo(f"Found: {', '.join(hits)} (--fail-on {','.join(fail_on)})", err=True)
    return EXIT_FINDING if hits else EXIT_OK


def _write(summary: FleetSummary, output: Path, language: str) -> None:
    if output.suffix.lower() == ".parquet":
        demand_dask()
        from membench.fleet.exchange import write_parquet

        write_parquet(summary.values, output)
    else:
        from membench.report.page.write import write_page
        from membench.report.screens.fleet.page import compose

        write_page(compose(summary), output, language)
    click.echo(f"Written: {shown(output)}", err=True)


def _show(summary: FleetSummary, form: str) -> None:
    if form == "table":
        from membench.report.screens.console import console, is_terminal
        from membench.report.screens.fleet.screen import print_fleet

        print_fleet(console(), summary, everything=not is_terminal())
    elif form == "csv":
        from membench.report.screens.fleet.data import to_csv

        for part in to_csv(summary):
            click.echo(part, nl=False)
    else:
        from membench.report.screens.fleet.data import to_json

        click.echo(to_json(summary), nl=False)
