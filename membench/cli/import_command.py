"""The command `membench import`: converts the output of another tool to a results file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from membench.core.errors import EXIT_OK, SchemaError, UsageError
from membench.core.near import did_you_mean
from membench.core.terms import Tier
from membench.core.text import counted, one_line
from membench.results.formats import IMPORTS

if TYPE_CHECKING:
    from membench.results.formats.origin import Intake
    from membench.results.schema import Row

_GIVEN = ("tier", "device", "machine", "threads", "pages", "stores", "size")
_CHOICES = {
    "tier": tuple(map(str, Tier)),
    "pages": ("4k", "thp", "2m", "1g"),
    "stores": ("plain", "nt"),
}
_LINES = 10  # maximum number of lines per kind of remark


@click.command(name="import")
@click.argument("form", metavar="FORMAT")
@click.argument(
    "files", type=click.Path(path_type=Path), metavar="FILE...", nargs=-1, required=True
)
@click.option(
    "-o", "output", type=click.Path(path_type=Path), required=True, help="Results file to write."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help=f"Set a property that FILE does not contain; repeatable. KEY is one of "
    f"{', '.join(_GIVEN)}. Warns if no row gets the property.",
)
def command(form: str, files: tuple[Path, ...], output: Path, settings: tuple[str, ...]) -> int:
    """Turn another tool's results into a results file.

    \b
    Formats:
      nvbandwidth       nvbandwidth, -j or text
      babelstream       BabelStream, --csv or text (add --set tier=ddr or tier=hbm)
      fio               fio, JSON (--output-format=json), terse or text
      nvbench           an NVBench program's --json
      pytest-benchmark  pytest --benchmark-json
      stream            STREAM
      mlc               Intel Memory Latency Checker
      likwid-bench      likwid-bench
      gdsio             gdsio of GPUDirect Storage
      cuda-samples      bandwidthTest, p2pBandwidthLatencyTest
      stress-ng         stress-ng --stream --memrate --metrics, text or --yaml
      sysbench          sysbench memory run
      mbw               mbw
      tinymembench      tinymembench
      cited             TOML with published figures

    The imported rows have the backend import:FORMAT, or cited for published figures.  A
    row has the case id of membench if membench has a case that measures the same;
    membench compare then shows both in one table.  To measure such a case, run
    membench run --select CASE.  If FILE is a directory, membench reads all files in the
    directory.  membench unpacks gzip.  Results that cannot become rows are named on
    standard error.
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    from membench.core.files import create, shown
    from membench.results.formats import importer
    from membench.results.formats.origin import Intake, take
    from membench.results.paths import check_output
    from membench.results.table import to_csv

    read = importer(form)
    given = _given(settings)
    check_output(output)
    intake = Intake()
    try:
        take(form, read, files, given, intake)
    except SchemaError as error:
        file = shown(next(reversed(intake.refused)))
        hint = error.hint.replace("FILE", file) or "docs/formats.md describes the formats"
        raise SchemaError(f"{file}: {error}", hint) from None
    if not intake.rows:
        first = next(iter(intake.refused), None)
        why = f"{shown(first)}: {intake.refused[first]}" if first else "no file was found"
        raise SchemaError(
            f"no {form} file in {', '.join(map(shown, files))}: {why}",
            f"name files of the format {form} ({IMPORTS[form]}), or a folder of such files",
        )
    create(output, to_csv(intake.rows))
    cases = counted(len({row.case for row in intake.rows}), "case")
    rows = counted(len(intake.rows), "row")
    click.echo(f"{shown(output)}: {rows} of {cases}, format {form}")
    for key, value in given.items():
        if not any(_shows(row, key, value) for row in intake.rows):
            setting = one_line(f"--set {key}={value}")
            click.echo(f"Warning: {setting} has no effect: no row gets this value", err=True)
    _say(intake)
    return EXIT_OK


def _shows(row: Row, key: str, value: str) -> bool:
    """Whether ``row`` has the property that the user gave with ``--set key=value``."""
    if key in ("tier", "device"):
        return str(getattr(row, key)) == value
    return key == "machine" or f"{key}={value}" in row.case.split("/")


def _say(intake: Intake) -> None:
    from membench.core.files import shown

    _lines(
        {
            f"{note}{f' ({times} files)' if times > 1 else ''}": 0
            for note, times in intake.notes.items()
        }
    )
    _lines(intake.unplaced, before="not imported: ")
    _lines(
        {f"{shown(path)}: {why}": 0 for path, why in intake.refused.items()}, before="not read: "
    )


def _lines(counts: Mapping[str, int], before: str = "") -> None:
    for what, times in list(counts.items())[:_LINES]:
        click.echo(f"{before}{f'{times} x ' if times else ''}{what}", err=True)
    if len(counts) > _LINES:
        click.echo(f"{before}{len(counts) - _LINES} more, not shown", err=True)


def _given(settings: tuple[str, ...]) -> dict[str, str]:
    given = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in _GIVEN:
            usual = f"the keys are {', '.join(_GIVEN)}"
            raise UsageError(
                f"--set {setting}: there is no key '{key}'", did_you_mean(key, _GIVEN, usual)
            )
        if not value:
            raise UsageError(f"--set {setting}: the value is missing", f"write --set {key}=VALUE")
        given[key] = _checked(setting, key, value)
    return given


def _checked(setting: str, key: str, value: str) -> str:
    """Return ``value`` as it appears in case ids and columns.

    Raises:
        UsageError: ``key`` cannot have this value.
    """
    from membench.core.units import format_size, parse_size
    from membench.results.formats.figures import slug

    if key == "size":
        if not (size := parse_size(value)):
            raise UsageError(
                f"--set {setting}: a size must be above 0", "write a size such as size=256MiB"
            )
        return format_size(size)
    if key in _CHOICES and value not in _CHOICES[key]:
        usual = f"{key} is {' or '.join(_CHOICES[key])}"
        raise UsageError(
            f"--set {setting}: '{value}' is not a value of {key}",
            did_you_mean(value, _CHOICES[key], usual),
        )
    if key == "threads" and not re.fullmatch(r"all|[1-9]\d{0,5}", value):
        raise UsageError(
            f"--set {setting}: '{value}' is not a number of threads",
            "write a number from 1 to 999999, or all",
        )
    if key == "machine" and not slug(value):
        raise UsageError(
            f"--set {setting}: the machine name has no letter or digit",
            "use ASCII letters and digits",
        )
    return value
