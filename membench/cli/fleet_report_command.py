"""The command `membench fleet report`: prints or writes the statistics of a fleet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from membench.analysis.thresholds import PRESETS, thresholds
from membench.cli.extras import demand_pyarrow
from membench.cli.page_language import page_language
from membench.cli.word_lists import words_of
from membench.core.errors import EXIT_FINDING, EXIT_OK, NothingMatched, UsageError
from membench.core.files import shown

if TYPE_CHECKING:  # the reports import numpy, which --help does not need
    from membench.analysis.fleet.summary import FleetSummary

FINDINGS = ("straggler", "missing", "failed")


@click.command(name="report", short_help="Name slow machines and missing hosts of a fleet.")
@click.argument("source", metavar="DIR|FILE.parquet", type=click.Path(path_type=Path))
@click.option(
    "--fail-on",
    callback=words_of(FINDINGS),
    metavar="V,..",
    help=f"Exit with 3 if any row has one of the states V. Possible: {', '.join(FINDINGS)}.",
)
@click.option(
    "--preset",
    metavar="|".join((*PRESETS, "FILE")),
    default="default",
    show_default=True,
    help="Smallest difference from the median that counts as slow; FILE is a TOML file of "
    "thresholds.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="Output format; csv: every machine and case; json: the summary.",
)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write an HTML page (.html), or all values (.parquet) for a later report.",
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
    """Show the slow machines, the spread between machines, and the missing hosts of a fleet.

    DIR is the -o directory of a fleet run, or a directory with results files directly
    in DIR or one level below.  A machine is slow in a case under two conditions: the
    machine is slower than the median by more than the threshold of --preset, and this
    difference is large compared with the spread of the fleet.

    \b
    Examples:
      membench fleet report rack7
      membench fleet report rack7 -o rack7.html --fail-on straggler
      membench fleet report everything.parquet --format csv

    Exit codes: 0 done, 1 error, 2 usage, 3 a row has a state of --fail-on, 4 no values.
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    limits = thresholds(preset)
    if output is not None and output.suffix.lower() not in {".html", ".parquet"}:
        raise UsageError(
            f"the file name '{shown(output)}' of -o does not end in .html or .parquet",
            "use one of these suffixes; for CSV, use --format csv, which prints the table",
        )
    from membench.analysis.fleet.reading import read_fleet
    from membench.analysis.fleet.summary import summarise

    if source.suffix.lower() == ".parquet" and not source.is_dir():
        demand_pyarrow()
        from membench.fleet.exchange import read_parquet

        values = read_parquet(source)
    else:
        values = read_fleet(source)
    summary = summarise(values, limits)
    if not summary.cases and values.ledger is None:
        raise NothingMatched(
            f"{shown(source)} has no measured value",
            "name the -o directory of a fleet run that has finished",
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
        demand_pyarrow()
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
