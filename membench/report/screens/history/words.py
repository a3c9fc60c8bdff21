"""Texts about a history as ASCII, the same on the screen and on the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from membench.analysis.history.changepoints import CHANCE
from membench.analysis.history.summary import BAND, History, HistoryLine, LevelChange
from membench.analysis.verdict import Verdict
from membench.core.terms import Stat
from membench.core.text import counted, shell_word
from membench.core.units import Scale, common_scale
from membench.report.page.sections.words import METRICS, TIERS

FEW_RUNS = 15
"""With fewer runs, only changes of many times the noise are found (docs/statistics.md)."""
COMPARED = 4
"""Number of runs per side in the proposed comparison: the fewest that give an interval."""
_CHANGES_SHOWN = 12  # maximum number of other facts that are shown for one change


def headline(history: History) -> str:
    """``box: 100 runs, 2026-01-01 03:00 to 2026-04-10 03:00: 1 change``."""
    runs = history.record.runs
    span = f"{runs[0].when} to {runs[-1].when}" if len(runs) > 1 else runs[0].when
    changes = sum(len(line.changes) for line in history.lines)
    size = counted(len(runs), "run")
    found = counted(changes, "change") if changes else "no change"
    return f"{history.machine}: {size}, {span}: {found}"


def name(line: HistoryLine) -> str:
    """``ddr bandwidth``; with the statistic unless it is the median."""
    stat = "" if line.key.stat is Stat.MEDIAN else f" {line.key.stat}"
    return f"{line.key.tier} {line.key.metric}{stat}"


def page_name(line: HistoryLine) -> str:
    """The title on the page: ``Host memory (DDR): bandwidth``."""
    stat = "" if line.key.stat is Stat.MEDIAN else f", {line.key.stat}"
    return f"{TIERS[line.key.tier]}: {METRICS[line.key.metric]}{stat}"


def scale_of(line: HistoryLine) -> Scale:
    """The scale (unit and decimals) that all numbers of ``line`` share."""
    return common_scale(line.key.metric, (level.median for level in line.levels))


def band_text(line: HistoryLine, digits: int = 4) -> str:
    """The noise band as ``36.62 to 37.88``, in the scale of the line."""
    scale, level = scale_of(line), line.level
    return f"{scale.format(level.low, digits)} to {scale.format(level.high, digits)}"


def now_text(line: HistoryLine) -> str:
    """The median of the present level: ``37.25 GB/s``."""
    scale = scale_of(line)
    return f"{scale.format(line.level.median)} {scale.unit}"


def width_text(line: HistoryLine) -> str:
    """The ends of the noise band relative to the median: ``-1.7 % +1.7 %``."""
    level = line.level
    return f"{percent(level.low / level.median)} {percent(level.high / level.median)}"


def latest_text(line: HistoryLine) -> str:
    """The newest value, marked if it is outside the noise band."""
    return f"{scale_of(line).format(line.latest)}{' *' if line.outside else ''}"


def changes_text(line: HistoryLine) -> str:
    """The number of changes by verdict: ``1 worse, 1 better``; ``none`` without changes."""
    counts = Counter(change.verdict for change in line.changes)
    words = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    return ", ".join(words) or "none"


def percent(ratio: float) -> str:
    """``0.933`` -> ``-6.7%``."""
    return f"{100 * (ratio - 1):+.1f}%"


def levels_text(line: HistoryLine, number: int) -> str:
    """The levels before and after change ``number`` of ``line``: ``39.94 -> 37.25 GB/s``."""
    scale = scale_of(line)
    before, after = line.levels[number : number + 2]
    return f"{scale.format(before.median)} -> {scale.format(after.median)} {scale.unit}"


def place_text(line: HistoryLine, change: LevelChange) -> str:
    """When a level began: ``2026-03-02 03:00 (run 61 of 100)``."""
    return f"{change.first.when} (run {change.place + 1} of {len(line.runs)})"


def chance_text(change: LevelChange) -> str:
    """The p value of a change: ``p <= 0.002``, over all lines of the history."""
    return f"p <= {change.p:.3f}"


def surroundings_texts(change: LevelChange) -> list[str]:
    """Facts that changed at the same time: ``kernel: 6.1.0 -> 6.8.0``.

    If a fact changed at another run, the distance in runs is added.
    """
    texts = []
    for fact in change.surroundings[:_CHANGES_SHOWN]:
        off = abs(fact.runs_off)
        side = "earlier" if fact.runs_off < 0 else "later"
        moved = f" ({counted(off, 'run')} {side})" if off else ""
        texts.append(f"{fact.name}: {fact.before} -> {fact.after}{moved}")
    if more := len(change.surroundings) - _CHANGES_SHOWN:
        texts += [f"and {more} more: --json has all"] if more > 0 else []
    return texts


def newest_first(history: History) -> list[tuple[HistoryLine, int]]:
    """Every change as (line, number of the change within the line), newest first."""
    found = [(line, number) for line in history.lines for number in range(len(line.changes))]
    return sorted(found, key=lambda one: one[0].changes[one[1]].first.run_id, reverse=True)


def next_command(history: History) -> str:
    """Command that compares all cases before and after the newest change; empty without changes."""
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


def notes(history: History) -> Iterator[str]:
    """Caveats about the results."""
    record = history.record
    if len(record.runs) < FEW_RUNS:
        yield (
            f"{counted(len(record.runs), 'run')}: with fewer than {FEW_RUNS} only changes of "
            "many times the noise can be detected"
        )
    if any(line.outside for line in history.lines):
        yield (
            f"* the latest run is outside the noise band, like {1 - BAND:.0%} of the runs without "
            "any change; run again before looking for a cause"
        )
    earlier = [line for line in history.lines if line.earlier]
    if earlier:
        runs = max(line.earlier for line in earlier)
        yield (
            f"{counted(len(earlier), 'line')} without up to {counted(runs, 'run')} of another "
            "version, unit or backend: those numbers have another meaning"
        )
    failed = [line for line in history.lines if line.failures]
    if failed:
        cases = ", ".join(f"{line.key.case} in {line.failures}" for line in failed[:3])
        more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
        yield f"failed runs: {cases}{more}"
    if record.repeated:
        yield f"{counted(record.repeated, 'file')} left out: another file has the same run"
    for file, why in list(record.unread.items())[:3]:
        yield f"not read: {file}: {why}"
    if len(record.unread) > 3:
        yield f"not read: {counted(len(record.unread) - 3, 'more file')}"
    if len(record.machines) > 1:
        yield f"the machine's names: {', '.join(record.machines)}"


def rule(history: History) -> str:
    """The definition of a change, in one line."""
    return (
        f"noise band: {BAND:.0%} of the runs of a level; change: larger than compare's threshold "
        f"({history.thresholds.name}), a false one in at most {CHANCE:.0%} of histories "
        "(docs/history.md)"
    )


def method(history: History) -> Iterator[str]:
    """How the numbers are computed."""
    yield (
        f"Noise band: {BAND:.0%} of the runs of all levels are within it, relative to the median "
        "of the present level."
    )
    yield (
        "Change: the level differs by more than compare's threshold "
        f"({history.thresholds.name}), and at most {CHANCE:.0%} of histories without a change have "
        "a step this large in any line (CUSUM over windows of all lengths, permutations over all "
        "lines, autocorrelation allowed for; docs/history.md)."
    )
    yield (
        "What changed there: facts of the machine, the rows and the settings that differ between "
        "the runs before and after. They are not proof of a cause."
    )
