"""Compile CUDA C++ to machine code with NVRTC; no driver and no GPU are needed.

One version of NVRTC gives the same result on every machine. The module does not use CuPy's
compiler, because CuPy asks the driver for the architecture even if the caller names an architecture
(cupy 14.2, `compiler.py`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from membench.core.cache_dir import cache_directory
from membench.core.errors import BackendUnavailable, MembenchError, RegistersSpilled, Skip
from membench.core.installing import install_extra
from membench.gpu.cuda.image_cache import IMAGES, image_key, is_kept, load_image, store_image
from membench.gpu.cuda.kernel_files import kernel_root, read_kernel

ARCHITECTURES = ("80", "86", "89", "90", "100", "120")
"""Compute capabilities for which the tests compile every source: Ampere, Ada, Hopper, Blackwell."""

OPTIONS = (
    "-std=c++17",
    # Spills and indexed local arrays are errors, because a kernel with local memory would also
    # measure the traffic to local memory.
    "--ptxas-options=-v",
    "--ptxas-options=--warn-on-spills",
    "--ptxas-options=--warn-on-local-memory-usage",
    "--ptxas-options=--warning-as-error",
)
"""Options of every compilation. Each compilation adds its architecture and its macros."""

FEATURE_SETS = 90
"""First compute capability with architecture-specific instructions (``sm_90a``)."""

_OLDEST = 75
"""The oldest architecture that NVRTC 13 supports. CUDA 12 also supports older architectures."""

_COMPLAINT = re.compile(r"error|warning", re.IGNORECASE)
_SPILLED = re.compile(r"local memory|spill", re.IGNORECASE)
_TOO_WIDE = "exceeds 128 bit limit"  # the assembler of CUDA 12.8 has no loads wider than 128 bits
_ENTRY = re.compile(r"Compiling entry function '(\w+)' for '\w+'(.*?)Compile time", re.DOTALL)


@dataclass(frozen=True)
class Resources:
    """The resources of one entry function, from the assembler's report.

    Attributes:
        registers: registers per thread.
        shared_bytes: static shared memory per block.
        stack_bytes: local memory per thread, for arrays and for spilled registers.
        spill_bytes: bytes that the stores of spilled registers write per thread.
    """

    registers: int
    shared_bytes: int
    stack_bytes: int
    spill_bytes: int

    @property
    def local_bytes(self) -> int:
        return max(self.stack_bytes, self.spill_bytes)


@dataclass(frozen=True)
class Image:
    """The result of one compilation.

    Attributes:
        cubin: an ELF image for exactly one architecture.
        resources: the resources of each entry function, by name.
        compiler: NVRTC's version, such as ``13.0.88``.
    """

    cubin: bytes
    ptx: str
    resources: dict[str, Resources]
    log: str
    compiler: str


def target(arch: str) -> str:
    """The compilation target for compute capability ``arch``, such as ``90a`` for ``90``.

    The ``a`` allows architecture-specific instructions and changes no other machine code
    (``docs/compilers.md``). If this NVRTC does not support ``arch``, the target is the newest
    supported older capability of the same generation, such as ``120`` for ``121``. Code for this
    target also runs on the device ("Binary compatibility" in the CUDA programming guide). If NVRTC
    supports no older capability of the generation, the target is ``arch``, which NVRTC rejects.
    """
    if not arch.isdigit():
        return arch
    known = _architectures()
    if int(arch) in known:
        return f"{arch}a" if int(arch) >= FEATURE_SETS else arch
    before = [one for one in known if one // 10 == int(arch) // 10 and one < int(arch)]
    return str(max(before, default=arch))


@cache
def compile_source(file: str, options: tuple[str, ...], arch: str) -> Image:
    """Compile the source ``file`` of ``kernels/``, or load the result from the cache on disk.

    Args:
        options: additional options, such as ``("-DVEC=16",)``.
        arch: compute capability without the dot, such as ``90``. See `target`.

    Raises:
        BackendUnavailable: CuPy or NVRTC is missing, or NVRTC does not support the architecture.
        MembenchError: the source does not compile, or the compiler prints a warning.
        RegistersSpilled: the machine code would use local memory.
        Skip: this NVRTC is too old for an instruction in the source.
    """
    key = _key(file, options, arch)
    if (kept := load_image(key)) is not None:
        # Compile again if another version of membench wrote an entry with other fields.
        with suppress(TypeError, KeyError, AttributeError):
            resources = {entry: Resources(**each) for entry, each in kept["resources"].items()}
            return Image(**{**kept, "resources": resources})
    image = compile_text(file, read_kernel(file), options, arch)
    store_image(key, asdict(image))
    return image


def compile_ahead(
    asked: Iterable[tuple[str, tuple[str, ...]]], arch: str, threads: int | None = None
) -> None:
    """Compile, in parallel, the sources that the cache lacks, so that no case waits for NVRTC.

    If a source does not compile, the case that needs the source reports the error later. Without a
    cache, the function compiles nothing.

    Args:
        asked: pairs of a file name and additional options.
        threads: number of threads; by default one per CPU of this process.
    """
    missing = [(*one, arch) for one in asked if not is_kept(_key(*one, arch))]
    if not missing or cache_directory(IMAGES) is None:
        return
    workers = threads or len(os.sched_getaffinity(0))
    # NVRTC runs without Python's lock (GIL).
    with ThreadPoolExecutor(min(workers, len(missing))) as pool:
        list(pool.map(_try_to_compile, missing))


def _try_to_compile(one: tuple[str, tuple[str, ...], str]) -> None:
    with suppress(MembenchError, Skip):
        compile_source(*one)


def _key(file: str, options: tuple[str, ...], arch: str) -> str:
    parts = (
        _compiler(),
        target(arch),
        *OPTIONS,
        *options,
        read_kernel(file),
        *kernel_headers().values(),
    )
    return image_key(part.encode() for part in parts)


def compile_text(file: str, text: str, options: tuple[str, ...], arch: str) -> Image:
    """Compile ``text`` like `compile_source`; error messages name the source ``file``."""
    nvrtc = _nvrtc()
    compiler = _compiler()
    names = tuple(name.encode() for name in kernel_headers())
    contents = tuple(content.encode() for content in kernel_headers().values())
    program = nvrtc.createProgram(text, file, contents, names)
    try:
        try:
            nvrtc.compileProgram(program, (f"-arch=sm_{target(arch)}", *OPTIONS, *options))
        except nvrtc.NVRTCError as error:
            raise _explained(file, arch, compiler, nvrtc.getProgramLog(program), error) from error
        log: str = nvrtc.getProgramLog(program)
        # CuPy's wrapper drops the last byte, without which the ELF file is invalid.
        cubin: bytes = nvrtc.getCUBIN(program) + b"\0"
        ptx: str = nvrtc.getPTX(program).rstrip(b"\0").decode()
    finally:
        nvrtc.destroyProgram(program)
    if "warning" in log:  # NVRTC's front end has no option that turns warnings into errors
        raise _explained(file, arch, compiler, log, MembenchError("the compiler printed a warning"))
    return Image(cubin, ptx, resources_of(log), log, compiler)


def _nvrtc() -> Any:
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except ImportError as error:
        raise BackendUnavailable(
            "CuPy is not installed", "'membench doctor' shows the command to install it"
        ) from error
    except RuntimeError as error:  # for example the "not found" error of cuda.pathfinder
        raise BackendUnavailable(
            "NVRTC, CUDA's run-time compiler, is not installed",
            "'membench doctor' shows the command to install it",
        ) from error
    return nvrtc


@cache
def _compiler() -> str:
    """NVRTC's version, with the patch number if known: patches can change the machine code."""
    named = ".".join(str(part) for part in _nvrtc().getVersion())
    for package in ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12"):
        with suppress(PackageNotFoundError):
            if (found := version(package)).startswith(f"{named}."):
                return found
    return named


@cache
def _architectures() -> tuple[int, ...]:
    return tuple(_nvrtc().getSupportedArchs())


@cache
def kernel_headers() -> dict[str, str]:
    """The text of each header of the CUDA sources, by name."""
    return {
        path.name: path.read_text(encoding="ascii") for path in sorted(kernel_root().glob("*.cuh"))
    }


def resources_of(log: str) -> dict[str, Resources]:
    def number(pattern: str, text: str) -> int:
        found = re.search(pattern, text)
        return int(found[1]) if found else 0

    return {
        entry: Resources(
            registers=number(r"Used (\d+) registers", report),
            shared_bytes=number(r"(\d+) bytes smem", report),
            stack_bytes=number(r"(\d+) bytes stack frame", report),
            spill_bytes=number(r"(\d+) bytes spill stores", report),
        )
        for entry, report in _ENTRY.findall(log)
    }


def _explained(file: str, arch: str, compiler: str, log: str, error: Exception) -> Exception:
    if "invalid value for --gpu-architecture" in log:
        return BackendUnavailable(
            f"NVRTC {compiler} does not support compute capability {arch[:-1]}.{arch[-1]}",
            install_extra("cuda12")
            if arch.isdigit() and int(arch) < _OLDEST
            else "install a newer CuPy with its CUDA toolkit: 'membench doctor' shows the command",
        )
    if _TOO_WIDE in log:
        return Skip(f"NVRTC {compiler} has no 256-bit loads: CUDA 12.9 or newer is needed")
    said = next((line for line in log.splitlines() if _COMPLAINT.search(line)), str(error))
    kind = RegistersSpilled if _SPILLED.search(said) else MembenchError
    return kind(f"{file} does not compile for sm_{arch}: {' '.join(said.split())}")
