"""The section that briefly describes how membench measures."""

from __future__ import annotations

from membench.analysis.quality import FAIR, GOOD
from membench.core.messages import tr
from membench.core.terms import NOISE_THRESHOLD, Tier
from membench.report.page.document import Bullets, Line, Section, Strong

_NOISE = {tier: f"{100 * threshold:g} %" for tier, threshold in NOISE_THRESHOLD.items()}

_POINTS = {
    tr("Rounds. "): tr(
        "A round is a fresh process with fresh buffers that measures the cases in a different "
        "order. A round has one number per row; the value of a row is the median of these numbers."
    ),
    tr("Spread. "): tr(
        "The spread is 1.4826 times the median absolute deviation of the rounds, divided by the "
        "median of the rounds. If the spread is above {memory} ({caches} for host caches, {disk} "
        "for the disk), the row has the flag noisy.",
        memory=_NOISE[Tier.DDR],
        caches=_NOISE[Tier.CACHE],
        disk=_NOISE[Tier.SSD],
    ),
    tr("Data quality. "): tr(
        "The data quality is good if at most {good} of the rows are noisy, fair if at most {fair} "
        "are noisy, and poor otherwise.",
        good=f"{100 * GOOD:g} %",
        fair=f"{100 * FAIR:g} %",
    ),
    tr("Headline. "): tr(
        "The headline shows the best row of each tier and metric; for a disk, the best read. "
        "The best of many noisy rows is too optimistic, so also look at the spread."
    ),
    tr("Units. "): tr(
        "1 GB/s = 1e9 B/s; KiB, MiB and GiB are powers of 1024. Bytes are payload: STREAM kernels "
        "count reads and writes, copies between tiers count each byte once, and traffic that a "
        "cache adds is not counted."
    ),
    tr("Nothing is emulated. "): tr(
        "membench measures only on real hardware, and estimates no missing value. Cases that "
        "could not be measured are listed with the reason."
    ),
}


def section() -> Section:
    items: list[Line] = [(Strong(name), text) for name, text in _POINTS.items()]
    return Section("method", tr("Method in short"), (Bullets(tuple(items)),), folded=True)
