"""Benches declare measurements; a case is a bench with one value for each axis.

A bench is a decorated function::

    @bench("ddr/copy", version=1, seconds=0.5, memory=lambda size, **_: 2 * size)
    @axis("size", quick="256MiB", full="256MiB..4GiB *4")
    def copy(cpu: CpuBackend, size: int) -> Work: ...
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from membench.core.axes import AUTO, OMITTED, Axis, Value, Values, expand, sweep
from membench.core.errors import UsageError
from membench.core.record import record
from membench.core.sizes.placement import placement
from membench.core.sizes.reach import CACHE_MULTIPLE, Reach, reachable
from membench.core.sizes.working_set import device_array, host_array
from membench.core.snapshot import Machine
from membench.core.terms import PREFIX_TIER, Metric, Stat, Tier
from membench.core.work import Work

Yield = tuple[Metric, Stat]
Cost = float | Callable[..., float]
"""A number, or a function that gets the arguments of the bench function and returns a number."""

Config = Mapping[str, int]
"""Launch parameters, such as ``{"block": 256, "unroll": 4}``."""

TUNED = "best"
"""Value of the axis `config` for a tuned case: the fastest of the bench's configurations."""

PROFILES: Mapping[str, int] = {"quick": 5, "full": 10}
"""Number of rounds by profile."""

SWEEP_ROUNDS: Mapping[str, int] = {"quick": 5, "full": 5}
"""Number of rounds by profile, for the cases with `Case.swept`.

Five values per file are enough for a confidence interval of the ratio of two files.
"""

_BENCH_NAME = re.compile(r"[a-z0-9]+(?:/[a-z0-9_-]+)+")


class Needs(StrEnum):
    """Something that a machine must have to run a bench."""

    GPU = "gpu"
    TWO_GPUS = "two-gpus"
    JIT = "jit"  # kernels compiled on this machine (numba)
    TWO_CPUS = "two-cpus"
    TWO_NUMA_NODES = "two-numa-nodes"


@record
class Case:
    """A bench with one value for each axis. The result is one row per metric and statistic.

    The function `bench` describes the attributes that are not listed here.

    Attributes:
        id: ``<bench>/<key>=<value>/...``; stable between versions of membench.
        params: pairs (axis, value). The size in bytes replaces the value ``auto`` of the axis
            `size`. An axis that the id leaves out has the value `OMITTED`.
        tuned: whether membench chooses the fastest configuration before the first round.
        swept: whether the case belongs to a profile, has an axis value other than the default, and
            is not tuned.
        flags: codes that are known before the measurement, such as ``cache-served``.
    """

    id: str
    bench: str
    params: tuple[tuple[str, Value], ...]
    version: int
    tier: Tier
    yields: tuple[Yield, ...]
    needs: frozenset[Needs]
    seconds: float
    memory: int
    disk: int
    gpu_memory: int = 0
    tuned: bool = False
    rounds: int = 0
    swept: bool = False
    flags: tuple[str, ...] = ()


@record
class Bench:
    """A function that prepares work, and the axes of its cases; see `bench` for the attributes."""

    name: str
    version: int
    function: Callable[..., Work]
    axes: tuple[Axis, ...]
    grid: frozenset[str]
    full_grid: frozenset[str]
    second_grid: frozenset[str]
    profiles: tuple[str, ...]
    needs: frozenset[Needs]
    yields: tuple[Yield, ...]
    tier: Tier | Callable[..., Tier]
    seconds: Cost
    memory: Cost
    disk: Cost
    backend: str
    gpu_memory: Cost = 0
    where: Callable[..., bool] | None = None
    configs: Callable[..., Iterable[Config]] | None = None
    tunes: tuple[str, ...] = ()
    rounds: int = 0
    on_machine: Callable[..., bool] | None = None
    cpus: Callable[..., Iterable[int]] | None = None

    @property
    def summary(self) -> str:
        """The first line of the description."""
        return self.description.partition("\n")[0]

    @property
    def description(self) -> str:
        """The function's docstring without indentation and without double backquotes."""
        return inspect.cleandoc(self.function.__doc__ or "").replace("``", "")

    @property
    def family(self) -> str:
        """Folder and name of the module that declares the bench, such as ``host.loaded``."""
        return ".".join(self.function.__module__.split(".")[-2:])

    def arguments(self, params: Mapping[str, Value]) -> dict[str, Value]:
        """The arguments of the bench function for ``params``; sizes become bytes."""
        return {name: Axis.argument(value) for name, value in params.items()}

    def build(
        self, backend: Any, params: Mapping[str, Value], config: Config | None = None
    ) -> Work:
        """Prepare the work of one case: allocate and fill the buffers.

        ``config`` is the chosen configuration of a tuned case. Without ``config``, a bench with
        `configs` uses a fixed default.

        Raises:
            Skip: this machine cannot run the case.
        """
        arguments: dict[str, Any] = self.arguments(params)
        if self.configs is not None:
            arguments["config"] = config or {}
        return self.function(backend, **arguments)

    def candidates(self, backend: Any, params: Mapping[str, Value]) -> tuple[Config, ...]:
        """The configurations from which membench chooses the fastest; empty without `configs`."""
        if self.configs is None:
            return ()
        return tuple(self.configs(backend, **self.arguments(params)))

    def cases(self, profile: str, machine: Machine) -> Iterator[Case]:
        """The cases of ``profile`` on ``machine``; no cases if the bench is not in the profile."""
        if profile not in self.profiles:
            return
        grids = [self.grid]
        if profile == "full":
            grids = [self.grid | self.full_grid, *([self.second_grid] if self.second_grid else [])]
        for number, combination in enumerate(sweep(self.axes, grids, profile, machine)):
            params = dict(combination)
            if self._is_tuned(params):
                params |= dict.fromkeys(self.tunes, OMITTED)
            values = params
            if self.where is not None and params.get("size") == AUTO:
                values = params | {
                    "size": self._array(params, machine, self._reach(params, machine))
                }
            arguments = self.arguments(values)
            if (self.where is None or self.where(profile, **arguments)) and (
                self.on_machine is None or self.on_machine(machine, **arguments)
            ):
                yield self.case(params, machine, swept=number > 0)

    def case(self, params: Mapping[str, Value], machine: Machine, *, swept: bool = False) -> Case:
        """The case with the axis values ``params``.

        Args:
            swept: whether the case belongs to a profile and is not the default case of the bench.
        """
        reach = self._reach(params, machine)
        values = dict(params)
        if params.get("size") == AUTO:
            values["size"] = self._array(params, machine, reach)
        arguments = self.arguments(values)
        tier = self.tier if isinstance(self.tier, Tier) else self.tier(machine, **arguments)
        return Case(
            id="/".join(
                [
                    self.name,
                    *(f"{key}={value}" for key, value in params.items() if value != OMITTED),
                ]
            ),
            bench=self.name,
            params=tuple(values.items()),
            version=self.version,
            tier=tier,
            yields=self.yields,
            needs=self.needs,
            seconds=_cost(self.seconds, self._share_of_a_cache(arguments, machine, reach)),
            memory=int(_cost(self.memory, arguments)),
            disk=int(_cost(self.disk, arguments)),
            gpu_memory=int(_cost(self.gpu_memory, arguments)),
            tuned=self._is_tuned(params),
            rounds=self.rounds,
            swept=swept and not self._is_tuned(params),
            flags=_cache_flags(reach, arguments.get("size")) if tier is Tier.DDR else (),
        )

    def holding(self, name: str, text: str, machine: Machine) -> Bench:
        """A copy of the bench with ``text`` as the only value of the axis ``name``.

        Raises:
            UsageError: the axis cannot have the value.
        """
        value = next(one for one in self.axes if one.name == name).parse(text, machine)
        axes = tuple(
            replace(one, quick=value, full=value) if one.name == name else one for one in self.axes
        )
        return replace(self, axes=axes)

    def asked(self, case_id: str, machine: Machine) -> Case | None:
        """The case with the complete id ``case_id``, inside or outside the profiles.

        The axes may be in any order. The result is None if the id lacks a required axis, because
        several cases may then match.

        Raises:
            UsageError: the id is malformed, or contains an unknown axis or an invalid value.
        """
        hint = f"membench explain {self.name} shows the axes and the values"
        given: dict[str, str] = {}
        for part in filter(None, case_id.removeprefix(self.name).split("/")):
            key, equals, text = part.partition("=")
            if not equals:
                raise UsageError(f"'{part}' in '{case_id}' is not KEY=VALUE", hint)
            if key in given:
                raise UsageError(f"'{case_id}' gives {key} more than once", hint)
            given[key] = text
        if unknown := given.keys() - {one.name for one in self.axes}:
            raise UsageError(f"{self.name} has no axis {' or '.join(sorted(unknown))}", hint)
        tuned = self.configs is not None and given.get("config") == TUNED
        left_out = {one.name for one in self.axes if OMITTED in expand(one.quick, machine)}
        left_out |= set(self.tunes) if tuned else set()
        if {one.name for one in self.axes} - given.keys() - left_out:
            return None
        values = {
            one.name: one.parse(given[one.name], machine) if one.name in given else OMITTED
            for one in self.axes
        }
        return self.case(values, machine)

    def _reach(self, params: Mapping[str, Value], machine: Machine) -> Reach:
        if self.backend != "cpu" or "size" not in params:
            return Reach(0, confirmed=True)
        others = {key: value for key, value in params.items() if key != "size"}
        cpus = self.cpus or _its_threads
        return reachable(machine, cpus(machine, **self.arguments(others)))

    def _array(self, params: Mapping[str, Value], machine: Machine, reach: Reach) -> int:
        """Size in bytes of an array for ``size=auto``, given the other values in ``params``."""
        others = self.arguments({key: value for key, value in params.items() if key != "size"})

        def held(cost: Cost) -> Callable[[int], float]:
            return lambda size: _cost(cost, {**others, "size": size})

        if Needs.GPU in self.needs:
            return device_array(machine, held(self.gpu_memory))
        return host_array(machine, reach, held(self.memory))

    def _share_of_a_cache(
        self, arguments: Mapping[str, Value], machine: Machine, reach: Reach
    ) -> Mapping[str, Value]:
        """``arguments`` with ``size`` reduced to the share of one of the reachable caches.

        Time estimates use this share, because core complexes or sockets work in parallel.
        """
        size = arguments.get("size")
        if not isinstance(size, int) or not reach.bytes:
            return arguments
        largest = max((cache.size for cache in machine.cpu.last_levels.values()), default=0)
        return {**arguments, "size": size * min(largest, reach.bytes) // reach.bytes}

    def _is_tuned(self, params: Mapping[str, Value]) -> bool:
        return self.configs is not None and params.get("config") == TUNED


def _cost(of: Cost, arguments: Mapping[str, Value]) -> float:
    return float(of(**arguments) if callable(of) else of)


def _its_threads(machine: Machine, threads: int | str = "all", **_: Value) -> tuple[int, ...]:
    cpus = placement(machine)
    return cpus[:threads] if isinstance(threads, int) else cpus


def first_cpu(machine: Machine, **_: Value) -> tuple[int, ...]:
    """The CPU of a single-threaded case; an argument for `bench(cpus=...)`."""
    return placement(machine)[:1]


def _cache_flags(reach: Reach, size: Value | None) -> tuple[str, ...]:
    """Flags for a case that measures main memory with arrays of ``size`` bytes each.

    `cache-served`: the reachable caches may serve the arrays. `cache-unknown`: no measurement
    confirms the sizes of the caches.
    """
    served = isinstance(size, int) and size < CACHE_MULTIPLE * (reach.bytes or 0)
    return (
        *(("cache-served",) if served else ()),
        *(() if reach.confirmed else ("cache-unknown",)),
    )


_AXES = "__membench_axes__"


def axis(
    name: str,
    quick: Values,
    full: Values | None = None,
    *,
    least: int = 1,
    most: int | None = None,
    closed: bool = False,
    step: int = 1,
    power: bool = False,
) -> Callable[[Callable[..., Work]], Callable[..., Work]]:
    """Declare an axis of a bench function; see `Axis` for the arguments.

    Without ``full``, both profiles have the values ``quick``.
    """

    def decorate(function: Callable[..., Work]) -> Callable[..., Work]:
        declared: tuple[Axis, ...] = getattr(function, _AXES, ())
        one = Axis(
            name=name,
            quick=quick,
            full=quick if full is None else full,
            least=least,
            most=most,
            closed=closed,
            step=step,
            power=power,
        )
        setattr(function, _AXES, (one, *declared))
        return function

    return decorate


def bench(
    name: str,
    *,
    version: int,
    needs: Needs | tuple[Needs, ...] = (),
    yields: Yield | tuple[Yield, ...] = (Metric.BANDWIDTH, Stat.MEDIAN),
    tier: Tier | Callable[..., Tier] | None = None,
    grid: tuple[str, ...] = (),
    full_grid: tuple[str, ...] = (),
    second_grid: tuple[str, ...] = (),
    profiles: tuple[str, ...] = tuple(PROFILES),
    seconds: Cost = 0.5,
    memory: Cost = 0,
    disk: Cost = 0,
    gpu_memory: Cost = 0,
    backend: str = "",
    where: Callable[..., bool] | None = None,
    configs: Callable[..., Iterable[Config]] | None = None,
    tunes: tuple[str, ...] = (),
    rounds: int = 0,
    on_machine: Callable[..., bool] | None = None,
    cpus: Callable[..., Iterable[int]] | None = None,
) -> Callable[[Callable[..., Work]], Bench]:
    """Declare a benchmark.

    Args:
        name: ``<prefix>/<operation>``; the prefix decides the tier if ``tier`` is not given.
        version: raise this number when the meaning of the results changes. membench never compares
            results of different versions.
        needs: properties that the machine must have.
        yields: the (metric, statistic) pairs that the work returns.
        tier: a tier, or a function ``(machine, **arguments) -> Tier``.
        grid: axes to cross with each other; all other axes are swept one at a time.
        full_grid: further axes to cross, only in the full profile.
        second_grid: axes to cross in the full profile while all other axes have their default.
        profiles: the profiles that contain the bench.
        seconds: estimated seconds per round and case, for planning; not a limit.
        memory: maximum host memory that a case has allocated at once, in bytes.
        disk: size of the scratch file of a case, in bytes.
        gpu_memory: maximum GPU memory that a case has allocated at once, in bytes.
        backend: ``cpu``, ``cuda``, ``storage`` or ``cuda-storage``; empty for ``cuda`` if the bench
            needs a GPU, and for ``cpu`` otherwise.
        where: ``(profile, **arguments) -> bool``: whether a combination of axis values is a case.
        configs: ``(backend, **arguments) -> configurations``, from which membench chooses for a
            case with ``config=best``. The bench needs an axis `config`, and the bench function gets
            the chosen configuration as ``config``.
        tunes: axes that the configuration decides; the id of a tuned case leaves out these axes.
        rounds: number of rounds, for slow work with repeatable results; 0 for the number of the
            profile.
        on_machine: ``(machine, **arguments) -> bool``: whether a combination of axis values is a
            case on the machine.
        cpus: ``(machine, **arguments without size) -> CPUs`` that run the case. The caches of these
            CPUs decide `size=auto` and the flags. The function returns no CPUs if no cache can
            serve the work. Without a function, the CPUs are those of the axis `threads`, or all
            usable CPUs if the bench has no axis `threads`.

    Raises:
        ValueError: the name, the backend or an axis of a grid is invalid, or ``tier`` is missing
            and the prefix has no tier.
    """
    if not _BENCH_NAME.fullmatch(name):
        raise ValueError(f"'{name}' is not a bench name: write <prefix>/<operation> in lower case")
    prefix = name.partition("/")[0]
    if tier is None:
        if prefix not in PREFIX_TIER:
            raise ValueError(
                f"bench '{name}': the prefix '{prefix}' has no tier; declare the tier with tier="
            )
        tier = PREFIX_TIER[prefix]
    if backend not in ("", "cpu", "cuda", "storage", "cuda-storage"):
        raise ValueError(f"bench '{name}': unknown backend '{backend}'")
    every_need = frozenset((needs,) if isinstance(needs, Needs) else needs)
    every_yield: Any = yields if isinstance(yields[0], tuple) else (yields,)

    def decorate(function: Callable[..., Work]) -> Bench:
        # The attribute is removed, because one function may be declared as several benches.
        axes: tuple[Axis, ...] = vars(function).pop(_AXES, ())
        unknown = {*grid, *full_grid, *second_grid} - {declared.name for declared in axes}
        if unknown:
            raise ValueError(
                f"bench '{name}': a grid names unknown axes: {', '.join(sorted(unknown))}"
            )
        return Bench(
            name=name,
            version=version,
            function=function,
            axes=axes,
            grid=frozenset(grid),
            full_grid=frozenset(full_grid),
            second_grid=frozenset(second_grid),
            profiles=profiles,
            needs=every_need,
            yields=every_yield,
            tier=tier,
            seconds=seconds,
            memory=memory,
            disk=disk,
            backend=backend or ("cuda" if Needs.GPU in every_need else "cpu"),
            gpu_memory=gpu_memory,
            where=where,
            configs=configs,
            tunes=tunes,
            rounds=rounds,
            on_machine=on_machine,
            cpus=cpus,
        )

    return decorate
