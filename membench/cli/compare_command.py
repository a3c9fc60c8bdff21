"""`membench compare`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from membench.analyse.verdict import GATE_CLASSES, PRESETS, Verdict
from membench.errors import EXIT_FINDING, EXIT_OK, NothingMatched

if TYPE_CHECKING:  # it needs numpy, and asking for help does not
    from membench.analyse.compare import Comparison

_WORDS = {"verdicts": tuple(Verdict), "fail_on": GATE_CLASSES}


def _words(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """The words of ``value``, with commas between them, each once and each of the option's list."""
    allowed = _WORDS[param.name or ""]
    if value is None:
        return ()
    words = tuple(dict.fromkeys(word.strip() for word in value.split(",")))
    for word in words:
        if word not in allowed:
            raise click.BadParameter(f"'{word}' is not one of {', '.join(allowed)}", ctx, param)
    return words


@click.command(name="compare")
@click.argument("files", nargs=-1, required=True, metavar="[LABEL=]FILE...")
@click.option("--ref", "reference", metavar="LABEL", help="What to compare with.  [default: first]")
@click.option("--select", multiple=True, metavar="GLOB", help="Only these cases; repeatable.")
@click.option(
    "--status",
    "verdicts",
    callback=_words,
    metavar="V,..",
    help=f"Show only rows that are {', '.join(Verdict)}.",
)
@click.option(
    "--sort",
    type=click.Choice(["case", "ratio", "value"]),
    default="case",
    show_default=True,
    help="Order within a table; ratio and value: largest first.",
)
@click.option(
    "--fail-on",
    callback=_words,
    metavar="V,..",
    help=f"Exit with 3 if there is any of {', '.join(GATE_CLASSES)}.",
)
@click.option("--cross-machine", is_flag=True, help="Let --fail-on compare different machines.")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="default",
    show_default=True,
    help="How large a difference must be to matter.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "md", "csv", "json", "github"]),
    default="table",
    show_default=True,
    help="github: Markdown, appended to $GITHUB_STEP_SUMMARY where that is set.",
)
def command(
    files: tuple[str, ...],
    reference: str | None,
    select: tuple[str, ...],
    verdicts: tuple[str, ...],
    sort: str,
    fail_on: tuple[str, ...],
    cross_machine: bool,
    preset: str,
    form: str,
) -> int:
    """Compare results files; the first is the reference.

    A row is better or worse when the whole 95% interval of the ratio to the
    reference lies beyond the threshold, same when all of it lies within, and
    otherwise unclear.  Files under one label are pooled.

    \b
    Examples:
      membench compare before.csv after.csv
      membench compare h100=a.csv h200=b.csv --select 'hbm/*' --sort ratio
      membench compare base.csv new.csv --fail-on worse,missing,failed

    Exit codes: 0 done, 1 error or not comparable, 2 usage, 3 --fail-on found
    something, 4 no case in common.
    """  # noqa: D301 - click wants the very character \b to keep the lines below it apart
    from membench.analyse.compare import compare
    from membench.analyse.gate import check_gate, found
    from membench.analyse.sides import make_sides, read_source, split_label

    given = [split_label(argument) for argument in files]
    sides = make_sides([(label, read_source(path)) for label, path in given], reference or "")
    comparison = compare(sides, select=select, thresholds=PRESETS[preset])
    if fail_on and comparison.matched:
        check_gate(comparison, fail_on, cross_machine=cross_machine)
    _show(comparison, [Verdict(verdict) for verdict in verdicts], sort, form)
    if not comparison.matched:
        raise NothingMatched(
            "no case in common that both the reference and another label have a number of",
            "membench list names the cases; run both sides with the same --select and --profile",
        )
    hits = found(comparison, fail_on)
    if hits:
        words = ", ".join(f"{count} {name}" for name, count in hits.items())
        click.echo(f"Found: {words} (--fail-on {','.join(fail_on)})", err=True)
    return EXIT_FINDING if hits else EXIT_OK


def _show(comparison: Comparison, verdicts: Sequence[Verdict], sort: str, form: str) -> None:
    from membench.report.compare_view import arrange

    blocks = arrange(comparison, verdicts, sort)
    if form == "table":
        from membench.report.compare_screen import print_comparison
        from membench.report.console import console, is_terminal

        print_comparison(console(), comparison, blocks, full_ids=not is_terminal())
    elif form == "md":
        from membench.report.compare_markdown import to_markdown

        click.echo(to_markdown(comparison, blocks), nl=False)
    elif form == "github":
        from membench.report.compare_github import publish

        click.echo(publish(comparison, blocks), nl=False)
    else:
        from membench.report.compare_data import to_csv, to_json
        from membench.report.compare_view import ordered

        write = to_csv if form == "csv" else to_json
        click.echo(write(comparison, ordered(comparison, blocks, verdicts)), nl=False)
