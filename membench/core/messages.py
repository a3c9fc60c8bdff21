"""Messages: English text that keeps its template and parameters, so that a report can translate it.

A message is marked where it is written, ``tr("{rate} GB/s with {count} threads", ...)``.  A message
*is* its English text: files, screens and JSON use it as a string. Only the report asks for another
language (`Message.said`); parameters that are messages are translated with it.  ``tr`` and ``tr_n``
are the names that extraction looks for (`ci/translations.py`).

Imports nothing else from membench.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from gettext import NullTranslations
from typing import Any, Self


class Message(str):
    """English text that remembers its template and its parameters.

    Attributes:
        msgid: the template, with ``{name}`` for each parameter; the key in a catalogue.
        plural: the template for the plural, empty if nothing is counted.
        params: the parameters by name; ``count`` chooses the plural form. Without parameters the
            template is not formatted, so text from elsewhere may hold braces.
    """

    __slots__ = ("msgid", "params", "plural")

    msgid: str
    plural: str
    params: Mapping[str, object]

    def __new__(cls, msgid: str, params: Mapping[str, object], plural: str = "") -> Self:
        """Make the English text from ``msgid``, or from ``plural`` unless ``count`` is 1."""
        form = plural if plural and params["count"] != 1 else msgid
        made = super().__new__(cls, form.format_map(params) if params else form)
        made.msgid, made.plural, made.params = msgid, plural, params
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Keeps template and parameters when a verdict is pickled for another process."""
        return Message, (self.msgid, dict(self.params), self.plural)

    def form(self, catalogue: NullTranslations) -> str:
        """The template in the language of ``catalogue``, before its parameters are filled in."""
        if not self.msgid:
            return ""  # in a catalogue the empty msgid is the header
        if self.plural:
            count = self.params["count"]
            assert isinstance(count, int)
            return catalogue.ngettext(self.msgid, self.plural, count)
        return catalogue.gettext(self.msgid)

    def said(self, catalogue: NullTranslations) -> str:
        """The text in the language of ``catalogue``; English if the catalogue lacks it."""
        return "".join(map(str, self.pieces(catalogue, lambda value: said(value, catalogue))))

    def pieces(
        self, catalogue: NullTranslations, place: Callable[[object], object]
    ) -> list[object]:
        """The text as a list of literal pieces and ``place(parameter)`` for each parameter."""
        form = self.form(catalogue)
        if not self.params:
            return [form]
        import string

        found: list[object] = []
        before = ""
        for text, name, _, _ in string.Formatter().parse(form):
            value = place(self.params[name]) if name else ""
            found += [_spaced(before, text, str(value)), value]
            before = str(value) or text
        return [piece for piece in found if piece != ""]


def said(value: object, catalogue: NullTranslations) -> object:
    """``value`` in the language of ``catalogue`` if it is a message, else unchanged."""
    return value.said(catalogue) if isinstance(value, Message) else value


@cache  # compiled for the first page: each of its ranges takes milliseconds
def _spacing() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Two patterns: where typesetting requires a space, and where it omits one.

    It requires one between a Chinese character and a Latin one. It omits one next to a full-width
    mark and between two Chinese characters.
    """
    marks, chinese = r"[\u3000-\u303f\uff00-\uffef]", r"[\u4e00-\u9fff]"
    touch = re.compile(rf"{chinese}[A-Za-z0-9]|[A-Za-z0-9%]{chinese}")
    tight = re.compile(rf"{marks} .|. {marks}|{chinese} {chinese}")
    return touch, tight


def _spaced(before: str, text: str, after: str) -> str:
    """``text`` with the spaces that Chinese typesetting requires, also at its two ends.

    ``before`` and ``after`` are its neighbours, because a template cannot know how its parameters
    begin and end. Parameters stay unchanged, as they may be file names; English text is never
    changed. Source of the rule: W3C, Requirements for Chinese Text Layout, 3.2.2.
    """
    touch, tight = _spacing()
    left, right = before[-1:], after[:1]
    if tight.fullmatch(left + (text + right)[:2]):
        text = text[1:]
    elif text and touch.fullmatch(left + text[:1]):
        text = f" {text}"
    if tight.fullmatch((left + text)[-2:] + right):
        return text[:-1]
    return f"{text} " if touch.fullmatch((left + text)[-1:] + right) else text


def tr(msgid: str, **params: object) -> Message:
    """A message: ``msgid`` with each ``{name}`` replaced by the parameter of that name."""
    return Message(msgid, params)


def tr_n(one: str, several: str, count: int, **params: object) -> Message:
    """A message that contains a number: ``one`` if ``count`` is 1, else ``several``."""
    return Message(one, {"count": count, **params}, several)


def listed(items: Iterable[str]) -> str:
    """Join as ``a, b, c``; empty without items."""
    return _folded(items, lambda before, item: tr("{before}, {item}", before=before, item=item))


def clauses(items: Iterable[str]) -> str:
    """Join as ``a; b; c``; empty without items."""
    return _folded(items, lambda before, item: tr("{before}; {item}", before=before, item=item))


def sentences(items: Iterable[str]) -> str:
    """Join whole sentences with a space, leaving out empty ones."""
    return _folded(
        (item for item in items if item),
        lambda before, item: tr("{before} {item}", before=before, item=item),
    )


def _folded(items: Iterable[str], pair: Callable[[str, str], str]) -> str:
    """Join neighbours in pairs, then the pairs; a thousand items are nested ten levels deep."""
    several = list(items)
    while len(several) > 1:
        odd = several[len(several) & ~1 :]
        several = [pair(*two) for two in zip(several[::2], several[1::2], strict=False)] + odd
    return several[0] if several else ""


def span(low: object, high: object) -> Message:
    """``low`` to ``high`` as text, such as ``3 to 5``."""
    return tr("{low} to {high}", low=low, high=high)


def sentence(text: str) -> str:
    """``text`` with a full stop, unless it ends with one."""
    return text if text.endswith(".") else tr("{sentence}.", sentence=text)
