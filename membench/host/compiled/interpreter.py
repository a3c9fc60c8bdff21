"""The command and the environment for starting a Python process of membench."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import membench

_SINGLE_THREADED = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""Variables that keep libraries from starting threads, which would disturb measurements."""


def command(module: str, *arguments: str, python: str = "") -> list[str]:
    """The command that runs ``module`` with ``python``, by default the present interpreter.

    The process imports nothing from the working directory.
    """
    return [python or sys.executable, "-P", "-m", module, *arguments]


def environment(*, own: bool = True) -> dict[str, str]:
    """The environment for a child process whose numerical libraries start no threads.

    With ``own``, the child process imports the same membench as this process.
    """
    found = {**os.environ, **_SINGLE_THREADED}
    root = Path(membench.__file__).resolve().parents[1]
    if own and root.name not in ("site-packages", "dist-packages"):
        path = found.get("PYTHONPATH")
        found["PYTHONPATH"] = os.pathsep.join([str(root), *([path] if path else [])])
    return found
