"""Texts about a history, for the terminal and for the HTML page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from membench.analysis.history.changepoints import CHANCE
from membench.analysis.history.summary import BAND, BANDED, History, HistoryLine, LevelChange
from membench.core.case_id import with_stat
from membench.core.messages import listed, listed_up_to, span, tr, tr_n
from membench.core.terms import Stat
from membench.core.text import shell_word
from membench.core.units import Scale, common_scale
from membench.report.page.sections.words import FACTS, METRICS, TIERS
from membench.report.screens.compare.cells import counts_text

FEW_RUNS = 15
"""Number of runs below which only very large changes can be found (docs/statistics.md)."""
COMPARED = 4
"""Number of runs on each side of the proposed comparison; fewer give no confidence interval."""
_CHANGES_SHOWN = 12  # maximum number of facts that are shown for one change


def headline(history: History) -> str:
    """A line such as ``box: 100 runs, 2026-01-01 03:00 to 2026-04-10 03:00: 1 change``."""
    runs = history.record.runs
    changes = sum(len(line.changes) for line in history.lines)
    told = tr_n("{count} change", "{count} changes", changes) if changes else tr("no change")
    if history.untested:
        lines = tr_n("{count} line", "{count} lines", len(history.lines))
        told = tr("{changes} in {lines}", changes=told, lines=lines)
    return tr(
        "{machine}: {runs}, {time}: {changes}",
        machine=history.machine,
        runs=runs_text(len(runs)),
        time=span(runs[0].when, runs[-1].when) if len(runs) > 1 else runs[0].when,
        changes=told,
    )


def _untested(history: History) -> Iterator[str]:
    if history.untested:
        yield tr_n(
            "{count} other case or statistic was not searched for changes (--all searches all)",
            "{count} other cases and statistics were not searched for changes (--all searches all)",
            history.untested,
        )


def runs_text(count: int) -> str:
    return tr_n("{count} run", "{count} runs", count)


def name(line: HistoryLine) -> str:
    """A name such as ``ddr bandwidth``, with the statistic if it is not the median."""
    return with_stat(f"{line.key.tier} {line.key.metric}", line.key.stat)


def page_name(line: HistoryLine) -> str:
    """A name such as ``Host memory (DDR): bandwidth``."""
    tier, metric = TIERS[line.key.tier], METRICS[line.key.metric]
    if line.key.stat is Stat.MEDIAN:
        return tr("{tier}: {metric}", tier=tier, metric=metric)
    return tr("{tier}: {metric}, {stat}", tier=tier, metric=metric, stat=line.key.stat)


def scale_of(line: HistoryLine) -> Scale:
    """The display unit for all numbers of ``line``."""
    return common_scale(line.key.metric, (level.median for level in line.levels))


def band_text(line: HistoryLine, digits: int = 4) -> str:
    """The noise band of the present level, such as ``36.62 to 37.88``, without the unit.

    The text is ``-`` if there are too few runs for a band.
    """
    if not line.has_band:
        return "-"
    scale, level = scale_of(line), line.level
    return span(scale.format(level.low, digits), scale.format(level.high, digits))


def now_text(line: HistoryLine) -> str:
    """The median of the present level, such as ``37.25 GB/s``."""
    scale = scale_of(line)
    return f"{scale.format(line.level.median)} {scale.unit}"


def width_text(line: HistoryLine) -> str:
    """The ends of the noise band relative to the median, such as ``-1.7% +1.7%``."""
    level = line.level
    return f"{percent(level.low / level.median)} {percent(level.high / level.median)}"


def latest_text(line: HistoryLine) -> str:
    """The newest value without the unit; `` *`` marks a value outside the noise band."""
    return f"{scale_of(line).format(line.latest)}{' *' if line.outside else ''}"


def changes_text(line: HistoryLine) -> str:
    """A text such as ``1 worse, 1 better``; ``none`` without changes."""
    counts = Counter(change.verdict for change in line.changes)
    return counts_text(counts) or tr("none")


def percent(ratio: float) -> str:
    """``0.933`` -> ``-6.7%``."""
    return f"{100 * (ratio - 1):+.1f}%"


def levels_text(line: HistoryLine, number: int) -> str:
    """The levels before and after change ``number``: ``39.94 -> 37.25 GB/s``."""
    scale = scale_of(line)
    before, after = line.levels[number : number + 2]
    return f"{scale.format(before.median)} -> {scale.format(after.median)} {scale.unit}"


def place_text(line: HistoryLine, change: LevelChange) -> str:
    """The first run after a change: ``2026-03-02 03:00 (run 61 of 100)``."""
    return tr(
        "{time} (run {number} of {runs})",
        time=change.first.when,
        number=change.place + 1,
        runs=len(line.runs),
    )


def chance_text(change: LevelChange) -> str:
    """The p value, corrected for all lines of the history: ``p <= 0.002``."""
    return f"p <= {change.p:.3f}"


def surroundings_texts(change: LevelChange) -> list[str]:
    """Properties that changed at about the same time, such as ``kernel: 6.1.0 -> 6.8.0``.

    If a property changed some runs earlier or later, the text gives the number of runs.
    """
    texts: list[str] = []
    for fact in change.surroundings[:_CHANGES_SHOWN]:
        known = tr(
            "{name}: {before} -> {after}",
            name=FACTS.get(fact.name, fact.name),
            before=fact.before,
            after=fact.after,
        )
        off = abs(fact.runs_off)
        if fact.runs_off < 0:
            known = tr_n(
                "{known} ({count} run earlier)", "{known} ({count} runs earlier)", off, known=known
            )
        elif off:
            known = tr_n(
                "{known} ({count} run later)", "{known} ({count} runs later)", off, known=known
            )
        texts.append(known)
    more = len(change.surroundings) - _CHANGES_SHOWN
    return (
        [*texts, tr("{count} more: membench history --json prints all", count=more)]
        if more > 0
        else texts
    )


def newest_first(history: History) -> list[tuple[HistoryLine, int]]:
    """Every change as a pair (line, index in ``line.changes``), the newest first."""
    found = [(line, number) for line in history.lines for number in range(len(line.changes))]
    return sorted(found, key=lambda one: one[0].changes[one[1]].first.run_id, reverse=True)


def next_command(history: History) -> str:
    """A command that compares the runs around the newest change; empty without a change."""
    changes = newest_first(history)
    if not changes:
        return ""
    line, number = changes[0]
    place = line.changes[number].place
    start, end = line.levels[number].start, line.levels[number + 1].end
    before = line.runs[max(start, place - COMPARED) : place]
    after = line.runs[place : min(end, place + COMPARED)]
    sides = (("before", before), ("after", after))
    files = [f"{label}={shell_word(run.path)}" for label, side in sides for run in side]
    return f"membench compare {' '.join(files)}"


def _few(runs: int) -> str:
    if runs < 2:
        return tr("the history has only one run, which shows neither noise nor changes")
    return tr(
        "the history has {runs}: with fewer than {few} runs, membench finds only changes that "
        "are much larger than the noise",
        runs=runs_text(runs),
        few=FEW_RUNS,
    )


def notes(history: History) -> Iterator[str]:
    """Remarks on the history, for example that it has too few runs, or that files were left out."""
    record = history.record
    if len(record.runs) < FEW_RUNS:
        yield _few(len(record.runs))
    yield from _untested(history)
    if any(line.outside for line in history.lines):
        yield tr(
            "* marks a line whose latest value is outside the noise band. Without any change, "
            "about {share} of the values are outside the band. Run again before you look for a "
            "cause.",
            share=f"{1 - BAND:.0%}",
        )
    earlier = [line for line in history.lines if line.earlier]
    if earlier:
        runs = max(line.earlier for line in earlier)
        yield tr(
            "left out of {lines}: older values with another version, unit or backend than the "
            "newer values (up to {runs} per line)",
            lines=tr_n("{count} line", "{count} lines", len(earlier)),
            runs=runs_text(runs),
        )
    failed = [line for line in history.lines if line.failures]
    if failed:
        cases = [
            tr("{case} in {runs}", case=line.key.case, runs=runs_text(line.failures))
            for line in failed
        ]
        yield tr("failed: {cases}", cases=listed_up_to(3, cases))
    if record.repeated:
        yield tr_n(
            "{count} file left out: another file has the same run",
            "{count} files left out: another file has the same run",
            record.repeated,
        )
    for file, why in list(record.unread.items())[:3]:
        yield tr("{file} was not read: {why}", file=file, why=why)
    if len(record.unread) > 3:
        count = len(record.unread) - 3
        yield tr_n("{count} more file was not read", "{count} more files were not read", count)
    if len(record.machines) > 1:
        yield tr("the machine has had several names: {names}", names=listed(record.machines))


def rule(history: History) -> str:
    return (
        f"noise band (with {BANDED} runs or more): contains about {BAND:.0%} of the runs of a "
        "level; change: a step of the level that is larger than the threshold "
        f"({history.thresholds.name}); at most {CHANCE:.0%} of histories have a false change "
        "(docs/history.md)"
    )


def method(history: History) -> Iterator[str]:
    yield tr(
        "The deviation of a run is relative to the median of the run's own level. The noise band "
        "is the range around the median of the present level that contains the middle {share} of "
        "all deviations. With fewer than {runs} runs, there is no band.",
        share=f"{BAND:.0%}",
        runs=BANDED,
    )
    yield tr(
        "A change is a step of the level that is larger than the threshold ({thresholds}). If no "
        "level changes, membench reports a false change in one or more lines in at most {chance} "
        "of histories. membench computes a CUSUM statistic in windows of all lengths, and corrects "
        "the statistic for autocorrelation. The critical value comes from permutations of all "
        "lines (docs/history.md).",
        thresholds=history.thresholds.name,
        chance=f"{CHANCE:.0%}",
    )
    yield tr(
        "For each change, membench also lists the properties of the machine, the rows and the "
        "settings that differ between the runs before the change and the runs after it. Such a "
        "difference does not prove a cause."
    )
