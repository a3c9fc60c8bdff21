"""Without a driver: the names that the CUDA backend uses exist, and the errors are clear."""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cupy
import pytest
from c_library import build
from cupy_double.real import no_driver

import membench.gpu.cuda.backend as cuda_backend
from membench.core.errors import BackendUnavailable, DeviceLost, MembenchError
from membench.core.snapshot import GpuIdentity, Gpus
from membench.gpu.cuda.backend import open_cuda
from membench.gpu.cuda.errors import explained
from membench.machine import snapshot

ROOT = Path(cuda_backend.__file__).parent
GPU = GpuIdentity(0, "NVIDIA H100", "0123456789ab", 80 << 30, "9.0")


def names_of_cupy(path: Path) -> set[str]:
    """The dotted names of CuPy in a source file, such as ``cupy.cuda.Stream``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        parts: list[str] = []
        at: ast.AST = node
        while isinstance(at, ast.Attribute):
            parts.append(at.attr)
            at = at.value
        if isinstance(at, ast.Name) and at.id == "cupy":
            found.add(".".join(["cupy", *reversed(parts)]))
    return found


def test_every_name_of_cupy_exists_in_the_installed_one() -> None:
    names = set().union(*(names_of_cupy(path) for path in ROOT.glob("*.py")))
    assert len(names) > 15
    for name in sorted(names):
        at = cupy
        for part in name.split(".")[1:]:
            assert hasattr(at, part), name
            at = getattr(at, part)


def test_a_misspelt_name_would_be_found(tmp_path: Path) -> None:
    source = tmp_path / "wrong.py"
    source.write_text("import cupy\ncupy.cuda.Streem(non_blocking=True)\n")
    assert "cupy.cuda.Streem" in names_of_cupy(source)
    assert not hasattr(cupy.cuda, "Streem")


@pytest.mark.skipif(not no_driver(), reason="this machine has a driver")
def test_without_a_driver_the_backend_says_what_to_do() -> None:
    machine = replace(snapshot(), gpus=Gpus("580.1", "13.0", (GPU,)))
    with pytest.raises(BackendUnavailable, match="InsufficientDriver") as why:
        open_cuda(machine, 0)
    assert "cuda12" in why.value.hint


DRIVER_WITHOUT_DEVICES = """
#include <string.h>
int cuInit(unsigned flags) { (void)flags; return 100; }  // CUDA_ERROR_NO_DEVICE
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
static int no_device(void) { return 100; }
int cuGetProcAddress_v2(const char *name, void **f, int v, unsigned long long g, int *status) {
    (void)v; (void)g;
    if (status) *status = 0;
    *f = !strcmp(name, "cuInit") ? (void *)cuInit
       : !strcmp(name, "cuDriverGetVersion") ? (void *)cuDriverGetVersion
       : !strncmp(name, "cuGetProcAddress", 16) ? (void *)cuGetProcAddress_v2
       : (void *)no_device;
    return 0;
}
int cuGetProcAddress(const char *name, void **f, int v, unsigned long long g) {
    return cuGetProcAddress_v2(name, f, v, g, 0);
}
"""


@pytest.mark.skipif(not no_driver(), reason="this machine has a driver")
def test_a_driver_that_shows_no_device_is_told_from_none(tmp_path: Path) -> None:
    build(tmp_path / "libcuda.so.1", DRIVER_WITHOUT_DEVICES)
    script = (
        "from dataclasses import replace\n"
        "from membench.machine import snapshot\n"
        "from membench.core.snapshot import GpuIdentity, Gpus\n"
        "from membench.gpu.cuda.backend import open_cuda\n"
        "gpu = GpuIdentity(0, 'x', '0123456789ab', 1 << 30, '9.0')\n"
        "try:\n"
        "    open_cuda(replace(snapshot(), gpus=Gpus('1', '13.0', (gpu,))), 0)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error, '|', error.hint)\n"
    )
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith("BackendUnavailable CUDA cannot be used: cudaErrorNoDevice")
    assert "CUDA_VISIBLE_DEVICES" in ran.stdout


DRIVER_WITH_A_DEVICE = """
int cuDeviceGet(int *device, int ordinal) { *device = ordinal + 40; return ordinal > 0; }
int cuDeviceGetUuid_v2(unsigned char *raw, int device) {
    for (int i = 0; i < 16; ++i) raw[i] = i == 5 ? 0 : 16 * i + device - 40;
    return 0;
}
"""


def test_a_uuid_is_hashed_as_the_snapshot_hashes_it(tmp_path: Path) -> None:
    build(tmp_path / "libcuda.so.1", DRIVER_WITH_A_DEVICE)
    script = "from membench.gpu.cuda.device import uuid_hashes as f; print(*f(0), '|', *f(1))"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    # The zero byte in the middle does not end the text.
    uuid = "00102030-4000-6070-8090-a0b0c0d0e0f0"
    expected = [
        hashlib.sha256(f"{kind}-{uuid}".encode()).hexdigest()[:12] for kind in ("GPU", "MIG")
    ]
    assert ran.stdout.split() == [*expected, "|"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(700, DeviceLost), (719, DeviceLost), (2, MembenchError), (801, MembenchError)],
)
def test_an_error_that_spoils_the_process_is_told_from_others(
    status: int, kind: type[MembenchError]
) -> None:
    with pytest.raises(MembenchError, match="no copy: cudaError") as error, explained("no copy"):
        raise cupy.cuda.runtime.CUDARuntimeError(status)
    assert type(error.value) is kind
