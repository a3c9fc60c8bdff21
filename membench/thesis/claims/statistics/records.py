"""Statistics of dated records: ratios of published figures, for each baseline."""

from __future__ import annotations

import numpy as np

from membench.core.messages import tr
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import Scenario

Values = dict[str, Floats]

_REPORTS = {"keynote": tr("keynote report"), "taiwan": tr("taiwan report")}


def _off(value: Floats, claimed: Floats | float) -> Floats:
    """Distance of ``value`` from ``claimed``, as a fraction of ``claimed``."""
    distance: Floats = np.abs(value / claimed - 1)
    return distance


def inference_spec(scenario: Scenario) -> Values:
    """Peak FP4 rate of Rubin divided by that of each Blackwell product."""
    baselines = {
        tr("GB200 dense"): "device.gb200.fp4",
        tr("B200 dense"): "device.b200.fp4",
        tr("GB300 dense"): "device.gb300.fp4",
        tr("GB200 sparse"): "device.gb200.fp4_sparse",
    }
    rubin = scenario["device.rubin.fp4"]
    return {name: rubin / scenario[key] for name, key in baselines.items()}


def training_spec(scenario: Scenario) -> Values:
    """Peak training rate of Rubin divided by GB200's dense FP4 rate."""
    return {tr("GB200 dense"): scenario["device.rubin.fp4_training"] / scenario["device.gb200.fp4"]}


def transistor_ratio(scenario: Scenario) -> Values:
    """Distance of the ratio of transistor counts from 1.6."""
    ratio = scenario["device.rubin.transistors"] / scenario["device.gb200.transistors"]
    return {"Rubin / Blackwell": _off(ratio, 1.6)}


def yearly_fall(scenario: Scenario) -> Values:
    """An announced price fall per generation, converted to a fall per year."""
    years = scenario["record.token.generation"]
    return {
        report: scenario[f"record.token.{name}"] ** (1 / years) for name, report in _REPORTS.items()
    }


def announced_fall(scenario: Scenario) -> Values:
    """The announced price fall, for each report of it."""
    return {report: scenario[f"record.token.{name}"] for name, report in _REPORTS.items()}


def software_fall(scenario: Scenario) -> Values:
    """A software gain on unchanged hardware, converted to a gain per year."""
    gain = scenario["record.token.software"] ** (1 / scenario["record.token.software_years"])
    return {"GB300, DeepSeek-R1": gain}


def volume_growth(scenario: Scenario) -> Values:
    """Tokens per month divided by the tokens per month a year before."""
    growth = scenario["record.token.volume_2026"] / scenario["record.token.volume_2025"]
    return {"Google": growth}


def density_growth(scenario: Scenario) -> Values:
    """Distance of the yearly growth in transistors per area from the range 15 to 25 %."""
    ratio = scenario["device.rubin.transistors"] / scenario["device.gb200.transistors"]
    growth = (ratio / scenario["record.die.area"]) ** (1 / scenario["record.die.years"]) - 1
    outside: Floats = np.maximum(0, np.maximum(0.15 - growth, growth - 0.25))
    return {"Rubin / Blackwell": outside}


def discarded_share(scenario: Scenario) -> Values:
    """Share of served requests whose KV cache was discarded after use."""
    return {tr("served requests"): scenario["record.sharing.discarded_share"]}


def reachable_capacity(scenario: Scenario) -> Values:
    """Distances of the published capacities per GPU from the claimed ones."""
    gpus, extra = scenario["record.rack.gpus"], scenario["system.extra_capacity"]
    near = (scenario["record.rack.hbm"] + scenario["record.rack.lpddr"]) / gpus
    return {
        tr("1 TB without flash"): _off(near, 1e12),
        tr("16 TB with flash"): _off(near + extra, 16e12),
    }


def hbm_price(scenario: Scenario) -> Values:
    """Contract price of HBM relative to the previous quarter (reported) or year (forecast)."""
    return {
        tr("HBM3E, 2Q26 as reported"): scenario["record.hbm.price_quarter"],
        tr("2026 as forecast"): scenario["record.hbm.price_year"],
    }


def hbm_booked(scenario: Scenario) -> Values:
    """End of the period for which HBM is sold out, as a year."""
    return {
        "Micron": scenario["record.hbm.booked_until"],
        "Samsung": scenario["record.hbm.booked_samsung"],
    }


def host_memory_growth(scenario: Scenario) -> Values:
    """Memory of a CPU divided by that of the previous generation."""
    return {"Vera / Grace": scenario["record.host.vera"] / scenario["record.host.grace"]}


def transfer_spec(scenario: Scenario) -> Values:
    """Published transfer rates divided by those of the previous generation."""
    what = {"NVLink": "nvlink", tr("CPU memory"): "host_bandwidth", tr("CPU to GPU"): "c2c"}
    return {
        name: scenario[f"device.rubin.{key}"] / scenario[f"device.gb200.{key}"]
        for name, key in what.items()
    }


def nvlink_loaded(scenario: Scenario) -> Values:
    """All-to-all rate of a loaded NVLink 6 domain as a share of its peak."""
    return {"NVLink 6": scenario["record.nvlink6.loaded_share"]}


def tsmc_capex(scenario: Scenario) -> Values:
    """Distance of TSMC's guidance from the claimed 46 billion USD."""
    return {"2026": _off(scenario["record.tsmc.capex_2026"], 46e9)}


def cowos_2026(scenario: Scenario) -> Values:
    """Distance of the wafer growth in 2026 from 89 %, as a fraction of 89 %, for each analyst."""
    demand = scenario["record.cowos.demand_2026"] / scenario["record.cowos.demand_2025"] - 1
    return {
        tr("demand, Silicon Analysts"): _off(demand, 0.89),
        tr("capacity, DIGITIMES"): _off(scenario["record.cowos.growth_2026"], 0.89),
    }


def cowos_2027(scenario: Scenario) -> Values:
    """Distance of the wafer growth in 2027 from 81 %, as a fraction of 81 %."""
    growth = scenario["record.cowos.wafers_2027"] / scenario["record.cowos.wafers_2026"] - 1
    return {"2027": _off(growth, 0.81)}


def n2_revenue(scenario: Scenario) -> Values:
    """Distance of the reported share of revenue from 7.5 %, as a fraction of 7.5 %."""
    return {tr("fiscal 2026"): _off(scenario["record.tsmc.n2_share_2026"], 0.075)}


def rubin_volume(scenario: Scenario) -> Values:
    """Years from the second half of 2026 to the start of volume shipments."""
    start = scenario["record.rubin.volume_start"]
    outside: Floats = np.maximum(0, np.maximum(2026.5 - start, start - 2027.0))
    return {"Vera Rubin NVL72": outside}
