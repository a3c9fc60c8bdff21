"""Random reads of pages in GPU memory, similar to reads of a paged KV cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.axes import AUTO
from membench.core.case import Needs, axis, bench
from membench.core.errors import skip
from membench.core.sizes.reach import CACHE_MULTIPLE
from membench.core.sizes.working_set import most_of_gpu
from membench.core.terms import BytesConvention, PeakBasis
from membench.core.units import GIB, KIB, MIB, format_size
from membench.core.work import Timed, Work
from membench.gpu.room import room_for
from membench.gpu.units import VECTOR
from membench.workloads.page_gather import BLOCK, page_table

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from membench.core.axes import Value
    from membench.core.snapshot import Machine
    from membench.gpu.protocol import Gpu

READ_BYTES = GIB // 4
"""Bytes read per launch."""

_SALT = 53


def table_sum(
    table: npt.NDArray[np.uint32], page: int, salt: int, shift: int = 0, pages: int = 1 << 32
) -> int:
    """Sum, modulo 2^32, of all words in the pages whose numbers are in ``table``.

    The pool has ``pages`` pages of ``page`` bytes, filled with the pattern of ``salt``. ``shift``
    is added to each page number, modulo ``pages``.
    """
    from membench.gpu.verify.pattern import STEP, pattern_sum

    words = page // 4
    # page numbers that wrap around
    round_ = int((table >= pages - shift).sum()) if shift else 0
    numbers = int(table.sum(dtype="u8")) + shift * table.size - round_ * pages
    first = numbers * words  # sum of the first words' indices
    return (STEP * words * first + table.size * pattern_sum(words, salt)) % 2**32


def shifts(kind: str, pages: int, count: int) -> tuple[int, ...]:
    """For each launch, the number that the launch adds to each page number of the table.

    Without shifts, the TLBs would still have the translations of the pages of the last launch. A
    skewed table (``zipf``) has only the shift 0, because it reads the same pages again on purpose.
    """
    return (0,) if kind == "zipf" else tuple(range(0, pages, max(1, count)))


def pools(machine: Machine) -> tuple[Value, ...]:
    """Pool sizes of the full profile: `auto`, and most of the GPU's memory, as for a KV cache."""
    most = most_of_gpu(machine)
    return (AUTO, format_size(most)) if most > 4 * GIB else (AUTO,)


def sensible(profile: str, page: int, table: str, **_: int) -> bool:
    return profile == "quick" or table == "uniform" or page in (KIB // 2, 4 * KIB, 64 * KIB)


@bench(
    "hbm/gather",
    version=2,  # version 2: `size=auto`, and each launch reads different pages
    needs=Needs.GPU,
    # A sample takes 1 ms, or one launch at 200 GB/s.
    seconds=lambda page, **_: 0.09 + 2e-8 * READ_BYTES / page,
    memory=lambda page, **_: 16 * READ_BYTES // page,
    gpu_memory=lambda size, page, **_: size + 4 * READ_BYTES // page + MIB,
    full_grid=("page", "table"),
    where=sensible,
)
@axis("size", quick=AUTO, full=pools, step=VECTOR)
@axis("page", quick="4KiB", full="32B..64KiB *2", least=VECTOR, power=True)
@axis("table", quick="uniform", full=("uniform", "zipf", "seq"))
def gather(gpu: Gpu, size: int, page: int, table: str) -> Work:
    """Useful bandwidth of reading pages from a pool; a table lists the pages to read.

    The bandwidth counts the bytes of the pages, but not the table, which has four bytes per page.
    With ``uniform`` and ``seq``, successive launches read different pages if the pool is larger
    than the 256 MiB that a launch reads. With ``zipf``, every launch reads the same pages. Some
    pages are read so often that they come from the cache; this is intended.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant
    from membench.gpu.verify.content import BlockSums
    from membench.gpu.verify.pattern import Patterns

    if page > READ_BYTES or page > size:
        skip(
            f"page {page} B is too large: with size={size}, a page may have at most "
            f"{min(size, READ_BYTES)} B"
        )
    pages = size // page
    if pages >= 1 << 32:
        skip(
            f"page {page} B is too small: a pool of {size} B has more pages than 32 bits can number"
        )
    kernel = gpu.kernel(KernelVariant.of("gather.cu"), "gather_read")
    blocks = gpu.occupancy(kernel, BLOCK) * gpu.properties.sms
    numbers = page_table(table, pages, READ_BYTES // page)
    pool, named = room_for(gpu, size), gpu.allocate(numbers.nbytes)
    gpu.upload(named, numbers)
    Patterns(gpu).fill(pool, _SALT)
    sums = BlockSums(gpu, blocks)
    bits = (page // VECTOR).bit_length() - 1
    vectors = np.uint64(numbers.size << bits)
    further = shifts(table, pages, numbers.size)
    launches = [
        (sums.buffer, pool, named, np.uint32(bits), vectors, np.uint32(shift), np.uint32(pages))
        for shift in further
    ]
    done = 0
    peak = gpu.properties.peak_bandwidth

    def run(iterations: int) -> None:
        nonlocal done
        for number in range(done, done + iterations):
            gpu.launch(kernel, blocks, BLOCK, launches[number % len(launches)])
        done += iterations

    def verify(iterations: int) -> None:
        laps, rest = divmod(iterations, len(further))
        met = further[:iterations]
        of_launch = [table_sum(numbers, page, _SALT, shift, pages) for shift in met]
        sums.check("hbm/gather", laps * sum(of_launch) + sum(of_launch[:rest]))

    return Timed(
        run=run,
        verify=verify,
        size_bytes=size,
        bytes_moved=numbers.size * page,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.001,
        samples=20,
        # If the table is skewed, cache hits may make the result faster than memory.
        peak=None if table == "zipf" else peak,
        peak_basis=PeakBasis.QUERIED if peak and table != "zipf" else None,
        flags=("cache-served",) if size < CACHE_MULTIPLE * gpu.properties.l2_bytes else (),
        detail={
            "pages": numbers.size,
            "table_bytes": numbers.nbytes,
            "tables": len(further),
            "registers": kernel.registers,
        },
    )
