"""Instructions for asynchronous copies: cp.async, cp.async.bulk and mbarrier."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from emulator.access import read_global, resolve, shared_places
from emulator.faults import EmulationError, Misaligned
from emulator.mbarriers import BulkLoad, Mbarriers
from emulator.operands import Read, Scope, Step, reject
from emulator.scalars import Lanes
from emulator.source import Instruction

if TYPE_CHECKING:
    from emulator.wave import Wave

Act = Callable[[Mbarriers, int, int, int], None]

_SHARED = {"shared", "shared::cta", "shared::cluster"}
_QUALIFIERS = {"relaxed", "acquire", "release", "cta", "cluster", "gpu", "sys"}


def cp(instruction: Instruction, scope: Scope) -> Step:
    """All instructions that begin with cp.async."""
    parts = instruction.parts[1:]
    if parts[:1] != ("async",):
        raise instruction.unknown()
    rest = parts[1:]
    if rest[:1] == ("bulk",):
        return _bulk(instruction, scope, rest[1:])
    if rest[:2] == ("mbarrier", "arrive"):
        return _arrive_when_copied(instruction, scope, rest[2:])
    match rest:
        case ("commit_group",):
            return lambda wave: wave.copies.commit()
        case ("wait_group",):
            newest = int(instruction.args[0], 0)
            return lambda wave: wave.copies.wait(newest)
        case ("wait_all",):
            return lambda wave: wave.copies.wait_all()
    return _copy(instruction, scope, rest)


def _copy(instruction: Instruction, scope: Scope, parts: tuple[str, ...]) -> Step:
    """Each thread copies 4, 8 or 16 bytes from global to shared memory."""
    if parts[:1] not in (("ca",), ("cg",)) or parts[1:2] not in (("shared",), ("shared::cta",)):
        raise instruction.unknown()
    reject(instruction, {"global", "L2::64B", "L2::128B", "L2::256B"}, parts[2:])
    size = int(instruction.args[2], 0)
    if size not in ((16,) if parts[0] == "cg" else (4, 8, 16)):
        raise instruction.unknown("size")
    target, source = (scope.address(operand) for operand in instruction.args[:2])
    valid: Read | None = None
    if len(instruction.args) > 3:
        operand = instruction.args[3]
        if scope.has(operand) and scope.slot(operand).type == "pred":
            raise instruction.unknown("ignore-src")
        valid = scope.reader(operand, "u32")

    def step(wave: Wave) -> None:
        places = shared_places(wave, target(wave), size, size)
        addresses = source(wave)
        read = np.full(wave.count, size)
        if valid is not None:
            read = np.broadcast_to(valid(wave), (wave.count,)).astype(np.int64)
            if (read > size).any():
                raise EmulationError("cp.async reads more than it copies")
        used = addresses[read > 0]
        if used.size:
            if used.size == wave.count:
                read_global(wave, addresses, min(size, 8), max(1, size // 8))
            wave.memory.offsets(used, size)
            wave.counts.count_global("cp.async", wave.rows[read > 0], used, size)
        offsets = addresses - wave.memory.address_of(0)
        wave.copies.start(places, offsets, read, size)

    return step


def _arrive_when_copied(instruction: Instruction, scope: Scope, parts: tuple[str, ...]) -> Step:
    """Arrive at an mbarrier after the thread's copies.

    Without noinc, the mbarrier first expects one more arrival.
    """
    noinc = parts[:1] == ("noinc",)
    reject(instruction, {"noinc", "b64", *_SHARED}, parts)
    address = _barrier_address(instruction, scope, instruction.args[0])

    def step(wave: Wave) -> None:
        places = address(wave)
        wave.copies.wait_all()
        for place, lane in zip(places.tolist(), wave.lanes.tolist(), strict=True):
            if not noinc:
                wave.mbarriers.grow(place, lane)
            wave.mbarriers.arrive(place, 1, lane)

    return step


def _bulk(instruction: Instruction, scope: Scope, parts: tuple[str, ...]) -> Step:
    args = instruction.args
    match parts:
        case ("commit_group",):
            return lambda wave: wave.copies.commit_stores()
        case ("wait_group",):
            newest = int(args[0], 0)
            return lambda wave: wave.copies.wait_stores(newest, read=False)
        case ("wait_group", "read"):
            newest = int(args[0], 0)
            return lambda wave: wave.copies.wait_stores(newest, read=True)
        case ("shared::cluster" | "shared::cta", "global", "mbarrier::complete_tx::bytes"):
            return _bulk_load(instruction, scope)
        case (
            "shared::cluster",
            "global",
            "mbarrier::complete_tx::bytes",
            "multicast::cluster",
        ):
            return _bulk_load(instruction, scope, scope.reader(args[4], "u16"))
        case ("global", "shared::cta", "bulk_group"):
            return _bulk_store(instruction, scope)
        case ("prefetch", "L2", "global"):
            return _bulk_prefetch(scope, args)
    raise instruction.unknown()


def _check_bulk(size: int, *addresses: int) -> None:
    if size % 16 or size <= 0 or any(address % 16 for address in addresses):
        raise Misaligned(f"a bulk copy of {size} bytes needs 16-byte size and addresses")


def _bulk_load(instruction: Instruction, scope: Scope, blocks: Read | None = None) -> Step:
    """A bulk copy to this block, or to the blocks of the cluster in the bit mask ``blocks``."""
    target, source = (scope.address(operand) for operand in instruction.args[:2])
    length = scope.reader(instruction.args[2], "u32")
    barrier = _barrier_address(instruction, scope, instruction.args[3])

    def step(wave: Wave) -> None:
        starts, addresses, barriers = target(wave), source(wave), barrier(wave)
        sizes = np.broadcast_to(length(wave), (wave.count,)).astype(np.int64)
        masks = None if blocks is None else np.broadcast_to(blocks(wave), (wave.count,))
        for index, lane in enumerate(wave.lanes.tolist()):
            size, address = int(sizes[index]), int(addresses[index])
            _check_bulk(size, int(starts[index]), address)
            place = _place(wave, starts, index, size)
            wave.memory.span(address, size, "bulk copy")
            _require_known(wave, address, size)
            offset = address - wave.memory.address_of(0)
            shifts = [0] if masks is None else _multicast(wave, lane, int(masks[index]))
            for shift in shifts:
                cells = np.arange(place + shift, place + shift + size, 16)
                lanes = np.full(cells.size, lane)
                wave.shared.begin_fill(cells, 16, lanes, wave.row_of[lanes])
                load = BulkLoad(offset, place + shift, size, lane)
                wave.mbarriers.load(int(barriers[index]) + shift, load)
                wave.counts.bytes["bulk.arrived"] += size
            _count(wave, "bulk.load", address, size)

    return step


def _multicast(wave: Wave, lane: int, mask: int) -> list[int]:
    """For each block of ``mask``, the distance in shared memory from the lane's own block."""
    cluster = wave.shape.cluster
    if mask >> cluster or not mask:
        raise EmulationError(f"a multicast to the blocks {mask:#x} of a cluster of {cluster}")
    rank = int(wave.block_of[lane]) % cluster
    blocks = [block for block in range(cluster) if mask >> block & 1]
    if any(wave.ended[wave.block_of[lane] - rank + block] for block in blocks):
        raise EmulationError("a multicast to a block that has ended")
    return [(block - rank) * wave.shared.size for block in blocks]


def _require_known(wave: Wave, address: int, size: int) -> None:
    blocks = np.arange(address, address + size, 16)
    if wave.machine.unwritten and wave.memory.has_unwritten:
        before = wave.chosen, wave.count
        wave.chosen, wave.count = None, blocks.size
        try:
            read_global(wave, blocks, 8, 2)
        finally:
            wave.chosen, wave.count = before


def _place(wave: Wave, starts: Lanes, index: int, size: int) -> int:
    """The offset in shared memory of one lane's address, checked for ``size`` bytes."""
    before = wave.chosen, wave.count
    wave.chosen, wave.count = wave.lanes[index : index + 1], 1
    place = int(shared_places(wave, starts[index : index + 1], size, 16)[0])
    wave.chosen, wave.count = before
    return place


def _count(wave: Wave, key: str, address: int, size: int) -> None:
    wave.counts.bytes[key] += size
    wave.counts.requests[key] += 1
    wave.counts.sectors[key] += (address + size + 31) // 32 - address // 32


def _bulk_store(instruction: Instruction, scope: Scope) -> Step:
    target, source = (scope.address(operand) for operand in instruction.args[:2])
    length = scope.reader(instruction.args[2], "u32")

    def step(wave: Wave) -> None:
        addresses, starts = target(wave), source(wave)
        sizes = np.broadcast_to(length(wave), (wave.count,)).astype(np.int64)
        for index, lane in enumerate(wave.lanes.tolist()):
            size, address = int(sizes[index]), int(addresses[index])
            _check_bulk(size, int(starts[index]), address)
            place = _place(wave, starts, index, size)
            wave.memory.span(address, size, "bulk copy")
            wave.copies.start_store(lane, place, address - wave.memory.address_of(0), size)
            _count(wave, "bulk.store", address, size)

    return step


def _bulk_prefetch(scope: Scope, args: tuple[str, ...]) -> Step:
    source, length = scope.address(args[0]), scope.reader(args[1], "u32")

    def step(wave: Wave) -> None:
        sizes = np.broadcast_to(length(wave), (wave.count,)).astype(np.int64)
        for address, size in zip(source(wave).tolist(), sizes.tolist(), strict=True):
            _check_bulk(size, address)
            wave.memory.span(address, size, "bulk prefetch")
            _count(wave, "prefetch.global", address, size)

    return step


def _barrier_address(instruction: Instruction, scope: Scope, operand: str) -> Read:
    address = scope.address(operand)
    generic = not _SHARED & set(instruction.parts)

    def places(wave: Wave) -> Lanes:
        space, addresses = resolve("generic" if generic else "shared", address(wave))
        if space != "shared":
            raise EmulationError("an mbarrier lies in shared memory")
        return shared_places(wave, addresses, 8, 8)

    return places


def mbarrier(instruction: Instruction, scope: Scope) -> Step:
    """mbarrier: init, inval, arrive, arrive.expect_tx, expect_tx, test_wait, try_wait."""
    operation, *rest = instruction.parts[1:]
    allowed = {"b64", *_SHARED, *_QUALIFIERS}
    args = instruction.args
    if operation == "arrive" and rest[:1] == ["expect_tx"]:
        reject(instruction, allowed, tuple(rest[1:]))
        return _arrive(instruction, scope, expects=True)
    if operation in ("test_wait", "try_wait"):
        parity = rest[:1] == ["parity"]
        reject(instruction, allowed, tuple(rest[parity:]))
        return _wait(instruction, scope, parity=parity)
    reject(instruction, allowed, tuple(rest))
    match operation:
        case "init":
            return _with_number(
                scope, _barrier_address(instruction, scope, args[0]), args[1], Mbarriers.init
            )
        case "inval":
            return _invalidate(_barrier_address(instruction, scope, args[0]))
        case "arrive":
            return _arrive(instruction, scope, expects=False)
        case "expect_tx":
            return _with_number(
                scope, _barrier_address(instruction, scope, args[0]), args[1], Mbarriers.expect
            )
    raise instruction.unknown()


def _numbers(wave: Wave, read: Read) -> list[int]:
    numbers: list[int] = np.broadcast_to(read(wave), (wave.count,)).tolist()
    return numbers


def _invalidate(address: Read) -> Step:
    def step(wave: Wave) -> None:
        for place, lane in zip(address(wave).tolist(), wave.lanes.tolist(), strict=True):
            wave.mbarriers.invalidate(place, lane)

    return step


def _with_number(scope: Scope, address: Read, operand: str, act: Act) -> Step:
    """A step in which each lane calls ``act`` with an mbarrier and a number."""
    read = scope.reader(operand, "u32")

    def step(wave: Wave) -> None:
        places = address(wave).tolist()
        for place, number, lane in zip(places, _numbers(wave, read), wave.lanes, strict=True):
            act(wave.mbarriers, place, number, int(lane))

    return step


def _arrive(instruction: Instruction, scope: Scope, *, expects: bool) -> Step:
    args = list(instruction.args)
    write = None if args[0].startswith("[") else scope.writer(args.pop(0), "b64")
    address = _barrier_address(instruction, scope, args[0])
    number = scope.reader(args[1] if len(args) > 1 else "1", "u32")
    if expects and len(args) < 2:
        raise instruction.unknown("operands")

    def step(wave: Wave) -> None:
        states = np.zeros(wave.count, np.uint64)
        places, numbers = address(wave).tolist(), _numbers(wave, number)
        for index, lane in enumerate(wave.lanes.tolist()):
            if expects:
                wave.mbarriers.expect(places[index], numbers[index], lane)
            times = 1 if expects else numbers[index]
            states[index] = wave.mbarriers.arrive(places[index], times, lane)
        if write is not None:
            write(wave, states)

    return step


def _wait(instruction: Instruction, scope: Scope, *, parity: bool) -> Step:
    target, barrier, wanted = instruction.args[:3]
    write = scope.writer(target, "pred")
    address = _barrier_address(instruction, scope, barrier)
    read = scope.reader(wanted, "u32" if parity else "u64")

    def step(wave: Wave) -> None:
        values = np.broadcast_to(read(wave), (wave.count,)).astype(np.int64)
        done = wave.mbarriers.poll(address(wave), values, parity=parity)
        if not done.all():
            wave.impatient = True
        write(wave, done)

    return step


TABLE = {"cp": cp, "mbarrier": mbarrier}
