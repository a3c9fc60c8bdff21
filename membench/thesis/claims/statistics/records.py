"""Statistics of published figures, such as the ratio of two specifications."""

from __future__ import annotations

import numpy as np

from membench.core.messages import tr
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import Scenario

Values = dict[str, Floats]

_REPORTS = {"keynote": tr("keynote report"), "taiwan": tr("report from Taiwan")}


def _off(value: Floats, claimed: Floats | float) -> Floats:
    distance: Floats = np.abs(value / claimed - 1)
    return distance


def inference_spec(scenario: Scenario) -> Values:
    """Peak FP4 rate of Rubin divided by the peak FP4 rate of each Blackwell product."""
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
    """|ratio / 1.6 - 1|, where ratio is the transistors of Rubin divided by those of Blackwell."""
    ratio = scenario["device.rubin.transistors"] / scenario["device.gb200.transistors"]
    return {"Rubin / Blackwell": _off(ratio, 1.6)}


def yearly_fall(scenario: Scenario) -> Values:
    """The announced price fall per GPU generation, converted to a factor per year."""
    years = scenario["record.token.generation"]
    return {
        report: scenario[f"record.token.{name}"] ** (1 / years) for name, report in _REPORTS.items()
    }


def announced_fall(scenario: Scenario) -> Values:
    """For each news report: the announced price fall per GPU generation, as a factor."""
    return {report: scenario[f"record.token.{name}"] for name, report in _REPORTS.items()}


def software_fall(scenario: Scenario) -> Values:
    """The speed-up by software on unchanged hardware, as a factor per year."""
    gain = scenario["record.token.software"] ** (1 / scenario["record.token.software_years"])
    return {"GB300, DeepSeek-R1": gain}


def volume_growth(scenario: Scenario) -> Values:
    """Tokens per month in 2026, divided by tokens per month in 2025."""
    growth = scenario["record.token.volume_2026"] / scenario["record.token.volume_2025"]
    return {"Google": growth}


def density_growth(scenario: Scenario) -> Values:
    """Distance of the yearly growth in transistors per area from the range 0.15 to 0.25.

    The distance is 0 within the range.
    """
    ratio = scenario["device.rubin.transistors"] / scenario["device.gb200.transistors"]
    growth = (ratio / scenario["record.die.area"]) ** (1 / scenario["record.die.years"]) - 1
    outside: Floats = np.maximum(0, np.maximum(0.15 - growth, growth - 0.25))
    return {"Rubin / Blackwell": outside}


def discarded_share(scenario: Scenario) -> Values:
    """Share of requests whose KV cache a service discarded after use."""
    return {tr("served requests"): scenario["record.sharing.discarded_share"]}


def reachable_capacity(scenario: Scenario) -> Values:
    """|published / claimed - 1| for the memory per GPU.

    The claim is 1 TB without flash, and 16 TB with flash.
    """
    gpus, extra = scenario["record.rack.gpus"], scenario["system.extra_capacity"]
    near = (scenario["record.rack.hbm"] + scenario["record.rack.lpddr"]) / gpus
    return {
        tr("1 TB without flash"): _off(near, 1e12),
        tr("16 TB with flash"): _off(near + extra, 16e12),
    }


def hbm_price(scenario: Scenario) -> Values:
    """Growth factors of HBM's contract price: in a quarter (reported), and in a year (forecast)."""
    return {
        tr("HBM3E, 2Q26 as reported"): scenario["record.hbm.price_quarter"],
        tr("2026 as forecast"): scenario["record.hbm.price_year"],
    }


def hbm_booked(scenario: Scenario) -> Values:
    """For each vendor: the year until which HBM is sold out."""
    return {
        "Micron": scenario["record.hbm.booked_until"],
        "Samsung": scenario["record.hbm.booked_samsung"],
    }


def host_memory_growth(scenario: Scenario) -> Values:
    """Memory of NVIDIA's CPU Vera divided by the memory of its predecessor Grace."""
    return {"Vera / Grace": scenario["record.host.vera"] / scenario["record.host.grace"]}


def transfer_spec(scenario: Scenario) -> Values:
    """Published transfer rates of Rubin divided by those of GB200."""
    what = {"NVLink": "nvlink", tr("CPU memory"): "host_bandwidth", tr("CPU to GPU"): "c2c"}
    return {
        name: scenario[f"device.rubin.{key}"] / scenario[f"device.gb200.{key}"]
        for name, key in what.items()
    }


def nvlink_loaded(scenario: Scenario) -> Values:
    """All-to-all rate of an NVLink 6 domain under load, divided by the peak rate."""
    return {"NVLink 6": scenario["record.nvlink6.loaded_share"]}


def tsmc_capex(scenario: Scenario) -> Values:
    """|guidance / 46 billion USD - 1| for TSMC's capital expenditure."""
    return {"2026": _off(scenario["record.tsmc.capex_2026"], 46e9)}


def cowos_2026(scenario: Scenario) -> Values:
    """|growth / 0.89 - 1| for the growth of CoWoS demand and of CoWoS capacity in 2026."""
    demand = scenario["record.cowos.demand_2026"] / scenario["record.cowos.demand_2025"] - 1
    return {
        tr("growth of demand (Silicon Analysts)"): _off(demand, 0.89),
        tr("growth of capacity (DIGITIMES)"): _off(scenario["record.cowos.growth_2026"], 0.89),
    }


def cowos_2027(scenario: Scenario) -> Values:
    """|growth / 0.81 - 1| for the growth of CoWoS wafers in 2027."""
    growth = scenario["record.cowos.wafers_2027"] / scenario["record.cowos.wafers_2026"] - 1
    return {"2027": _off(growth, 0.81)}


def n2_revenue(scenario: Scenario) -> Values:
    """|share / 0.075 - 1| for N2's share of TSMC's revenue."""
    return {tr("fiscal 2026"): _off(scenario["record.tsmc.n2_share_2026"], 0.075)}


def rubin_volume(scenario: Scenario) -> Values:
    """Years between the start of volume shipments and the second half of 2026.

    The result is 0 if the start is in this half-year.
    """
    start = scenario["record.rubin.volume_start"]
    outside: Floats = np.maximum(0, np.maximum(2026.5 - start, start - 2027.0))
    return {"Vera Rubin NVL72": outside}
