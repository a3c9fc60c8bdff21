"""Make untrusted text safe for terminals, CI logs, shells and spreadsheets; format counts."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from typing import Any

_SPELLED = str.maketrans(
    {
        "\u00ae": "",  # registered
        "\u2122": "",  # trade mark
        "\u00a9": "",  # copyright
        "\u00b5": "u",  # micro
        "\u03bc": "u",
        "\u00b0": "deg",
        "\u00d7": "x",
        "\u00df": "ss",
        "\u2010": "-",
        "\u2013": "-",
        "\u2014": "-",
        "\u2212": "-",
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
    }
)
_COMMAND = re.compile(r"(?<!\S):{2,}|##(?=\[)")
"""Start of a workflow command in a log of GitHub Actions: a word with leading ``::``, or ``##[``.
"""
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED_FORMULA = re.compile(r"'+[=+\-@\t\r]")


def ascii_line(text: str) -> str:
    """``text`` on one line of printable ASCII, without leading and trailing spaces; never raises.

    Accents are dropped, common symbols are spelled out, and other characters become ``?``. CI logs
    recognise no workflow command in the result. A second call changes nothing.
    """
    if not (text.isascii() and text.isprintable()):
        decomposed = unicodedata.normalize("NFKD", text.translate(_SPELLED))
        text = "".join(map(_ascii, decomposed))
    return _no_command(text).strip(" ")


def _ascii(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    if category in ("Mn", "Me", "Cf"):  # accents, joiners, byte-order marks
        return ""
    return character if character.isascii() else "?"


def one_line(text: str) -> str:
    """``text`` as one printable line of Unicode, for messages.

    Control characters, line ends, bidirectional marks and lone surrogates become spaces. CI logs
    recognise no workflow command in the result. A second call changes nothing.
    """
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return _no_command(text)


def one_lines(value: Any) -> Any:
    """The content of a JSON or TOML file, with `one_line` applied to every key and every text.

    If two keys become equal, the last entry is kept.
    """
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, list):
        return [one_lines(item) for item in value]
    if isinstance(value, dict):
        return {one_line(key): one_lines(item) for key, item in value.items()}
    return value


def _no_command(text: str) -> str:
    if "::" not in text and "##" not in text:
        return text
    return _COMMAND.sub(lambda found: " ".join(found[0]), text)


def counted(count: int, noun: str, form: str = "") -> str:
    """A count with its noun: ``1 case``, ``2 cases``. Use `tr_n` for a text that is translated.

    ``form`` is the format of the count; the format ``,`` gives ``12,345 requests``.
    """
    return f"{count:{form}} {noun}{'' if count == 1 else 's'}"


def shell_word(path: str | os.PathLike[str]) -> str:
    r"""``path`` as one word of a shell command that a user can paste.

    A path object that begins with a dash gets the prefix ``./``, so that no command takes the path
    for an option. A path with control characters or bytes that are not UTF-8 becomes a word such as
    ``$'a\xff'`` (bash, zsh, POSIX.1-2024).
    """
    text = os.fspath(path)
    if text.startswith("-") and isinstance(path, os.PathLike):
        text = f"./{text}"
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_escaped, text)) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def guard(text: str) -> str:
    """``text`` as a cell that a spreadsheet does not execute as a formula (CWE-1236).

    An apostrophe is added if the text begins with ``=``, ``+``, ``-``, ``@``, TAB or CR, also after
    any number of apostrophes. So `unguard` restores every text exactly.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(cell: str) -> str:
    """The text of a cell that `guard` made.

    Only an apostrophe before a formula is removed: ``'tis`` stays.
    """
    return cell[1:] if _QUOTED_FORMULA.match(cell) else cell
