"""Read the files that the user wants to compare, and group them by label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from membench.analysis.references import find_reference
from membench.analysis.sides import Side, make_sides, make_sides_by, split_label
from membench.analysis.sources import Source, for_many_files, read_source
from membench.core.errors import UsageError
from membench.results.reference_files import PREFIX


def sides_of(
    files: Sequence[str], *, reference: str = "", against: str = "", by: str = ""
) -> list[Side]:
    """Read ``files`` and group their results by label; the reference comes first.

    Args:
        files: at least one ``[LABEL=]FILE`` or ``[LABEL=]ref:NAME``.
        reference: the label of the reference; if empty, the first label.
        against: ``ref:NAME`` of a built-in reference to compare with.
        by: a column or an axis whose values become the labels.

    Raises:
        UsageError: the arguments contradict each other, give fewer than two labels, or name a
            reference that does not exist.
        SchemaError: a file cannot be read.
    """
    if not files:
        raise UsageError("no results files were given", "give results files: [LABEL=]FILE...")
    if against and (reference or by):
        raise UsageError(
            "--against cannot be combined with --ref or --by",
            "omit --against, or omit --ref and --by",
        )
    given = [split_label(argument) for argument in files]
    if by and any(label is not None for label, _ in given):
        raise UsageError(
            "--by cannot be combined with labels (LABEL=FILE)", "give files without labels"
        )
    compared_with = find_reference(against) if against else None
    with for_many_files():
        labelled = [one for label, path in given for one in _read(label, path)]
    if by:
        return make_sides_by(by, [source for _, source in labelled], reference)
    if compared_with is not None:
        label = compared_with.label
        labelled = [*((label, source) for source in compared_with.sources), *labelled]
    return make_sides(labelled, reference)


def _read(label: str | None, path: Path) -> Iterator[tuple[str | None, Source]]:
    name = str(path)
    if not name.startswith(PREFIX):
        yield label, read_source(path)
        return
    found = find_reference(name)
    for source in found.sources:
        yield label or found.label, source
