"""Match case ids with globs, and suggest globs for a glob without a match."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from membench.core.near import MOST, asked_back, nearest


def matches(case_id: str, pattern: str) -> bool:
    """Whether the glob ``pattern`` matches the id, or a prefix of the id that ends before a ``/``.

    ``*`` also matches slashes. Examples: ``ddr``, ``ddr/*``, ``ddr/copy`` and ``*/threads=1/*``.
    """
    pattern = pattern.rstrip("/")
    return fnmatchcase(case_id, pattern) or fnmatchcase(case_id, f"{pattern}/*")


def near(pattern: str, ids: Iterable[str]) -> str:
    """A hint for a glob that matches no id of ``ids``.

    The hint suggests similar ids, benches or prefixes, or else names the command that lists the
    cases.
    """
    known = dict.fromkeys(ids)
    benches = dict.fromkeys(
        one.partition("=")[0].rpartition("/")[0] if "=" in one else one for one in known
    )
    prefixes = dict.fromkeys(one.partition("/")[0] for one in known)
    found: list[str] = []
    if "=" in pattern:
        bench = pattern.partition("=")[0].rpartition("/")[0]
        own = [one for one in known if one.startswith(f"{bench}/")]
        found = nearest(pattern, own or known) or own[:MOST]
    if not found:
        stem = pattern.rstrip("/*")
        ending = pattern[len(stem) :]
        stems = nearest(stem, [*prefixes, *benches])
        found = [f"{one}{ending}" for one in stems]
    return asked_back(found) or "membench list names the cases; '*' also matches slashes"
