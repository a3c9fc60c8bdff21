"""The texts of a check, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from membench.analysis.check.lines import DeviceLine, TierLine
from membench.analysis.check.machine import MachineCheck
from membench.analysis.check.preconditions import PreconditionState
from membench.analysis.check.requirements import gpus
from membench.analysis.check.rule import CheckVerdict
from membench.core.messages import listed, tr, tr_n
from membench.core.record import record
from membench.core.terms import Metric
from membench.core.units import Scale, common_scale, significant

GLYPH = {
    CheckVerdict.GOOD: "=",
    CheckVerdict.LOOK: "?",
    CheckVerdict.NOT_JUDGED: "-",
    CheckVerdict.FAULT: "!",
    CheckVerdict.FAIL: "x",
}


@record
class TierCells:
    """The cells of one row of the table.

    Attributes:
        expected: the expected range as numbers in the unit of ``measured``; may be empty.
        share: the measured share of the expected value in percent (see `legend`). Without an
            expected value, the share of the peak.
        remark: the GPUs with the worst verdict and the reason, as in `_remark`; may be empty.
    """

    tier: str
    name: str
    measured: str
    expected: str
    share: str
    verdict: str
    source: str
    remark: str


class SourceNumbers:
    """The sources of the expected values, numbered in the order of first use."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def of(self, line: DeviceLine) -> str:
        """The numbers of the sources of ``line``, such as ``1 2``."""
        if line.expected is None:
            return ""
        names = [
            f"{' '.join(line.expected.references)}: {source}" for source in line.expected.sources
        ]
        return " ".join(str(self.numbers.setdefault(name, len(self.numbers) + 1)) for name in names)


def cells(line: TierLine, sources: SourceNumbers) -> TierCells:
    """The cells for ``line``, with the values of its worst device."""
    worst = line.worst
    scale = _scale(line, worst)
    return TierCells(
        tier=str(line.tier),
        name=str(line.name),
        measured="" if worst.value is None else _value(worst.value, scale),
        expected=_range(worst, scale),
        share=_share(worst),
        verdict=_verdict(worst),
        source=sources.of(worst),
        remark=_remark(line),
    )


_TERA = Scale(1e3, "TFLOP/s")


def _scale(line: TierLine, worst: DeviceLine) -> Scale:
    known = [worst.value] if worst.value is not None else []
    if worst.expected is not None:
        known += [worst.expected.low, worst.expected.high]
    if line.metric is Metric.FLOPS and min(known, default=0.0) >= _TERA.divisor:
        return _TERA
    return common_scale(line.metric, known)


def _value(value: float, scale: Scale) -> str:
    return f"{scale.format(value)} {scale.unit}"


def _range(line: DeviceLine, scale: Scale) -> str:
    if line.expected is None:
        return ""
    low, high = scale.format(line.expected.low), scale.format(line.expected.high)
    return low if low == high else f"{low}..{high}"


def _share(line: DeviceLine) -> str:
    if line.share is not None:
        return line.share_text
    return "" if line.peak_share is None else tr("{share} of peak", share=f"{line.peak_share:.0%}")


def _verdict(line: DeviceLine) -> str:
    """A text such as ``= pass``, or with a short reason instead of the word."""
    return f"{GLYPH[line.verdict]} {line.brief or line.verdict}"


def legend(check: MachineCheck) -> Iterator[str]:
    """Lines that explain the characters, the share, and the short reasons in the table."""
    yield ", ".join(f"{glyph} {verdict}" for verdict, glyph in GLYPH.items())
    if any(line.worst.share is not None for line in check.lines):
        yield (
            "share: measured value / low end of the expected range; for a latency: high end of the "
            "range / measured value"
        )
    shown = [line.worst for line in check.lines]
    listed_above = [
        one.seen for one in check.preconditions if one.state is not PreconditionState.OK
    ]
    for brief, why in dict.fromkeys((one.brief, one.why) for one in shown if one.brief):
        if not (why.startswith(brief) or any(seen in why for seen in listed_above)):
            yield f"{brief}: {why}"


def _remark(line: TierLine) -> str:
    """The GPUs with the worst verdict, and the reason.

    The GPUs are left out if all have this verdict. The reason is left out if the column of verdicts
    shows a short form of the reason.
    """
    worst = line.worst
    same = [one.device for one in line.devices if one.verdict is worst.verdict]
    named = gpus(same) if 0 < len(same) < len(line.devices) else ""
    return f"{named}{'' if worst.brief else worst.why}".removesuffix(": ")


def precondition_lines(check: MachineCheck) -> Iterator[str]:
    """A line per precondition that is not `OK`, and one line with all others."""
    wrong: dict[tuple[str, PreconditionState, str], list[int | None]] = {}
    for one in check.preconditions:
        if one.state is not PreconditionState.OK:
            wrong.setdefault((one.name, one.state, one.seen), []).append(one.device)
    for (name, state, seen), devices in wrong.items():
        yield f"{gpus(devices)}{name}: {state}: {seen}"
    fine = [one for one in check.preconditions if one.state is PreconditionState.OK]
    if fine:
        names = dict.fromkeys(f"{one.name} ({one.seen})" for one in fine)
        yield tr("preconditions met: {names}", names=listed(names))


def straggler_lines(check: MachineCheck) -> Iterator[str]:
    """One line per GPU or GPU pair that is slower than its peers."""
    for one in check.stragglers:
        worst = one.slow[0]
        yield tr_n(
            "{name} is an outlier: slower than its peers in {count} case ({case}), by a factor of "
            "{times}",
            "{name} is an outlier: slower than its peers in {count} cases; the largest factor "
            "is {times}, in {case}",
            len(one.slow),
            name=one.name,
            times=significant(worst.times, 3),
            case=worst.key.case,
        )


def source_lines(sources: SourceNumbers) -> Iterator[str]:
    """One line per source: ``[1] ref:h100-sxm: ...``."""
    return (f"[{number}] {name}" for name, number in sources.numbers.items())


def answer(check: MachineCheck, failures: Iterable[str]) -> str:
    """The result in one line: failed, not judged, to look at, or passed."""
    found = list(failures)
    if found:
        return tr("the check failed: {failures}", failures="; ".join(found))
    judged = check.judged
    if not judged:
        return tr("not judged: each line gives the reason")
    look = [line for line in judged if line.verdict is CheckVerdict.LOOK]
    counts = tr("{judged} of {lines} lines judged", judged=len(judged), lines=len(check.lines))
    if look:
        names = listed(line.name for line in look)
        return tr("no line fails, but look at {names} ({counts})", names=names, counts=counts)
    return tr("every judged line passes ({counts})", counts=counts)
