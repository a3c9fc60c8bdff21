"""The option `--lang` of the commands that write an HTML page: the language of the page."""

from __future__ import annotations

import click

page_language = click.option(
    "--lang",
    "language",
    type=click.Choice(["en", "zh-TW"]),
    default="en",
    show_default=True,
    help="Language of the page and the plots; ids and quotations stay in English.",
)
