"""The option of all commands that write a page: its language."""

from __future__ import annotations

import click

page_language = click.option(
    "--lang",
    "language",
    type=click.Choice(["en", "zh-TW"]),
    default="en",
    show_default=True,
    help="Language of the page and its plots; ids and quoted sources are not translated.",
)
