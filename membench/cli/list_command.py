"""The command `membench list`: prints the references, or the cases with their estimates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from membench.cli import completion
from membench.cli.profile_option import profile_option
from membench.core.text import one_line

if TYPE_CHECKING:
    from membench.analysis.references import Reference


@click.command(name="list")
@profile_option
@click.option(
    "--select",
    multiple=True,
    metavar="GLOB",
    shell_complete=completion.cases,
    help="List only matching cases, or matching references; repeatable.",
)
@click.option(
    "--references", "of_references", is_flag=True, help="List reference results instead of cases."
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="List every case that cannot run here, even if many cases have the same reason.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    profile: str, select: tuple[str, ...], of_references: bool, everything: bool, as_json: bool
) -> None:
    """List the cases that can run here, and the reasons why other cases cannot run.

    The times and memory sizes are estimates.  'membench explain BENCH' describes one
    bench.  --references lists the built-in references instead: results of named
    machines, and published values.  'membench compare FILE --against ref:NAME'
    compares a results file with a reference.
    """
    if of_references:
        _show_references(select, as_json=as_json)
        return
    from membench.benches import registry
    from membench.machine import snapshot
    from membench.measure.availability import Site
    from membench.measure.options import RESULTS, RunOptions
    from membench.measure.plan import planned, select_cases

    machine = snapshot([RESULTS])
    site = Site(machine, scratch=machine.filesystems[-1])
    benches = registry()
    for problem in benches.problems:
        click.echo(f"Warning: {one_line(problem)}", err=True)
    options = RunOptions(profile=profile, select=select)
    cases = [planned(case, benches, site) for case in select_cases(options, benches, machine)]
    if as_json:
        import json

        from membench.core.plain import dump

        click.echo(json.dumps([dump(case) for case in cases], indent=2))
        return
    from membench.report.screens.cases import print_cases

    print_cases(cases, everything=everything)


def _show_references(select: tuple[str, ...], *, as_json: bool) -> None:
    from membench.analysis.references import references

    found = _chosen(references(), select)
    if as_json:
        import json

        records = [
            {
                "name": one.label,
                "kind": one.kind,
                "devices": list(one.devices),
                "cases": one.cases,
                "title": one.title,
            }
            for one in found
        ]
        click.echo(json.dumps(records, indent=2))
        return
    from membench.report.screens.console import console
    from membench.report.screens.references import print_references

    print_references(console(), found)


def _chosen(found: Sequence[Reference], select: Iterable[str]) -> Sequence[Reference]:
    """The references that match any glob of ``select``; all if ``select`` is empty.

    A glob may begin with ``ref:``. A match of the part before a hyphen is enough: ``h200`` matches
    ``h200-sxm``.

    Raises:
        NothingMatched: a glob matches no reference.
    """
    from membench.core.errors import NothingMatched
    from membench.core.near import did_you_mean

    chosen: dict[str, Reference] = {}
    for pattern in select:
        names = (pattern.removeprefix("ref:"), f"{pattern.removeprefix('ref:')}-*")
        several = [one for one in found if any(fnmatchcase(one.name, name) for name in names)]
        if not several:
            known = [one.label for one in found]
            hint = did_you_mean(pattern, known, "membench list --references names all references")
            raise NothingMatched(f"no reference matches '{pattern}'", hint)
        chosen |= {one.name: one for one in several}
    return [*chosen.values()] if chosen else found
