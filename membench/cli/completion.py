"""Shell completion of cases, references, models and the topics of `explain`.

``_MEMBENCH_COMPLETE=bash_source membench`` prints the script for bash (``zsh_source``,
``fish_source``). Click's own bash script uses the words of readline, which are split at ``=`` and
``:``. Case ids and ``ref:NAME`` contain these characters. So this script splits the line at spaces,
and gives readline only the part after the last such character.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from click import Context, Parameter
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    split_arg_string,
)

_BASH = r"""
%(complete_func)s() {
    local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}" word cut kind value
    word="${line##*[[:space:]]}"
    case "$word" in
        [\'\"]*) cut= ;;  # no split within quotes
        *) word="${word#--*=}" cut="${word%%"${word##*[=:@]}"}" ;;
    esac
    COMPREPLY=()
    while IFS=',' read -r kind value; do
        case "$kind" in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("${value#"$cut"}") ;;
        esac
    done < <(env COMP_WORDS="$line" %(complete_var)s=bash_complete "$1")
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then compopt -o nospace; fi
}

complete -o nosort -o default -F %(complete_func)s %(prog_name)s
"""


class LineComplete(BashComplete):
    """Completion for bash that uses the whole line instead of readline's words."""

    source_template = _BASH

    @staticmethod
    def _check_version() -> None:
        """Check nothing: the script needs only bash 4.4 (2016)."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The complete words after the program's name, and the incomplete word."""
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)[1:]
        if not words or line[-1:].isspace():
            return words, ""
        return words[:-1], words[-1]


def offer() -> None:
    """Use `LineComplete` instead of click's completion for bash."""
    add_completion_class(LineComplete)


def _beginning(known: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


def cases(_context: Context, _option: Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of benches; after a complete name, the cases of that bench."""
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
    """``ref:NAME`` of each reference that comes with membench."""
    from membench.results.reference_files import reference_root

    root = reference_root()
    folders = sorted(path.name for path in root.iterdir() if path.is_dir()) if root else []
    return _beginning((f"ref:{name}" for name in folders), incomplete)


def files(_context: Context, _argument: Parameter, incomplete: str) -> list[CompletionItem]:
    """File names, also after ``LABEL=``."""
    return [CompletionItem(incomplete.rpartition("=")[2], type="file")]


def files_or_references(
    context: Context, argument: Parameter, incomplete: str
) -> list[CompletionItem]:
    """References if the word begins with ``ref:``, otherwise files."""
    found = references(context, argument, incomplete) if incomplete else []
    return found or files(context, argument, incomplete)


def expectations(context: Context, option: Parameter, incomplete: str) -> list[CompletionItem]:
    """Possible arguments of `check --expect`: ``auto``, ``history``, references, or files."""
    found = _beginning(("auto", "history"), incomplete)
    found += references(context, option, incomplete)
    return found or files(context, option, incomplete)


def models(_context: Context, _option: Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of models, ``list``, and files (a config.json describes any other model)."""
    from membench.thesis.models.catalogue import models as known

    found = _beginning(["list", *known()], incomplete)
    return found or [CompletionItem(incomplete, type="file")]


def topics(context: Context, option: Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of flags, claims, benches and cases."""
    from membench.core.terms import FLAGS

    return [*_beginning(FLAGS, incomplete), *cases(context, option, incomplete)]
