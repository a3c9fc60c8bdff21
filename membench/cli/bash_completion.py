"""Completion for bash that takes the whole line.

``_MEMBENCH_COMPLETE=bash_source membench`` prints the script for bash (``zsh_source``,
``fish_source``). Click's own script for bash takes the words of readline, which cuts them at ``=``
and ``:``, and case ids and ``ref:NAME`` have both; so this script splits the line at spaces, and
gives readline the part behind the last such sign.
"""

from __future__ import annotations

import os

from click.shell_completion import BashComplete, add_completion_class, split_arg_string

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
        """Check nothing: all features in use are in bash 4.4, of 2016."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The finished words behind the program's name, and the unfinished one."""
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)[1:]
        if not words or line[-1:].isspace():
            return words, ""
        return words[:-1], words[-1]


def offer() -> None:
    """Replace click's completion for bash by `LineComplete`."""
    add_completion_class(LineComplete)
