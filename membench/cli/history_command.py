"""`membench history`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from membench.analysis.thresholds import PRESETS, thresholds
from membench.cli import completion
from membench.cli.page_language import page_language
from membench.cli.word_lists import words_of
from membench.core.errors import EXIT_FINDING, EXIT_OK, UsageError
from membench.core.files import shown

if TYPE_CHECKING:  # it imports numpy, which --help does not need
    from membench.analysis.history.summary import History

FINDINGS = ("worse", "better")


@click.command(name="history")
@click.argument("places", nargs=-1, metavar="[DIR|FILE...]", type=click.Path(path_type=Path))
@click.option(
    "--select",
    multiple=True,
    metavar="GLOB",
    shell_complete=completion.cases,
    help="Only matching cases; repeatable.",
)
@click.option(
    "--all",
    "every_case",
    is_flag=True,
    help="Show one line per case and statistic, instead of one per tier and metric.",
)
@click.option(
    "--preset",
    metavar="|".join((*PRESETS, "FILE")),
    default="default",
    show_default=True,
    help="Minimum size of a reported change; FILE is a TOML file with thresholds.",
)
@click.option(
    "--fail-on",
    callback=words_of(FINDINGS),
    metavar="V,..",
    help=f"Exit with 3 if the present level of a line is {' or '.join(FINDINGS)} than the one "
    "before it.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Also write an HTML page with a plot for each line.",
)
@page_language
def command(
    places: tuple[Path, ...],
    select: tuple[str, ...],
    every_case: bool,
    preset: str,
    fail_on: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    language: str,
) -> int:
    """Show one machine's runs over time: their noise and their change points.

    For each tier, the command prints the noise band of the runs, the change points,
    and other changes at the same time (driver, kernel, governor, versions, settings).
    Without DIR or FILE, it reads this machine's folder in results/.

    \b
    Examples:
      membench history
      membench history results/mybox -o mybox.html
      membench history nightly/*.csv --all --select 'ddr/*'
      membench history results/mybox --fail-on worse

    Exit codes: 0 done, 1 error, 2 usage, 3 --fail-on found something, 4 no values.
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    limits = thresholds(preset)
    if output is not None and output.suffix.lower() != ".html":
        raise UsageError(f"'{shown(output)}' does not end in .html", "-o writes a page")
    from membench.analysis.history.reading import read_history
    from membench.analysis.history.summary import history_of
    from membench.results.reference_files import files_of

    record = read_history(files_of(places) or _of_this_machine())
    history = history_of(record, select=select, every_case=every_case, thresholds=limits)
    if output is not None:
        from membench.report.page.write import write_page
        from membench.report.screens.history.page import compose

        write_page(compose(history), output, language)
        click.echo(f"Written: {shown(output)}", err=True)
    _show(history, as_json=as_json)
    presents = [str(line.changes[-1].verdict) for line in history.changed]
    hits = [f"{presents.count(word)} {word}" for word in fail_on if word in presents]
    if hits:
        click.echo(f"Found: {', '.join(hits)} (--fail-on {','.join(fail_on)})", err=True)
    return EXIT_FINDING if hits else EXIT_OK


def _of_this_machine() -> list[Path]:
    """The results folders of this machine, under its present and former names.

    Raises:
        UsageError: no such folder exists.
    """
    from membench.machine import snapshot
    from membench.measure.options import RESULTS

    machine = snapshot()
    folders = [RESULTS / name for name in (machine.slug, *machine.former)]
    there = [folder for folder in folders if folder.is_dir()]
    if not there:
        raise UsageError(
            f"no runs of this machine: there is no folder {shown(folders[0])}",
            "'membench run' writes there; or name a folder or files",
        )
    return there


def _show(history: History, *, as_json: bool) -> None:
    if as_json:
        from membench.report.screens.history.data import to_json

        click.echo(to_json(history), nl=False)
        return
    from membench.report.screens.console import console
    from membench.report.screens.history.screen import print_history

    print_history(console(), history)
