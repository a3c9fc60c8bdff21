"""Find the CUDA sources in the installed package or in the checkout.

A wheel contains ``kernels/`` as ``membench/kernels/``. An editable install and a bare checkout read
the checkout's ``kernels/``.
"""

from __future__ import annotations

from pathlib import Path

from membench.core.errors import MembenchError

_PACKAGE = Path(__file__).parents[2]
_REPAIR = "install membench again, or run it from a complete checkout"


def kernel_root() -> Path:
    """The folder with the ``.cu`` and ``.cuh`` files.

    Raises:
        MembenchError: neither the package nor the package's parent folder has a folder ``kernels``.
    """
    places = (_PACKAGE / "kernels", _PACKAGE.parent / "kernels")
    for place in places:
        if place.is_dir():
            return place
    looked = " nor ".join(str(place) for place in places)
    raise MembenchError(f"the CUDA sources are missing: neither {looked} exists", _REPAIR)


def kernel_names() -> tuple[str, ...]:
    """Sorted file names of all sources except headers, such as ``("cache.cu", "chase.cu")``."""
    return tuple(sorted(path.name for path in kernel_root().glob("*.cu")))


def read_kernel(name: str) -> str:
    """The text of the source or header ``name``.

    Raises:
        MembenchError: there is no file ``name``.
    """
    path = kernel_root() / name
    if path.parent != kernel_root() or not path.is_file():
        known = ", ".join(kernel_names()) or "none"
        raise MembenchError(f"there is no CUDA source '{name}' (the sources are: {known})", _REPAIR)
    return path.read_text(encoding="ascii")
