"""Finds the fastest way to get a KV cache: restore from DDR, restore from SSD, or recompute.

The times follow from the rates in result rows, or from a rate that the user assumes. The times are
lower bounds if the engine computes in the measured precision and copies with the measured method.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from membench.core.errors import UsageError
from membench.core.messages import tr
from membench.core.record import record
from membench.core.snapshot import Machine
from membench.core.terms import Badge
from membench.core.text import counted
from membench.core.units import GIB
from membench.results.schema import Row
from membench.thesis.advise.paths import (
    Capacity,
    Choice,
    Method,
    Rate,
    Sought,
    choose_method,
    device_memory,
    fastest_near,
    kv_path,
    rate_of,
    ssd_path,
)
from membench.thesis.claims.assumptions import Assumption, Assumptions
from membench.thesis.claims.device_names import device_key, device_slug
from membench.thesis.claims.evidence import badges, machines
from membench.thesis.claims.ledger import Input, ledger
from membench.thesis.models.breakeven import contexts_held, load_seconds, restored_ttft
from membench.thesis.models.catalogue import Model
from membench.thesis.models.configuration import number, resolved
from membench.thesis.models.gpu_count import gpus_needed
from membench.thesis.models.kv_shape import (
    BlockLayout,
    KvDtype,
    Pieces,
    kv_bytes,
    mean_bytes_per_token,
    pieces,
)
from membench.thesis.models.layer_kinds import layer_count
from membench.thesis.models.roofline import prefill_flops, prefill_seconds

MOST_TOKENS = 2**24
"""Longest prefix, in tokens, in the search for a crossover."""
MOST_RANKS = 1024
"""Maximum number of tensor-parallel ranks."""
USABLE = "system.hbm_share"
"""The assumption with the share of a GPU's memory for weights and KV cache."""
HOST_SHARE = 0.7
"""Maximum share of host memory for a KV cache. vLLM refuses a larger ``swap_space``."""
HOST_RESERVE = 10 * GIB
"""Minimum bytes of host memory that a KV cache leaves free, as in SGLang's HiCache."""
DISK_SHARE = 0.85
"""Maximum share of a filesystem's free space for a KV cache.

A kubelet evicts pods below 15 % of free space (``imagefs.available``), and nearly full drives are
slow.
"""
_EIGHT_BITS = 9.0
"""An engine can multiply weights with fewer bits than this in FP8."""


@record(kw_only=True)
class Question:
    """The input of `advise`.

    Attributes:
        context: number of cached tokens. The last block is always recomputed.
        tp: number of tensor-parallel ranks. Each rank has its own link. All ranks share the disks.
        slo: longest acceptable time to first token, in seconds; None for no limit.
        assumed: FLOP/s of one GPU; None for the measured rate.
    """

    model: Model
    context: int
    block_tokens: int = 16
    dtype: KvDtype = KvDtype.FP16
    tp: int = 1
    layout: BlockLayout = BlockLayout.SPLIT
    slo: float | None = None
    assumed: float | None = None


@record(kw_only=True)
class Advice:
    """The answer to a `Question`.

    Attributes:
        kv_bytes: bytes of KV cache of the whole context. Copies on several ranks count once.
        rank_bytes: bytes of KV cache that one rank stores.
        weight_bytes: bytes of the weights over all ranks; None if unknown.
        weights: name of the precision of the weights; empty if unknown.
        arithmetic: precision of the FLOP/s for recomputing: `bf16`, `fp8` or `assumed`; empty if
            the FLOP/s are unknown.
        weights_gpus: number of GPUs that the weights need, a power of two; None if unknown.
        gpus: number of GPUs that the weights and one context need: a power of two that divides the
            attention heads. None if unknown, or if no such number is enough.
        fits: whether the weights and one context fit on the ``tp`` GPUs of the question; None if
            unknown.
        piece: the pieces in which an engine moves one block on one rank.
        choices: the choices with a known rate, fastest first.
        method: the fastest copy method; None if no copy was measured.
        staging: seconds to copy the context from SSD to DDR in whole blocks; None if not measured.
        missing: unknown inputs, one line each.
        notes: caveats, one sentence each.
    """

    question: Question
    machine: str
    device: str
    kv_bytes: int
    rank_bytes: float
    weight_bytes: float | None
    weights: str
    arithmetic: str
    weights_gpus: int | None
    gpus: int | None
    fits: bool | None
    piece: Pieces
    choices: tuple[Choice, ...]
    method: Method | None
    staging: Rate | None
    capacities: tuple[Capacity, ...]
    badges: tuple[Badge, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def best(self) -> Choice | None:
        """The choice with the shortest time to first token; None with fewer than two choices."""
        return self.choices[0] if len(self.choices) > 1 else None

    @property
    def clear(self) -> bool:
        """Whether the longest time of the best choice is below the second choice's shortest time.

        The result is False with fewer than two choices.
        """
        if len(self.choices) < 2:
            return False
        return self.choices[0].ttft.high < self.choices[1].ttft.low


def advise(
    question: Question, rows: Sequence[Row], machine: Machine | None, entries: Assumptions
) -> Advice:
    """Answer ``question`` for one machine: the first machine in ``rows`` with results of a GPU.

    If no machine has results of a GPU, the answer is for the first machine.

    Args:
        machine: the snapshot of the chosen machine; None if unknown.

    Raises:
        UsageError: the context, the block size, the number of ranks or the KV type is impossible
            for the model.
    """
    _check(question)
    name, own = _one_machine(rows)
    inputs = ledger().inputs
    shape, weights = question.model.shape, question.model.parameters
    device = device_slug(own, entries)
    piece = pieces(shape, question.block_tokens, question.tp, question.layout, question.dtype)
    whole = kv_bytes(shape, question.context, question.dtype)
    rank = whole * _rank_share(question)
    gemm, arithmetic = _gemm(question, own, inputs, entries.get(device_key(device, "bf16")))
    ddr = kv_path(own, piece, inputs)
    block = pieces(shape, question.block_tokens, question.tp, BlockLayout.WHOLE, question.dtype)
    ssd = ssd_path(own, block, inputs, ddr.rate, rank / whole)
    missing = [*gemm.missing, *ddr.missing, *ssd.missing]
    if weights is None:
        missing.append(
            tr(
                "the weights of {model}: the configuration does not describe the weights",
                model=question.model.name,
            )
        )
    flops = None if gemm.rate is None or weights is None else gemm.rate.times(question.tp)
    choices = _choices(question, flops, {"ddr": ddr.rate, "ssd": ssd.rate}, rank / whole)

    memory = device_memory(machine, entries.get(device_key(device, "memory")))
    if memory is None:
        missing.append(
            tr(
                "the memory size of the GPU: no sidecar names a GPU, and no assumption gives this "
                "size"
            )
        )
    as_held = question.model.weights
    held = None if as_held is None else as_held.stored
    if weights is not None and held is None:
        missing.append(
            tr(
                "the precision of the weights of {model}: give the precision with --weights, "
                "such as --weights fp8",
                model=question.model.name,
            )
        )
    usable = entries[USABLE].value
    weights_gpus = gpus = fits = None
    if memory is not None and held is not None:
        weights_gpus = gpus_needed(held, memory * usable)
        gpus = _gpus_of_context(question, memory * usable, held, whole)
        fits = contexts_held(question.tp * memory, rank * question.tp, held, usable) > 0
    capacities, unknown = _capacities(question, memory, usable, held, machine, whole, rank)
    return Advice(
        question=question,
        machine=name,
        device=next((row.device for row in own if row.tier == "hbm" and row.device), ""),
        kv_bytes=whole,
        rank_bytes=rank,
        weight_bytes=held,
        weights="" if as_held is None else as_held.label,
        arithmetic=arithmetic,
        weights_gpus=weights_gpus,
        gpus=gpus,
        fits=fits,
        piece=piece,
        choices=choices,
        method=choose_method(own, piece),
        staging=_staging(own, block, whole),
        capacities=capacities,
        badges=badges(row for one in (gemm, ddr, ssd) if one.rate for row in one.rate.rows),
        missing=tuple(dict.fromkeys([*missing, *unknown])),
        notes=_notes(question, arithmetic),
    )


def _gemm(
    question: Question,
    rows: Sequence[Row],
    inputs: Mapping[str, Input],
    peak: Assumption | None,
) -> tuple[Sought, str]:
    """(FLOP/s for recomputing on one GPU, their precision as in `Advice.arithmetic`).

    Args:
        peak: the GPU's peak in bf16 by its data sheet, for the message about a missing measurement;
            None if unknown.
    """
    if question.assumed is not None:
        return Sought(Rate(question.assumed, question.assumed, question.assumed)), "assumed"
    held = question.model.weights
    if held is not None and held.bits < _EIGHT_BITS:
        eight = replace(
            inputs["gemm"], what=tr("FP8 matrix multiplication"), select=("gpu/gemm*fp8*",)
        )
        if (rate := rate_of(eight, rows).rate) is not None:
            return Sought(rate), "fp8"
    rate, lacks = rate_of(inputs["gemm"], rows)
    missing = tuple(
        tr("{missing} (or assume a rate: --assume 700TFLOP/s)", missing=line)
        if peak is None
        else tr(
            "{missing} (or assume a rate: --assume 700TFLOP/s; the data sheet's peak in bf16 is "
            "{peak}TFLOP/s)",
            missing=line,
            peak=f"{peak.value * peak.scale / 1e12:g}",
        )
        for line in lacks
    )
    return Sought(rate, missing), "" if rate is None else "bf16"


def _staging(rows: Sequence[Row], block: Pieces, whole: float) -> Rate | None:
    rate = fastest_near(rows, "paging/ssd-ddr", block)
    return None if rate is None else rate.seconds(lambda speed: whole / speed)


def _check(question: Question) -> None:
    if question.context < question.block_tokens:
        raise UsageError(
            f"a context of {counted(question.context, 'token')} is shorter than a block of "
            f"{counted(question.block_tokens, 'token')}",
            "use a longer --context or a smaller --block-tokens",
        )
    heads = number(resolved(question.model.config), "num_attention_heads", default=0)
    if heads % question.tp:
        raise UsageError(
            f"{counted(heads, 'attention head')} of the model cannot be divided evenly among "
            f"{counted(question.tp, 'rank')}",
            f"use a --tp that divides {heads}",
        )


def _one_machine(rows: Sequence[Row]) -> tuple[str, tuple[Row, ...]]:
    found = machines(rows)
    if not found:
        return "", ()
    with_gpu = [name for name, own in found.items() if any(row.backend == "cuda" for row in own)]
    name = (with_gpu or [*found])[0]
    return name, found[name]


def _rank_share(question: Question) -> float:
    """Share (0 to 1) of the KV cache that one rank stores; 1 for latents (MLA)."""

    def size(ranks: int) -> int:
        shape, block = question.model.shape, question.block_tokens
        return pieces(shape, block, ranks, BlockLayout.WHOLE, question.dtype).bytes

    return size(question.tp) / size(1)


def _gpus_of_context(
    question: Question, usable: float, weight_bytes: float, whole: float
) -> int | None:
    """Compute `Advice.gpus`.

    Args:
        usable: bytes of one GPU's memory for weights and KV caches.
        weight_bytes: bytes of the weights over all ranks.
        whole: bytes of KV cache of one context. Copies on several ranks count once.
    """
    ranks = 1
    while ranks <= MOST_RANKS:
        asked = replace(question, tp=ranks)
        try:
            _check(asked)
            stored = ranks * whole * _rank_share(asked)
        except UsageError:  # the heads cannot be divided among this number of ranks
            stored = math.inf
        if stored + weight_bytes <= ranks * usable:
            return ranks
        ranks *= 2
    return None


def _choices(
    question: Question,
    flops: Rate | None,
    paths: Mapping[str, Rate | None],
    share: float,
) -> tuple[Choice, ...]:
    found: list[Choice] = []
    if flops is not None:
        found.append(
            Choice(
                "recompute",
                flops.seconds(lambda rate: _prefill(question, question.context, 0, rate)),
                flops,
            )
        )
    for name, path in paths.items():
        if path is None:
            continue
        # Each rank loads its share over its own link, but all ranks share the disks.
        part = 1.0 if name != "ddr" and path.shared else share
        found.append(_restore(question, name, path, flops, part))
    return tuple(sorted(found, key=lambda choice: choice.ttft.value))


def _restore(question: Question, name: str, path: Rate, flops: Rate | None, share: float) -> Choice:
    suffix_tokens = min(question.block_tokens, question.context)
    kept = question.context - suffix_tokens
    shape, dtype = question.model.shape, question.dtype
    layers = _equal_layers(question.model)

    def ttft(rate: float, compute: float | None) -> float:
        load = load_seconds(share * kv_bytes(shape, kept, dtype), rate, math.inf)
        suffix = 0.0 if compute is None else _prefill(question, question.context, kept, compute)
        return restored_ttft(load, suffix, layers, overlap=True)

    spans = (None, None, None) if flops is None else (flops.low, flops.value, flops.high)
    times = Rate.of_values(
        [
            ttft(rate, compute)
            for rate, compute in zip((path.low, path.value, path.high), spans, strict=True)
        ]
    )
    if flops is None:
        return Choice(name, times, path)
    again = _prefill(question, question.context, 0, flops.value)
    return Choice(
        name,
        times,
        path,
        crossover=crossover(question, share, path.value, flops.value),
        flips_at=share * kv_bytes(shape, question.context, dtype) / again,
    )


def _equal_layers(model: Model) -> float:
    """Number of layers for `restored_ttft`; infinity if the layers store unequal data."""
    layers = layer_count(resolved(model.config))
    stored = {group.layers for group in model.shape.groups}
    if model.shape.state_layers:
        stored.add(model.shape.state_layers)
    return layers if stored == {layers} else math.inf


def _prefill(question: Question, tokens: float, cached: float, rate: float) -> float:
    weights = question.model.parameters
    assert weights is not None
    flops = prefill_flops(tokens, weights.matmul, weights.attention, cached)
    return prefill_seconds(flops, rate)


def crossover(
    question: Question, share: float, bytes_per_s: float, flops_per_s: float
) -> int | None:
    """The shortest prefix, in tokens, for which restoring is faster than recomputing.

    None if restoring `MOST_TOKENS` tokens is not faster.

    Args:
        share: share of the KV cache (including windows and state) that moves over the path.
        bytes_per_s: rate of the path.
        flops_per_s: FLOP/s of all ranks together.
    """
    shape, dtype = question.model.shape, question.dtype

    def restores(prefix: int) -> bool:
        again = _prefill(question, prefix, 0, flops_per_s)
        size = share * mean_bytes_per_token(shape, prefix, dtype) * prefix
        return load_seconds(size, bytes_per_s, math.inf) < again

    if restores(1):
        return 1
    if not restores(MOST_TOKENS):
        return None
    # The recompute time grows faster than the bytes, so there is at most one crossover.
    low, high = 1, MOST_TOKENS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if restores(middle) else (middle, high)
    return high


def _capacities(
    question: Question,
    memory: float | None,
    usable: float,
    weight_bytes: float | None,
    machine: Machine | None,
    whole: float,
    rank: float,
) -> tuple[tuple[Capacity, ...], tuple[str, ...]]:
    """(capacity of each tier with a known capacity, lines about the unknown capacities).

    Args:
        memory: bytes of HBM of one GPU; None if unknown.
        usable: share (0 to 1) of HBM for weights and KV caches.
        weight_bytes: bytes of the weights over all ranks; None if unknown.
        machine: the snapshot of the machine; None if unknown.
        whole: bytes of one context in host memory or on a disk.
        rank: bytes of one context in the HBM of one rank.
    """
    found: list[Capacity] = []
    if memory is not None and weight_bytes is not None:
        total = memory * question.tp
        count = contexts_held(total, rank * question.tp, weight_bytes, usable)
        room = max(0.0, total * usable - weight_bytes)
        why = f"{100 * usable:g} % usable, minus weights"
        found.append(Capacity("hbm", total, room, count, why))
    if machine is not None:
        host = machine.memory.cgroup_limit or machine.memory.total
        host = min(host, machine.memory.total)
        if found and any(gpu.integrated for gpu in machine.gpus.devices):
            found[0] = replace(found[0], counted=f"{found[0].counted}; the GPU uses host memory")
        else:
            room = max(0.0, min(host * HOST_SHARE, host - HOST_RESERVE))
            why = (
                f"at least {100 - 100 * HOST_SHARE:.0f} % and {HOST_RESERVE // GIB} GiB of host "
                "memory are left to the system, the engine and the page cache"
            )
            found.append(Capacity("ddr", host, room, contexts_held(room, whole), why))
        free = max((one.free for one in machine.filesystems if not one.direct_io), default=0)
        if free:
            room = free * DISK_SHARE
            why = f"{100 - 100 * DISK_SHARE:.0f} % of the free space stays unused"
            found.append(Capacity("ssd", free, room, contexts_held(room, whole), why))
        else:
            lacks = tr("the free space of a disk: no filesystem with direct reads has free space")
            return tuple(found), (lacks,)
    else:
        lacks = tr("the capacity of DDR and SSD: no sidecar describes the machine")
        return tuple(found), (lacks,)
    return tuple(found), ()


def _notes(question: Question, arithmetic: str) -> tuple[str, ...]:
    notes = [*question.model.notes]
    held = question.model.weights
    if arithmetic == "bf16" and held is not None and held.bits < _EIGHT_BITS:
        notes.append(
            f"recomputing is assumed in bf16, but the weights are {held.label}: an engine that "
            "computes in FP8 or FP4 recomputes faster"
        )
    if question.tp > 1:
        notes.append(
            "the rates are those of one GPU: membench assumes that each rank has an equal link, "
            "and that all ranks share the disks"
        )
    return tuple(notes)


def usual_block(model: Model, tokens: int = 16) -> int:
    """The smallest block, a multiple of ``tokens`` tokens, that splits no entry of the KV cache.

    An entry of a compressed KV cache covers several tokens. Layers with a window do not count.
    """
    return math.lcm(tokens, *(group.every for group in model.shape.groups if not group.window))


def missing_of(found: Iterable[Advice]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for one in found for line in one.missing))
