"""The command `membench report`: writes an HTML page, a Markdown file, or verdicts as JSON."""

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
    help="Output file: .html for one self-contained page, .md for Markdown with SVG files, .json "
    "for only the verdicts on the claims.",
)
@click.option(
    "--assumptions",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file that replaces built-in assumptions, such as specifications, prices and "
    "workloads. Every entry needs a source and a date.",
)
@click.option(
    "--assume",
    multiple=True,
    metavar="NAME=VALUE",
    help="Replace one built-in assumption, such as 'system.link=50 GB/s'; repeatable. A report "
    "names the assumptions that can change the verdict on a claim.",
)
@click.option(
    "--thesis",
    type=click.Choice(["full", "summary", "none"]),
    default="summary",
    show_default=True,
    help="Extent of the section on the claims: full (every claim), summary (a table of verdicts, "
    "with the claims collapsed) or none.",
)
@page_language
@click.option(
    "--scheduler",
    metavar="ADDR",
    help="Let the workers of this Dask cluster compute the verdicts. This changes no verdict.",
)
@click.option(
    "--insecure", is_flag=True, help="Allow a scheduler without TLS that other hosts can reach."
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

    The report first shows the results of the machine tier by tier, and the verdicts on
    claims about AI and memory.  Then it shows plots, every result, the machine, the
    skipped cases with reasons, and the commands to reproduce the report.  Several files
    are shown side by side.  membench overwrites an older report, but no other file.

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
    from membench.report.page.document import ThesisDetail
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
    more = f" and {counted(plots, 'plot')} in the same folder" if plots else ""
    click.echo(f"Report: {shown(written[0])}{more}, {size}")
