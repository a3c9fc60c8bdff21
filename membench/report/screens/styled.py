"""Text with styles, which can be printed without Rich if the styles are not needed.

A pipe shows no styles, so most output to a pipe can avoid Rich, which takes long to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import OverflowMethod
    from rich.text import Text


class Styled:
    """Text with one style, and with further styles on parts of the text.

    Attributes:
        overflow: treatment of a word that is wider than the line; None for Rich's default.
        spans: further styles as (style, start, end), where ``end`` is exclusive.
    """

    __slots__ = ("no_wrap", "overflow", "plain", "spans", "style")

    def __init__(
        self,
        plain: str,
        style: str = "",
        *,
        no_wrap: bool = False,
        overflow: OverflowMethod | None = None,
    ) -> None:
        self.plain, self.style = plain, style
        self.no_wrap, self.overflow = no_wrap, overflow
        self.spans: list[tuple[str, int, int]] = []

    def stylize(self, style: str, start: int, end: int) -> None:
        self.spans.append((style, start, end))

    def __rich__(self) -> Text:
        from rich.text import Text

        text = Text(self.plain, self.style, no_wrap=self.no_wrap or None, overflow=self.overflow)
        for style, start, end in self.spans:
            text.stylize(style, start, end)
        return text
