"""Another Python interpreter and its membench, which measure side B of a paired run."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace

from membench.core.errors import SchemaError, UsageError
from membench.core.plain import load
from membench.core.snapshot import Machine
from membench.core.text import ascii_line, one_line
from membench.core.untrusted import parse_json
from membench.host.compiled.interpreter import environment
from membench.results.plan import Plan

_SECONDS = 60.0  # a first import from a cold disk is slow
_QUESTION = """
import json
from membench.benches import registry
from membench.machine import software
import membench.measure.worker.main
print(json.dumps({
    "software": software.software_version(),
    "python": software.python(),
    "packages": software.packages(),
    "versions": {name: bench.version for name, bench in registry().benches.items()},
}))
"""


@dataclass(frozen=True)
class OtherPython:
    """The facts about another interpreter and its membench.

    Attributes:
        software: the version of its membench, as in the column `membench`.
        packages: name -> version of the packages that affect results.
        versions: name of a bench -> version of the bench.
        path: path of the interpreter.
    """

    software: str
    python: str
    packages: dict[str, str]
    versions: dict[str, int]
    path: str = ""

    def planned(self, plan: Plan) -> Plan:
        """``plan`` with the bench versions of this interpreter.

        The plan skips each case whose bench this interpreter's membench does not have.
        """
        cases = []
        for case in plan.cases:
            version = self.versions.get(case.bench)
            why = f"the membench of {one_line(self.path)} has no bench {case.bench}"
            if version is not None:
                cases.append(replace(case, version=version))
            else:
                cases.append(replace(case, skipped=case.skipped or why))
        return replace(plan, software=self.software, cases=tuple(cases))

    def described(self, machine: Machine) -> Machine:
        return replace(machine, python=self.python, packages=self.packages)


def ask(path: str) -> OtherPython:
    """Run the interpreter at ``path`` to find out which membench it has.

    Raises:
        UsageError: ``path`` cannot be run, or has no membench whose workers this membench can use.
    """
    try:
        done = subprocess.run(
            [path, "-P", "-c", _QUESTION],
            env=environment(own=False),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            f"{one_line(path)} cannot be run: {one_line(str(error))}",
            "give the path of a Python interpreter: --versus python=PATH",
        ) from None
    if done.returncode == 0:
        try:
            answer = load(OtherPython, _plain(done.stdout))
        except (SchemaError, ValueError, IndexError):
            pass
        else:
            return replace(
                answer,
                path=path,
                software=ascii_line(answer.software),
                python=ascii_line(answer.python),
            )
    said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no answer"]
    raise UsageError(
        f"{one_line(path)} has no membench that can measure side B: {one_line(said[0])[:200]}",
        "install membench for this interpreter, or give another one: --versus python=PATH",
    )


def _plain(output: bytes) -> Mapping[str, object]:
    """The JSON object in the last line of ``output``, after lines that packages have printed."""
    data = parse_json(output.strip().splitlines()[-1])
    if not isinstance(data, dict):
        raise ValueError(data)  # noqa: TRY004 - the caller handles it like broken JSON
    return data
