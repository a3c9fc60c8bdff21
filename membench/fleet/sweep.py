"""Use a Dask cluster to judge the claims of the thesis; a task judges one claim for one machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from distributed import Client
from distributed.scheduler import KilledWorker

from membench import __version__
from membench.core.errors import MembenchError
from membench.core.text import one_line
from membench.fleet.cluster import REPAIR, connected, first_line, identities
from membench.thesis.claims.verdicts import ClaimResult, MachineClaim, Spread


@contextmanager
def spread_over(scheduler: str, *, insecure: bool = False) -> Iterator[Spread]:
    """Connect to the cluster at ``scheduler``; yield a function that judges claims on the cluster.

    Raises:
        MembenchError: the connection fails, the cluster has no worker, or a worker does not answer
            or has another version of membench.
    """
    with connected(scheduler, insecure=insecure) as client:
        _check_versions(client)
        yield spread_by(client)


def spread_by(client: Client) -> Spread:
    """A function that judges claims on the cluster of ``client``.

    The function is the argument `spread` of `membench.thesis.claims.verdicts.verdicts`, and raises
    `MembenchError` if the workers are lost.
    """

    def spread(
        function: Callable[[MachineClaim], ClaimResult], points: Sequence[MachineClaim]
    ) -> Sequence[ClaimResult]:
        futures = client.map(function, points, pure=False, retries=2)
        try:
            results: list[ClaimResult] = client.gather(futures)
        except KilledWorker as error:
            raise MembenchError(
                "the workers that judge the claims were lost; the last of them was at "
                f"{error.last_worker.address}",
                "omit --scheduler to judge the claims in this process",
            ) from None
        return results

    return spread


def _check_versions(client: Client) -> None:
    """Raise `MembenchError` if a worker does not answer or has another version of membench.

    The verdicts of another version might differ.
    """
    workers = sorted(client.scheduler_info()["workers"])
    if not workers:
        raise MembenchError("the cluster has no worker", "start a worker with: dask worker ADDRESS")
    for address, answer in identities(client, workers).items():
        if type(answer) is not dict:
            raise MembenchError(f"the worker {one_line(address)}: {first_line(answer)}", REPAIR)
        version = answer.get("membench")
        if version != __version__:
            known = version if isinstance(version, str) else "of unknown version"
            raise MembenchError(
                f"the worker {one_line(address)} has membench {known:.40}, but this host has "
                f"{__version__}",
                "install the same version on all hosts",
            )
