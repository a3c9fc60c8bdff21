"""The rates that machines deliver, for comparison with the demand of models."""

from __future__ import annotations

from collections.abc import Iterator

from membench.core.messages import tr
from membench.core.record import record
from membench.core.terms import Badge
from membench.thesis.advise.paths import Rate, rate_of
from membench.thesis.claims.device_names import device_key
from membench.thesis.claims.evidence import origin
from membench.thesis.claims.verdicts import Subject, Verdicts

FALLBACK = "h100"
"""The GPU whose peak `compute` assumes if no GPU of the report has an assumed peak."""
_PATHS = {
    "ddr-read": tr("DDR read"),
    "h2d": tr("copies from host to GPU"),
    "kv-h2d": tr("KV blocks from host to GPU"),
    "ssd-read": tr("SSD read"),
    "ssd-hbm": tr("SSD to GPU"),
}


@record
class Supply:
    """The rate at which a machine moves data along a path, such as DDR to GPU.

    Attributes:
        name: name of the path; with the machine if the report has several machines.
        key: name of the measurement in the inputs of the claims (`Ledger.inputs`).
        rate: the rate in B/s, with a range.
        cited: whether the rate is a published value.
    """

    name: str
    key: str
    rate: Rate
    cited: bool


@record
class Compute:
    """The rate of a matrix product.

    Attributes:
        label: name of the machine or device, and whether the rate was measured.
        assumed: whether the rate comes from a specification.
    """

    label: str
    flops_per_s: float
    assumed: bool


def supplies(found: Verdicts) -> tuple[Supply, ...]:
    """The measured or published rates of the paths from DDR and SSD, for each machine."""
    several = sum(bool(subject.rows) for subject in found.subjects) > 1
    return tuple(
        Supply(
            tr("{path}, {machine}", path=name, machine=subject.machine) if several else name,
            key,
            rate,
            all(origin(row) == 2 for row in rate.rows),
        )
        for subject in found.subjects
        for key, name in _PATHS.items()
        if (rate := rate_of(found.ledger.inputs[key], subject.rows).rate) is not None
    )


def compute(found: Verdicts) -> Compute:
    """The first measured or published rate of matrix products.

    Without such a rate, the result is the assumed peak of the first GPU in the report that has an
    assumed peak. Without such a GPU, the result is the assumed peak of `FALLBACK`.
    """
    for subject in found.subjects:
        rate = rate_of(found.ledger.inputs["gemm"], subject.rows).rate
        if rate is not None:
            own = Badge.CITED not in subject.badges or origin(rate.rows[0]) != 2
            label = (
                tr("{machine}, measured", machine=subject.machine)
                if own
                else tr("{machine}, cited", machine=subject.machine)
            )
            return Compute(label, rate.value, assumed=False)
    slug = next((name for name in _devices(found) if name), FALLBACK)
    entry = found.entries[device_key(slug, "bf16")]
    label = tr("{device} bf16 peak, assumed", device=slug)
    return Compute(label, entry.value * entry.scale, assumed=True)


def _devices(found: Verdicts) -> Iterator[str]:
    for subject in found.subjects:
        if device_key(subject.device, "bf16") in found.entries:
            yield subject.device


def measured_roofs(found: Verdicts) -> list[tuple[Subject, Rate, Rate]]:
    """(machine, memory rate in B/s, compute rate in FLOP/s), for machines with both rates."""
    inputs = found.ledger.inputs
    roofs = []
    for subject in found.subjects:
        memory = rate_of(inputs["hbm-read"], subject.rows).rate
        flops = rate_of(inputs["gemm"], subject.rows).rate
        if memory is not None and flops is not None:
            roofs.append((subject, memory, flops))
    return roofs


def spec(found: Verdicts, device: str, what: str) -> float:
    """The specification ``what`` (such as ``bf16``) of ``device``, in SI units."""
    entry = found.entries[device_key(device, what)]
    return entry.value * entry.scale
