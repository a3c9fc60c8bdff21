"""Explain how groups of benches count bytes, which flags are likely, and which commands to run."""

from __future__ import annotations

from membench.core.case import Bench, Needs
from membench.core.terms import FLAGS, Flag, Metric

_COPIES = frozenset({"link", "kv", "peer", "zerocopy", "managed", "hmm", "interference"})
_DISKS = frozenset({"ssd", "paging"})
_GENERAL = ("noisy", "single-round", "not-converged")
_BY_PREFIX = {
    "ddr": (
        "cache-served",
        "cache-unknown",
        "few-huge-pages",
        "unpinned",
        "busy-cpu",
        "vm",
        "cgroup-limited",
    ),
    "host": (
        "cache-served",
        "cache-unknown",
        "transition",
        "few-huge-pages",
        "unpinned",
        "other-memory",
        "busy-cpu",
        "vm",
        "cgroup-limited",
    ),
    "ssd": ("page-cache", "sync-submit", "vm"),
    "paging": ("page-cache", "sync-submit", "vm"),
    "link": ("link-downtrained", "encrypted-link", "unpinned-numa", "busy-gpu"),
    "kv": ("link-downtrained", "encrypted-link", "unpinned-numa", "busy-gpu"),
}
_GPU = ("throttled", "busy-gpu", "above-peak")


def prefix(bench: Bench) -> str:
    """The first component of the bench's name, such as ``ddr``."""
    return bench.name.partition("/")[0]


def counting(bench: Bench) -> str:
    metrics = {metric for metric, _ in bench.yields}
    if Metric.ENERGY in metrics:
        return "the payload: each byte that the bench reads or copies counts once"
    if Metric.BANDWIDTH not in metrics:
        return "no bytes: the time of one operation, or operations per second"
    if prefix(bench) in _COPIES:
        return "the payload: each byte counts once, even if the work moves it several times"
    if prefix(bench) in _DISKS:
        return "the payload: each byte that the bench reads or writes counts once"
    return (
        "as in STREAM, the bytes that the algorithm reads plus the bytes that it writes; "
        "write-allocate (a cache reads a line before a write to it) does not count"
    )


def dangers(bench: Bench) -> list[Flag]:
    """The flags that rows of the bench are most likely to have."""
    own = _GPU if Needs.GPU in bench.needs else ()
    codes = dict.fromkeys((*_GENERAL, *_BY_PREFIX.get(prefix(bench), own)))
    return [FLAGS[code] for code in codes if code in FLAGS]


def next_steps(bench: Bench, *, quick: bool) -> tuple[str, ...]:
    """Commands that measure ``bench`` and list its cases.

    ``quick`` says whether the quick profile contains the bench.
    """
    profile = "" if quick else "--profile full "
    return (
        f"membench run {profile}--select '{bench.name}'",
        f"membench list --profile full --select '{bench.name}'",
    )
