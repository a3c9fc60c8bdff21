"""Makes the sides of a comparison from the user's arguments."""

from __future__ import annotations

from collections.abc import Sequence

from membench.analysis.references import find_reference
from membench.analysis.sides import Side, make_sides, make_sides_by, split_label
from membench.analysis.sources import read_sources
from membench.core.errors import UsageError


def sides_of(
    files: Sequence[str], *, reference: str = "", against: str = "", by: str = ""
) -> list[Side]:
    """The sides of ``files``, each ``[LABEL=]FILE``, with the reference first.

    Args:
        files: at least one.
        reference: the label of the reference; if empty, the first label.
        against: ``ref:NAME`` as the reference.
        by: the key whose values become the labels.

    Raises:
        UsageError: the arguments contradict each other, or give fewer than two sides.
        SchemaError: a file cannot be read.
    """
    if not files:
        raise UsageError("there is nothing to compare", "give results files: [LABEL=]FILE...")
    if against and (reference or by):
        raise UsageError(
            "--against cannot be combined with --ref or --by", "give only one of these"
        )
    given = [split_label(argument) for argument in files]
    if by and any(label is not None for label, _ in given):
        raise UsageError(
            "--by takes its labels from the values of its key", "give files without labels"
        )
    compared_with = find_reference(against) if against else None
    sources = read_sources(path for _, path in given)
    if by:
        return make_sides_by(by, sources, reference)
    labelled = list(zip((label for label, _ in given), sources, strict=True))
    if compared_with is not None:
        label = compared_with.label
        labelled = [*((label, source) for source in compared_with.sources), *labelled]
    return make_sides(labelled, reference)
