"""Simulated GPUs: a stub of NVIDIA's management library, called through the real NVML bindings.

The stub is a C library that reads its answers from a file, and is compiled once per session. The
stub is loaded before `nvmlInit`, so the loader uses the stub for the name ``libnvidia-ml.so.1``.
Loading the stub affects the whole process. So a separate process makes the queries for the whole
session.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import c_library

from membench.core.plain import load
from membench.core.snapshot import Gpus
from membench.machine.gpus.cuda_stack import CudaStack
from membench.machine.gpus.state import GpuState

SONAME = "libnvidia-ml.so.1"
SOURCE = Path(__file__).with_name("nvml_stub.c")

H100: Mapping[str, object] = {
    "uuid": "GPU-aaaa1111-0",
    "name": "NVIDIA H100 80GB HBM3",
    "memory": 80 << 30,
    "capability": "9.0",
    "mig": 0,
    "sm": 1980,
    "sm_max": 1980,
    "sm_set": 1980,
    "mem": 2619,
    "mem_max": 2619,
    "bus_bits": 5120,
    "performance": 0,
    "reasons": 0,
    "held0": 0,
    "held1": 0,
    "held3": 0,
    "temperature": 41,
    "memory_temperature": 52,
    "power": 70000,
    "power_limit": 700000,
    "power_default": 700000,
    "ecc": 1,
    "ecc_errors": 0,
    "persistence": 1,
    "gen": 5,
    "gen_max": 5,
    "width": 16,
    "width_max": 16,
    "bus": "00000000:3B:00.0",
    "processes": "none",
    "c2c": 0,
}
"""A healthy GPU under load, as the keys and values of the stub's file."""


def text(cards: list[Mapping[str, object]], **others: object) -> str:
    """The content of the stub's file for ``cards``. A value None leaves out its line."""
    lines = [f"count {len(cards)}", *(f"{key} {value}" for key, value in others.items())]
    for index, card in enumerate(cards):
        lines += [f"{index}.{key} {value}" for key, value in card.items() if value is not None]
    return "\n".join(lines) + "\n"


def build(folder: Path, *options: str) -> Path:
    """Compile the stub into ``folder``, with the file name that the dynamic loader searches."""
    return c_library.build(folder / SONAME, SOURCE, *options)


@dataclass
class NvmlProcess:
    """A process that uses the stub as NVML and answers questions about the simulated GPUs."""

    library: Path
    facts: Path
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(self.library)],
            env={**os.environ, "NVML_STUB": str(self.facts)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def gpus(self, root: Path, environ: Mapping[str, str], stack: CudaStack) -> Gpus:
        """The result of `read_gpus` in the process. `read_gpus` must close NVML afterwards."""
        answer = self._ask(
            what="gpus",
            root=str(root),
            environ=dict(environ),
            stack=[list(stack.cupy), stack.importable, sorted(stack.nvrtc)],
        )
        assert answer["closed"]
        return load(Gpus, answer["gpus"])

    def states(self, root: Path = Path("/"), then: str | None = None) -> list[GpuState | str]:
        """The GPU states that `GpuReader` reads, or the error as text.

        ``then`` replaces the content of the stub's file after the reader has opened NVML.
        """
        answer = self._ask(what="states", root=str(root), then=then)
        return [one if isinstance(one, str) else load(GpuState, one) for one in answer["states"]]

    def closed_after(self, closes: int) -> bool:
        """Whether NVML is closed in a process with another session.

        The process calls `GpuReader.close` of a second session ``closes`` times.
        """
        return bool(self._ask(what="closes", root="/", closes=closes)["closed"])

    def _ask(self, **question: Any) -> dict[str, Any]:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(question) + "\n")
        stdin.flush()
        answer: dict[str, Any] = json.loads(stdout.readline())
        return answer

    def close(self) -> None:
        self.process.communicate()


def serve(questions: IO[str]) -> None:
    """Answer each line of JSON on standard input with one line of JSON."""
    from membench.core.plain import dump
    from membench.machine.gpus.describe import read_gpus
    from membench.machine.gpus.state import GpuReader, NoAnswer

    for line in questions:
        asked = json.loads(line)
        root = Path(asked["root"])
        if asked["what"] == "gpus":
            cupy, importable, nvrtc = asked["stack"]
            stack = CudaStack(tuple(cupy), importable, frozenset(nvrtc))
            gpus = read_gpus(root, asked["environ"], stack)
            print(json.dumps({"gpus": dump(gpus), "closed": _is_closed()}), flush=True)
            continue
        if asked["what"] == "closes":
            other, reader = GpuReader.open(root), GpuReader.open(root)
            for _ in range(asked["closes"]):
                reader.close()
            print(json.dumps({"closed": _is_closed()}), flush=True)
            other.close()
            continue
        states: list[Any] = []
        try:
            reader = GpuReader.open(root)
            if asked["then"] is not None:
                Path(os.environ["NVML_STUB"]).write_text(asked["then"])
            for uuid in reader.uuids:
                try:
                    states.append(dump(reader.read(uuid)))
                except NoAnswer as error:
                    states.append(str(error))
            reader.close()
        except NoAnswer as error:
            states.append(str(error))
        print(json.dumps({"states": states}), flush=True)


def _is_closed() -> bool:
    import pynvml

    try:
        pynvml.nvmlSystemGetDriverVersion()
    except pynvml.NVMLError_Uninitialized:
        return True
    return False


if __name__ == "__main__":
    import ctypes

    ctypes.CDLL(sys.argv[1])
    serve(sys.stdin)
