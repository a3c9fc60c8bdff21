"""Parse the option `--versus` of `membench run`, the difference on side B of a paired run."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from membench.core.errors import OutputError, UsageError
from membench.core.text import one_line
from membench.measure.options import RunOptions

FORMS = "python=PATH, env=NAME=VALUE, scratch=DIR or device=cuda:N"
WITHOUT_GPU = "python=PATH, env=NAME=VALUE or scratch=DIR"
"""The forms of a difference that needs no GPU."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ELSEWHERE: Mapping[str, str] = {
    "CUDA_VISIBLE_DEVICES": "compare two GPUs with --versus device=cuda:N",
    "NVIDIA_VISIBLE_DEVICES": "compare two GPUs with --versus device=cuda:N",
    "PYTHONHOME": "compare two Pythons with --versus python=PATH",
    "PYTHONPATH": "compare two Pythons, each with its own membench, with --versus python=PATH",
}
"""Environment variables that affect the plan or select another membench -> hint."""


@dataclass(frozen=True)
class Change:
    """The difference on side B of a paired run.

    All attributes are empty or None if the sides differ only in their set-up commands.

    Attributes:
        text: the option's value as the user wrote it.
        python: path of another interpreter.
        variables: additional environment variables of the workers.
        scratch: another directory for the scratch file.
        device: another GPU, ``cuda:N``.
    """

    text: str = ""
    python: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    scratch: Path | None = None
    device: str = ""

    def applied(self, options: RunOptions) -> RunOptions:
        """``options`` with the scratch directory and the GPU of side B."""
        return replace(
            options, scratch=self.scratch or options.scratch, device=self.device or options.device
        )


def parse_change(text: str) -> Change:
    """Parse the value of ``--versus``. An empty text means no difference.

    Raises:
        UsageError: the text has none of the `FORMS`, names a missing program, or names a variable
            that would affect more than the workers.
        OutputError: the scratch directory does not exist.
    """
    if not text:
        return Change()
    kind, sign, value = text.partition("=")
    if not (sign and value) or kind not in _KINDS:
        raise UsageError(f"--versus '{one_line(text)}' is not valid", f"write {FORMS}")
    return replace(_KINDS[kind](value), text=text)


def _python(value: str) -> Change:
    found = shutil.which(value)
    if found is None:
        raise UsageError(
            f"there is no executable program {one_line(value)}",
            "give the path of a Python interpreter: --versus python=PATH",
        )
    # The interpreter of a virtual environment is a link, and Python finds the environment by the
    # path of the link.
    return Change(python=os.path.abspath(found))  # noqa: PTH100 - Path.absolute keeps `..`


def _variable(value: str) -> Change:
    name, sign, content = value.partition("=")
    if sign and name and not _VARIABLE.fullmatch(name):
        raise UsageError(
            f"env={one_line(value)}: '{one_line(name)}' is not the name of a variable",
            "use ASCII letters, digits and '_', beginning with a letter or '_'",
        )
    if not (sign and name):
        raise UsageError(
            f"env={one_line(value)} is not NAME=VALUE", "write --versus env=NAME=VALUE"
        )
    if name in _ELSEWHERE:
        raise UsageError(
            f"--versus env={name} is not possible: {name} also affects processes other than the "
            "workers",
            _ELSEWHERE[name],
        )
    return Change(variables={name: content})


def _scratch(value: str) -> Change:
    directory = Path(value)
    if not directory.is_dir():
        raise OutputError(
            f"the scratch path {one_line(value)} is not a directory",
            "give a directory that you may write to",
        )
    return Change(scratch=directory)


def _device(value: str) -> Change:
    if not re.fullmatch(r"cuda:[0-9]+", value):
        raise UsageError(
            f"device={one_line(value)} does not name one GPU",
            "name one GPU by its number, such as device=cuda:1",
        )
    return Change(device=value)


_KINDS = {"python": _python, "env": _variable, "scratch": _scratch, "device": _device}
