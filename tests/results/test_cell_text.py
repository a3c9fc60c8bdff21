"""Free text becomes one line of printable ASCII; clean text is unchanged after reading."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.core.text import ascii_line, guard, one_line, shell_word, unguard


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Intel\u00ae Xeon\u2122 Gold", "Intel Xeon Gold"),
        ("AMD  EPYC", "AMD  EPYC"),
        ("5 \u00b5s \u2013 na\u00efve", "5 us - naive"),
        ("a\nb\r\nc\td\x00e", "a b  c d e"),
        ("\u4e2d\u6587", "??"),
        ("\ufeffx\u200by", "xy"),
        ("a\u2028b", "a b"),
        ("lone \udcff surrogate", "lone ? surrogate"),
        ("  padded \n", "padded"),
    ],
)
def test_transliteration(text: str, line: str) -> None:
    assert ascii_line(text) == line


@given(st.text(st.characters(categories=None)))
def test_any_text_becomes_printable_ascii_once_and_for_all(text: str) -> None:
    line = ascii_line(text)
    assert line.isascii()
    assert line.isprintable()
    assert line == line.strip(" ")
    assert ascii_line(line) == line


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formula_characters_get_a_quote(start: str) -> None:
    assert guard(f"{start}cmd()") == f"'{start}cmd()"


def test_harmless_text_is_left_alone_and_foreign_text_is_read_as_it_stands() -> None:
    assert guard("a=b") == "a=b"
    assert guard("'tis") == "'tis"
    assert unguard("'tis") == "'tis"
    assert unguard("=1+1") == "=1+1"


@given(st.text(st.sampled_from("'=+-@ab1 \t\r")))
def test_a_guarded_text_is_harmless_and_comes_back_exactly(text: str) -> None:
    cell = guard(text)
    assert cell[:1] not in tuple("=+-@\t\r")
    assert unguard(cell) == text


@given(st.text())
def test_a_message_stays_on_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name)


@settings(max_examples=examples(20))
@given(st.lists(NAMES, min_size=1, max_size=5))
def test_a_shell_reads_back_the_very_name(names: list[bytes]) -> None:
    words = " ".join(shell_word(os.fsdecode(name)) for name in names)
    assert words.isprintable()
    words.encode()  # the text contains only encodable characters
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True
    )
    assert done.stdout.split(b"\0")[:-1] == names


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("a.csv", "a.csv"),
        ("a b.csv", "'a b.csv'"),
        ("it's", "'it'\"'\"'s'"),
        ("host/chase/size=*", "'host/chase/size=*'"),
        ("caf\u00e9", "'caf\u00e9'"),
        ("a\udcff", "$'a\\xff'"),
        ("two\nlines", "$'two\\x0alines'"),
    ],
)
def test_a_shell_word(name: str, word: str) -> None:
    assert shell_word(name) == word


def test_a_path_is_no_option() -> None:
    assert shell_word(Path("-a b.csv")) == "'./-a b.csv'"
    assert shell_word(Path("\xff-")) == shell_word("\xff-")
    assert shell_word("--select") == "--select"
