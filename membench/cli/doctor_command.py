"""The command `membench doctor`: prints conditions that spoil measurements, with the fixes."""

from __future__ import annotations

from pathlib import Path

import click

from membench.core.errors import EXIT_FINDING, EXIT_OK, OutputError
from membench.core.files import shown


@click.command(name="doctor")
@click.option(
    "--scratch",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory on the disk to check.  [default: results if it exists, else .]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(scratch: Path | None, as_json: bool) -> int:
    """Check this machine for conditions that would spoil a measurement.

    A finding FAIL means that membench cannot measure something.  A finding WARN
    means that results may be lower, noisier or harder to compare.  membench
    changes no settings: apply the fixes yourself.

    Exit codes: 0 no FAIL, 1 error, 2 usage, 3 at least one FAIL.
    """
    from membench import __version__
    from membench.doctor import SCHEMA, Severity, examine, gather, worst
    from membench.measure.options import RESULTS

    if scratch is not None and not scratch.exists():
        raise OutputError(
            f"the scratch path {shown(scratch)} does not exist", "name an existing directory"
        )
    facts = gather(scratch or (RESULTS if RESULTS.is_dir() else Path()))
    findings = examine(facts)
    if as_json:
        import json

        from membench.core.plain import dump

        document = {
            "schema": SCHEMA,
            "membench": __version__,
            "machine": facts.machine.slug,
            "scratch": facts.scratch.filesystem.path,
            "worst": worst(findings),
            "findings": findings,
        }
        click.echo(json.dumps(dump(document), indent=2))
    else:
        from membench.report.screens.console import console
        from membench.report.screens.doctor import print_findings

        print_findings(console(), findings)
    return EXIT_FINDING if worst(findings) is Severity.FAIL else EXIT_OK
