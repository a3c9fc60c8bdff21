"""The command `membench compare`: reads results files, and prints the comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from membench.analysis.thresholds import PRESETS, thresholds, to_toml
from membench.analysis.verdict import GATE_CLASSES, Verdict
from membench.cli import completion
from membench.cli.word_lists import words_of
from membench.core.errors import EXIT_FINDING, EXIT_OK, NothingMatched

if TYPE_CHECKING:  # the module imports numpy, which --help does not need
    from membench.analysis.comparison import Comparison
    from membench.analysis.sides import Side
    from membench.core.terms import Tier
    from membench.results.compact.row import Measurement

FARTHEST = 10
"""Number of rows in the table of a comparison with `--against` but without `--all`."""


@click.command(name="compare")
@click.argument(
    "files",
    nargs=-1,
    metavar="[LABEL=]FILE|ref:NAME...",
    shell_complete=completion.files_or_references,
)
@click.option(
    "--ref", "reference", metavar="LABEL", help="Label of the reference.  [default: the first]"
)
@click.option(
    "--against",
    metavar="ref:NAME",
    shell_complete=completion.references,
    help="Compare with a built-in reference; 'membench list --references' names all references.",
)
@click.option(
    "--by",
    metavar="KEY",
    help="Split the results by KEY and compare the groups. KEY is machine, driver, backend, ... or "
    "an axis of the case ids, such as stores.",
)
@click.option(
    "--select",
    multiple=True,
    metavar="GLOB",
    shell_complete=completion.cases,
    help="Compare only matching cases; repeatable.",
)
@click.option(
    "--status",
    "verdicts",
    callback=words_of(tuple(Verdict)),
    metavar="V,..",
    help=f"Show only rows with one of the verdicts V. Possible: {', '.join(Verdict)}.",
)
@click.option(
    "--sort",
    type=click.Choice(["case", "ratio", "value", "peak"]),
    default="case",
    show_default=True,
    help="Sort order within a table: case ascending; ratio, value and peak descending.",
)
@click.option(
    "--normalize",
    type=click.Choice(["peak"]),
    help="Compare the fractions of the theoretical peak instead of the values.",
)
@click.option(
    "--fail-on",
    callback=words_of(GATE_CLASSES),
    metavar="V,..",
    help=f"Exit with 3 if any row has one of the states V. Possible: {', '.join(GATE_CLASSES)}.",
)
@click.option(
    "--cross-machine",
    is_flag=True,
    help="Allow --fail-on to compare different machines or devices.",
)
@click.option(
    "--preset",
    metavar="|".join((*PRESETS, "FILE")),
    default="default",
    show_default=True,
    help="Smallest differences that count as better or worse; FILE is a TOML file of thresholds.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="With --against: print every row, not only the rows farthest from the reference.",
)
@click.option("--dump-config", is_flag=True, help="Print the thresholds of --preset as TOML.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "md", "csv", "json", "github"]),
    default="table",
    show_default=True,
    help="Output format; github: Markdown, also appended to the file $GITHUB_STEP_SUMMARY.",
)
def command(
    files: tuple[str, ...],
    reference: str | None,
    against: str | None,
    by: str | None,
    select: tuple[str, ...],
    verdicts: tuple[str, ...],
    sort: str,
    normalize: str | None,
    fail_on: tuple[str, ...],
    cross_machine: bool,
    preset: str,
    everything: bool,
    dump_config: bool,
    form: str,
) -> int:
    """Compare results files; by default, the first file is the reference.

    The verdict of a row depends on the 95% interval of the ratio to the reference.
    If the whole interval is beyond the threshold, the row is better or worse.  If
    the whole interval is within the threshold, the row is the same.  Otherwise the row
    is unclear.  Files with the same label are pooled.  ref:NAME is a built-in reference.

    \b
    Examples:
      membench compare before.csv after.csv
      membench compare h100=a.csv h200=b.csv --select 'hbm/*' --sort ratio
      membench compare run.csv --by stores
      membench compare run.csv --against ref:h100-sxm
      membench compare ref:h100-sxm ref:h200-sxm
      membench compare base.csv new.csv --fail-on worse,missing,failed

    Exit codes: 0 done, 1 error or not comparable, 2 usage, 3 a row has a state of
    --fail-on, 4 no case in common.
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    limits = thresholds(preset)
    if dump_config:
        click.echo(to_toml(limits), nl=False)
        return EXIT_OK
    from membench.analysis.comparison import compare
    from membench.analysis.gate import check_gate
    from membench.analysis.history.offsets import offsets_of
    from membench.analysis.requests import sides_of
    from membench.analysis.sources import without_collector
    from membench.report.screens.compare.notes import problems
    from membench.report.screens.console import warn_some

    def outcome() -> int:
        sides = sides_of(files, reference=reference or "", against=against or "", by=by or "")
        comparison = compare(
            sides,
            select=select,
            thresholds=limits,
            normalize=bool(normalize),
            offsets=offsets_of(sides),
        )
        warn_some(problems(comparison))
        if fail_on and comparison.matched:
            check_gate(comparison, fail_on, cross_machine=cross_machine)
        most = None if everything or against is None else FARTHEST
        _show(comparison, [Verdict(verdict) for verdict in verdicts], sort, form, most)
        return _exit_code(comparison, fail_on, selected=bool(select))

    with without_collector():  # the collector stays off until all rows are freed
        return outcome()


def _exit_code(comparison: Comparison, fail_on: Sequence[str], *, selected: bool) -> int:
    """The exit code according to `--fail-on`; prints the reasons on standard error.

    Raises:
        NothingMatched: there was nothing to compare.
    """
    from membench.analysis.gate import found

    if not comparison.matched and comparison.normalized:
        raise NothingMatched(
            "the compared files have no common case with a value in the column 'peak'",
            "leave out --normalize, which divides each value by 'peak'",
        )
    if not comparison.matched:
        measured, others = _tiers(comparison.sides[:1]), _tiers(comparison.sides[1:])
        imported = _of_other_tools(comparison)
        command = _measuring(imported)
        if not command and not selected and set(measured).isdisjoint(others):
            raise NothingMatched(
                "the reference and the compared files have no tier in common: the reference has "
                f"{', '.join(measured) or 'none'}; the compared files have "
                f"{', '.join(others) or 'none'}",
                "choose results of the same kind of device; 'membench list --references' lists "
                "the devices of the references",
            )
        raise NothingMatched(
            "the reference and the compared files have no measured case in common"
            + (" that matches --select" if selected else ""),
            f"measure imported cases: {command}"
            if command
            else _remedy(imported=bool(imported), selected=selected),
        )
    hits = found(comparison, fail_on)
    if hits:
        words = ", ".join(f"{count} {name}" for name, count in hits.items())
        click.echo(f"Found: {words} (--fail-on {','.join(fail_on)})", err=True)
    return EXIT_FINDING if hits else EXIT_OK


def _of_other_tools(comparison: Comparison) -> list[Measurement]:
    """The imported values in ``comparison``."""
    return [
        row
        for line in comparison.lines
        for rows in line.figures.rows
        for row in rows
        if row.common.imported and row.value is not None
    ]


def _measuring(imported: Sequence[Measurement]) -> str:
    """The command that measures ``imported`` cases; empty if no run can measure them."""
    if not imported:
        return ""
    from membench.cli.missing_cases import command_for

    return command_for(imported)


def _remedy(*, imported: bool, selected: bool) -> str:
    """How to get a case in common, if no run can measure the imported cases."""
    if selected:
        return "leave out --select, or select other cases"
    if imported:
        return (
            "no run of membench can measure the imported cases; docs/formats.md lists the tests "
            "that get the id of a membench case"
        )
    return "compare runs with the same --profile and --select on the same kinds of devices"


def _tiers(sides: Iterable[Side]) -> tuple[Tier, ...]:
    """The tiers with values in ``sides``, in the order of `Tier`."""
    from membench.core.terms import Tier

    rows = (row for side in sides for row in side.rows)
    found = {row.tier for row in rows if row.value is not None}
    return tuple(tier for tier in Tier if tier in found)


def _show(
    comparison: Comparison,
    verdicts: Sequence[Verdict],
    sort: str,
    form: str,
    most: int | None,
) -> None:
    from membench.report.screens.compare.view import arrange, shortened

    blocks = arrange(comparison, verdicts, sort)
    if form == "table":
        blocks = blocks if most is None else shortened(blocks, most)
        from membench.report.screens.compare.screen import print_comparison
        from membench.report.screens.console import is_terminal, screen

        print_comparison(
            screen(), comparison, blocks, full_ids=not is_terminal(), verdicts=verdicts
        )
    elif form == "md":
        from membench.report.screens.compare.markdown import to_markdown

        click.echo(to_markdown(comparison, blocks, verdicts), nl=False)
    elif form == "github":
        from membench.report.screens.compare.github import publish

        click.echo(publish(comparison, blocks, verdicts), nl=False)
    else:
        from membench.report.screens.compare.data import to_csv, to_json
        from membench.report.screens.compare.view import ordered

        write = to_csv if form == "csv" else to_json
        for part in write(comparison, ordered(comparison, blocks, verdicts)):
            click.echo(part, nl=False)
