"""Write reports and pages to files; an existing file is replaced only if membench wrote it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from membench.core.errors import OutputError, UsageError
from membench.core.files import atomic_write, create, output_error, shown
from membench.report.locale import SOURCE, catalogue, in_language, translated
from membench.report.page.document import Document, Figure, Section, ThesisDetail
from membench.report.page.runs import read_runs
from membench.report.page.sections import figures
from membench.report.plots.ahead import Draw, drawn_ahead
from membench.report.plots.style import DARK, LIGHT, Plot
from membench.results.paths import sidecar_path

if TYPE_CHECKING:
    from membench.thesis.claims.verdicts import Spread, Verdicts

FORMATS = (".html", ".md", ".json")

_SVG_MARK = "<!-- generator: membench -->"
_MARKS = {  # the start of a file that membench wrote
    ".html": re.compile(
        rb'<!doctype html>\n<html lang="[\w-]+">\n<head>\n<meta charset="utf-8">\n'
        rb'<meta name="generator" content="membench'
    ),
    ".md": re.compile(rb"<!-- generator: membench"),
    ".svg": re.compile(rb'<\?xml version="1\.0" encoding="utf-8"\?>\n<!-- generator: membench'),
    # The keys of the JSON are sorted, so some lines come before "schema".
    ".json": re.compile(rb'\{\n "(?:[^\n]*\n){1,200}? "schema": "membench\.verdicts/'),
}
_HEAD_BYTES = 1 << 14


def make_report(
    files: Sequence[Path],
    output: Path,
    assumptions: Path | None = None,
    language: str = SOURCE,
    *,
    assume: Sequence[str] = (),
    thesis: ThesisDetail = ThesisDetail.SUMMARY,
    spread: Spread | None = None,
    warned: Callable[[str, str], None] = lambda _problem, _hint: None,
) -> tuple[Path, ...]:
    """Write a report on ``files``; the suffix of ``output`` determines the format.

    Args:
        output: the report, with a suffix of `FORMATS`.
        assumptions: a TOML file that replaces built-in assumptions.
        language: one of `LANGUAGES`.
        assume: ``NAME=VALUE``: single assumptions, which also replace entries of ``assumptions``.
        thesis: with ``none``, no claim is judged.
        spread: function that distributes the claims to worker processes; None for this process.
        warned: function that gets each warning and the hint.

    Returns:
        The written files, the report first.

    Raises:
        UsageError: the suffix is not in `FORMATS`, ``thesis`` is none for a JSON file, or a text in
            ``assume`` is invalid.
        SchemaError: a file is not a results file, or contains an impossible number.
        AssumptionError: the file ``assumptions`` is invalid.
        OutputError: a file cannot be written, or a file exists that membench did not write.
    """
    suffix = output.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(
            f"the file name '{shown(output)}' of -o does not end in {' or '.join(FORMATS)}",
            "the suffix selects the format: -o report.html, -o verdicts.json",
        )
    if suffix == ".json" and thesis is ThesisDetail.NONE:
        raise UsageError(
            f"-o {shown(output)} requests verdicts, but --thesis none requests no verdict",
            "leave out --thesis, or write a page: -o report.html",
        )
    _check(output)
    sources, runs = read_runs(files)
    with_sidecar = [source for source in sources if sidecar_path(source.path).exists()]
    for problem in (problem for source in with_sidecar for problem in source.problems):
        warned(str(problem), "")

    # The modules of the thesis are imported below, while the second process already draws.
    def judge() -> Verdicts:
        from membench.thesis.claims.given import idle
        from membench.thesis.claims.verdicts import verdicts

        rows = [row for run in runs for row in run.rows]
        judged = verdicts(rows, assumptions, assume=assume, spread=spread)
        for problem, hint in idle(judged.entries, rows):
            warned(problem, hint)
        return judged

    def document(plots: Section, draw: Draw) -> Document:
        from membench.report.page.compose import compose, measured
        from membench.thesis.claims.given import assumed

        first = measured(sources, runs, plots)
        beside = [first.comparison] if first.comparison is not None else []
        draw(in_language(_plots([first.headline, *beside]), catalogue(language)))
        judged = judge() if thesis is not ThesisDetail.NONE else None
        entries = judged.entries if judged is not None else assumed(assumptions, assume)
        return translated(compose(first, judged, entries, thesis), language)

    if suffix == ".json":
        from membench.thesis.claims.verdict_file import to_json

        digests = [(shown(Path(source.path.name)), source.sha256) for source in sources]
        written = {output: to_json(judge(), digests)}
    else:
        plots = figures.section(runs)
        with drawn_ahead(in_language(_plots([plots]), catalogue(language))) as draw:
            page = document(plots, draw)
            draw(_plots(page.sections))
            finish = _html(page, output) if suffix == ".html" else _markdown(page, output)
        written = finish()
    for path in written:
        _check(path)
    _put_all(written)
    return tuple(written)


def _html(document: Document, output: Path) -> Callable[[], dict[Path, str]]:
    """Return a function that draws the plots and returns path -> text of the files to write."""
    from membench.report.page import html

    layout = html.lay_out(document)
    return lambda: {output: layout.page()}


def _markdown(document: Document, output: Path) -> Callable[[], dict[Path, str]]:
    from membench.report.page import markdown

    drawn = list(_figures(document.sections))
    stem = os.fsencode(output.stem).decode(errors="replace").replace("\ufffd", "_")  # used in links
    images = {figure.slug: f"{stem}_{figure.slug}.svg" for figure in drawn}
    pictures = {output.with_name(images[figure.slug]): figure.drawing for figure in drawn}
    text = markdown.render(document, images)
    return lambda: {
        output: text,
        **{path: standalone(drawing.svg()) for path, drawing in pictures.items()},
    }


def _plots(sections: Iterable[Section]) -> list[Plot]:
    return [figure.drawing for figure in _figures(sections) if isinstance(figure.drawing, Plot)]


def _figures(sections: Iterable[Section]) -> Iterator[Figure]:
    for section in sections:
        yield from (block for block in section.blocks if isinstance(block, Figure))
        yield from _figures(section.sections)


def standalone(svg: str) -> str:
    """The content of an SVG file: ``svg`` with the colours that an HTML page would define."""

    def variables(colours: dict[str, str]) -> str:
        return "".join(f"--{name}:{value};" for name, value in colours.items())

    style = (
        f"<style>svg{{{variables(LIGHT)}}}"
        f"@media(prefers-color-scheme:dark){{svg{{{variables(DARK)}}}}}"
        "text{font-family:system-ui,sans-serif!important}</style>"
    )
    head, _, body = svg.partition(">")
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
    assert box is not None
    size = f' width="{1.5 * float(box[1]):g}" height="{1.5 * float(box[2]):g}"'
    return f'<?xml version="1.0" encoding="utf-8"?>\n{_SVG_MARK}\n{head}{size}>\n{style}{body}\n'


def _check(path: Path) -> bool:
    """Create the directory of ``path`` if necessary. Return whether ``path`` exists.

    Raises:
        OutputError: ``path`` exists and membench did not write it, or ``path`` cannot be read, or
            the directory cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        cause = error if isinstance(error, OSError) else OSError(str(error))
        raise output_error(path, cause) from None
    name = shown(path)
    if not stat.S_ISREG(mode):
        raise OutputError(f"{name} is not a regular file", "choose another file with -o")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise output_error(path, error) from None
    mark = _MARKS.get(path.suffix.lower())
    if mark is None or mark.match(head) is None:
        raise OutputError(
            f"{name} exists and is not a report of membench",
            "membench overwrites only its own reports: choose another file with -o",
        )
    return True


def write_page(document: Document, output: Path, language: str = SOURCE) -> Path:
    """Write ``document`` as an HTML page to ``output``, and return ``output``.

    Raises:
        OutputError: ``output`` exists and is not a page of membench, or cannot be written.
    """
    from membench.report.page import html

    _put(output, html.render(translated(document, language)))
    return output


def _put_all(written: dict[Path, str]) -> None:
    """Write the files, the report last, after the files to which the report links."""
    created: list[Path] = []
    try:
        for path, text in reversed(written.items()):
            if _put(path, text):
                created.append(path)
    except OutputError:
        for path in created:  # plots without a report
            path.unlink(missing_ok=True)
        raise


def _put(path: Path, text: str) -> bool:
    """Write ``text`` to ``path``. Return whether the file is new."""
    if _check(path):
        atomic_write(path, text.encode())
        return False
    create(path, text.encode())
    return True
