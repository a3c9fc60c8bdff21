"""`membench export`."""

from __future__ import annotations

from pathlib import Path

import click

from membench.core.errors import EXIT_OK, NothingMatched, OutputError, UsageError


@click.command(name="export")
@click.argument("form", metavar="FORMAT")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    help="Output file, or the prefix of several output files.  [default: standard output]",
)
def command(form: str, file: Path, output: Path | None) -> int:
    """Turn a results file into another tool's format.

    \b
    Formats:
      github-action-benchmark  two files: OUTPUT.bigger.json, OUTPUT.smaller.json
      bencher                  Bencher Metric Format
      pytest-benchmark         JSON for pytest-benchmark compare
      samples                  CSV, one sample a line

    Skipped and failed rows have no place in these formats; how many were left
    out is said on standard error.
    """  # noqa: D301 - click wants the very character \b to keep the lines below it apart
    from membench.core.files import shown, write_together
    from membench.results.formats import exporter
    from membench.results.formats.exporting import measured
    from membench.results.magnitude import check_magnitude
    from membench.results.table import read_rows

    write = exporter(form)
    rows = read_rows(file)
    check_magnitude(rows)
    there = len(list(measured(rows)))
    if not there:
        raise NothingMatched(f"{shown(file)}: no row has a number", "nothing can be exported")
    texts = write(rows)
    if output is None and len(texts) > 1:
        raise UsageError(f"{form} is {len(texts)} files", "name what they begin with: -o bench")
    if output is None:
        click.echo("".join(texts.values()), nl=False)
    else:
        if not output.name:
            raise OutputError(f"{shown(output)} is a directory", "name a file in it")
        paths = {output.with_name(output.name + ending): text for ending, text in texts.items()}
        try:
            data = [(path, text.encode("ascii")) for path, text in paths.items()]
            write_together(data, replace=False)
        except FileExistsError:
            raise OutputError(f"{shown(output)} exists, and nothing is overwritten") from None
        for path in paths:
            click.echo(shown(path))
    if len(rows) > there:
        click.echo(f"{len(rows) - there} rows without a number were left out", err=True)
    return EXIT_OK
