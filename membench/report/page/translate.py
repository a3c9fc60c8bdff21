"""The report in another language: the finished document, text by text.

Sections and plots write English.  A catalogue has every form of words that they use, with
``{0}``, ``{1}``, ... where a number, a name or another text stands; the same keys have the
same forms in ``locale/en.toml`` and in the other languages.  Code, commands, quotes and the
labels inside pictures stay as they are, and so do columns that are `verbatim`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any, TypeVar

from membench.report.page.document import Code, Command, Document, Picture, Quote, Table
from membench.thesis.claims.ledger import ledger

SOURCE = "en"
LANGUAGES = {SOURCE: "en", "zh-TW": "zh-Hant-TW"}
"""Name on the command line -> language tag of the page."""

_KEPT = (Code, Command, Quote, Picture)
_KEPT_FIELDS = frozenset(
    {
        "anchor",
        "slug",
        "svg",
        "description",
        "media",
        "data",
        "generator",
        "case",
        "name",
        "language",
    }
)
_HOLE = re.compile(r"\{(\d)\}")
_EDGES = re.compile(r"^([\s,:;]*)(.*?)([\s,:;]*)$", re.DOTALL)
_MARKS = str.maketrans({",": "、", ":": "：", ";": "；"})
_SHORT = 6
"""Forms with fewer letters of their own are short: ``{0} x{1}``."""
_BETWEEN = (
    (re.compile(r"(?<![ .][A-Z])(?<!\.)\. (?=[A-Z0-9])"), ". ", "。"),
    (re.compile(r"; "), "; ", "；"),
    (re.compile(r": "), ": ", "："),
    (re.compile(r", "), ", ", "、"),
)
"""Where a text is taken apart that has no form as a whole, and what stands there instead."""
_WORD = re.compile(r"\b[a-z]{3,}\b")

T = TypeVar("T")


@dataclass(frozen=True)
class _Form:
    """A form of words: how it is recognised, and what it becomes."""

    pattern: re.Pattern[str]
    text: str
    becomes: str
    literal: int


def _filled(form: str, values: Sequence[str]) -> str:
    return _HOLE.sub(lambda hole: values[int(hole[1])], form)


@dataclass(frozen=True)
class Translator:
    """From English to one language.

    Attributes:
        forms: key -> the form in English; ``becomes``: key -> in the other language.
    """

    forms: Mapping[str, str]
    becomes: Mapping[str, str]

    def __hash__(self) -> int:
        return id(self)

    @cached_property
    def _exact(self) -> dict[str, str]:
        return {
            text: self.becomes[key] for key, text in self.forms.items() if not _HOLE.search(text)
        }

    @cached_property
    def _patterns(self) -> list[_Form]:
        """Those with holes, the most particular first."""
        made = []
        for key, text in self.forms.items():
            if _HOLE.search(text):
                literal = len(_HOLE.sub("", text))
                # Of a form with few letters of its own all but the first hole hold one word.
                later = "(.+?)" if literal >= _SHORT else r"(\S+)"
                parts = [
                    ("(.+?)" if place == 1 else later) if place % 2 else re.escape(part)
                    for place, part in enumerate(_HOLE.split(text))
                ]
                pattern = re.compile("".join(parts), re.DOTALL)
                made.append(_Form(pattern, text, self.becomes[key], literal))
        return sorted(made, key=lambda form: -form.literal)

    @lru_cache(maxsize=8192)  # noqa: B019 - translators live as long as the process
    def say(self, text: str) -> str:
        """``text`` in the other language; what has no form there stays."""
        match = _EDGES.match(text)
        assert match is not None
        before, inner, after = match.groups()
        if not inner:
            return text
        before, after = (edge.translate(_MARKS) for edge in (before, after))
        return f"{before}{self._inner(inner)}{after}"

    def _inner(self, text: str) -> str:
        bare = text.rstrip(".")
        stop = "。" if bare != text else ""
        if bare in self._exact:
            return f"{self._exact[bare]}{stop}"
        for between, sign, stands in _BETWEEN[:3]:
            parts = between.split(text)
            if len(parts) > 1:  # sentences are apart, but for forms of several of them
                if (whole := self._formed(bare, sign)) is not None:
                    return f"{whole}{stop}"
                return stands.join(self._inner(part) for part in parts)
        if (whole := self._phrase(bare)) is not None:
            return f"{whole}{stop}"
        between, _, stands = _BETWEEN[3]
        parts = between.split(text)
        return stands.join(map(self._inner, parts)) if len(parts) > 1 else text

    def _phrase(self, text: str) -> str | None:
        """A text of one sentence: a form, or else a list of forms."""
        if (whole := self._formed(text, ", ") or self._formed(text, strict=True)) is not None:
            return whole
        items = text.split(", ")
        if len(items) > 1 and all(self._alone(item) for item in items):
            return "、".join(self._inner(item) for item in items)
        return self._formed(text)

    def _alone(self, text: str) -> bool:
        """Whether ``text`` has a form of its own, or no words."""
        return text in self._exact or not _WORD.search(text) or self._formed(text) is not None

    def _formed(self, text: str, sign: str = "", *, strict: bool = False) -> str | None:
        """What the most particular form that holds ``sign`` makes of ``text``.

        Where it is ``strict``, no list stands in a hole: the text may be a list of forms itself.
        """
        for form in self._patterns:
            if sign in form.text and (match := form.pattern.fullmatch(text)) is not None:
                if strict and any(", " in one and one not in self._exact for one in match.groups()):
                    continue
                return _filled(form.becomes, [self.say(value) for value in match.groups()])
        return None

    def lacks(self, text: str) -> bool:
        """Whether words of ``text`` have no form: what a test looks for."""
        return bool(_WORD.search(text)) and self.say(text) == text


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Key -> form of words in ``language``."""
    text = (files(__package__) / "locale" / f"{language}.toml").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for table, entries in tomllib.loads(text).items():
        found |= {f"{table}.{key}": value for key, value in entries.items()}
    return found


@cache
def translator(language: str) -> Translator:
    """From English to ``language``; the claims are quoted, as their source is in Chinese."""
    quotes = {f"quote.{claim.id}": claim for claim in ledger().claims}
    return Translator(
        {**catalogue(SOURCE), **{key: claim.english for key, claim in quotes.items()}},
        {**catalogue(language), **{key: claim.quote for key, claim in quotes.items()}},
    )


def phrase(tag: str) -> Callable[[str], str]:
    """What says the words that a renderer adds, in the language of the tag ``tag``."""
    language = next(name for name, of in LANGUAGES.items() if of == tag)
    return (lambda text: text) if language == SOURCE else translator(language).say


def in_language(value: T, tag: str) -> T:
    """Content that a renderer made itself, in the language of ``tag``."""
    language = next(name for name, of in LANGUAGES.items() if of == tag)
    return value if language == SOURCE else _walk(value, translator(language))


def translated(document: Document, language: str) -> Document:
    """``document`` in ``language``."""
    if language == SOURCE:
        return document
    return replace(
        _walk(document, translator(language)), language=LANGUAGES[language], title=document.title
    )


def _walk(value: T, to: Translator) -> T:
    """``value`` with all text in it translated that a reader reads as text."""
    found: Any = value
    if isinstance(found, str):
        found = to.say(found)
    elif isinstance(found, tuple):
        found = tuple(_walk(one, to) for one in found)
    elif isinstance(found, Table):
        kept = [column.verbatim for column in found.columns]
        rows = (
            tuple(cell if keep else _walk(cell, to) for keep, cell in zip(kept, row, strict=True))
            for row in found.rows
        )
        found = Table(_walk(found.caption, to), _walk(found.columns, to), tuple(rows))
    elif is_dataclass(found) and not isinstance(found, (*_KEPT, type)):
        changed = {
            one.name: _walk(getattr(found, one.name), to)
            for one in fields(found)
            if one.name not in _KEPT_FIELDS
        }
        found = replace(found, **changed)
    return found  # type: ignore[no-any-return]
