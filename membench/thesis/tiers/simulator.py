"""Simulates several LRU cache tiers: hits in each tier, data movement, and waiting times.

- Inclusive tiers: every request touches its blocks in each tier.
- Exclusive tiers: a hit moves a block to the first tier, and evicted blocks go to the next tier.
- Each tier does one load at a time, and each GPU does one prefill at a time. Writes do not delay
  loads. Decoding is left out, so times are lower bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from membench.core.errors import UsageError
from membench.thesis.models.breakeven import restored_ttft
from membench.thesis.models.roofline import prefill_flops
from membench.thesis.replay.run_parts import Run, distinct, length, split
from membench.thesis.replay.trace import Trace, with_poisson_arrivals
from membench.thesis.tiers.run_lru import Dropped, RunLru
from membench.thesis.tiers.settings import (
    INFINITE,
    Admission,
    Inclusion,
    PrefillGpu,
    TierOutcome,
    TierSpec,
    TierUse,
)
from membench.thesis.tiers.sightings import Sightings


def at_request_rate(trace: Trace, per_s: float, seed: int = 0) -> Trace:
    """``trace`` with a request rate of ``per_s`` requests per second.

    Sessions start at random times. Their mean rate (sessions per second) is ``per_s`` divided by
    the mean number of requests of a session. Long sessions continue after the last start, so the
    mean request rate over the trace can be lower than ``per_s``. Without sessions, all times are
    multiplied by one factor.

    Raises:
        UsageError: ``per_s`` is not above 0.
    """
    if per_s <= 0:
        raise UsageError(
            f"a rate of {per_s:g} requests per second is not possible", "use a rate above 0"
        )
    if trace.sessions:
        sessions = np.unique(trace.session).size
        return with_poisson_arrivals(trace, per_s * sessions / trace.requests, seed)
    since = trace.arrival - trace.arrival[0]
    span = float(since[-1])
    return replace(trace, arrival=since * (trace.requests / per_s / span if span else 1))


@dataclass
class _Store:
    """The state of a shared tier, or of one tier of one GPU."""

    spec: TierSpec
    cache: RunLru = field(default_factory=RunLru)
    read_free: float = 0.0
    read_s: float = 0.0
    write_s: float = 0.0
    hits: int = 0
    written: int = 0
    since: float = 0.0
    block_seconds: float = 0.0
    most: int = 0
    gaps: list[tuple[float, int]] = field(default_factory=list)

    def age(self, now: float) -> list[Dropped]:
        """Advance the tier to the time ``now``. Evict and return the expired blocks."""
        self.block_seconds += self.cache.blocks * (now - self.since)
        self.since = now
        return [] if self.spec.ttl == INFINITE else self.cache.expire(now - self.spec.ttl)

    def load(self, now: float, blocks: int, block_bytes: float) -> tuple[float, float]:
        """Queue a load. Return (time of its end, seconds of the transfer without waiting)."""
        took = self.spec.latency + blocks * block_bytes / self.spec.read
        self.read_free = max(now, self.read_free) + took
        self.read_s += took
        return self.read_free, took

    def write(self, blocks: int, block_bytes: float) -> None:
        self.written += blocks
        self.write_s += blocks * block_bytes / self.spec.write


def simulate(
    trace: Trace,
    tiers: Sequence[TierSpec],
    block_bytes: float,
    *,
    gpu: PrefillGpu | None = None,
    gpus: int = 1,
    inclusion: Inclusion = Inclusion.INCLUSIVE,
    admission: Admission = Admission.THROUGH,
) -> TierOutcome:
    """Simulate ``tiers`` (fastest first) for the requests of ``trace``.

    Args:
        gpu: None for prefills that take no time.
        gpus: number of GPUs. All requests of a session go to one GPU. Without sessions, requests go
            to the GPUs round robin.

    Raises:
        UsageError: ``tiers`` is empty, ``gpus`` is below 1, or the requests are not in the order of
            arrival.
    """
    if not tiers or gpus < 1:
        raise UsageError(
            "a simulation needs at least one tier and one GPU",
            "give at least one tier, and 'gpus' of 1 or more",
        )
    if (np.diff(trace.arrival) < 0).any():
        raise UsageError(
            "the requests are not in the order of arrival",
            "generate random arrivals: --arrivals poisson:RATE",
        )
    model = _EventModel(tiers, block_bytes, gpu or PrefillGpu(), gpus, inclusion, admission)
    runs = list(zip(trace.first.tolist(), trace.last.tolist(), strict=True))
    bounds = trace.offsets.tolist()
    scopes = trace.session.tolist()
    prompts = trace.prompt.tolist()
    for number, now in enumerate(trace.arrival.tolist()):
        asked = runs[bounds[number] : bounds[number + 1]]
        home = (scopes[number] if trace.sessions else number) % gpus
        scope = scopes[number] if trace.private else 0
        model.request(now, home, scope, asked, prompts[number], trace.block_tokens)
    return model.outcome(trace)


class _EventModel:
    def __init__(
        self,
        tiers: Sequence[TierSpec],
        block_bytes: float,
        gpu: PrefillGpu,
        gpus: int,
        inclusion: Inclusion,
        admission: Admission,
    ) -> None:
        self.specs = tuple(tiers)
        self.block_bytes = block_bytes
        self.gpu = gpu
        self.exclusive = inclusion is Inclusion.EXCLUSIVE
        through = admission is Admission.THROUGH
        self.second = [
            spec.second or (depth > 0 and not through) for depth, spec in enumerate(tiers)
        ]
        self.sightings = Sightings() if any(self.second) else None
        pools = [_Store(spec) for spec in tiers]
        self.homes = [
            [pool if pool.spec.shared else _Store(pool.spec) for pool in pools] for _ in range(gpus)
        ]
        self.gpu_free = [0.0] * gpus
        self.gpu_s = 0.0
        self.ttft: list[float] = []

    def request(
        self, now: float, home: int, scope: int, runs: list[Run], prompt: int, block_tokens: int
    ) -> None:
        stores = self.homes[home]
        self._age(now)
        served, hits = self._look_up(now, stores, scope, runs)
        self._wait(now, home, served, prompt, min(hits * block_tokens, max(prompt - 1, 0)))
        once = distinct(runs)
        if once is not runs:
            hits = length(distinct(split(runs, hits)[0]))
        if self.sightings is not None:
            self.sightings.see(scope, once)
        self._touch(now, stores, scope, once, hits)

    def _age(self, now: float) -> None:
        for stores in self.homes:
            for depth, store in enumerate(stores):
                if store.since == now and store.spec.ttl == INFINITE:
                    continue
                expired = store.age(now)
                if self.exclusive and expired:
                    self._sink(stores, depth + 1, expired)

    def _look_up(
        self, now: float, stores: list[_Store], scope: int, runs: list[Run]
    ) -> tuple[list[int], int]:
        """(number of blocks that hit in each tier, sum over all tiers).

        The request hits up to the first block that no tier contains. Each block hits in the fastest
        tier that contains it.
        """
        served = [0] * len(stores)
        for first, last in runs:
            begin = first
            while begin <= last:
                for depth, store in enumerate(stores):
                    found = store.cache.find(scope, begin, last)
                    if found and found[0].first == begin:
                        end = self._next_above(stores[:depth], scope, begin, found[0].last)
                        served[depth] += end - begin + 1
                        store.hits += end - begin + 1
                        store.gaps.append((now - store.cache.slot(found[0]).time, end - begin + 1))
                        begin = end + 1
                        break
                else:
                    return served, sum(served)
        return served, sum(served)

    def _next_above(self, faster: list[_Store], scope: int, begin: int, last: int) -> int:
        """Cut the ids ``begin`` to ``last`` before the first id that a tier in ``faster`` contains.

        Return the last id that remains.
        """
        for store in faster:
            found = store.cache.find(scope, begin, last)
            if found:
                last = found[0].first - 1
        return last

    def _wait(self, now: float, home: int, served: list[int], prompt: int, cached: int) -> None:
        gpu, stores = self.gpu, self.homes[home]
        flops = prefill_flops(prompt, gpu.matmul_params, gpu.attention_flops, cached)
        computing = flops / gpu.flops_per_s
        begin = max(now, self.gpu_free[home])
        done = begin + computing
        for store, blocks in zip(stores[1:], served[1:], strict=True):
            if blocks:
                loaded, took = store.load(now, blocks, self.block_bytes)
                ready = restored_ttft(took, computing, gpu.layers, overlap=gpu.overlap)
                done = max(done, loaded - took + ready)
        # with overlap, a lower bound: the GPU may have to wait for layers
        self.gpu_free[home] = begin + computing if gpu.overlap else done
        self.gpu_s += computing
        self.ttft.append(done + gpu.fixed_s - now)

    def _touch(
        self, now: float, stores: list[_Store], scope: int, runs: list[Run], hits: int
    ) -> None:
        """Touch or insert the blocks of a request, the last block first."""
        prefix, rest = split(runs, hits)
        below: list[Dropped] = []
        for depth, store in enumerate(stores):
            if self.exclusive and depth:
                for first, last in runs:
                    store.cache.take(scope, first, last)
                continue
            for part in (rest, prefix):
                for run in reversed(self._admitted(depth, scope, part)):
                    held = store.cache.take(scope, *run)
                    store.write(run[1] - run[0] + 1 - held, self.block_bytes)
                    store.cache.push(scope, run, now)
            dropped = store.cache.trim(store.spec.capacity)
            store.most = max(store.most, store.cache.blocks)
            if self.exclusive:
                below = dropped
        if self.exclusive:
            self._sink(stores, 1, below)

    def _admitted(self, depth: int, scope: int, runs: list[Run]) -> list[Run]:
        if self.sightings is None or not self.second[depth]:
            return runs
        return [part for run in runs for part in self.sightings.again(scope, run)]

    def _sink(self, stores: list[_Store], depth: int, dropped: list[Dropped]) -> None:
        """Insert ``dropped``, blocks that left the faster tiers, into tier number ``depth``.

        Tiers are numbered from 0. The blocks that tier ``depth`` then evicts go to the next tier,
        and so on.
        """
        while dropped and depth < len(stores):
            store = stores[depth]
            for run in dropped:
                for span in self._admitted(depth, run.scope, [(run.first, run.last)]):
                    # another GPU may have put the same blocks into a shared tier
                    held = store.cache.take(run.scope, *span)
                    store.write(span[1] - span[0] + 1 - held, self.block_bytes)
                    store.cache.push(run.scope, span, run.time)
            dropped = store.cache.trim(store.spec.capacity)
            store.most = max(store.most, store.cache.blocks)
            depth += 1

    def outcome(self, trace: Trace) -> TierOutcome:
        seconds = float(trace.arrival[-1] - trace.arrival[0]) if trace.requests else 0.0
        if trace.requests:
            self._age(float(trace.arrival[-1]))
        uses = []
        for depth, spec in enumerate(self.specs):
            stores = [home[depth] for home in self.homes][: 1 if spec.shared else None]
            uses.append(_use(spec, stores, self.block_bytes, seconds, first=depth == 0))
        return TierOutcome(
            references=trace.references,
            tiers=tuple(uses),
            ttft_s=np.array(self.ttft),
            gpu_busy=self.gpu_s / seconds / len(self.homes) if seconds else 0.0,
            seconds=seconds,
        )


def _use(
    spec: TierSpec, stores: list[_Store], block_bytes: float, seconds: float, *, first: bool
) -> TierUse:
    hits = sum(store.hits for store in stores)
    written = sum(store.written for store in stores)
    gaps = np.array([gap for store in stores for gap in store.gaps]).reshape(-1, 2)
    span = seconds * len(stores)
    return TierUse(
        name=spec.name,
        hits=hits,
        written=written,
        mean_blocks=sum(store.block_seconds for store in stores) / seconds if seconds else 0.0,
        most_blocks=sum(store.most for store in stores),
        read_bytes=0.0 if first else hits * block_bytes,
        written_bytes=written * block_bytes,
        read_busy=sum(store.read_s for store in stores) / span if span else 0.0,
        write_busy=sum(store.write_s for store in stores) / span if span else 0.0,
        gaps_s=gaps[:, 0],
        gap_blocks=gaps[:, 1],
        capacity_bytes=spec.capacity * block_bytes * len(stores),
        seconds=seconds,
    )
