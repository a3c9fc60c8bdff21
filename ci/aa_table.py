"""Count the verdicts of comparisons between runs without any change: ci/aa_table.py PAIR.json...

The script reads outputs of `membench compare --format json`, one file per pair of runs. The script
prints a Markdown table with the frequency of each verdict and the differences between the values of
the two sides.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

VERDICTS = ("better", "worse", "same", "unclear", "n/a")
SHARES = (0.5, 0.9, 0.95)


def groups(paths: Sequence[Path]) -> dict[str, list[tuple[str, float]]]:
    """Group ``tier metric (threshold)`` -> (verdict, |ratio - 1|) of every row of every pair."""
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for path in paths:
        for row in json.loads(path.read_text(encoding="ascii"))["rows"]:
            against = row["labels"][1].get("against_reference")
            if against is None or against["ratio"] is None:
                continue
            apart = math.expm1(abs(math.log(against["ratio"])))
            tail = "" if row["stat"] in ("median", "p50") else " tail"
            name = f"{row['tier']} {row['metric']}{tail} ({row['threshold']:.0%})"
            found[name].append((against["verdict"], apart))
    return dict(sorted(found.items()))


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that is at least as large as the fraction ``share`` of all ``values``."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def line(name: str, rows: Sequence[tuple[str, float]]) -> str:
    """One line of the table, for the rows of one group."""
    counts = Counter(verdict for verdict, _ in rows)
    shares = [f"{counts[verdict] / len(rows):.1%}" for verdict in VERDICTS[:4]]
    apart = [f"{quantile([one for _, one in rows], share):.1%}" for share in SHARES]
    return f"| {' | '.join([name, str(len(rows)), *shares, *apart])} |"


def main(paths: Sequence[Path]) -> None:
    found = groups(paths)
    if not found:
        sys.exit("Error: these files contain no row with a ratio")
    heads = ["rows of", "n", *VERDICTS[:4], *(f"{share:.0%} within" for share in SHARES)]
    print(f"| {' | '.join(heads)} |")
    print(f"|{' --- |' * len(heads)}")
    for name, rows in found.items():
        print(line(name, rows))
    print(line("**all**", [row for rows in found.values() for row in rows]))
    print(f"\n{len(paths)} pairs of runs, {sum(map(len, found.values()))} rows compared")


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
