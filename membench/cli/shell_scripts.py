"""Shell completion that keeps what stands before the completed part of a word.

``_MEMBENCH_COMPLETE=bash_source membench`` prints the script for bash (``zsh_source``,
``fish_source``). Click's own script for bash takes the words of readline, which cuts them at ``=``
and ``:``, and case ids and ``ref:NAME`` have both; so this script splits the line at spaces, and
gives readline the part behind the last such sign. Click's scripts for zsh and fish replace the
whole word, so that ``--against=ref:h`` would lose its option, and a file behind a label is not
found; these keep what stands before the completed part.
"""

from __future__ import annotations

import os

from click.shell_completion import (
    BashComplete,
    FishComplete,
    ZshComplete,
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


_ZSH = r"""
#compdef %(prog_name)s

%(complete_func)s() {
    local -a completions described open response
    local kind key help
    (( ! $+commands[%(prog_name)s] )) && return 1
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
        %(complete_var)s=zsh_complete %(prog_name)s)}")
    [[ $PREFIX == -*=* ]] && compset -P 1 '*='  # the option stays
    for kind key help in ${response}; do
        case "$kind" in
            dir) _path_files -/ ;;
            file) compset -P '*='; _path_files -f ;;  # so does a label
            plain) if [[ "$help" != "_" ]]; then described+=("$key":"$help")
                   elif [[ "$key" == */ ]]; then open+=("$key")  # more of it follows
                   else completions+=("$key"); fi ;;
        esac
    done
    if [ -n "$described" ]; then _describe -V unsorted described; fi
    if [ -n "$completions" ]; then compadd -V unsorted -a completions; fi
    if [ -n "$open" ]; then compadd -S '' -V unsorted -a open; fi
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = r"""
function %(complete_func)s
    set -l token (commandline -t)
    set -l before (string match -r -- '^-[^=]*=' $token)  # the option stays
    set -l response (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) \
        COMP_CWORD=$token %(prog_name)s)
    for completion in $response
        set -l parts (string split -m 1 "," $completion)
        switch $parts[1]
            case dir file
                set -l kept (math (string length -- "$token") - (string length -- "$parts[2]"))
                set -l label (string sub -l $kept -- "$token")  # so does a label
                if test $parts[1] = dir
                    string replace -r -- '^' "$label" (__fish_complete_directories $parts[2])
                else
                    string replace -r -- '^' "$label" (__fish_complete_path $parts[2])
                end
            case plain
                echo -- "$before$parts[2]"
        end
    end
end

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
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


class KeepingZsh(ZshComplete):
    """Completion for zsh that keeps an option or label before the completed part."""

    source_template = _ZSH


class KeepingFish(FishComplete):
    """The same for fish."""

    source_template = _FISH


def offer() -> None:
    """Replace click's completions by those of this module."""
    for one in (LineComplete, KeepingZsh, KeepingFish):
        add_completion_class(one)
