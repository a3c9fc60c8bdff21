"""The notes above and below the tables of a comparison, as lines of text."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from membench.analysis.absences import Absence
from membench.analysis.alike import is_auto, sizes
from membench.analysis.comparison import Comparison
from membench.analysis.facts import PACKAGE, Fact
from membench.analysis.finding import SEVERAL_RUNS
from membench.analysis.sides import Side, shared_runs
from membench.analysis.verdict import Verdict
from membench.core.terms import FLAGS, Metric, Status, Tier
from membench.core.text import counted
from membench.core.units import about_size
from membench.report.screens.compare.footnotes import flags_of_all
from membench.report.screens.compare.view import CompareBlock
from membench.report.screens.plain import named
from membench.results.compact.row import commons_of

_NAMES_SHOWN = 4


def side_text(side: Side) -> str:
    """A text such as ``5 rounds, 42 cases: a.csv``."""
    ok = [one for one in commons_of(side.rows) if one.status is Status.OK]
    rounds = sorted({one.rounds for one in ok})
    span = "..".join(str(count) for count in dict.fromkeys((*rounds[:1], *rounds[-1:]))) or "0"
    runs = f"{counted(len(side.runs), 'run')} of " if len(side.runs) > 1 else ""
    cases = counted(len({one.case for one in ok}), "case")
    files = _some([source.name for source in side.sources])
    return f"{runs}{span} {'round' if span == '1' else 'rounds'}, {cases}: {files}"


def _some(names: Sequence[str]) -> str:
    """A text such as ``a, b, c, d and 12 more``."""
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def fact_lines(comparison: Comparison) -> list[tuple[str, str]]:
    """Compare the properties of the labels, as pairs (heading, text).

    The headings are for properties that differ, are equal, or are known only for some labels.
    """
    facts = comparison.facts
    differing = [
        f"{fact.name}: {' | '.join(map(_value, fact.values))}" for fact in facts if fact.differs
    ]
    alike = [fact for fact in facts if fact.same]
    same = [f"{fact.name} {fact.values[0]}" for fact in alike if not _package(fact)]
    same += (
        [counted(len(packages), "package")] if (packages := list(filter(_package, alike))) else []
    )
    partly = [fact for fact in facts if not fact.differs and not fact.same]
    unknown = [fact.name for fact in partly if not _package(fact)]
    if packages := list(filter(_package, partly)):
        unknown.append(counted(len(packages), "package"))
    made = [("differs", text) for text in differing or ["nothing known"]]
    made += [("same", ", ".join(same))] if same else []
    return made + ([("known only for some", ", ".join(unknown))] if unknown else [])


def _value(value: str) -> str:
    return _some(value.split(", ")) or "?"


def _package(fact: Fact) -> bool:
    return fact.name.startswith(PACKAGE)


def absence_text(absence: Absence) -> str:
    """A text such as ``2 failed in b: out of memory`` or ``1 only in a``."""
    what = f"{len(absence.cases)} {absence.kind} in {', '.join(absence.labels)}"
    return f"{what}: {absence.reason}" if absence.reason else what


def absent_cases(absence: Absence) -> list[str]:
    """The ids of unmatched cases, one per line.

    Failed cases are always listed. More than `plain.LISTED` other cases become one line, which
    gives the number of cases per prefix.
    """
    return [*named(absence.cases, whole=absence.kind == Status.FAILED)]


def summary(comparison: Comparison) -> list[str]:
    """A line per compared label with the number of rows of each verdict; then the thresholds."""
    made = []
    reference, *others = comparison.sides
    for place, side in enumerate(others, start=1):
        counts = comparison.counts(place)
        words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
        rows = counted(counts.total(), "row")
        made.append(f"{side.label} against {reference.label}: {rows}{': ' if words else ''}{words}")
    if comparison.matched:
        cases = counted(len({line.row.case for line in comparison.matched}), "case")
        made.append(f"{cases} in common; thresholds {_thresholds(comparison)}")
    return made


def nothing_shown(
    comparison: Comparison, blocks: Sequence[CompareBlock], verdicts: Collection[Verdict]
) -> str:
    """A line such as ``no row is better or worse`` if ``verdicts`` hide every row, else empty."""
    if blocks or not verdicts or not comparison.matched:
        return ""
    *most, last = verdicts
    return f"no row is {', '.join(most)}{' or ' if most else ''}{last}"


def legend(comparison: Comparison, blocks: Sequence[CompareBlock]) -> str:
    """The meaning of the ratios and ranges in the tables; empty without a ratio."""
    if not any(one for block in blocks for line in block.lines for one in line.ratios):
        return ""
    best = "; best: ratio of the best samples" if any(block.has_best for block in blocks) else ""
    pairs = "the ratios of the pairs of rounds" if comparison.in_turns else "all pairs of values"
    return (
        f"ratio: the Hodges-Lehmann estimate from {pairs}, not the quotient of the two medians; "
        f"+-: half the range of the values, relative to their median{best}"
    )


def notes(comparison: Comparison) -> list[str]:
    """Remarks on the whole comparison, and advice for rows with the verdict ``unclear``."""
    texts = (
        *_settling(comparison),
        *_best(comparison),
        *_noise(comparison),
        *_flags(comparison),
        *_sizes(comparison),
        *_runs(comparison),
        *_sources(comparison),
    )
    return [*_advised_once(texts)]


def problems(comparison: Comparison) -> list[str]:
    """A sentence for each file that was changed or whose sidecar is not used."""
    sources = (source for side in comparison.sides for source in side.sources)
    return list(dict.fromkeys(source.problem for source in sources if source.problem))


_ADVICE = re.compile(rf"(?:, and|; to be sure,|;) {re.escape(SEVERAL_RUNS)}$")


def _advised_once(texts: Iterable[str]) -> Iterator[str]:
    """``texts`` without repetitions of the advice `SEVERAL_RUNS`."""
    advised = False
    for text in texts:
        yield _ADVICE.sub("", text) if advised else text
        advised = advised or SEVERAL_RUNS in text


def _settling(comparison: Comparison) -> list[str]:
    advice = Counter(
        settle
        for line in comparison.matched
        if Verdict.UNCLEAR in line.verdicts
        for verdict, settle in zip(line.verdicts, line.settles, strict=True)
        if verdict is Verdict.UNCLEAR
    )
    return [f"{count} unclear: {what}" for what, count in advice.items()]


def _best(comparison: Comparison) -> list[str]:
    """A note on rows whose verdict is ``unclear`` although the best samples are almost equal."""
    within = Counter(
        line.threshold
        for line in comparison.matched
        if Verdict.UNCLEAR in line.verdicts
        for verdict, best in zip(line.verdicts, line.bests, strict=True)
        if verdict is Verdict.UNCLEAR
        and best is not None
        and abs(math.log(best)) <= math.log1p(line.threshold)
    )
    if not within:
        return []
    low, high = (f"{100 * end(within):.3g}%" for end in (min, max))
    limits = low if low == high else f"their thresholds ({low} to {high})"
    text = "the best speeds are about equal; only the difference of the typical speeds is unclear"
    return [f"{within.total()} unclear, but the best samples differ by at most {limits}: {text}"]


def _noise(comparison: Comparison) -> Iterator[str]:
    spreads = [
        spread
        for line in comparison.matched
        if not line.in_turns  # in paired rounds the noise may cancel
        and (spread := line.figures.largest_spread) > line.threshold
    ]
    if spreads:
        # Nobody can repeat a published figure, so only the own side can be measured again.
        cited = any(one.cited for side in comparison.sides for one in commons_of(side.rows))
        remedy = "measure again" if cited else SEVERAL_RUNS
        yield (
            f"{len(spreads)} noisy: the spread between rounds is above the threshold, "
            f"up to {max(spreads):.1%}; close other programs, and {remedy}"
        )


def _flags(comparison: Comparison) -> list[str]:
    of_all = flags_of_all(comparison)
    return [f"{code} (all rows): {flag.meaning}" for code, flag in FLAGS.items() if code in of_all]


def _sizes(comparison: Comparison) -> Iterator[str]:
    """A note on cases for which ``size=auto`` means different sizes in the compared files."""
    differing = []
    for line in comparison.matched:
        commons = line.figures.commons
        several = len({one.size_bytes for one in commons if one.size_bytes}) > 1
        if several and all(is_auto(one.case) for one in commons):
            found = [sizes(rows) for rows in line.figures.rows if rows]
            if len(set(filter(None, found))) > 1:
                differing.append((line.row.case, found))
    if differing:
        case, found = differing[0]
        shown = " | ".join(", ".join(map(about_size, several)) or "?" for several in found)
        rest = len(differing) - 1
        more = f", and {counted(rest, 'more row')}" if rest else ""
        yield (
            f"size=auto means different sizes in {counted(len(differing), 'row')}: "
            f"{case} {shown}{more}"
        )


def _runs(comparison: Comparison) -> Iterator[str]:
    if comparison.in_turns:
        yield (
            "A and B were measured alternately and compared in pairs of rounds, so differences "
            "between runs cancel, and so do disturbances of both rounds of a pair"
        )
        return
    single = [
        side.label
        for place, side in enumerate(comparison.sides)
        if any(len(line.figures.rows[place]) == 1 for line in comparison.matched)
        and not all(row.common.cited for row in side.rows)  # nobody can repeat a published figure
    ]
    if single and len(single) == len(comparison.sides):
        yield from _offsets(comparison)
    elif single:
        yield (
            f"only one run of {', '.join(single)}, so the comparison cannot show how much runs of "
            "the same machine differ from one another"
        )
    if shared := shared_runs(comparison.sides):
        yield f"the same run appears under several labels: {', '.join(shared)}"


def _offsets(comparison: Comparison) -> Iterator[str]:
    """Notes for labels with a single run.

    If there are other runs of the machine, the notes have the usual difference between these runs.
    """
    offsets = comparison.offsets
    findings = [
        finding
        for line in (comparison.matched if offsets else ())
        for finding in line.findings
        if finding.offset is not None
    ]
    if offsets is None or not findings:
        yield (
            "each label has only one run, so the comparison cannot show how much runs of the same "
            f"machine differ from one another; {SEVERAL_RUNS}"
        )
        return
    shares = sorted(finding.offset or 0.0 for finding in findings)
    half, most = shares[(len(shares) - 1) // 2], shares[-1]
    others = counted(offsets.runs, "other run")
    yield (
        "each label has only one run. Even without a known change between runs, the values of "
        f"{others} of this machine ({offsets.folder}) differ by up to {half:.1%} in half of the "
        f"rows, and by up to {most:.1%} in all rows"
    )
    judged = [one for one in findings if one.verdict in (Verdict.BETTER, Verdict.WORSE)]
    if judged:
        within = sum(one.within_offset for one in judged)
        yield (
            f"in {within} of {len(judged)} rows with the verdict better or worse, the difference "
            f"is no larger than the usual difference between the other runs; to be sure, "
            f"{SEVERAL_RUNS}"
        )


def _sources(comparison: Comparison) -> Iterator[str]:
    changed = 0
    for line in comparison.matched:
        changed += len({one.kernel for one in line.figures.commons if one.kernel}) > 1
    if changed:
        yield (
            f"the source code of the measured work differs in {counted(changed, 'row')} (column "
            "kernel); the numbers are comparable if case_version is the same"
        )


def _thresholds(comparison: Comparison) -> str:
    """A text such as ``3% bandwidth, 10% ssd (default)``."""
    used: dict[str, float] = {}
    for metric in Metric:
        for line in comparison.matched:
            if line.row.metric is metric:
                used[str(Tier.SSD if line.row.tier is Tier.SSD else metric)] = line.threshold
    words = ", ".join(f"{limit * 100:.3g}% {name}" for name, limit in used.items())
    return f"{words} ({comparison.thresholds.name})"
