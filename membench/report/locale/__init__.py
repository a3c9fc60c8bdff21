"""Translate every message of a document.

Sections and plots write messages (`membench.core.messages`). `ci/translations.py` compiles the GNU
gettext file ``<language>/LC_MESSAGES/membench.mo`` from the ``.po`` file in the same folder. Code,
commands, quotations and texts from files are not translated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from gettext import NullTranslations, translation
from importlib.resources import as_file, files
from typing import Any, TypeVar

from membench.core.messages import Message
from membench.report.page.document import Document, Inline

SOURCE = "en"
LANGUAGES = {SOURCE: "en", "zh-TW": "zh-Hant-TW"}
"""Value of the option `--lang` -> language tag of the page."""
DOMAIN = "membench"
LOCALE = files(__package__)

T = TypeVar("T")


@cache
def catalogue(language: str) -> NullTranslations:
    """The translations into ``language``, a key of `LANGUAGES`."""
    if language == SOURCE:
        return NullTranslations()
    with as_file(LOCALE) as folder:
        return translation(DOMAIN, folder, [language.replace("-", "_")])


def of_tag(tag: str) -> NullTranslations:
    """The translations for the language tag ``tag``, a value of `LANGUAGES`."""
    return catalogue(next(name for name, of in LANGUAGES.items() if of == tag))


def translated(document: Document, language: str) -> Document:
    """``document`` in ``language``, with all messages as plain text."""
    return replace(in_language(document, catalogue(language)), language=LANGUAGES[language])


def in_language(value: T, to: NullTranslations) -> T:
    """A copy of ``value`` with every message, at any depth, translated by the catalogue ``to``."""
    found: Any = value
    if isinstance(found, Message):
        found = found.said(to)
    elif isinstance(found, tuple):
        found = tuple(part for one in found for part in _parts(one, to))
    elif isinstance(found, list):
        found = [in_language(one, to) for one in found]
    elif isinstance(found, Mapping):
        found = {key: in_language(one, to) for key, one in found.items()}
    elif is_dataclass(found) and not isinstance(found, type):
        changed = {one.name: in_language(getattr(found, one.name), to) for one in fields(found)}
        found = replace(found, **changed)
    return found  # type: ignore[no-any-return]


def _parts(value: object, to: NullTranslations) -> Iterator[object]:
    """``value`` translated; a message with a parameter such as `Code` becomes several parts."""
    if isinstance(value, Message) and any(map(_marked_up, value.params.values())):
        for piece in value.pieces(to, lambda param: in_language(param, to)):
            yield piece if _marked_up(piece) else str(piece)
    else:
        yield in_language(value, to)


def _marked_up(value: object) -> bool:
    return isinstance(value, Inline) and not isinstance(value, str)
