"""The user's requirements on a check, and the reasons why a check fails."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from membench.analysis.check.lines import DeviceLine
from membench.analysis.check.machine import MachineCheck
from membench.analysis.check.preconditions import PreconditionState
from membench.analysis.check.rule import CheckVerdict
from membench.core.errors import UsageError
from membench.core.messages import listed, tr, tr_n
from membench.core.near import did_you_mean
from membench.core.record import record
from membench.core.terms import Tier
from membench.results.schema import is_whole

WORDS = {"look": CheckVerdict.LOOK, "not-judged": CheckVerdict.NOT_JUDGED}
"""Verdicts that ``--fail-on`` can add to the verdicts that always fail a check."""

_MOST_GPUS = 1024
_NEEDED = (Tier.HBM, Tier.LINK)
"""Tiers on which each required GPU needs a verdict."""


@record
class Requirements:
    """The GPUs and the tiers on which a check must give a verdict.

    ``gpus`` is the required number of GPUs.
    """

    gpus: int = 0
    tiers: tuple[Tier, ...] = ()


def parse_requirements(words: Sequence[str]) -> Requirements:
    """Parse requirements such as ``gpu=8`` or ``hbm,link``.

    Raises:
        UsageError: a word is neither ``gpu=N`` with N from 1 to 1024, nor the name of a tier.
    """
    gpus, tiers = 0, []
    for word in (part.strip() for text in words for part in text.split(",")):
        key, equals, number = word.partition("=")
        if key == "gpu" and equals:
            if not (is_whole(number) and 1 <= int(number) <= _MOST_GPUS):
                raise UsageError(
                    f"--require {word}: '{number}' is not a possible number of GPUs",
                    f"give a number from 1 to {_MOST_GPUS}",
                )
            gpus = int(number)
        elif word in tuple(Tier):
            tiers.append(Tier(word))
        else:
            usual = f"use gpu=N, or a tier: {', '.join(Tier)}"
            raise UsageError(
                f"--require {word} is not a known requirement", did_you_mean(word, Tier, usual)
            )
    return Requirements(gpus, tuple(dict.fromkeys(tiers)))


def failures(
    check: MachineCheck, required: Requirements, fail_on: Collection[str] = ()
) -> tuple[str, ...]:
    """The reasons why the check fails, one line each; empty if the check does not fail.

    Args:
        fail_on: further causes of failure: ``straggler`` for a slow GPU, or words of `WORDS`.
    """
    return tuple(dict.fromkeys((*_always(check), *unmet(check, required), *_asked(check, fail_on))))


def _always(check: MachineCheck) -> Iterator[str]:
    for one in check.preconditions:
        if one.state is PreconditionState.BAD:
            yield f"{gpus([one.device])}{one.name}: {one.seen}"
    for line in check.lines:
        several: dict[tuple[CheckVerdict, str], list[DeviceLine]] = {}
        for device in line.devices:
            if device.verdict in (CheckVerdict.FAIL, CheckVerdict.FAULT):
                several.setdefault((device.verdict, device.why), []).append(device)
        for (verdict, why), devices in several.items():
            share = max(devices, key=lambda one: one.badness).share_text
            much = tr(" ({share} of the expected speed)", share=share) if share else ""
            about = f", {why}" if why else ""
            yield f"{gpus([one.device for one in devices])}{line.name}: {verdict}{much}{about}"


def gpus(devices: Sequence[int | None]) -> str:
    """The start of a message, ``GPU 3: `` or ``GPUs 0, 1, 3: ``; empty for the host."""
    numbers = [f"{device}" for device in devices if device is not None]
    if not numbers:
        return ""
    return f"GPU {numbers[0]}: " if len(numbers) == 1 else f"GPUs {listed(numbers)}: "


def unmet(check: MachineCheck, required: Requirements) -> Iterator[str]:
    """Yield the reasons why requirements are not met.

    A GPU counts if it has a value, and if every tier in `_NEEDED` was judged on this GPU. A
    requirement of N GPUs is met if at least N GPUs count.
    """
    devices = [device for line in check.lines for device in line.devices]
    seen = sorted({one.device for one in devices if one.device is not None and one.value})
    if len(seen) < required.gpus:
        yield tr_n(
            "{count} GPU is required; number of measured GPUs: {found}",
            "{count} GPUs are required; number of measured GPUs: {found}",
            required.gpus,
            found=len(seen),
        )
    missing = [[tier for tier in _NEEDED if not _is_judged(check, tier, number)] for number in seen]
    if sum(not tiers for tiers in missing) < required.gpus:
        for number, tiers in zip(seen, missing, strict=True):
            for tier in tiers:
                yield tr("GPU {number}: {tier} is not judged", number=number, tier=tier)
    for tier in required.tiers:
        if check.tiers.get(tier, CheckVerdict.NOT_JUDGED) is CheckVerdict.NOT_JUDGED:
            yield tr("{tier} is not judged", tier=tier)


def _is_judged(check: MachineCheck, tier: Tier, number: int) -> bool:
    return any(
        device.device == number and device.verdict is not CheckVerdict.NOT_JUDGED
        for line in check.lines
        if line.tier is tier
        for device in line.devices
    )


def _asked(check: MachineCheck, fail_on: Collection[str]) -> Iterator[str]:
    for word in fail_on:
        if word == "straggler":
            yield from (
                tr("{name} is slower than the others", name=one.name) for one in check.stragglers
            )
            continue
        found = [
            line
            for line in check.lines
            if any(device.verdict is WORDS[word] for device in line.devices)
        ]
        yield from (f"{line.name}: {WORDS[word]}" for line in found)
        if word == "not-judged" and not check.lines:
            yield tr("nothing was judged")
