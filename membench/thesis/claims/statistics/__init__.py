"""All statistics that decide claims, each with its name.

A variant is one case that a statistic covers, such as a model on a class of GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import Scenario
from membench.thesis.claims.statistics import compute, memory, records, replays, storage

Statistic = Callable[[Scenario], dict[str, Floats]]
"""Scenario -> variant -> [draws]. Raises `NoData` if an input is missing."""

STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            compute.reasoning_request,
            compute.reasoning_session,
            compute.decode_memory_bound,
            compute.prefill_memory_bound,
            compute.hardware_fall,
            memory.kv_over_free_hbm,
            memory.elasticity,
            memory.host_slowdown,
            memory.ddr_over_breakeven,
            memory.measured_over_peak,
            replays.capacity_gain,
            replays.ssd_first,
            replays.ssd_adds_hits,
            replays.ddr_share_of_hits,
            storage.restore_over_recompute,
            storage.restore_over_recompute_rubin,
            storage.ssd_over_breakeven,
            storage.ssd_ttft,
            storage.usable_capacity,
            storage.usable_capacity_here,
            storage.endurance,
            storage.write_over_production,
            records.inference_spec,
            records.training_spec,
            records.transistor_ratio,
            records.yearly_fall,
            records.announced_fall,
            records.software_fall,
            records.volume_growth,
            records.density_growth,
            records.discarded_share,
            records.reachable_capacity,
            records.hbm_price,
            records.hbm_booked,
            records.host_memory_growth,
            records.transfer_spec,
            records.nvlink_loaded,
            records.tsmc_capex,
            records.cowos_2026,
            records.cowos_2027,
            records.n2_revenue,
            records.rubin_volume,
        )
    }
)
