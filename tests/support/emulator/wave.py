"""Blocks that run together: the registers of their threads, and which threads run next.

Every thread of every block is a lane. The group of lanes at the lowest basic block runs first, so
that diverged threads can converge again. If this group runs in a loop, waiting threads get their
turn after a while. Threads of other warps come first, so that the loop does not split its own
warps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emulator.asynchronous import AsynchronousCopies
from emulator.barriers import PARTED, BlockBarriers
from emulator.counters import Counts
from emulator.faults import Deadlock, EmulationError, MissingWait
from emulator.machine import Machine, Shape
from emulator.mbarriers import Mbarriers
from emulator.memory import AccessFault
from emulator.order import Order
from emulator.scalars import RAW, Lanes
from emulator.shared import SharedMemory
from emulator.special import special_register

if TYPE_CHECKING:
    from emulator.program import Program

NEVER = 1 << 60
_INTRA_WARP = 8  # multiples of `patience` after which threads of one warp may be separated


class Wave:
    """Execution of blocks ``first`` to ``first + blocks`` of a launch.

    Attributes:
        registers: one array per register, with one element per lane. Registers share no arrays.
        chosen: the lanes that execute the current instruction; None means all lanes.
            count: number of lanes that execute the current instruction.
        pc, status: for each lane outside the current group, its basic block and its status.
    """

    READY, BARRIER, CLUSTER, GATHER, DONE = range(5)

    machine: Machine
    shape: Shape
    first: int
    shared_end: int
    block_of: Lanes
    thread_of: Lanes

    def __init__(
        self,
        program: Program,
        machine: Machine,
        shape: Shape,
        parameters: bytes,
        first: int,
        blocks: int,
        counts: Counts,
    ) -> None:
        self.program = program
        self.machine = machine
        self.memory = machine.memory
        self.shape = shape
        self.counts = counts
        self.first = first
        self.blocks = blocks
        self.teams = blocks // shape.cluster
        self.size = blocks * shape.threads
        lanes = np.arange(self.size)
        self.all = lanes
        self.block_of = lanes // shape.threads
        self.thread_of = lanes % shape.threads
        self.row_of = self.block_of * shape.warps + self.thread_of // 32
        self.team_of = self.block_of // shape.cluster
        self.parameters = np.frombuffer(parameters, np.uint8)
        self.registers: list[Lanes] = [
            np.zeros(self.size, np.bool_ if slot.type == "pred" else RAW[slot.width])
            for slot in program.slots
        ]
        self.order = Order(self.teams, shape.cluster * shape.warps)
        self.shared_end = program.shared_bytes + shape.shared
        self.shared = SharedMemory(
            blocks,
            -(-self.shared_end // 128) * 128,
            self.order,
            program.grain,
            races=machine.races,
        )
        self.local = np.full(self.size * program.local_bytes, 0xCD, np.uint8)
        self.mbarriers = Mbarriers(self)
        self.copies = AsynchronousCopies(self)
        self.ended = np.zeros(blocks, np.bool_)  # whether all threads have ended
        self._special: dict[str, Lanes] = {}
        self.chosen: Lanes | None = None
        self.count = self.size
        self.pc = np.zeros(self.size, np.int64)
        self.status = np.zeros(self.size, np.uint8)
        self.barriers = BlockBarriers(self)
        self.step = 0
        self.impatient = False
        self._executed = [0] * len(program.blocks)
        self._at = 0
        self._others = NEVER
        self._live = True
        self._turns = 0
        self._rotations = 0
        self._passed_over = np.zeros(self.size, np.bool_)
        self._pardon = 0

    @property
    def lanes(self) -> Lanes:
        """The lanes that execute the current instruction."""
        return self.all if self.chosen is None else self.chosen

    @property
    def rows(self) -> Lanes:
        """The warps of the current lanes, numbered through all blocks of the wave."""
        return self.row_of if self.chosen is None else self.row_of[self.chosen]

    @property
    def threads(self) -> Lanes:
        """The thread numbers of the current lanes within their blocks."""
        return self.thread_of if self.chosen is None else self.thread_of[self.chosen]

    def clock(self) -> int:
        """Number of steps executed on the device so far."""
        return self.machine.ticks + self.step

    def special(self, name: str) -> Lanes:
        """The special register ``name``: one element per lane, or a scalar."""
        if name not in self._special:
            self._special[name] = special_register(self, name)
        return self._special[name]

    # -- running ---------------------------------------------------------------------------

    def run(self, budget: int) -> int:
        """Execute about ``budget`` steps, and return the number of executed steps.

        The number is smaller than ``budget`` if all threads end.
        """
        spent = 0
        blocks = self.program.blocks
        machine = self.machine
        while spent < budget:
            if not self._live and not self._select():
                break
            block = blocks[self._at]
            try:
                for self.step, step in enumerate(block.steps):
                    step(self)
                self.step = len(block.steps)
                following = block.end(self)
            except AccessFault as fault:
                raise fault.kind(self._placed(str(fault), fault.lane)) from fault
            except EmulationError as error:
                raise type(error)(self._placed(str(error), 0)) from error
            self._executed[self._at] += self.count
            spent += block.cost
            machine.ticks += block.cost
            self._go_on(following)
        return spent

    @property
    def finished(self) -> bool:
        return not self._live and bool((self.status == self.DONE).all())

    def _go_on(self, following: int) -> None:
        if following == PARTED:
            self._live = self.impatient = False
            return
        self._turns += 1
        collective = self.program.blocks[following].member is not None
        tired = self._turns > self.machine.patience or self.impatient
        # If the group contains all lanes, no other lane waits.
        goes_on = self.chosen is None or not (collective or (tired and self._others < NEVER))
        if goes_on and following < self._others:
            self._at = following
        else:
            self.pc[self.lanes] = following
            if tired:
                self._pass_over()
            self._live = False
        self.impatient = False

    def _pass_over(self) -> None:
        """Make the current group wait until other threads have run."""
        ready = self.all[self.status == self.READY]
        mine = np.zeros(self.size, np.bool_)
        mine[self.lanes] = True
        warps = np.zeros(self.blocks * self.shape.warps, np.bool_)
        warps[self.rows] = True
        others = ready[~mine[ready]]
        apart = others[~warps[self.row_of[others]]]
        self._rotations += 1
        if apart.size:
            self._passed_over[ready] = warps[self.row_of[ready]]
        elif self.impatient or self._rotations % _INTRA_WARP == 0:
            self._passed_over[self.lanes] = True
        else:
            return
        self._pardon = 64

    def _select(self) -> bool:
        """Choose the group that runs next. False means that all threads have ended."""
        self._turns = 0
        woken = False
        while True:
            if self._pardon:
                self._pardon -= 1
                eager = (self.status == self.READY) & ~self._passed_over
                if self._pardon and self._choose(eager):
                    return True
                self._pardon = 0
                self._passed_over[:] = False
            if self._choose(self.status == self.READY):
                return True
            waiting = self.status == self.GATHER
            if woken or not waiting.any():
                break
            self.status[waiting] = self.READY  # the missing threads may have ended
            woken = True
        if (self.status == self.DONE).all():
            return False
        raise Deadlock(self._stuck())

    def _choose(self, ready: Lanes) -> bool:
        while True:
            lanes = np.flatnonzero(ready)
            if not lanes.size:
                return False
            places = self.pc[lanes]
            self._at = at = int(places.min())
            here = places == at
            group = lanes[here]
            rest = places[~here]
            self._others = int(rest.min()) if rest.size else NEVER
            member = self.program.blocks[at].member
            if member is not None:
                gathered = (self.status == self.GATHER) & (self.pc == at)
                if gathered.any():
                    self.status[gathered] = self.READY
                    group = np.flatnonzero(gathered | (ready & (self.pc == at)))
            self._act_on(group)
            if member is None:
                break
            missing = self._missing(member(self))
            if not missing.any():
                break
            ready = ready & (self.status == self.READY)
            ready[group[missing]] = False
            self.status[group[missing]] = self.GATHER
            if not missing.all():
                self._act_on(group[~missing])
                break
        self._live = True
        return True

    def _act_on(self, lanes: Lanes) -> None:
        self.chosen = None if lanes.size == self.size else lanes
        self.count = int(lanes.size)

    def _missing(self, member: Lanes) -> Lanes:
        """For each current lane, whether a thread of its member mask has not arrived yet."""
        bit = np.left_shift(np.uint32(1), (self.threads % 32).astype(np.uint32))
        there = np.zeros(self.blocks * self.shape.warps, np.uint32)
        np.bitwise_or.at(there, self.rows, bit)
        alive = np.zeros_like(there)
        living = self.all[self.status != self.DONE]
        np.bitwise_or.at(
            alive,
            self.row_of[living],
            np.left_shift(np.uint32(1), (self.thread_of[living] % 32).astype(np.uint32)),
        )
        missing: Lanes = (member & alive[self.rows] & ~there[self.rows]) != 0
        return np.broadcast_to(missing, (self.count,))

    def leave(self) -> int:
        """End the threads of the current group, and let lanes at a complete barrier continue."""
        self.status[self.lanes] = self.DONE
        if self.shape.cluster > 1:
            self._end_blocks()
        self.barriers.settle()
        return PARTED

    def _end_blocks(self) -> None:
        living = np.bincount(self.block_of, weights=self.status != self.DONE)
        for block in np.flatnonzero((living == 0) & ~self.ended):
            self.ended[block] = True
            rows = np.arange(block * self.shape.warps, (block + 1) * self.shape.warps)
            self.shared.end_block(int(block), rows)

    def finish(self) -> None:
        """Complete the counts after all threads have ended.

        Raises:
            MissingWait: an asynchronous copy is still in progress.
        """
        if pending := self.copies.pending() or self.mbarriers.pending():
            raise MissingWait(f"{self.program.name}: the block ended with {pending} under way")
        opcodes = self.counts.opcodes
        for block, executed in zip(self.program.blocks, self._executed, strict=True):
            if executed:
                for opcode in block.opcodes:
                    opcodes[opcode] += executed

    # -- places for messages ---------------------------------------------------------------

    def _placed(self, message: str, index: int) -> str:
        block = self.program.blocks[self._at]
        at = min(self.step, len(block.instructions) - 1)
        text = block.instructions[at].text if block.instructions else "end of the code"
        lane = int(self.lanes[index])
        return f"{self.program.name}: {message}, {self.name_of(lane)}: {text}"

    def name_of(self, lane: int) -> str:
        """``lane`` as text: ``block 3, thread 40``.

        Launches in 2 or 3 dimensions show all coordinates.
        """
        block = _coordinates(self.first + int(self.block_of[lane]), self.shape.grid)
        thread = _coordinates(int(self.thread_of[lane]), self.shape.block)
        return f"block {block}, thread {thread}"

    def position(self) -> str:
        """The current instruction and the current threads, as text."""
        block = self.program.blocks[self._at]
        text = block.instructions[0].text if block.instructions else "end of the code"
        return f"{self.count} threads at '{text}' (first: {self.name_of(int(self.lanes[0]))})"

    def _stuck(self) -> str:
        waits = {
            self.BARRIER: "at a barrier of the block",
            self.CLUSTER: "at the barrier of the cluster",
            self.GATHER: "for other threads of the warp",
        }
        said = []
        for status, where in waits.items():
            lanes = np.flatnonzero(self.status == status)
            if lanes.size:
                said.append(f"{lanes.size} threads wait {where} (first: {self.name_of(lanes[0])})")
        return f"{self.program.name}: deadlock: {'; '.join(said)}"


def _coordinates(index: int, extent: tuple[int, int, int]) -> str:
    x, y, z = extent
    if y == z == 1:
        return str(index)
    return f"({index % x},{index // x % y},{index // (x * y)})"
