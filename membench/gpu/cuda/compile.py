"""CUDA C++ to machine code by NVRTC: a pure function that needs no driver and no GPU.

The result is the same wherever it runs: the machine code that the tests disassemble, the PTX that
they execute, and the image that the GPU loads. The source is compiled here and not by CuPy, because
CuPy asks the driver for the architecture even if it is given (cupy 14.2, `compiler.py`).
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
from membench.gpu.cuda.image_cache import IMAGES, image_key, is_kept, load_image, store_image
from membench.gpu.cuda.kernel_files import kernel_root, read_kernel

ARCHITECTURES = ("80", "86", "89", "90", "100", "120")
"""The compute capabilities for which every source is proven: Ampere, Ada, Hopper, Blackwell."""

OPTIONS = (
    "-std=c++17",
    # A source that spills or that indexes into local memory measures local memory: an error.
    "--ptxas-options=-v",
    "--ptxas-options=--warn-on-spills",
    "--ptxas-options=--warn-on-local-memory-usage",
    "--ptxas-options=--warning-as-error",
)
"""Options of every compilation, besides its architecture and its macros."""

FEATURE_SETS = 90
"""First compute capability with instructions of one architecture alone (``sm_90a``)."""

_OLDEST = 75
"""The oldest architecture of NVRTC 13; CUDA 12 supports older devices."""

_COMPLAINT = re.compile(r"error|warning", re.IGNORECASE)
_SPILLED = re.compile(r"local memory|spill", re.IGNORECASE)
_TOO_WIDE = "exceeds 128 bit limit"  # of loads: the assembler of CUDA 12.8 knows no wider ones
_ENTRY = re.compile(r"Compiling entry function '(\w+)' for '\w+'(.*?)Compile time", re.DOTALL)


@dataclass(frozen=True)
class Resources:
    """The resources of one entry, as the assembler reports them.

    Attributes:
        registers: of a thread.
        shared_bytes: static shared memory of a block.
        stack_bytes, spill_bytes: local memory of a thread: for arrays, and for spilled registers.
    """

    registers: int
    shared_bytes: int
    stack_bytes: int
    spill_bytes: int

    @property
    def local_bytes(self) -> int:
        """Local memory of a thread, whose traffic is in no byte count."""
        return self.stack_bytes + self.spill_bytes


@dataclass(frozen=True)
class Image:
    """The result of one compilation.

    Attributes:
        cubin: an ELF image for exactly one architecture.
        ptx: the intermediate code of the same compilation.
        resources: by entry.
        log: the compiler's messages.
        compiler: NVRTC's version: ``13.0.88``.
    """

    cubin: bytes
    ptx: str
    resources: dict[str, Resources]
    log: str
    compiler: str


def target(arch: str) -> str:
    """The compilation target for a device of compute capability ``arch``: ``90a`` for ``90``.

    The image is for this device alone, so that it may have the instructions of its feature set; the
    machine code of everything else is the same (``docs/compilers.md``).  A device that this NVRTC
    does not know gets the image of the latest one before it in its generation, which it runs as
    well ("Binary compatibility" in the CUDA programming guide): ``120`` for ``121``.
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
    """Compile ``file`` of ``kernels/``; results are cached on disk.

    Args:
        file: its name: ``stream.cu``.
        options: further options: ``("-DVEC=16",)``.
        arch: compute capability without its dot: ``90``.  See `target`.

    Raises:
        BackendUnavailable: NVRTC is missing, or does not know the architecture.
        MembenchError: it does not compile; `RegistersSpilled` if it would use local memory.
        Skip: this NVRTC is too old for an instruction in the source.
    """
    key = _key(file, options, arch)
    if (kept := load_image(key)) is not None:
        with suppress(TypeError, KeyError, AttributeError):  # of another shape: made anew
            resources = {entry: Resources(**each) for entry, each in kept["resources"].items()}
            return Image(**{**kept, "resources": resources})
    image = compile_text(file, read_kernel(file), options, arch)
    store_image(key, asdict(image))
    return image


def compile_ahead(
    asked: Iterable[tuple[str, tuple[str, ...]]], arch: str, threads: int | None = None
) -> None:
    """Compile several sources at once that are not cached yet, so that no case waits for them.

    NVRTC holds no lock, not even Python's, while it compiles. A source that does not compile is
    left to the case that needs it, which reports the error.

    Args:
        asked: files and their additional options.
        threads: number of threads; by default one for each CPU of this process.
    """
    missing = [(*one, arch) for one in asked if not is_kept(_key(*one, arch))]
    if not missing or cache_directory(IMAGES) is None:  # without a cache each process needs few
        return
    workers = threads or len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(min(workers, len(missing))) as pool:
        list(pool.map(_try_to_compile, missing))


def _try_to_compile(one: tuple[str, tuple[str, ...], str]) -> None:
    with suppress(MembenchError, Skip):
        compile_source(*one)


def _key(file: str, options: tuple[str, ...], arch: str) -> str:
    """The cache key: everything that the result of a compilation depends on."""
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
    """Compile a source that is given as ``text``; ``file`` names it in messages.

    Raises:
        BackendUnavailable: NVRTC is missing, or does not know the architecture.
        MembenchError: it does not compile; `RegistersSpilled` if it would use local memory.
        Skip: this NVRTC is too old for an instruction in the source.
    """
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
        # CuPy's wrapper drops the last byte, without which the image is no valid ELF file.
        cubin: bytes = nvrtc.getCUBIN(program) + b"\0"
        ptx: str = nvrtc.getPTX(program).rstrip(b"\0").decode()
    finally:
        nvrtc.destroyProgram(program)
    if "warning" in log:  # the front end has no option that makes its warnings errors
        raise _explained(file, arch, compiler, log, MembenchError("a warning"))
    return Image(cubin, ptx, resources_of(log), log, compiler)


def _nvrtc() -> Any:
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except ImportError as error:
        raise BackendUnavailable("CuPy is not installed", "membench doctor says which") from error
    except RuntimeError as error:  # cuda.pathfinder's "not found" is one
        raise BackendUnavailable(
            "NVRTC, CUDA's run-time compiler, is not installed", "membench doctor says which"
        ) from error
    return nvrtc


@cache
def _compiler() -> str:
    """NVRTC's version, with its patch number if a package has it, because the code may differ."""
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
    """Name -> text of the headers that the sources include."""
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
            f"NVRTC {compiler} does not know compute capability {arch[:-1]}.{arch[-1]}",
            "install membench[cuda12]: CUDA 13 begins with 7.5"
            if arch.isdigit() and int(arch) < _OLDEST
            else "install a newer CuPy with its CUDA toolkit: membench doctor says which",
        )
    if _TOO_WIDE in log:
        return Skip(f"NVRTC {compiler} has no loads of 256 bits: CUDA 12.9 and newer have them")
    said = next((line for line in log.splitlines() if _COMPLAINT.search(line)), str(error))
    kind = RegistersSpilled if _SPILLED.search(said) else MembenchError
    return kind(f"{file} does not compile for sm_{arch}: {' '.join(said.split())}")
