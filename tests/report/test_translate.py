"""The report in another language: catalogues that fit the messages, and a page said in it."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo

from membench.cli import report_command
from membench.core.messages import Message, tr
from membench.report.locale import LANGUAGES, SOURCE, catalogue, in_language, translated
from membench.report.page.compose import ThesisDetail, compose
from membench.report.page.document import Document, Table
from membench.report.page.runs import read_runs
from membench.results.schema import Row
from membench.thesis.claims.ledger import ledger
from membench.thesis.claims.verdicts import verdicts

OTHERS = [language for language in LANGUAGES if language != SOURCE]
ROOT = Path(__file__).parents[2]


@cache
def translations() -> ModuleType:
    """The script that writes the catalogues."""
    spec = spec_from_file_location("translations", ROOT / "ci" / "translations.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def source(language: str) -> Catalog:
    """The ``.po`` of ``language``."""
    found = translations().read(language)
    assert isinstance(found, Catalog)
    return found


@pytest.fixture(scope="module")
def document(
    tmp_path_factory: pytest.TempPathFactory,
    with_tiers: tuple[Row, ...],
    make_file: Callable[..., Path],
) -> Document:
    """A report of two runs with every plot."""
    folder = tmp_path_factory.mktemp("lang")
    first = make_file(folder / "a.csv", with_tiers)
    other = [replace(row, run_id="other-1", machine="box-2") for row in with_tiers[1:]]
    second = make_file(folder / "b.csv", other, sidecar=False)
    sources, runs = read_runs([first, second])
    judged = verdicts([row for run in runs for row in run.rows])
    return compose(sources, runs, judged, judged.entries, ThesisDetail.FULL)


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_read_is_what_the_translator_wrote(language: str) -> None:
    known, written = catalogue(language), source(language)
    for message in written:
        forms = _forms(message.id)
        if forms[0] and all(_forms(message.string)) and not message.fuzzy:
            read = (
                known.ngettext(forms[0], forms[1], 2) if len(forms) > 1 else known.gettext(forms[0])
            )
            assert read == _forms(message.string)[-1]
    lacking = set(translations().missing(written))
    with translations().source_of(language).with_suffix(".mo").open("rb") as file:
        compiled = read_mo(file)
    assert len(compiled) == len(written) - len(lacking), "run python ci/translations.py --write"


def _forms(text: Any) -> tuple[str, ...]:
    """Of a message or its translation: one, or one a plural form."""
    return tuple(text) if isinstance(text, (tuple, list)) else (text,)


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_no_parameter_that_its_message_lacks(language: str) -> None:
    for message in source(language):
        known = {name for form in _forms(message.id) for name in _names(form)}
        for text in _forms(message.string):
            if message.id and text and known:
                assert set(_names(text)) == known, message.id


def _names(form: str) -> Iterator[str]:
    if "{" in form:
        yield from (name for _, name, _, _ in string.Formatter().parse(form) if name)


def test_the_command_line_offers_every_language() -> None:
    (option,) = [one for one in report_command.command.params if one.name == "language"]
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == [*LANGUAGES]


@pytest.mark.slow
def test_every_marked_literal_is_extracted() -> None:
    found = {one.id if isinstance(one.id, str) else one.id[0] for one in translations().messages()}
    assert "Data of this plot" in found  # of a template, and of code
    assert "{count} round" in found
    assert "further down" in found  # marked within the arguments of another message
    assert str(ledger().claims[0].quantity) in found
    assert len(found) > 800


@pytest.mark.parametrize("language", OTHERS)
def test_the_claims_are_quoted_in_the_language_of_their_source(language: str) -> None:
    known = catalogue(language)
    for claim in ledger().claims:
        assert known.gettext(str(claim.english)) == claim.quote


def test_a_message_without_a_translation_shows_english(capsys: pytest.CaptureFixture[str]) -> None:
    message = tr("{count} lines that nobody translated", count=tr("bandwidth"))
    assert message.said(catalogue("zh-TW")) == "頻寬 lines that nobody translated"
    lacking = Catalog("zh_TW")
    lacking.add("one", "一")
    lacking.add("two")
    lacking.add("changed since", "以前", flags=["fuzzy"])
    lacking.add(("{count} three", "{count} threes"))
    assert translations().missing(lacking) == ["changed since", "two", "{count} three"]
    capsys.readouterr()


@pytest.mark.slow
def test_english_is_the_text_of_the_messages(document: Document) -> None:
    plain = translated(document, SOURCE)
    assert list(_texts(plain)) == [str(one) for one in _texts(plain)]
    assert {type(one) for one in _texts(plain)} == {str}
    assert plain.title == document.title


@pytest.mark.slow
def test_chinese_keeps_ids_quotes_numbers_and_pictures(document: Document) -> None:
    english, found = translated(document, SOURCE), translated(document, "zh-TW")
    assert found.language == "zh-Hant-TW"
    assert found.title == document.title
    plots, theirs = english.sections[1].blocks, found.sections[1].blocks
    for one, other in zip(plots, theirs, strict=True):
        assert getattr(one, "svg", "") == getattr(other, "svg", "")
        assert getattr(one, "caption", "") != getattr(other, "caption", "-")
    cited = [
        (one, other)
        for one, other in zip(_tables(english), _tables(found), strict=True)
        if one.columns[-1].title == "source"
    ]
    assert cited
    for before, after in cited:
        assert [row[-1] for row in before.rows] == [row[-1] for row in after.rows]


HAN = "\u4e00-\u9fff"
ASCII_MARK = re.compile(rf"[{HAN}] ?[,:;.(](?![\d*])|\) ?[{HAN}]")
NO_SPACE = re.compile(rf"[{HAN}][A-Za-z0-9]|[A-Za-z0-9][{HAN}]")
ENGLISH = re.compile(r"(?<![A-Za-z/_.=-])(?:and|of|the|is|are|not|to|for|with)(?![A-Za-z/_.=-])")


@pytest.mark.slow
def test_no_line_of_the_chinese_page_mixes_marks_or_languages(document: Document) -> None:
    """Of what is translated: a line with a message that is not may be English."""
    known = catalogue("zh-TW")
    lacking = set(translations().missing(translations().updated("zh-TW")))
    quoted = {claim.quote for claim in ledger().claims} | {ledger().source}
    quoted.add("round 2: element 7 is 1.0")  # the reason of a row, as its file has it
    said = {
        "".join(map(str, in_language((one,), known)))
        for one in _texts(document)
        if isinstance(one, Message) and lacking.isdisjoint(_msgids(one))
    }
    lines = {text for text in said if not any(quote in text for quote in quoted)}
    assert len(lines) > 500
    for text in lines:
        if re.search(f"[{HAN}]", text):
            assert not ASCII_MARK.search(text), text
            assert not NO_SPACE.search(text), text
            assert not ENGLISH.search(text), text


def _msgids(message: Message) -> Iterator[str]:
    """Of the message and of all its parameters."""
    yield message.msgid
    for value in message.params.values():
        text = getattr(value, "text", value)
        if isinstance(text, Message):
            yield from _msgids(text)


def _tables(value: Any) -> Iterator[Table]:
    if isinstance(value, Table):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _tables(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _tables(getattr(value, field.name))


def _texts(value: Any) -> Iterator[str]:
    """All texts of a document but pictures and files."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _texts(one)
    elif is_dataclass(value):
        for field in fields(value):
            if field.name not in ("svg", "data"):
                yield from _texts(getattr(value, field.name))
