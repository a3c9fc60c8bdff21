"""Advice: the answer follows from the measured rates, and missing measurements are named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from healthy import MACHINE
from hypothesis import given
from hypothesis import strategies as st
from whole_commands import linear_model, window_model

from membench.analysis.derive.links import policies
from membench.cli import main
from membench.core.errors import UsageError
from membench.core.plain import dump
from membench.core.snapshot import Filesystem, GpuIdentity, Gpus
from membench.core.terms import BETTER, UNIT, Badge, Metric, Stat, Status, Tier
from membench.core.units import GIB
from membench.report.screens.advice_words import facts, remedy, unfit
from membench.results.reference_files import reference_paths
from membench.results.rows import relative_spread
from membench.results.schema import Row
from membench.thesis.advise.paths import fastest_near
from membench.thesis.advise.plan import (
    MOST_TOKENS,
    Advice,
    Question,
    advise,
    crossover,
    usual_block,
)
from membench.thesis.claims.assumptions import shipped
from membench.thesis.models.breakeven import breakeven_bandwidth
from membench.thesis.models.catalogue import Model, find_model, models
from membench.thesis.models.kv_shape import (
    BlockLayout,
    KvDtype,
    Pieces,
    bytes_per_token,
    kv_bytes,
)
from membench.thesis.models.roofline import prefill_flops
from membench.thesis.models.weight_bits import WeightType

GB = 1e9
LLAMA = models()["llama-3.1-70b"]


def _row(tier: Tier, case: str, metric: Metric, value: float, **changes: Any) -> Row:
    rounds = (value * 0.9, value, value * 1.1)
    values: dict[str, Any] = {
        "run_id": "20260131T080412Z-7f3a",
        "machine": "box",
        "case_version": 1,
        "stat": Stat.MEDIAN,
        "status": Status.OK,
        "unit": UNIT[metric],
        "better": BETTER[metric],
        "rounds": 3,
        "round_values": rounds,
        "spread": relative_spread(rounds),
        "backend": "cuda",
        "device": "NVIDIA H100 80GB HBM3",
    }
    return Row(tier=tier, case=case, metric=metric, value=value, **{**values, **changes})


def _box(**rates: float) -> list[Row]:
    known = {
        "gemm": (Tier.GPU, "gpu/gemm/m=8192/dtype=bf16", Metric.FLOPS),
        "kv": (Tier.LINK, "kv/h2d/block=32KiB/count=1024/method=batch", Metric.BANDWIDTH),
        "sm": (Tier.LINK, "kv/h2d/block=32KiB/count=1024/method=sm", Metric.BANDWIDTH),
        "large": (Tier.LINK, "kv/h2d/block=1MiB/count=1024/method=batch", Metric.BANDWIDTH),
        "h2d": (Tier.LINK, "link/h2d/mem=pinned/size=64MiB", Metric.BANDWIDTH),
        "ssd": (Tier.SSD, "paging/ssd-hbm/block=1MiB/qd=8/path=bounce", Metric.BANDWIDTH),
        "read": (Tier.SSD, "ssd/read/pattern=seq/block=1MiB/qd=8", Metric.BANDWIDTH),
    }
    return [_row(*known[name], value) for name, value in rates.items()]


def _advise(rows: Sequence[Row], **question: Any) -> Advice:
    asked = {"model": LLAMA, "context": 32768, **question}
    return advise(Question(**asked), rows, None, shipped())


def test_the_soonest_first_token_is_the_advice() -> None:
    found = _advise(_box(gemm=700e3, kv=40.0, ssd=5.0))
    assert [choice.name for choice in found.choices] == ["ddr", "ssd", "recompute"]
    assert found.best is found.choices[0]
    assert found.clear
    slow = _advise(_box(gemm=700e3, kv=40.0, ssd=0.5))
    assert [choice.name for choice in slow.choices] == ["ddr", "recompute", "ssd"]


def test_times_are_those_of_the_formulas_with_the_range_of_the_rounds() -> None:
    found = _advise(_box(gemm=700e3, kv=40.0))
    weights = LLAMA.parameters
    assert weights is not None
    flops = prefill_flops(32768, weights.matmul, weights.attention)
    again = next(choice for choice in found.choices if choice.name == "recompute")
    assert again.ttft.value == pytest.approx(flops / 700e12)
    assert again.ttft.low == pytest.approx(flops / 770e12)
    assert again.ttft.high == pytest.approx(flops / 630e12)
    (ddr,) = [choice for choice in found.choices if choice.name == "ddr"]
    load = kv_bytes(LLAMA.shape, 32768 - 16) / 40e9
    suffix = _suffix_s(LLAMA, 32768)
    assert ddr.ttft.value == pytest.approx(load + suffix / 80)
    assert ddr.flips_at == pytest.approx(kv_bytes(LLAMA.shape, 32768) / (flops / 700e12))


@given(rate=st.floats(0.05, 20), flops=st.floats(50, 2000))
def test_the_crossover_is_where_the_break_even_bandwidth_is_the_rate(
    rate: float, flops: float
) -> None:
    weights = LLAMA.parameters
    assert weights is not None
    per_token = bytes_per_token(LLAMA.shape)

    def even(prefix: float) -> float:
        return breakeven_bandwidth(
            per_token, weights.matmul, weights.attention, prefix, flops * 1e12
        )

    found = crossover(Question(model=LLAMA, context=4096), 1.0, rate * GB, flops * 1e12)
    if found is None:
        assert even(MOST_TOKENS) >= rate * GB
    else:
        assert even(found) < rate * GB * (1 + 1e-9)
        assert found == 1 or even(found - 1) >= rate * GB * (1 - 1e-9)


def test_the_copy_method_is_the_fastest_at_blocks_of_about_that_size() -> None:
    found = _advise(_box(gemm=700e3, kv=10.0, sm=30.0, large=50.0), block_tokens=16)
    # 16 tokens, 8 heads of 128 elements, two bytes each.
    assert found.piece.bytes == 16 * 128 * 2 * 8
    assert found.method is not None
    assert (found.method.name, found.method.block) == ("sm", 32 * 1024)
    assert found.method.enough == 1024**2
    (ddr,) = [choice for choice in found.choices if choice.name == "ddr"]
    assert ddr.rate.value == 30e9


@pytest.mark.parametrize("tokens", [1, 8, 16, 20, 64, 1024])
def test_the_copy_method_is_that_of_the_policy(tokens: int) -> None:
    rows = _box(gemm=700e3) + [
        _row(
            *(Tier.LINK, f"kv/h2d/block={block}KiB/count=1024/method={method}/order=random"),
            *(Metric.BANDWIDTH, value),
        )
        for method, values in {"batch": (4.0, 20.0, 50.0), "sm": (18.0, 30.0, 30.0)}.items()
        for block, value in zip((4, 32, 256), values, strict=True)
    ]
    ((rule,),) = (one.rules for one in policies(rows))
    found = _advise(rows, block_tokens=tokens)
    assert found.method is not None
    assert found.method.name == rule.method(found.piece.bytes)


def test_a_model_that_does_not_fit_is_said_to_need_more_gpus() -> None:
    found = _advise(_box(gemm=700e3, kv=40.0))
    assert found.weights_gpus == 2  # 141 GB of weights, 90 % of 80 GB per GPU
    assert found.gpus == 4  # and 11 GB for the context
    assert found.fits is False
    assert unfit(found).startswith(
        "The weights do not fit in 1 GPU; weights and one context need 4 GPUs."
    )
    assert unfit(_advise(_box(gemm=700e3, kv=40.0), tp=4)) == ""
    assert _advise(_box(gemm=700e3, kv=40.0), tp=4).fits is True
    (hbm,) = [held for held in found.capacities if held.tier == "hbm"]
    assert hbm.contexts == 0


@pytest.mark.parametrize(
    ("tp", "context", "fits", "gpus"),
    [
        (2, 8192, True, 2),  # 2.9 GB are free beside the weights
        (2, 9000, False, 4),
        (2, 131072, False, 4),
        (4, 131072, True, 4),
        (2, 2**24, False, None),  # 5.5 TB, and 64 GPUs have 4.6 TB
    ],
)
def test_a_context_fits_if_the_gpus_have_room_beside_the_weights(
    tp: int, context: int, fits: bool, gpus: int | None
) -> None:
    found = _advise(_box(gemm=700e3, kv=40.0), tp=tp, context=context)
    assert (found.fits, found.gpus, found.weights_gpus) == (fits, gpus, 2)
    (hbm,) = [held for held in found.capacities if held.tier == "hbm"]
    assert (hbm.contexts > 0) is fits
    assert (unfit(found) == "") is fits
    told = dict(facts(found))["Weights"]
    assert told.endswith("2 GPUs needed; 4 GPUs with one context") is (gpus == 4)
    if not fits and gpus is not None:
        assert unfit(found).startswith("The context does not fit in 2 GPUs beside the weights")
        assert "--tp 4" in remedy(found)


def test_more_ranks_do_not_make_room_for_a_latent_that_each_rank_holds() -> None:
    found = _advise(_box(gemm=700e3), model=models()["deepseek-v3"], context=2**21, tp=128)
    assert found.weights_gpus == 16
    assert (found.fits, found.gpus) == (False, None)
    assert "or in any power of two of GPUs" in unfit(found)
    assert "shorter context" in remedy(found)


@pytest.mark.parametrize(("tp", "fits"), [(2, False), (4, True)])
def test_weights_fit_if_their_bytes_fit(tp: int, fits: bool) -> None:
    model = find_model("minimax-m2.5")  # 48 attention heads
    assert model.weights is not None
    large = replace(model, weights=replace(model.weights, stored=200e9))  # 72 GB fit on a GPU
    found = _advise(_box(gemm=700e3, kv=40.0), model=large, tp=tp)
    assert (found.gpus, found.fits) == (4, fits)


def test_reference_copies_of_this_machine_do_not_hide_imported_copies() -> None:
    own = _row(Tier.LINK, "kv/h2d/block=32KiB/count=1/method=contig", Metric.BANDWIDTH, 60.0)
    kv = _row(Tier.LINK, "kv/h2d/block=32KiB/count=1024/method=batch", Metric.BANDWIDTH, 40.0)
    imported = replace(kv, backend="import:nvbandwidth")
    piece = _advise(_box(gemm=700e3, kv=40.0)).piece
    rate = fastest_near([own, imported], "kv/h2d", piece)
    assert rate is not None
    assert rate.value == pytest.approx(40e9)


@pytest.mark.parametrize("unknown", [None, 0])  # older sidecars contain 0
def test_memory_that_the_machine_does_not_tell_is_the_specification_s(unknown: int | None) -> None:
    rows = _box(gemm=700e3, kv=40.0)
    machine = replace(MACHINE, gpus=Gpus(devices=(GpuIdentity(0, "H100", "00", unknown, "9.0"),)))
    found = advise(Question(model=LLAMA, context=32768), rows, machine, shipped())
    assert found.weights_gpus == _advise(rows).weights_gpus == 2


def test_one_pool_of_memory_is_counted_once() -> None:
    gpu = GpuIdentity(0, "NVIDIA GB10", "00", 128 * GIB, "12.1", integrated=True)
    rows = _box(gemm=700e3, kv=40.0)
    own = advise(Question(model=LLAMA, context=32768), rows, MACHINE, shipped())
    assert [held.tier for held in own.capacities][:2] == ["hbm", "ddr"]
    shared = replace(MACHINE, gpus=Gpus(devices=(gpu,)))
    found = advise(Question(model=LLAMA, context=32768), rows, shared, shipped())
    assert [held.tier for held in found.capacities if held.tier != "ssd"] == ["hbm"]
    assert "the GPU uses host memory" in found.capacities[0].counted


def test_ranks_share_the_cache_but_not_a_latent() -> None:
    whole = kv_bytes(LLAMA.shape, 32768)
    assert _advise([], tp=4).rank_bytes == whole / 4
    latent = models()["deepseek-v3"]
    found = _advise([], model=latent, tp=8)
    assert found.rank_bytes == kv_bytes(latent.shape, 32768)


@pytest.mark.parametrize(("name", "copies"), [("deepseek-v3", 16), ("llama-3.1-70b", 2)])
def test_copies_of_the_cache_on_several_ranks_take_memory_of_each_rank(
    name: str, copies: int
) -> None:
    found = _advise(_box(gemm=700e3), model=models()[name], tp=16)
    (hbm,) = [held for held in found.capacities if held.tier == "hbm"]
    assert hbm.contexts == hbm.usable // (copies * found.kv_bytes)


def test_without_a_pipeline_the_slower_leg_bounds_the_disk_and_is_named() -> None:
    found = _advise(_box(gemm=700e3, h2d=50.0, read=3.0))
    (ssd,) = [choice for choice in found.choices if choice.name == "ssd"]
    assert ssd.rate.value == 3e9
    assert any("KV pages from SSD to HBM" in line for line in found.missing)
    assert any("KV blocks from host to GPU" in line for line in found.missing)


def _paged(bench: str, **rates: float) -> list[Row]:
    """Rows of ``bench`` (`paging/ssd-ddr` or `paging/ssd-hbm`): block size -> GB/s."""
    return [
        _row(Tier.SSD, f"{bench}/block={block}/qd=8", Metric.BANDWIDTH, rate)
        for block, rate in rates.items()
    ]


@pytest.mark.parametrize("layout", [*BlockLayout])
def test_a_disk_is_read_in_whole_blocks_with_any_layout(layout: BlockLayout) -> None:
    # One rank of 4 stores 16 tokens in 1.25 MiB.
    pages = _paged("paging/ssd-ddr", **{"4KiB": 0.2, "16KiB": 0.6, "1MiB": 2.0, "4MiB": 3.0})
    found = _advise([*_box(gemm=700e3, h2d=50.0, read=9.0), *pages], tp=4, layout=layout)
    (ssd,) = [choice for choice in found.choices if choice.name == "ssd"]
    assert (ssd.rate.value, ssd.rate.shared, ssd.rate.contiguous) == (2e9, True, False)
    assert found.staging is not None
    assert found.staging.value == pytest.approx(found.kv_bytes / 2e9)
    # Only the last block is not loaded.
    assert ssd.ttft.value == pytest.approx(found.staging.value, rel=0.01)
    assert "in whole blocks" in dict(facts(found))["SSD to DDR"]


@pytest.mark.parametrize(("kv", "rate"), [(40.0, 12e9), (5.0, 5e9)])
def test_the_pieces_of_a_block_from_disk_are_copied_over_the_link_too(
    kv: float, rate: float
) -> None:
    pages = _paged("paging/ssd-hbm", **{"16KiB": 1.0, "1MiB": 12.0})
    found = _advise([*_box(gemm=700e3, kv=kv, read=14.0), *pages])
    assert {choice.name: choice.rate.value for choice in found.choices if choice.name == "ssd"} == {
        "ssd": rate
    }


def test_the_disk_that_all_ranks_share_bounds_several_links() -> None:
    rows = _box(gemm=700e3, h2d=50.0, read=100.0)
    for tp, rate in ((1, 50e9), (4, 100e9)):
        found = _advise(rows, tp=tp)
        (ssd,) = [choice for choice in found.choices if choice.name == "ssd"]
        assert ssd.rate.value == rate
        assert ssd.ttft.value >= kv_bytes(LLAMA.shape, 32768 - 16) / 100e9


@pytest.mark.parametrize(
    ("tp", "read", "rate", "ranks"),
    [
        (1, 100.0, 40e9, 1),
        (1, None, 40e9, 1),
        (4, 100.0, 100e9, 1),  # the disk limits all ranks together
        (4, 200.0, 40e9, 4),  # the link limits each rank
        (4, 30.0, 40e9, 1),  # the disk gave more to one GPU than in its own measurement
        (4, None, 40e9, 1),
    ],
)
def test_the_path_from_disk_to_one_gpu_limits_a_rank_and_the_disk_all_ranks(
    tp: int, read: float | None, rate: float, ranks: int
) -> None:
    disk = {} if read is None else {"read": read}
    found = _advise(_box(gemm=700e3, kv=50.0, ssd=40.0, **disk), tp=tp)
    (ssd,) = [choice for choice in found.choices if choice.name == "ssd"]
    assert ssd.rate.value == rate
    load = kv_bytes(LLAMA.shape, 32768 - 16) / ranks / rate
    assert load < ssd.ttft.value < 1.01 * load
    assert any("SSD read" in line for line in found.missing) == (tp > 1 and read is None)


def test_nothing_is_said_of_what_is_not_measured() -> None:
    found = _advise([])
    assert found.choices == ()
    assert found.best is None
    assert not found.clear
    assert len(found.missing) >= 5
    assert found.kv_bytes == kv_bytes(LLAMA.shape, 32768)


def test_a_flagged_number_is_no_evidence_and_a_cited_one_wears_its_badge() -> None:
    flagged = [replace(row, flags=("above-peak",)) for row in _box(gemm=700e3, kv=40.0)]
    assert _advise(flagged).choices == ()
    cited = [replace(row, backend="cited") for row in _box(gemm=700e3, kv=40.0)]
    assert _advise(cited).badges == (Badge.CITED,)


def test_overlapping_ranges_are_not_called_clear() -> None:
    first = _advise(_box(gemm=700e3, kv=1.30))
    assert {choice.name for choice in first.choices} == {"ddr", "recompute"}
    assert not first.clear


def _model(tmp_path: Path, config: bytes) -> Model:
    path = tmp_path / "config.json"
    path.write_bytes(config)
    return find_model(str(path))


def _suffix_s(model: Model, tokens: int) -> float:
    """Seconds to compute the last 16 of ``tokens`` tokens at 700 TFLOP/s."""
    weights = model.parameters
    assert weights is not None
    return prefill_flops(tokens, weights.matmul, weights.attention, tokens - 16) / 700e12


def test_a_model_of_windows_alone_is_restored_up_to_its_window(tmp_path: Path) -> None:
    model = _model(tmp_path, window_model())
    full = 4 * 2 * 8 * 128 * 4096 * 2  # layers, K and V, heads, elements, tokens, bytes
    short, long = (
        _advise(_box(gemm=700e3, kv=40.0), model=model, context=tokens) for tokens in (2048, 65536)
    )
    assert (short.kv_bytes, long.kv_bytes) == (full // 2, full)
    (ddr,) = [choice for choice in long.choices if choice.name == "ddr"]
    assert ddr.ttft.value == pytest.approx(full / 40e9 + _suffix_s(model, 65536) / 4)
    assert long.piece == Pieces(16 * 8 * 128 * 2, 8)


def test_layers_of_which_some_store_less_are_bound_by_the_load_or_the_computation() -> None:
    mixed = models()["gpt-oss-120b"]  # windows and full attention, layer by layer
    found = _advise(_box(gemm=700e3, kv=40.0), model=mixed)
    (ddr,) = [choice for choice in found.choices if choice.name == "ddr"]
    assert ddr.ttft.value == pytest.approx(kv_bytes(mixed.shape, 32768 - 16) / 40e9)
    slow = _advise(_box(gemm=0.7, kv=40.0), model=mixed)
    (ddr,) = [choice for choice in slow.choices if choice.name == "ddr"]
    assert ddr.ttft.value == pytest.approx(_suffix_s(mixed, 32768) * 1e6)


def test_a_model_of_states_alone_is_restored_in_the_same_time_at_every_context(
    tmp_path: Path,
) -> None:
    model = _model(tmp_path, linear_model())
    state = 4 * (32 * 128 * 128 * 4 + 3 * (2 * 16 * 128 + 32 * 128) * 2)
    short, long = (
        _advise(_box(gemm=700e3, kv=40.0), model=model, context=tokens, tp=2)
        for tokens in (4096, 65536)
    )
    for found in (short, long):
        assert found.kv_bytes == state
        assert found.rank_bytes == state / 2
        assert found.piece == Pieces(state // 8, 4)
        (ddr,) = [choice for choice in found.choices if choice.name == "ddr"]
        suffix = _suffix_s(model, found.question.context) / 2
        assert ddr.ttft.value == pytest.approx(state / 2 / 40e9 + suffix / 4)
        assert ddr.crossover == short.choices[0].crossover
        terms = dict(facts(found))
        assert "One block" not in terms
        assert terms["State"].startswith("4 pieces of 1048KiB per rank")


def test_blocks_that_a_model_cannot_have_are_refused() -> None:
    compressed = models()["deepseek-v4-pro"]
    with pytest.raises(UsageError, match="a part of an entry"):
        _advise([], model=compressed, block_tokens=16)
    assert usual_block(compressed) == 128
    assert usual_block(LLAMA) == 16
    with pytest.raises(UsageError, match="shorter than a block"):
        _advise([], context=8)
    with pytest.raises(
        UsageError, match="64 attention heads of the model cannot be divided evenly among 128 ranks"
    ):
        _advise([], model=LLAMA, tp=128)


@pytest.mark.parametrize(
    "option", ["--requests-per-second=nan", "--requests-per-second=inf", "--reuse=nan"]
)
def test_an_amount_that_is_no_number_is_a_usage_error(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["ref:h200-sxm", "--model", "llama-3.1-70b", "--context", "8192", "--tiers=ddr=1TB"]
    with pytest.raises(SystemExit) as caught:
        main(["advise", *asked, option])
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("Error: ") == 1


def test_without_a_block_the_fewest_tokens_that_hold_whole_entries_are_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["ref:h200-sxm", "--model", "deepseek-v4-flash", "--context", "8192", "--json"]
    with pytest.raises(SystemExit) as caught:
        main(["advise", *asked])
    assert caught.value.code == 0
    (answer,) = json.loads(capsys.readouterr().out)["answers"]
    assert answer["block_tokens"] == 128


def test_fp8_halves_the_cache() -> None:
    half = _advise(_box(gemm=700e3, kv=40.0), dtype=KvDtype.FP8)
    assert 2 * half.kv_bytes == _advise([]).kv_bytes


def test_an_assumed_rate_stands_where_no_product_was_measured() -> None:
    found = _advise(_box(kv=40.0), assumed=500e12)
    assert found.arithmetic == "assumed"
    again = next(choice for choice in found.choices if choice.name == "recompute")
    assert again.rate.value == 500e12
    assert not any("matrix multiplication" in line for line in found.missing)
    lacks = _advise(_box(kv=40.0)).missing
    assert any("--assume" in line for line in lacks)


def test_weights_of_eight_bits_recompute_at_the_measured_rate_of_fp8() -> None:
    eight = LLAMA.held_as(WeightType.FP8)
    product = _row(Tier.GPU, "gpu/gemm/fp8/n=8192", Metric.FLOPS, 1400e3)
    found = _advise([*_box(gemm=700e3, kv=40.0), product], model=eight)
    assert found.arithmetic == "fp8"
    assert found.weights == "FP8"
    assert _advise([*_box(gemm=700e3, kv=40.0), product]).arithmetic == "bf16"
    noted = _advise(_box(gemm=700e3, kv=40.0), model=eight)
    assert noted.arithmetic == "bf16"
    assert any("recomputes faster" in note for note in noted.notes)


@pytest.mark.parametrize(
    ("slug", "gpus"), [("gpt-oss-120b", 1), ("deepseek-v3", 16), ("llama-3.1-70b", 2)]
)
def test_gpus_are_counted_by_the_weights_as_served(slug: str, gpus: int) -> None:
    assert _advise(_box(gemm=700e3, kv=40.0), model=models()[slug]).weights_gpus == gpus


def test_one_large_copy_is_told_apart_from_blocks() -> None:
    blocks = next(one for one in _advise(_box(gemm=700e3, kv=40.0)).choices if one.name == "ddr")
    assert not blocks.rate.contiguous
    alone = _advise(_box(gemm=700e3, h2d=50.0))
    copy = next(one for one in alone.choices if one.name == "ddr")
    assert copy.rate.contiguous
    # A piece much larger than all measured blocks counts as a large copy.
    whole = _advise(_box(gemm=700e3, kv=40.0, h2d=50.0), layout=BlockLayout.WHOLE)
    piece = next(one for one in whole.choices if one.name == "ddr")
    assert whole.piece.bytes > 4 * 32 * 1024
    assert (piece.rate.value, piece.rate.contiguous) == (50e9, True)


def test_windows_count_in_restore_and_crossover() -> None:
    scout = models()["llama-4-scout"]
    found = _advise(_box(gemm=700e3, kv=40.0), model=scout, context=8192)
    (ddr,) = [choice for choice in found.choices if choice.name == "ddr"]
    again = next(choice for choice in found.choices if choice.name == "recompute")
    assert ddr.flips_at == pytest.approx(kv_bytes(scout.shape, 8192) / again.ttft.value)
    assert kv_bytes(scout.shape, 8192) == 4 * 8192 * bytes_per_token(scout.shape)


@pytest.mark.parametrize(
    ("memory", "share"),
    [(16 * GIB, 6 * GIB), (100 * GIB, 70 * GIB)],  # all but 10 GiB; 70 %
)
def test_a_cache_leaves_memory_and_disk_to_others(memory: int, share: int) -> None:
    disk = Filesystem("/data", "/", "ext4", "", "/dev/nvme0n1", 100 * GIB, "")
    machine = replace(
        MACHINE,
        memory=replace(MACHINE.memory, total=memory, cgroup_limit=None),
        filesystems=(disk,),
    )
    question = Question(model=LLAMA, context=32768)
    found = advise(question, _box(gemm=700e3, kv=40.0), machine, shipped())
    held = {one.tier: one for one in found.capacities}
    assert held["ddr"].usable == pytest.approx(share)
    assert held["ddr"].contexts == share // found.kv_bytes
    assert held["ssd"].usable == pytest.approx(85 * GIB)
    assert (
        "are left to the system, the engine and the page cache" in dict(facts(found))["Fit in ddr"]
    )
    assert "stays unused" in dict(facts(found))["Fit in ssd"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["ref:h100-sxm", "--model", "llama-3.1-8b"], ""),
        # No other tier has a rate, so there is no choice.
        (["ref:a100-pcie", "--model", "llama-3.1-8b"], "no recommendation is possible"),
        (
            ["ref:h100-sxm", "--model", "llama-3.1-70b"],
            "the weights and one context do not fit in 1 GPU",
        ),
        (["ref:h100-sxm", "--model", "llama-3.1-70b", "--tp", "2"], ""),
    ],
)
def test_there_are_settings_only_where_there_is_a_choice(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--context", "8K", "--requests-per-second", "1", "--tiers", "ddr=1TB,ssd=9TB"]
    with pytest.raises(SystemExit):
        main(["advise", *arguments, *asked])
    shown = capsys.readouterr().out
    assert ("--kv-offloading-size" in shown) is not bool(reason)
    assert f"There are no settings for engines, because {reason}." in shown or not reason
    title, first, *_ = shown.splitlines()
    assert "8192 tokens" in title
    assert first.startswith("The weights do not fit in 1 GPU; ") is (
        "llama-3.1-70b" in arguments and "--tp" not in arguments
    )
    (ddr,) = [line for line in shown.splitlines() if line.startswith("ddr ")]
    (ssd,) = [line for line in shown.splitlines() if line.startswith("ssd ")]
    # Two more columns: drive writes per day, and drives with the reason.
    assert len(ssd.split()) == len(ddr.split()) + 3


def _asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The text that `membench advise` prints."""
    with pytest.raises(SystemExit) as caught:
        main(["advise", *arguments])
    assert caught.value.code == 0
    return capsys.readouterr().out


_ZEN = ("ref:epyc-zen4-2cpu-vm", "--gpu", "ref:h200-sxm", "--assume", "700TFLOP/s")


def test_a_reference_has_the_machine_of_its_sidecar(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _asked(capsys, *_ZEN, "--model", "llama-3.1-70b", "--context", "32768", "--tp", "4")
    assert "no sidecar describes the machine" not in shown
    assert {"Fit in hbm", "Fit in ddr", "Fit in ssd"} <= {line[:10] for line in shown.splitlines()}


def test_another_gpu_brings_its_own_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (csv,) = reference_paths("epyc-zen4-2cpu-vm")
    gpu = GpuIdentity(0, "NVIDIA L4", "00", 24 * GIB, "8.9")
    data = json.loads(csv.with_suffix(".json").read_text())
    data["machine"]["gpus"]["devices"] = [dump(gpu)]
    (tmp_path / "own.csv").write_bytes(csv.read_bytes())
    (tmp_path / "own.json").write_text(json.dumps(data))
    asked = ("--model", "llama-3.1-70b", "--context", "32768", "--tp", "4")
    sizes = [
        next(line for line in _asked(capsys, *file, *asked).splitlines() if "Fit in hbm" in line)
        for file in (_ZEN, (str(tmp_path / "own.csv"), *_ZEN[1:]))
    ]
    assert sizes[0] == sizes[1]


def test_each_context_has_its_own_answer_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("ref:h100-sxm", "--assume", "700TFLOP/s", "--model", "llama-3.1-70b", "--tp", "2")
    document = json.loads(_asked(capsys, *asked, "--context", "8K,128K", "--json"))
    first, second = document["answers"]
    assert (first["fits"], second["fits"]) == (True, False)
    assert (first["gpus_needed"], second["gpus_needed"]) == (2, 4)
    assert (first["contexts"], second["contexts"]) == ({"hbm": 1}, {"hbm": 0})
    assert first["engine_lines"]
    assert not second["engine_lines"]
    shown = _asked(
        *(capsys, *asked, "--context", "128K", "--trace", "conversation", "--tiers", "ddr=1TB")
    )
    assert shown.splitlines()[1].startswith("The context does not fit in 2 GPUs")
    assert "--kv-offloading-size" not in shown
