"""The sides of a comparison: each consists of the results under one label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from operator import attrgetter
from pathlib import Path

from membench.analysis.sources import Source
from membench.core.errors import SchemaError, UsageError
from membench.core.record import record
from membench.core.text import ascii_line
from membench.results.compact.row import Measurement

BY_COLUMNS = ("machine", "device", "driver", "cuda", "backend", "membench", "run_id")
"""Columns whose values may become the labels of a comparison (``--by``)."""


@record
class Side:
    """The results under one label.

    Attributes:
        rows: rows of all sources, at most one for each (run, case, metric, stat).
    """

    label: str
    sources: tuple[Source, ...]
    rows: tuple[Measurement, ...]

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(run for source in self.sources for run in source.runs))


def split_label(argument: str) -> tuple[str | None, Path]:
    """Split ``[LABEL=]FILE`` into label and path; the label is None if absent.

    A label and a file name may contain ``=``. If a file named ``argument`` exists, there is no
    label. Otherwise the label ends at the first ``=`` before the name of an existing file, or else
    at the first ``=``.

    Raises:
        UsageError: the label has no printable characters.
    """
    if _exists(argument):
        return None, Path(argument)
    signs = [place for place, character in enumerate(argument) if character == "=" and place]
    if not signs:
        return None, Path(argument)
    end = next((sign for sign in signs if _exists(argument[sign + 1 :])), signs[0])
    label = ascii_line(argument[:end])
    if not label:
        raise UsageError(f"'{argument}' has an empty label", "write LABEL=FILE, or FILE alone")
    return label, Path(argument[end + 1 :])


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # the name is too long for a file, or is not valid
        return False


def make_sides(given: Sequence[tuple[str | None, Source]], reference: str = "") -> list[Side]:
    """Group ``given``, pairs of a label and a source, by label; the reference comes first.

    Sources with the same label are pooled. Sources without a label are labelled by machine. If
    two sources have the same machine, or a source has several machines, the labels are the file
    names without ``.csv``, or else the paths, or else file names with a number.

    Args:
        reference: label of the reference; if empty, the first label.

    Raises:
        UsageError: there are fewer than two labels, a given label equals a default label, or
            ``reference`` is not a label.
        SchemaError: two rows of the same run, case, metric and statistic differ.
    """
    found = iter(_labels(given))
    labels = {label for label, _ in given if label is not None}
    pools: dict[str, list[Source]] = {}
    for label, source in given:
        name = label if label is not None else next(found)
        if label is None and name in labels:
            raise UsageError(
                f"{source.name} would get the label '{name}', but another file has this label",
                f"give this file a different label: LABEL={source.name}",
            )
        pools.setdefault(name, []).append(source)
    if len(pools) < 2:
        raise UsageError(
            "a comparison needs two sides, but there is only one file"
            if len(given) == 1
            else "a comparison needs two labels, but all files have the label "
            f"'{next(iter(pools))}'",
            "give another file, or compare with a built-in reference: --against ref:NAME"
            if len(given) == 1
            else "give at least two files with different labels",
        )
    sides = [
        Side(label, tuple(sources), _distinct(label, sources)) for label, sources in pools.items()
    ]
    return _reference_first(sides, reference)


def make_sides_by(key: str, sources: Sequence[Source], reference: str = "") -> list[Side]:
    """Group the rows of ``sources`` by the value of ``key``; the reference comes first.

    ``key`` is a column (`BY_COLUMNS`) or an axis of the case ids. With ``--by stores`` the case
    ``ddr/copy/stores=nt`` becomes ``ddr/copy`` with the label ``nt``. Rows without ``key`` are left
    out.

    Raises:
        UsageError: the rows have fewer than two values of ``key``, or ``reference`` is not a value.
        SchemaError: two rows of the same run, case, metric and statistic differ.
    """
    parts: dict[str, list[Source]] = {}
    for source in sources:
        rows: dict[str, list[Measurement]] = {}
        for row in source.rows:
            value, case = _value_of(row, key)
            if value:
                rows.setdefault(value, []).append(_renamed(row, case))
        for value, several in rows.items():
            parts.setdefault(value, []).append(replace(source, rows=tuple(several)))
    if len(parts) < 2:
        found = (
            f"the only value in the files is '{next(iter(parts))}'"
            if parts
            else "no row has a value of this name"
        )
        raise UsageError(
            f"--by {key}: {found}, so there are no groups to compare",
            f"give an axis of the case ids, such as stores, or one of {', '.join(BY_COLUMNS)}",
        )
    sides = [Side(value, tuple(some), _distinct(value, some)) for value, some in parts.items()]
    return _reference_first(sides, reference)


def _renamed(row: Measurement, case: str) -> Measurement:
    same = row.case == case
    return row if same else row._replace(common=row.common._replace(case=case))


def _value_of(row: Measurement, key: str) -> tuple[str, str]:
    """Return the value of ``key`` in ``row`` (empty if absent), and the case id without ``key``."""
    if key in BY_COLUMNS:
        return str(getattr(row, key)), row.case
    start = f"{key}="
    here = [part for part in row.case.split("/") if part.startswith(start)]
    rest = "/".join(part for part in row.case.split("/") if not part.startswith(start))
    return (here[0].removeprefix(start), rest) if here else ("", row.case)


def _reference_first(sides: Sequence[Side], reference: str) -> list[Side]:
    labels = [side.label for side in sides]
    if reference and reference not in labels:
        raise UsageError(f"there is no label '{reference}'", f"the labels are {', '.join(labels)}")
    return sorted(sides, key=lambda side: side.label != (reference or labels[0]))


def _labels(given: Sequence[tuple[str | None, Source]]) -> list[str]:
    sources = [source for label, source in given if label is None]
    machines = Counter(_machine(source) for _, source in given)
    names = [_machine(source) for source in sources]
    if all(name and machines[name] == 1 for name in names):
        return names
    stems = [ascii_line(_stem(source.path)) for source in sources]
    for names in (stems, [source.name for source in sources]):
        if all(names) and len(set(names)) == len(names):
            return names
    # The user gave the same file several times.
    return [f"{stem or 'file'}#{number}" for number, stem in enumerate(stems, start=1)]


def _machine(source: Source) -> str:
    """The machine name in the rows; empty if the rows name several machines."""
    machines = set(map(attrgetter("machine"), source.rows))
    return machines.pop() if len(machines) == 1 else ""


def _stem(path: Path) -> str:
    return path.stem if path.suffix.lower() == ".csv" else path.name


def _distinct(label: str, sources: Sequence[Source]) -> tuple[Measurement, ...]:
    """The rows of all ``sources``; if a file is given twice, its rows count once."""
    runs = [run for source in sources for run in source.runs]
    if len(set(runs)) == len(runs):
        return tuple(chain.from_iterable(source.rows for source in sources))
    seen: dict[object, Measurement] = {}
    for source in sources:
        for row in source.rows:
            if seen.setdefault(row.key, row) != row:
                raise SchemaError(
                    f"{source.name}: two different rows for {row.case} ({row.metric} {row.stat}) "
                    f"of run {row.run_id} have the label '{label}'",
                    "give files of separate runs, not edited copies of one run",
                )
    return tuple(seen.values())


def shared_runs(sides: Sequence[Side]) -> list[str]:
    """The ids of the runs that appear under more than one label."""
    counts = Counter(run for side in sides for run in side.runs)
    return [run for run, count in counts.items() if count > 1]
