#!/usr/bin/env python3
"""List missing translations of the report; with --write, update the catalogues.

    python ci/translations.py           lists every message without a translation
    python ci/translations.py --write   adds new and changed messages to each .po, removes
                                        unused messages, and compiles each .mo

Messages come from four sources: calls of ``tr`` and ``tr_n`` in the code, ``_`` in the templates,
the ledger of claims, and the first docstring lines of the benches. A missing translation is not an
error: the page shows the English text.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from membench.benches import registry  # noqa: E402
from membench.report.locale import DOMAIN, LANGUAGES, LOCALE, SOURCE  # noqa: E402
from membench.thesis.claims.ledger import ledger  # noqa: E402

KEYWORDS = {"tr": None, "tr_n": (1, 2), "_": None}
HEADER = f"""\
# The report of {DOMAIN} in {{language}}: what {Path(__file__).name} --write keeps up to date.
"""


Found = tuple[int, str, tuple[str, ...], list[str]]
"""The tuple that an extractor returns to Babel: line, function name, texts, comments."""


def calls(
    file: IO[bytes],
    keywords: Mapping[str, object],
    _tags: object,
    options: object,  # noqa: ARG001
) -> Iterator[Found]:
    """String literals in calls of the marking functions, including nested calls.

    Babel's own extractor skips a call within an argument of another call.
    """
    for node in ast.walk(ast.parse(file.read())):
        match node:
            case ast.Call(ast.Name(name), args=arguments) if name in keywords:
                texts = [
                    one.value
                    for one in arguments
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                ]
                if texts:
                    yield node.lineno, name, tuple(texts), []


METHODS: list[tuple[str, Any]] = [
    ("**.py", calls),
    ("**.j2", "jinja2.ext:babel_extract"),
]


def messages() -> Catalog:
    """A catalogue of all messages of the report, without translations."""
    found = Catalog(domain=DOMAIN, fuzzy=False)
    folder = ROOT / "membench"
    for _, _, message, _, _ in extract_from_dir(folder, METHODS, keywords=KEYWORDS):
        found.add(message)
    for text in filter(None, data()):
        found.add(str(text))
    return found


def data() -> Iterator[str]:
    """Messages that are not literals in the code."""
    told = ledger()
    yield told.source
    yield from (need.what for need in told.inputs.values())
    for claim in told.claims:
        yield from (claim.english, claim.quantity, *claim.notes, *claim.contrary)
        yield from claim.not_found
        for part in claim.parts:
            yield from (part.proposition, part.decided_by, part.waits_for)
    yield from (bench.summary.rstrip(".") for bench in registry().benches.values())


def source_of(language: str) -> Path:
    """The path of the ``.po`` file for one of `LANGUAGES`; its ``.mo`` is in the same folder."""
    return Path(str(LOCALE)) / language.replace("-", "_") / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(language: str) -> Catalog:
    """The catalogue of ``language`` on disk."""
    locale, path = language.replace("-", "_"), source_of(language)
    if not path.exists():
        return Catalog(
            locale,
            DOMAIN,
            HEADER.format(language=language),
            project=DOMAIN,
            version="1",
            msgid_bugs_address="none",
            last_translator="none",
            language_team="none",
            fuzzy=False,
        )
    with path.open("rb") as file:
        return read_po(file, locale, DOMAIN)


def updated(language: str) -> Catalog:
    """The catalogue of ``language``, updated with the current messages.

    If the English text of a message has changed a little, the old translation gets the mark
    "fuzzy". If it has changed a lot, the old translation is removed.
    membench does not use a fuzzy translation until a translator removes the mark.
    """
    catalogue = read(language)
    catalogue.update(messages(), update_creation_date=False)
    return catalogue


def missing(catalogue: Catalog) -> list[str]:
    """The English texts of the messages without a translation."""
    found = []
    for message in catalogue:
        text = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id and (message.fuzzy or not all(text)):
            found.append(message.id if isinstance(message.id, str) else message.id[0])
    return sorted(found)


def write(language: str, catalogue: Catalog) -> None:
    """Write the ``.po`` and the ``.mo`` of ``language``.

    The ``.mo`` contains no fuzzy translations.
    """
    path = source_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(
            file, catalogue, width=100, no_location=True, sort_output=True, ignore_obsolete=True
        )
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalogue)


def main() -> None:
    """List missing translations. ``--write`` updates the catalogues first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="update the catalogues")
    asked = parser.parse_args()
    for language in LANGUAGES:
        if language == SOURCE:
            continue
        catalogue = updated(language)
        if asked.write:
            write(language, catalogue)
        lacking = missing(catalogue)
        print(f"{language}: {len(lacking)} of {len(catalogue)} messages have no translation")
        for text in lacking:
            print(f"  {text}")


if __name__ == "__main__":
    main()
