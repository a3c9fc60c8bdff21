"""Check whether the installed CUDA packages fit the driver; give a command that repairs a mismatch.

The check imports no CUDA package: an import of CuPy is slow, and a broken CuPy may raise any
exception.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from membench.core.installing import install_extra, uninstall
from membench.core.record import record
from membench.machine.kernel_text import integer
from membench.machine.software import installed

Version = tuple[int, int]

_CUPY = re.compile(r"cupy(?:-cuda([0-9]+)x)?")
_OLDEST_MAJOR = 12
_OLDEST_BRANCH = 525
_BRANCHES = ((580, (13, 0)), (_OLDEST_BRANCH, (12, 0)), (1, (11, 0)))
"""Pairs of a driver branch and the newest CUDA version that it supports, newest first.

Source: CUDA release notes, "CUDA Toolkit and Corresponding Driver Versions".
"""
_CUDA13_CAPABILITY = (7, 5)  # CUDA 13 compiles only for Turing and newer


@record
class CudaStack:
    """The installed CUDA packages.

    Attributes:
        cupy: installed distributions of CuPy, such as ``cupy-cuda13x``; ``cupy`` if built from
            source.
        importable: whether the interpreter finds a package ``cupy``.
        nvrtc: CUDA major versions with an installed run-time compiler (NVRTC).
    """

    cupy: tuple[str, ...]
    importable: bool
    nvrtc: frozenset[int]


def read_stack(root: Path, environ: Mapping[str, str]) -> CudaStack:
    """The CUDA packages that are installed for this interpreter.

    Under ``root``, the function also searches CUDA toolkits and the loader's folders for NVRTC. The
    environment variables in ``environ`` may name some of these folders.
    """
    names = installed()
    try:
        spec = importlib.util.find_spec("cupy")
    except ValueError:  # raised if ``sys.modules`` has a cupy without a specification
        spec = None
    return CudaStack(
        cupy=tuple(sorted(name for name in names if _CUPY.fullmatch(name))),
        importable=spec is not None
        and spec.origin is not None,  # None for a folder without __init__.py
        nvrtc=frozenset(_packaged_nvrtc(names) | _library_nvrtc(root, environ)),
    )


def complaint(
    stack: CudaStack, driver: str, cuda: Version | None, capabilities: Sequence[Version]
) -> tuple[str, str]:
    """The first problem found that prevents CUDA kernels, and its remedy; both empty if none.

    Args:
        stack: the installed CUDA packages.
        driver: the driver's version.
        cuda: newest CUDA version that the driver supports; None to derive it from ``driver``.
        capabilities: compute capabilities of the GPUs to be used.
    """
    supported = cuda or _by_branch(driver)
    if supported is not None and supported[0] < _OLDEST_MAJOR:
        most = f", only CUDA {cuda[0]}.{cuda[1]}" if cuda else ""
        return (
            f"the NVIDIA driver {driver} does not support CUDA {_OLDEST_MAJOR}{most}",
            f"install NVIDIA driver {_OLDEST_BRANCH} or newer",
        )
    old_gpu = _has_old(capabilities)
    major = _major(supported, capabilities)
    install = install_extra(f"cuda{major}")
    if len(stack.cupy) > 1:
        return (
            f"several CuPy packages are installed over each other: {', '.join(stack.cupy)}",
            f"{uninstall(*stack.cupy)} && {install}",
        )
    if not stack.importable:
        return "CuPy is not installed", install
    name = stack.cupy[0] if stack.cupy else "cupy"
    built = integer(_CUPY.sub(r"\1", name))
    if built is not None and built > major and (supported is not None or old_gpu):
        why = (
            "CUDA 13 does not support a GPU this old"
            if old_gpu
            else f"the driver {driver} supports only CUDA {major}"
        )
        return f"{name} does not fit: {why}", f"{uninstall(name)} && {install}"
    if not stack.nvrtc if built is None else built not in stack.nvrtc:
        wanted = major if built is None else built
        return (
            f"the run-time compiler NVRTC of CUDA {wanted} is not installed",
            install_extra(f"cuda{wanted}"),
        )
    return "", ""


def wanted_extra(driver: str, cuda: Version | None, capabilities: Sequence[Version]) -> str:
    """The extra of pyproject.toml for this driver and these GPUs, such as ``cuda13``.

    The result is empty if the driver is too old for all extras. The arguments are those of
    `complaint`.
    """
    supported = cuda or _by_branch(driver)
    if supported is not None and supported[0] < _OLDEST_MAJOR:
        return ""
    return f"cuda{_major(supported, capabilities)}"


def _major(supported: Version | None, capabilities: Sequence[Version]) -> int:
    """The CUDA major version to install: 13 if the driver and all GPUs support it, otherwise 12."""
    cuda = supported or (_OLDEST_MAJOR, 0)
    return _OLDEST_MAJOR if _has_old(capabilities) or cuda[0] == _OLDEST_MAJOR else 13


def _has_old(capabilities: Sequence[Version]) -> bool:
    return any(capability < _CUDA13_CAPABILITY for capability in capabilities)


def _by_branch(driver: str) -> Version | None:
    """The newest CUDA version of `_BRANCHES` for ``driver``; None if there is no such version."""
    branch = integer(driver.partition(".")[0])
    if branch is None:
        return None
    return next((cuda for first, cuda in _BRANCHES if branch >= first), None)


def _packaged_nvrtc(names: Mapping[str, str]) -> set[int]:
    majors = {
        int(match[1])
        for name in names
        if (match := re.fullmatch(r"nvidia-cuda-nvrtc-cu(\d+)", name))
    }
    plain = integer(names.get("nvidia-cuda-nvrtc", "").partition(".")[0])
    return majors if plain is None else majors | {plain}


def _library_nvrtc(root: Path, environ: Mapping[str, str]) -> set[int]:
    toolkits = [environ.get("CUDA_PATH", ""), environ.get("CUDA_HOME", ""), "/usr/local/cuda"]
    searched = environ.get("LD_LIBRARY_PATH", "").split(":")
    folders = [Path(sys.prefix) / "lib"]
    folders += [root / text.lstrip("/") for text in searched if text.startswith("/")]
    for text in toolkits:
        if text.startswith("/"):
            toolkit = root / text.lstrip("/")
            folders += [toolkit / "lib64", toolkit / "lib", *toolkit.glob("targets/*/lib")]
    folders += [root / "usr/lib64", *root.glob("usr/lib/*-linux-gnu")]
    return {
        int(match[1])
        for folder in folders
        for library in folder.glob("libnvrtc.so.*")
        if (match := re.match(r"libnvrtc\.so\.([0-9]{1,3})", library.name))
    }
