#!/usr/bin/env python3
"""Compile every kernel with several releases of NVRTC, and write docs/compilers.md again.

    ci/compilers.py FOLDER

FOLDER contains one folder per release, named after the version, with the unpacked wheel:

    pip download --no-deps -d wheels nvidia-cuda-nvrtc-cu12==12.8.93 nvidia-cuda-nvrtc==13.5.37 ...
    unzip -d FOLDER/12.8.93 wheels/nvidia_cuda_nvrtc_cu12-12.8.93-*.whl

No GPU is needed. The first call takes ten minutes of CPU time; results are cached in FOLDER.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import compilers_table  # noqa: E402


def main(arguments: list[str]) -> int:
    """Compile with each release in a separate process, and write the tables."""
    folder = Path(arguments[0])
    if len(arguments) == 2:
        found = compilers_table.survey(folder / arguments[1], folder / f"seen.{arguments[1]}.json")
        print(json.dumps(found))
        return 0
    releases = sorted(
        (one.name for one in folder.iterdir() if one.is_dir() and one.name[0].isdigit()),
        key=lambda name: [int(part) for part in name.split(".")],
    )
    surveys = {}
    for release in releases:
        print(release, flush=True)
        command = [sys.executable, __file__, str(folder), release]
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
        surveys[release] = json.loads(ran.stdout)
    path = compilers_table.DOCUMENT
    text = path.read_text(encoding="ascii")
    path.write_text(compilers_table.made(surveys, text), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
