"""The sides of a comparison: files read, and put under labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from membench.analyse.facts import sidecar_facts
from membench.errors import MembenchError, SchemaError, UsageError
from membench.record.paths import sidecar_path
from membench.record.schema import Row
from membench.record.sidecar import read_sidecar, verify_sha256
from membench.record.table import read_rows
from membench.record.text import ascii_line


@dataclass(frozen=True)
class Source:
    """A results file.

    Attributes:
        facts: what its sidecar says of the machine and the run, empty without one.
        problem: one line on a sidecar that cannot be trusted, empty where all is well.
    """

    path: Path
    rows: tuple[Row, ...]
    facts: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def name(self) -> str:
        """The path as ASCII on one line."""
        return ascii_line(str(self.path))


@dataclass(frozen=True)
class Side:
    """What stands under one label.

    Attributes:
        rows: of all sources, each (run, case, metric, stat) once.
    """

    label: str
    sources: tuple[Source, ...]
    rows: tuple[Row, ...]

    @property
    def runs(self) -> tuple[str, ...]:
        """The ids of its runs, in the order of the files."""
        return tuple(dict.fromkeys(row.run_id for row in self.rows))


def split_label(argument: str) -> tuple[str | None, Path]:
    """``[LABEL=]FILE`` as label and path.

    A file of exactly that name has no label; otherwise the label ends at the
    first ``=`` that is followed by the name of a file, so that both may hold one.

    Raises:
        UsageError: the label has no printable character.
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
    except (OSError, ValueError):  # too long for a name, or no name at all
        return False


def read_source(path: Path) -> Source:
    """The results file ``path`` and what stands beside it.

    A sidecar that is broken, or of another run, is a problem, never an error:
    the CSV is enough to compare.

    Raises:
        SchemaError: the results file cannot be read.
    """
    rows = tuple(read_rows(path))
    if not rows:
        raise SchemaError(f"{path}: there are no rows in it")
    facts: dict[str, str] = {}
    problem = ""
    try:
        sidecar = read_sidecar(path)
        if sidecar is not None and sidecar.plan.run_id not in {row.run_id for row in rows}:
            problem = f"{sidecar_path(path)} is of another run, and not used"
        elif sidecar is not None:
            facts = sidecar_facts(sidecar)
            if not verify_sha256(path, sidecar):
                problem = f"{path} is not as its run wrote it"
    except MembenchError as error:
        problem = f"{error}; not used"
    return Source(path, rows, facts, ascii_line(problem))


def make_sides(given: Sequence[tuple[str | None, Source]], reference: str = "") -> list[Side]:
    """The sides of ``given`` labels and sources, the reference first (the first one, if not named).

    Sources of one label are pooled.  Where there is no label it is the machine,
    or, where another file is of the same one, the name of the file without
    ``.csv``, or its path.

    Raises:
        UsageError: fewer than two sides, a label that is both given and found, or a
            ``reference`` that is no label.
        SchemaError: two different rows of one run, case, metric and statistic.
    """
    found = iter(_labels(given))
    labels = {label for label, _ in given if label is not None}
    pools: dict[str, list[Source]] = {}
    for label, source in given:
        name = label if label is not None else next(found)
        if label is None and name in labels:
            raise UsageError(
                f"{source.name} would be labelled '{name}', which is another file's label",
                f"give it a label of its own: LABEL={source.name}",
            )
        pools.setdefault(name, []).append(source)
    if len(pools) < 2:
        raise UsageError(
            "there is nothing to compare with",
            "give two files or more; files under the same label are one side",
        )
    if reference and reference not in pools:
        raise UsageError(f"there is no label '{reference}'", f"the labels are {', '.join(pools)}")
    sides = [
        Side(label, tuple(sources), _distinct(label, sources)) for label, sources in pools.items()
    ]
    return sorted(sides, key=lambda side: side.label != (reference or sides[0].label))


def _labels(given: Sequence[tuple[str | None, Source]]) -> list[str]:
    """A label for each of the sources that have none, no two the same."""
    sources = [source for label, source in given if label is None]
    machines = Counter(_machine(source) for _, source in given)
    names = [_machine(source) for source in sources]
    if all(name and machines[name] == 1 for name in names):
        return names
    stems = [ascii_line(_stem(source.path)) for source in sources]
    for names in (stems, [source.name for source in sources]):
        if all(names) and len(set(names)) == len(names):
            return names
    # One and the same file several times.
    return [f"{stem or 'file'}#{number}" for number, stem in enumerate(stems, start=1)]


def _machine(source: Source) -> str:
    """The machine of ``source``, empty for a file of several."""
    machines = {row.machine for row in source.rows}
    return machines.pop() if len(machines) == 1 else ""


def _stem(path: Path) -> str:
    return path.stem if path.suffix.lower() == ".csv" else path.name


def _distinct(label: str, sources: Iterable[Source]) -> tuple[Row, ...]:
    """The rows of ``sources``, so that a file that is given twice does not count twice."""
    seen: dict[object, Row] = {}
    for source in sources:
        for row in source.rows:
            if seen.setdefault(row.key, row) != row:
                raise SchemaError(
                    f"{source.name}: another row for {row.case} ({row.metric} {row.stat}) of run "
                    f"{row.run_id} stands under the label '{label}' already",
                    "give runs of their own to compare, not edited copies",
                )
    return tuple(seen.values())


def shared_runs(sides: Sequence[Side]) -> list[str]:
    """The runs that stand under more than one label."""
    counts = Counter(run for side in sides for run in side.runs)
    return [run for run, count in counts.items() if count > 1]
