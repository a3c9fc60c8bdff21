"""Scripts for bash, zsh and fish that complete words with ``=`` and ``:`` correctly.

``_MEMBENCH_COMPLETE=bash_source membench`` prints the script for bash. With ``zsh_source`` or
``fish_source`` instead of ``bash_source``, it prints the script for zsh or fish.

Case ids and ``ref:NAME`` contain ``=`` and ``:``, and click's own scripts fail on these characters:

- In bash, readline splits words at ``=`` and ``:``. The script in this module splits the line at
  spaces, and gives readline only the text after the last ``=`` or ``:``.
- In zsh and fish, click's scripts replace the whole word. ``--against=ref:h`` would lose
  ``--against=``. The scripts of this module keep the text before the completed part.
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
        """Skip click's check that bash is at least 4.4, a version of 2016."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The complete words after the program's name, and the incomplete last word (or "")."""
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)[1:]
        if not words or line[-1:].isspace():
            return words, ""
        return words[:-1], words[-1]


class KeepingZsh(ZshComplete):
    """Completion for zsh that keeps ``--option=`` or ``LABEL=`` before the completed part."""

    source_template = _ZSH


class KeepingFish(FishComplete):
    """Completion for fish that keeps ``--option=`` or ``LABEL=`` before the completed part."""

    source_template = _FISH


def offer() -> None:
    """Register the completion classes of this module in place of click's classes."""
    for one in (LineComplete, KeepingZsh, KeepingFish):
        add_completion_class(one)
