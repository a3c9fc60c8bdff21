"""Measure this machine twice and hold the runs against each other.

python examples/compare_runs.py [GLOB] [ROUNDS]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import membench


def main(select: str, rounds: int) -> None:
    """Two runs of the cases that ``select`` fits, as data frames and as a comparison."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.csv"), Path(folder, "after.csv")
        for path in (before, after):
            membench.run(select=[select], rounds=rounds, output=path)

        frame = membench.load(before, after)
        print(frame[["run_id", "case", "value", "unit", "spread"]].to_string(index=False))

        comparison = membench.compare(f"before={before}", f"after={after}")
        print(comparison.to_frame()[["case", "ratio", "verdict", "settle"]].to_string(index=False))
        for fact in comparison.facts:
            if fact.differs:
                print(f"differs: {fact.name}: {' | '.join(fact.values)}")


if __name__ == "__main__":
    try:
        glob, rounds = (*sys.argv[1:], *("ddr/copy/*", "5")[len(sys.argv) - 1 :])[:2]
        main(glob, int(rounds))
    except membench.MembenchError as error:
        sys.exit(f"Error: {error}\nHint: {error.hint}")
