"""Messages: English text with a template and parameters, so that a report can translate the text.

The code marks a message with ``tr("{rate} GB/s with {count} threads", ...)``. Files, screens and
JSON use the message as a string, in English. Only the report uses another language
(`Message.said`). ``ci/translations.py`` extracts the messages from the calls of ``tr`` and
``tr_n``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from gettext import NullTranslations
from typing import Any, Self


class Message(str):
    """English text with its template and its parameters.

    Attributes:
        msgid: the template, with ``{name}`` for each parameter. A catalogue finds the translation
            by this text.
        plural: the template for the plural; empty if the text contains no count.
        params: the parameters by name; ``count`` chooses the plural form. A template without
            parameters is not formatted, so the template may contain braces.
    """

    __slots__ = ("msgid", "params", "plural")

    msgid: str
    plural: str
    params: Mapping[str, object]

    def __new__(cls, msgid: str, params: Mapping[str, object], plural: str = "") -> Self:
        """Make the English text from ``msgid``; from ``plural`` if ``count`` is not 1."""
        form = plural if plural and params["count"] != 1 else msgid
        made = super().__new__(cls, form.format_map(params) if params else form)
        made.msgid, made.plural, made.params = msgid, plural, params
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Let pickle keep the template and the parameters."""
        return Message, (self.msgid, dict(self.params), self.plural)

    def form(self, catalogue: NullTranslations) -> str:
        """The template in the language of ``catalogue``, with ``{name}`` for each parameter."""
        if not self.msgid:
            return ""  # a catalogue has its header under the empty msgid
        if self.plural:
            count = self.params["count"]
            assert isinstance(count, int)
            return catalogue.ngettext(self.msgid, self.plural, count)
        return catalogue.gettext(self.msgid)

    def said(self, catalogue: NullTranslations) -> str:
        """The text in the language of ``catalogue``; English if the translation is missing."""
        return "".join(map(str, self.pieces(catalogue, lambda value: said(value, catalogue))))

    def pieces(
        self, catalogue: NullTranslations, place: Callable[[object], object]
    ) -> list[object]:
        """The parts of the translation in order: texts, and ``place(value)`` for each parameter."""
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
    """``value`` in the language of ``catalogue`` if it is a message; otherwise unchanged."""
    return value.said(catalogue) if isinstance(value, Message) else value


@cache  # compiling the patterns takes milliseconds, and most commands do not need the patterns
def _spacing() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Two patterns, for a missing space and for a wrong space.

    The first pattern matches two characters that need a space between them: a Chinese character and
    a Latin letter or digit. The second pattern matches three characters with a wrong space in the
    middle: next to a full-width mark, or between two Chinese characters.
    """
    marks, chinese = r"[\u3000-\u303f\uff00-\uffef]", r"[\u4e00-\u9fff]"
    touch = re.compile(rf"{chinese}[A-Za-z0-9]|[A-Za-z0-9%]{chinese}")
    tight = re.compile(rf"{marks} .|. {marks}|{chinese} {chinese}")
    return touch, tight


def _spaced(before: str, text: str, after: str) -> str:
    """Add or remove spaces at the start and end of ``text``, as in Chinese typesetting.

    ``before`` is the text to the left of ``text``, and ``after`` is the parameter to the right.
    Parameters stay unchanged, because they may be file names. Source: W3C, Requirements for Chinese
    Text Layout, 3.2.2.
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
    """A message from the template ``msgid``; ``{name}`` becomes the parameter ``name``."""
    return Message(msgid, params)


def tr_n(one: str, several: str, count: int, **params: object) -> Message:
    """A message with a count, from ``one`` if ``count`` is 1, otherwise from ``several``."""
    return Message(one, {"count": count, **params}, several)


def listed(items: Iterable[str]) -> str:
    """Join ``items`` as ``a, b, c``."""
    return _folded(items, lambda before, item: tr("{before}, {item}", before=before, item=item))


def listed_up_to(most: int, names: Sequence[str]) -> str:
    """The first ``most`` of ``names`` as in `listed`, and the number of further names."""
    more = len(names) - most
    first = listed(names[:most])
    return tr("{names} and {count} more", names=first, count=more) if more > 0 else first


def clauses(items: Iterable[str]) -> str:
    """Join ``items`` as ``a; b; c``."""
    return _folded(items, lambda before, item: tr("{before}; {item}", before=before, item=item))


def sentences(items: Iterable[str]) -> str:
    """Join sentences with a space; empty items are left out."""
    return _folded(
        (item for item in items if item),
        lambda before, item: tr("{before} {item}", before=before, item=item),
    )


def _folded(items: Iterable[str], pair: Callable[[str, str], str]) -> str:
    """Join neighbouring items with ``pair``, then neighbouring results, until one text is left.

    So a thousand items are nested only ten levels deep.
    """
    several = list(items)
    while len(several) > 1:
        odd = several[len(several) & ~1 :]
        several = [pair(*two) for two in zip(several[::2], several[1::2], strict=False)] + odd
    return several[0] if several else ""


def span(low: object, high: object) -> Message:
    """``low`` to ``high`` as text, such as ``3 to 5``."""
    return tr("{low} to {high}", low=low, high=high)


def sentence(text: str) -> str:
    """``text``, with a full stop added if there is none at the end."""
    return text if text.endswith(".") else tr("{sentence}.", sentence=text)
