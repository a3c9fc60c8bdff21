"""The command `membench export`: writes a results file in the format of another tool."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from membench.cli import completion
from membench.core.errors import EXIT_OK, NothingMatched, OutputError, UsageError
from membench.core.text import counted


@click.command(name="export")
@click.argument("form", metavar="FORMAT")
@click.argument("file", shell_complete=completion.files_or_references)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    help="Output file; if FORMAT writes several files, their common prefix.  [default: standard "
    "output, for a single file]",
)
def command(form: str, file: str, output: Path | None) -> int:
    """Turn a results file into another tool's format.

    \b
    Formats:
      github-action-benchmark  two files: OUTPUT.bigger.json, OUTPUT.smaller.json
      bencher                  Bencher Metric Format
      pytest-benchmark         JSON for pytest-benchmark compare
      samples                  CSV, one sample per line
      parquet                  every row and column (extra: parquet)
      openmetrics              text for a node exporter's textfile collector

    Skipped and failed rows have no number. Only Parquet includes such rows. Most rows
    of other tools have no samples. The command prints the number of omitted rows on
    standard error.
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    from membench.core.files import shown, taken, write_together
    from membench.results.formats import WITH_ALL_ROWS, exporter, left_out
    from membench.results.formats.exporting import measured
    from membench.results.magnitude import check_magnitude
    from membench.results.reference_files import files_of
    from membench.results.table import read_rows

    write = exporter(form)
    rows = [row for path in files_of([file]) for row in read_rows(path)]
    check_magnitude(rows)
    there = len(list(measured(rows)))
    if not there and form not in WITH_ALL_ROWS:
        raise NothingMatched(
            f"{shown(Path(file))}: no row has a value",
            "name a file with measured rows, or use parquet, which exports skipped rows too",
        )
    omitted = left_out(form, rows)
    if omitted and sum(omitted.values()) == there:
        raise NothingMatched(
            f"{shown(Path(file))}: the format {form} leaves out every row: {_listed(omitted)}",
            "choose another format; parquet exports every row",
        )
    texts = write(rows)
    contents = {
        ending: text if isinstance(text, bytes) else text.encode("ascii")
        for ending, text in texts.items()
    }
    if output is None and len(contents) > 1:
        raise UsageError(
            f"the format {form} writes {len(contents)} files, but -o is missing",
            "name the common prefix of the files, such as -o bench",
        )
    if output is None:
        click.echo(b"".join(contents.values()), nl=False)
    else:
        if not output.name:
            raise OutputError(f"-o {shown(output)} is a directory", "name a file in that directory")
        paths = {output.with_name(output.name + end): data for end, data in contents.items()}
        try:
            write_together(list(paths.items()), replace=False)
        except FileExistsError:
            raise taken(output) from None
        for path in paths:
            click.echo(shown(path))
    if len(rows) > there and form not in WITH_ALL_ROWS:
        omitted = {"without a value": len(rows) - there, **omitted}
    if omitted:
        click.echo(f"Left out: {_listed(omitted)}", err=True)
    return EXIT_OK


def _listed(omitted: Mapping[str, int]) -> str:
    """A text such as ``2 rows without a value, 6 rows without samples``."""
    return ", ".join(f"{counted(number, 'row')} {reason}" for reason, number in omitted.items())
