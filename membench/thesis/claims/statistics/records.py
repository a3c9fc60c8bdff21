"""Statistics of dated records: ratios of published figures, one a baseline."""

from __future__ import annotations

import numpy as np

from membench.core.messages import tr
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.world import World

Values = dict[str, Floats]

_REPORTS = {"keynote": tr("keynote report"), "taiwan": tr("taiwan report")}


def _off(value: Floats, claimed: Floats | float) -> Floats:
    """How far ``value`` is from what is claimed, as a share of the claim."""
    distance: Floats = np.abs(value / claimed - 1)
    return distance


def inference_spec(world: World) -> Values:
    """Peak FP4 rate of Rubin over each Blackwell's."""
    baselines = {
        tr("GB200 dense"): "device.gb200.fp4",
        tr("B200 dense"): "device.b200.fp4",
        tr("GB300 dense"): "device.gb300.fp4",
        tr("GB200 sparse"): "device.gb200.fp4_sparse",
    }
    rubin = world["device.rubin.fp4"]
    return {name: rubin / world[key] for name, key in baselines.items()}


def training_spec(world: World) -> Values:
    """Peak training rate of Rubin over GB200's dense FP4."""
    return {tr("GB200 dense"): world["device.rubin.fp4_training"] / world["device.gb200.fp4"]}


def transistor_ratio(world: World) -> Values:
    """Distance of the transistors' ratio from 1.6."""
    ratio = world["device.rubin.transistors"] / world["device.gb200.transistors"]
    return {"Rubin / Blackwell": _off(ratio, 1.6)}


def yearly_fall(world: World) -> Values:
    """An announced fall per generation, as a fall per year."""
    years = world["record.token.generation"]
    return {
        report: world[f"record.token.{name}"] ** (1 / years) for name, report in _REPORTS.items()
    }


def announced_fall(world: World) -> Values:
    """The announced fall, in each report of it."""
    return {report: world[f"record.token.{name}"] for name, report in _REPORTS.items()}


def software_fall(world: World) -> Values:
    """A gain on unchanged silicon, as a gain per year."""
    gain = world["record.token.software"] ** (1 / world["record.token.software_years"])
    return {"GB300, DeepSeek-R1": gain}


def volume_growth(world: World) -> Values:
    """Tokens a month over those of the year before."""
    growth = world["record.token.volume_2026"] / world["record.token.volume_2025"]
    return {"Google": growth}


def density_growth(world: World) -> Values:
    """Distance of the yearly growth of transistors per area from the band of 15 to 25 %."""
    ratio = world["device.rubin.transistors"] / world["device.gb200.transistors"]
    growth = (ratio / world["record.die.area"]) ** (1 / world["record.die.years"]) - 1
    outside: Floats = np.maximum(0, np.maximum(0.15 - growth, growth - 0.25))
    return {"Rubin / Blackwell": outside}


def discarded_share(world: World) -> Values:
    """Share of served requests whose KV cache was thrown away after use."""
    return {tr("served requests"): world["record.sharing.discarded_share"]}


def reachable_capacity(world: World) -> Values:
    """Distances of the published capacities a GPU from the claimed ones."""
    gpus, extra = world["record.rack.gpus"], world["system.extra_capacity"]
    near = (world["record.rack.hbm"] + world["record.rack.lpddr"]) / gpus
    return {
        tr("1 TB without flash"): _off(near, 1e12),
        tr("16 TB with flash"): _off(near + extra, 16e12),
    }


def hbm_price(world: World) -> Values:
    """Contract price of HBM over that before it: of a quarter, reported, and a year, forecast."""
    return {
        tr("HBM3E, 2Q26 as reported"): world["record.hbm.price_quarter"],
        tr("2026 as forecast"): world["record.hbm.price_year"],
    }


def hbm_booked(world: World) -> Values:
    """End of the time for which HBM is booked, as a year."""
    return {
        "Micron": world["record.hbm.booked_until"],
        "Samsung": world["record.hbm.booked_samsung"],
    }


def host_memory_growth(world: World) -> Values:
    """Memory of a CPU over that of the generation before."""
    return {"Vera / Grace": world["record.host.vera"] / world["record.host.grace"]}


def transfer_spec(world: World) -> Values:
    """Published rates over those of the generation before."""
    what = {"NVLink": "nvlink", tr("CPU memory"): "host_bandwidth", tr("CPU to GPU"): "c2c"}
    return {
        name: world[f"device.rubin.{key}"] / world[f"device.gb200.{key}"]
        for name, key in what.items()
    }


def nvlink_loaded(world: World) -> Values:
    """All-to-all rate of a loaded NVLink 6 domain as a share of its peak."""
    return {"NVLink 6": world["record.nvlink6.loaded_share"]}


def tsmc_capex(world: World) -> Values:
    """Distance of the company's guidance from the 46 billion USD that are claimed."""
    return {"2026": _off(world["record.tsmc.capex_2026"], 46e9)}


def cowos_2026(world: World) -> Values:
    """Distance of the growth in wafers from 89 %, as a share of it, by analyst."""
    demand = world["record.cowos.demand_2026"] / world["record.cowos.demand_2025"] - 1
    return {
        tr("demand, Silicon Analysts"): _off(demand, 0.89),
        tr("capacity, DIGITIMES"): _off(world["record.cowos.growth_2026"], 0.89),
    }


def cowos_2027(world: World) -> Values:
    """Distance of the growth in wafers from 81 %, as a share of it."""
    growth = world["record.cowos.wafers_2027"] / world["record.cowos.wafers_2026"] - 1
    return {"2027": _off(growth, 0.81)}


def n2_revenue(world: World) -> Values:
    """Distance of the reported share of revenue from 7.5 %, as a share of it."""
    return {tr("fiscal 2026"): _off(world["record.tsmc.n2_share_2026"], 0.075)}


def rubin_volume(world: World) -> Values:
    """Years between the start of volume shipments and the second half of 2026."""
    start = world["record.rubin.volume_start"]
    outside: Floats = np.maximum(0, np.maximum(2026.5 - start, start - 2027.0))
    return {"Vera Rubin NVL72": outside}
