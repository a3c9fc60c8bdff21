"""`membench report`."""

from __future__ import annotations

from pathlib import Path

import click

from membench.cli.page_language import page_language


@click.command(name="report")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The report: .html for one self-contained page, .md for Markdown with SVG files, .json "
    "for only the verdicts on the thesis.",
)
@click.option(
    "--assumptions",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file that replaces assumptions of membench: specifications, prices, workloads, "
    "records; each with a source and a date.",
)
@click.option(
    "--assume",
    multiple=True,
    metavar="NAME=VALUE",
    help="Replace one assumption of membench, such as 'system.link=50 GB/s'; repeatable. Every "
    "claim in a report names the assumption that moves its verdict.",
)
@click.option(
    "--thesis",
    type=click.Choice(["full", "summary", "none"]),
    default="summary",
    show_default=True,
    help="Part of the thesis in a page: every claim, a table of verdicts with the claims folded, "
    "or nothing.",
)
@page_language
@click.option(
    "--scheduler",
    metavar="ADDR",
    help="Judge the claims on the workers of this Dask cluster; the report is the same.",
)
@click.option(
    "--insecure", is_flag=True, help="Use a scheduler without TLS that other hosts can reach."
)
def command(
    files: tuple[Path, ...],
    output: Path,
    assumptions: Path | None,
    assume: tuple[str, ...],
    thesis: str,
    language: str,
    scheduler: str | None,
    insecure: bool,
) -> None:
    """Turn results files into a self-contained report.

    It shows the machine's results tier by tier, and their consequences for the
    thesis; then plots, every result, the machine, skipped cases with their reasons,
    and the commands to reproduce it.  Several files are shown side by side.  An
    existing report of membench is overwritten, any other file is not.

    \b
    Examples:
      membench report mybox.csv -o mybox.html
      membench report old.csv new.csv -o both.md
      membench report h100.csv h200.csv -o verdicts.json
      membench report mybox.csv -o verdicts.json --assume system.link=50
      membench report mybox.csv ref:h100-sxm -o beside.html
      membench report mybox.csv -o mybox.html --lang zh-TW
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    from membench.core.files import shown
    from membench.core.text import counted
    from membench.core.units import about_size
    from membench.report.page.compose import ThesisDetail
    from membench.report.page.write import make_report
    from membench.report.screens.console import warn
    from membench.results.reference_files import files_of

    detail = ThesisDetail(thesis)
    files = tuple(files_of(files))
    if scheduler is None:
        written = make_report(
            files, output, assumptions, language, assume=assume, thesis=detail, warned=warn
        )
    else:
        from membench.cli.extras import demand_dask

        demand_dask()
        from membench.fleet.sweep import spread_over

        with spread_over(scheduler, insecure=insecure) as spread:
            written = make_report(
                files,
                output,
                assumptions,
                language,
                assume=assume,
                thesis=detail,
                spread=spread,
                warned=warn,
            )
    size = about_size(sum(path.stat().st_size for path in written))
    plots = len(written) - 1
    more = f" and {counted(plots, 'plot')} beside it" if plots else ""
    click.echo(f"Report: {shown(written[0])}{more}, {size}")
