"""Every kernel has the declared number of loads in flight before the first value is needed.

`config=best` chooses stream configurations by their number of loads in flight, and reports this
number as ``in_flight`` in `detail`. So these tests check all configurations on every GPU
generation.
"""

from __future__ import annotations

import re
from typing import cast

import pytest
import streams_table
from asking_gpu import H100, AskingGpu
from machine_code import Statement, code_of, count, loads_under_way, machine_code, main_loop
from mutants import edited
from streams_table import ARCHS, Seen, asked, documented, kernels, made, seen

from membench.benches.hbm.stream import configurations
from membench.gpu.cuda.compile import ARCHITECTURES, compile_text
from membench.gpu.protocol import Gpu
from membench.workloads.gpu_streams import ACCESSES, DEFAULT, LOADS, variant

pytestmark = pytest.mark.sampled(4)

BOUND = "__launch_bounds__(BLOCK, 1)"


def is_whole(shown: Seen, operation: str, unroll: int) -> bool:
    """Whether a tile issues all loads and stores of its arrays before the first use."""
    loads, stores = unroll * LOADS[operation], unroll * (operation != "read")
    return (shown.loads, shown.stores) == (loads, stores) and shown.under_way == (loads or stores)


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("operation", ACCESSES)
def test_the_default_has_under_way_what_it_says(operation: str, arch: str) -> None:
    assert is_whole(seen(variant(DEFAULT), operation, arch), operation, DEFAULT["unroll"])


@pytest.mark.parametrize("operation", ["copy", "nstream"])
def test_the_most_that_the_tuning_offers_is_under_way(operation: str) -> None:
    deepest = variant({**DEFAULT, "unroll": 8})
    assert is_whole(seen(deepest, operation, "90"), operation, 8)
    widest = variant({**DEFAULT, "vec": 32})
    assert is_whole(seen(widest, operation, "100"), operation, 4)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHS)
def test_every_configuration_has_under_way_what_it_says(arch: str) -> None:
    for of, operations in kernels(arch).items():
        for operation in operations:
            unroll = int(dict(of.defines)["UNROLL"])
            assert is_whole(seen(of, operation, arch), operation, unroll), (of, operation)


@pytest.mark.slow
def test_without_the_bound_of_a_block_half_of_the_loads_wait_for_a_store() -> None:
    """Shows why the kernel has a launch bound.

    If a newer compiler fails this test, remove the bound.
    """
    text = edited("stream.cu", *[(BOUND, "__launch_bounds__(BLOCK)")])
    options = variant({**DEFAULT, "unroll": 8}).options
    loop = main_loop(code_of(compile_text("stream.cu", text, options, "90"))["stream_copy"], "LDG")
    assert loads_under_way(loop) < 8


@pytest.mark.parametrize(("hint", "load", "store"), [(1, "EF", ".EF"), (2, "NA", "")])
def test_a_hint_stands_in_every_load_and_store(hint: int, load: str, store: str) -> None:
    options = variant({**DEFAULT, "hint": hint}).options
    code = machine_code("stream.cu", options, "90")["stream_triad"]
    # Every load and every store has the hint.
    assert count(code, rf"LDG\.E\.{load}\.128") == count(code, "LDG") == 2 * 5
    assert count(code, rf"STG\.E{store}\.128") == count(code, "STG") == 5


def test_blocks_of_1024_threads_are_offered_what_their_registers_hold() -> None:
    gpu = cast("Gpu", AskingGpu(H100))
    for operation in ACCESSES:
        found = list(configurations(gpu, operation))
        assert len(found) == len({tuple(config.items()) for config in found})
        large = [config for config in found if config["block"] == 1024]
        assert max(config["unroll"] for config in large) == (2 if operation == "nstream" else 4)
        assert {config["once"] for config in found} == {0, 1}
        assert {config["hint"] for config in found} == (
            {0, 1} if operation == "write" else {0, 1, 2}
        )


# Other kernels with several declared loads, compiled as requested. `MACHINE_CODE` covers kernels
# without macros.

PROMISED = [
    ("cache.cu", ('-DHINT=".ca"',), "cache_read", 4),
    ("cache.cu", ('-DHINT=""',), "cache_read", 4),
    ("link.cu", (), "link_copy", 8),
    *(("zerocopy.cu", (f"-DUNROLL={n}",), "zerocopy_read", n) for n in (1, 2, 4)),
]


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize(("file", "options", "entry", "loads"), PROMISED)
def test_promised_loads_are_under_way_everywhere(
    file: str, options: tuple[str, ...], entry: str, loads: int, arch: str
) -> None:
    loop = main_loop(machine_code(file, options, arch)[entry], "LDG.E.128")
    assert loads_under_way(loop) == sum(each.width("LDG.") == 16 for each in loop) == loads


# The table in the document.


def test_the_documented_configurations_are_those_of_the_tuning() -> None:
    rows = re.findall(
        r"^\| (\d+) \| (\d+) \| (\d+) \| (\S+) \| (.*) \|$", documented(), re.MULTILINE
    )
    every = {of for arch in ARCHS for of in kernels(arch)}
    assert len(rows) == len(every)
    for of in every:
        (row,) = (one for one in rows if one[:4] == streams_table.named(of))
        for operation, cell in zip(ACCESSES, row[4].split(" | "), strict=True):
            if cell.strip():
                assert int(cell.split(",")[0]) == asked(operation, of), (of, operation)


@pytest.mark.slow
def test_the_documented_table_is_what_the_machine_code_shows() -> None:
    assert documented() == made()


MACHINE_CODE: dict[str, Statement] = dict.fromkeys(
    (f"stream_{operation}" for operation in ACCESSES),
    test_the_default_has_under_way_what_it_says,
)
