"""HTML tables for the method ``_repr_html_``, with which IPython shows an object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_RIGHT = ' style="text-align: right"'


def html_table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()
) -> str:
    """An HTML table of text cells; all texts are escaped.

    Args:
        caption: one line above the table.
        head: the titles of the columns.
        numbers: indices of the columns to align right.
    """
    from html import escape  # takes long, and only notebooks need it

    right = frozenset(numbers)

    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{_RIGHT if place in right else ''}>{escape(cell)}</{tag}>"
            for place, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line(cells, 'td')}</tr>\n" for cells in rows)
    return (
        f"<table>\n<caption>{escape(caption)}</caption>\n"
        f"<thead><tr>{line(head, 'th')}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"
    )
