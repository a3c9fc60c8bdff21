"""Shell completion of cases, references, models, traces, policies and topics of `explain`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from click import Context, Parameter

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _beginning(known: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


def _file(incomplete: str) -> CompletionItem:
    from click.shell_completion import CompletionItem

    return CompletionItem(incomplete, type="file")


def cases(_context: Context, _option: Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete bench names and, after a whole bench name, case ids."""
    from membench.benches import registry
    from membench.core.case import PROFILES
    from membench.machine import snapshot

    benches = registry().benches
    chosen = [bench for name, bench in benches.items() if incomplete.startswith(f"{name}/")]
    if not chosen:
        return _beginning((f"{name}/" for name in benches), incomplete)
    machine = snapshot()
    found = {
        case.id: None
        for bench in chosen
        for profile in PROFILES
        for case in bench.cases(profile, machine)
    }
    return _beginning(found, incomplete)


def references(_context: Context, _option: Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ``ref:NAME`` for the built-in references."""
    from membench.results.reference_files import reference_root

    root = reference_root()
    folders = sorted(path.name for path in root.iterdir() if path.is_dir()) if root else []
    return _beginning((f"ref:{name}" for name in folders), incomplete)


def files(_context: Context, _argument: Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a file name after the last ``=``, such as in ``LABEL=FILE``."""
    return [_file(incomplete.rpartition("=")[2])]


def files_or_references(
    context: Context, argument: Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete references, also after ``LABEL=``; without text or a match, complete file names."""
    from click.shell_completion import CompletionItem

    label, sign, rest = incomplete.rpartition("=")
    found = references(context, argument, rest) if rest else []
    labelled = [CompletionItem(f"{label}{sign}{one.value}") for one in found]
    return labelled or files(context, argument, incomplete)


def expectations(context: Context, option: Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete auto, history or a reference for `check --expect`; if none matches, file names."""
    found = _beginning(("auto", "history"), incomplete)
    found += references(context, option, incomplete)
    return found or files(context, option, incomplete)


def models(_context: Context, _option: Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ``list`` and names of built-in models; if none matches, file names (config.json)."""
    from membench.thesis.models.catalogue import models as known

    found = _beginning(["list", *known()], incomplete)
    return found or [_file(incomplete)]


def traces(_context: Context, _argument: Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete names of built-in traces; without text or a match, complete file names."""
    from membench.thesis.replay.traces import SHIPPED

    found = _beginning((one.name for one in SHIPPED), incomplete) if incomplete else []
    return found or [_file(incomplete)]


def policies(_context: Context, _option: Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the cache policy after the last comma."""
    from membench.thesis.replay.policies import EvictionRule

    before, comma, _ = incomplete.rpartition(",")
    names = ("ttl:" if rule is EvictionRule.TTL else rule for rule in EvictionRule)
    return _beginning((f"{before}{comma}{name}" for name in names), incomplete)


def topics(context: Context, option: Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete flags, bench names and case ids for `membench explain`."""
    from membench.core.terms import FLAGS

    return [*_beginning(FLAGS, incomplete), *cases(context, option, incomplete)]
