"""`membench import`."""

from __future__ import annotations

from pathlib import Path

import click

from membench.core.errors import EXIT_OK, SchemaError, UsageError
from membench.results.formats import IMPORTS

_GIVEN = ("tier", "device", "machine", "threads", "pages", "stores", "size")


@click.command(name="import")
@click.argument("form", metavar="FORMAT")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "output", type=click.Path(path_type=Path), required=True, help="The results file."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help=f"What the file does not say; repeatable.  KEY is one of {', '.join(_GIVEN)}.",
)
def command(form: str, file: Path, output: Path, settings: tuple[str, ...]) -> int:
    """Turn another tool's results into a results file.

    \b
    Formats:
      nvbandwidth       nvbandwidth -j
      babelstream       BabelStream --csv (say --set tier=ddr or tier=hbm)
      fio               fio --output-format=json
      nvbench           an NVBench program's --json
      pytest-benchmark  pytest --benchmark-json
      cited             TOML with published figures

    The rows have backend import:FORMAT, and our case ids where they mean the
    same, so that membench compare puts both into one table.
    """  # noqa: D301 - click wants the very character \b to keep the lines below it apart
    from membench.core.files import create, shown
    from membench.core.untrusted import MAX_JSON, MAX_TOML, read_bytes
    from membench.results.formats import importer
    from membench.results.formats.origin import origin_of
    from membench.results.paths import check_output
    from membench.results.table import to_csv

    read = importer(form)
    given = _given(settings)
    check_output(output)
    try:
        data = read_bytes(file, MAX_TOML if form == "cited" else MAX_JSON, pipe=True)
        rows = read(data, origin_of(form, file, data, given))
    except SchemaError as error:
        raise SchemaError(f"{shown(file)}: {error}", error.hint) from None
    create(output, to_csv(rows))
    cases = len({row.case for row in rows})
    click.echo(f"{shown(output)}: {len(rows)} rows of {cases} cases ({IMPORTS[form]})")
    return EXIT_OK


def _given(settings: tuple[str, ...]) -> dict[str, str]:
    given = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if key not in _GIVEN or not equals or not value:
            raise UsageError(
                f"--set {setting}: not KEY=VALUE with a known key",
                f"the keys are {', '.join(_GIVEN)}",
            )
        given[key] = value
    return given
