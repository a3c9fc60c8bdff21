"""The command `membench history`: prints the levels and changes over the runs of one machine."""

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

if TYPE_CHECKING:  # the module imports numpy, which --help does not need
    from membench.analysis.history.summary import History

FINDINGS = ("worse", "better")


@click.command(name="history")
@click.argument("places", nargs=-1, metavar="[DIR|FILE...]", type=click.Path(path_type=Path))
@click.option(
    "--select",
    multiple=True,
    metavar="GLOB",
    shell_complete=completion.cases,
    help="Show only matching cases; repeatable.",
)
@click.option(
    "--all",
    "every_case",
    is_flag=True,
    help="Show a line for each case and statistic, instead of a line for each tier and metric.",
)
@click.option(
    "--preset",
    metavar="|".join((*PRESETS, "FILE")),
    default="default",
    show_default=True,
    help="Smallest change that is reported; FILE is a TOML file of thresholds.",
)
@click.option(
    "--fail-on",
    callback=words_of(FINDINGS),
    metavar="V,..",
    help="Exit with 3 if the newest change of any row of the table is V, such as worse. "
    f"Possible: {', '.join(FINDINGS)}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Also write an HTML page with plots of the lines.",
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
    """Show the runs of one machine over time: the noise and the change points.

    For each tier, the command prints the noise band of the runs and the change points.
    For each change point, the command prints what else changed at that time (driver,
    kernel, governor, versions, settings). Without DIR or FILE, the command reads this
    machine's folder in results/.

    \b
    Examples:
      membench history
      membench history results/mybox -o mybox.html
      membench history nightly/*.csv --all --select 'ddr/*'
      membench history results/mybox --fail-on worse

    Exit codes: 0 done, 1 error, 2 usage, 3 the newest change of a line is one of
    --fail-on, 4 no values.
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    limits = thresholds(preset)
    if output is not None and output.suffix.lower() != ".html":
        raise UsageError(
            f"the file name '{shown(output)}' of -o does not end in .html",
            "-o writes an HTML page: use the suffix .html",
        )
    from membench.analysis.history.reading import read_history
    from membench.analysis.history.summary import history_of
    from membench.report.screens.console import warn_some
    from membench.results.reference_files import files_of

    record = read_history(files_of(places) or _of_this_machine())
    warn_some(record.problems)
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
    """The existing folders ``results/NAME`` for the present and former names of this machine.

    Raises:
        UsageError: there is no such folder.
    """
    from membench.machine import snapshot
    from membench.measure.options import RESULTS

    machine = snapshot()
    folders = [RESULTS / name for name in (machine.slug, *machine.former)]
    there = [folder for folder in folders if folder.is_dir()]
    if not there:
        raise UsageError(
            f"the results folder {shown(folders[0])} of this machine does not exist",
            "measure with 'membench run', or name results files or a folder of them",
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
