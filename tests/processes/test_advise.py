"""`membench advise` and `membench explain` in real processes: options, outputs, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from driver import Membench

ROOT = Path(__file__).parents[2]
H100 = ROOT / "results" / "reference" / "h100-sxm" / "figures.csv"


@pytest.mark.slow
def test_the_models_are_listed(membench: Membench) -> None:
    done = membench("advise", "--model", "list")
    assert done.returncode == 0, done.stderr
    assert "llama-3.1-70b" in done.stdout
    assert "config.json" in done.stdout
    names = json.loads(membench("advise", "--model", "list", "--json").stdout)
    assert "deepseek-v3" in names


@pytest.mark.slow
def test_what_is_missing_is_named_and_no_error(membench: Membench) -> None:
    ask = ("advise", str(H100), "--model", "llama-3.1-8b", "--context", "32768", "--slo-ttft", "1")
    done = membench(*ask)
    assert done.returncode == 0, done.stderr
    assert "[cited] rests on figures published by others" in done.stdout
    assert "TTFT, ddr" in done.stdout
    assert "SSD read bandwidth" in done.stdout.partition("Missing values:")[2]
    assert done.stdout.isascii()
    document = json.loads(membench(*ask, "--json").stdout)
    assert document["schema"] == "membench.advice/2"
    assert document["plan"] is None
    (data,) = document["answers"]
    assert data["badges"] == ["cited"]
    ddr, recompute = sorted(data["choices"], key=lambda one: one["name"])
    assert recompute["cases"] == ["gpu/gemm/bf16/n=8192/out=bf16"]
    assert ddr["cases"] == ["kv/h2d/block=28KiB/count=10000/method=batch/order=random"]
    assert data["kv_bytes"] == 32768 * 131072


@pytest.mark.slow
def test_a_plan_for_a_gpu_that_is_not_here(membench: Membench) -> None:
    lines = "".join(
        f'{{"timestamp": {1000 * at}, "input_length": 48, "output_length": 1, "block_size": 16, '
        f'"hash_ids": ["p", "q", "{at % 3}"]}}\n'
        for at in range(50)
    )
    (membench.directory / "mine.jsonl").write_text(lines)
    ask = (
        *("advise", "--gpu", "ref:h200-sxm", "--assume", "700TFLOP/s"),
        *("--model", "zai-org/GLM-5.2", "--kv-dtype", "fp8_ds_mla", "--context", "8192,32768"),
        *("--tp", "16", "--trace", "mine.jsonl"),
        *("--tiers", "ddr=1GB,ssd=1TB:second", "--drive", "6.4TB:3"),
    )
    done = membench(*ask)
    assert done.returncode == 0, done.stderr
    assert "Tiers for mine.jsonl" in done.stdout
    assert "KV in fp8_ds_mla" in done.stdout
    assert "--hicache-write-policy write_through_selective" in done.stdout
    document = json.loads(membench(*ask, "--json").stdout)
    first, second = document["answers"]
    assert (first["context_tokens"], second["context_tokens"]) == (8192, 32768)
    assert first["arithmetic"] == "assumed"
    ddr, ssd = document["plan"]["tiers"]
    assert ddr["drives"] is None
    assert (ssd["drives"], ssd["decided_by"]) == (1, "capacity")
    assert second["engine_lines"]["dynamo kvbm"] == [
        "DYN_KVBM_CPU_CACHE_GB=1",
        "DYN_KVBM_DISK_CACHE_GB=1000",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--model", "llama-3.1-8b", "--context", "9"), 2, "advise needs a results file"),
        ((str(H100), "--model", "llama-3.1-8b"), 2, "advise needs --context"),
        ((str(H100), "--model", "llama-3.1-8b", "--context", "x"), 2, "not a number of tokens"),
        (("ref:h1", "--model", "llama-3.1-8b", "--context", "99"), 2, "no reference 'ref:h1'"),
        (
            (str(H100), "--model", "a/b", "--context", "99"),
            2,
            "neither a file nor the id of a built-in model",
        ),
        ((str(H100), "--model", "lama-3.1-8b"), 2, "did you mean"),
        (("no.csv", "--model", "llama-3.1-8b", "--context", "99"), 1, "no.csv"),
        ((str(H100), "--model", "llama-3.1-8b", "--context", "99", "--tp", "3"), 2, "3 ranks"),
    ],
)
def test_mistakes_get_one_line_and_a_hint(
    membench: Membench, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = membench.refuses("advise", *arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_it_loads_neither_plots_nor_data_frames() -> None:
    code = (
        "import sys\nfrom membench import cli\n"
        "try:\n    cli.main(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'matplotlib', 'pandas', 'numba', 'jinja2', 'cupy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    ask = ("advise", str(H100), "--model", "llama-3.1-8b", "--context", "32768")
    subprocess.run([sys.executable, "-c", code, *ask], check=True, stdout=subprocess.DEVNULL)
