#!/usr/bin/env python3
"""Write the generated tables. Run this after an estimate has changed, and before a release.

docs/profiles.md                        time of each family in the full profile
membench/gpu/cuda/kernel_variants.json  compilations that a run makes before it starts
docs/kernels.md                         loads in flight of the streams

The first call takes some minutes, because it compiles every configuration of the streams.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import profile_table  # noqa: E402
import streams_table  # noqa: E402
import variants_file  # noqa: E402

from membench.gpu.cuda import kernel_variants  # noqa: E402


def main() -> None:
    """Write each file, and print whether it changed."""
    for table, path in (
        (profile_table, profile_table.DOCUMENT),
        (variants_file, kernel_variants.PATH),
        (streams_table, streams_table.DOCUMENT),
    ):
        before = path.read_bytes()
        table.write()
        state = "unchanged" if path.read_bytes() == before else "written"
        print(f"{path.relative_to(ROOT)}: {state}", flush=True)


if __name__ == "__main__":
    main()
