"""The command `membench explain`: prints the meaning of a flag, a bench, a case or a claim."""

from __future__ import annotations

import re

import click

from membench.cli import completion
from membench.core.errors import NothingMatched, UsageError
from membench.core.near import did_you_mean
from membench.core.terms import FLAGS


@click.command(name="explain")
@click.argument("what", metavar="CODE|CASE|CLAIM", shell_complete=completion.topics)
def command(what: str) -> None:
    """Explain a flag (such as noisy), a bench (ddr/copy), a case id or a claim (C13)."""
    from membench.report.screens.console import console
    from membench.report.screens.explain import print_bench, print_case, print_flag, print_flags

    if what in FLAGS:
        print_flag(console(), FLAGS[what])
        return
    if re.fullmatch(r"[Cc]\d+[a-h]?", what):
        from membench.report.screens.claim import print_claim
        from membench.thesis.claims.ledger import ledger

        print_claim(console(), ledger(), ledger().claim(what))
        return

    from membench.benches import registry
    from membench.core.case import PROFILES
    from membench.core.globs import matches, near
    from membench.machine import snapshot
    from membench.measure.availability import Site, why_not
    from membench.measure.options import RESULTS
    from membench.results.reference_files import PREFIX

    benches = registry().benches
    machine = snapshot([RESULTS])
    found = [
        bench
        for bench in benches.values()
        if matches(bench.name, what) or what.startswith(f"{bench.name}/")
    ]
    pattern = any(sign in what for sign in "*?[")
    if not found:
        if pattern:
            raise NothingMatched(f"no bench matches '{what}'", near(what, benches))
        raise UsageError(
            f"'{what}' is not the name of a flag, bench, case or claim",
            "membench list --references describes the references"
            if what.startswith(PREFIX)
            else did_you_mean(what, [*FLAGS, *benches], "membench list names the cases"),
        )
    shown = console()
    for number, bench in enumerate(found):
        if number:
            click.echo()
        named = what.startswith(f"{bench.name}/") and not pattern
        case = bench.asked(what, machine) if named else None
        if case is not None:
            site = Site(machine, scratch=machine.filesystems[-1])
            print_case(shown, case, why_not(case, bench.backend, site))
        cases = {profile: list(bench.cases(profile, machine)) for profile in PROFILES}
        print_bench(shown, bench, cases, alone=len(found) == 1)
    if len(found) > 1:
        click.echo()
        print_flags(shown, found)
