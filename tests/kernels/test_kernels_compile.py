"""Every CUDA source compiles for every architecture, with and without macros."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest
from asking_gpu import variants_of_all_profiles
from profile_table import shipped
from variants_file import listed

from membench.core.errors import BackendUnavailable, MembenchError, RegistersSpilled, Skip
from membench.gpu.cuda.compile import ARCHITECTURES, _explained, compile_source, target
from membench.gpu.cuda.kernel_files import kernel_names, kernel_root, read_kernel
from membench.gpu.cuda.kernel_variants import PATH, variants_of
from membench.gpu.protocol import KernelVariant
from membench.machine import snapshot

# In addition to the tested architectures: an older and a newer one, and the features of one device.
BARE = (*ARCHITECTURES, "75", "90a", "103")


def test_sources_need_no_include_path() -> None:
    for path in (*kernel_root().glob("*.cu"), *kernel_root().glob("*.cuh")):
        assert not re.search(r"#\s*include\s*<", path.read_text()), path.name


@pytest.mark.sampled(24)
@pytest.mark.parametrize("arch", BARE)
@pytest.mark.parametrize("file", kernel_names())
def test_compiles_bare(file: str, arch: str) -> None:
    image = compile_source(file, (), arch)
    assert image.resources
    assert all(not each.local_bytes for each in image.resources.values())
    assert image.cubin.startswith(b"\x7fELF")
    assert f".target sm_{arch}" in image.ptx


@cache
def asked(arch: str) -> dict[str, set[KernelVariant]]:
    """Bench -> compilations that its cases request on ``arch``."""
    return variants_of_all_profiles(arch, snapshot())


@pytest.mark.slow
def test_what_is_compiled_ahead_is_what_the_benches_ask_for() -> None:
    """Checks only the benches in the documents and in the file.

    Other benches compile at first use.
    """
    ahead = shipped() | json.loads(PATH.read_bytes()).keys()
    known = {
        arch: {bench: variants for bench, variants in asked(arch).items() if bench in ahead}
        for arch in ARCHITECTURES
    }
    assert PATH.read_text(encoding="ascii") == listed(known), "run python ci/documents.py"
    for arch, benches in known.items():
        for bench, variants in benches.items():
            assert set(variants_of([bench], arch)) == variants


@pytest.mark.sampled(1)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_compiles_as_every_case_of_every_profile_asks_for_it(arch: str) -> None:
    variants = set().union(*asked(arch).values())
    hopper = set() if int(arch) >= 90 else {"tma.cu", "multimem.cu"}
    assert {variant.file for variant in variants} == set(kernel_names()) - hopper
    for variant in sorted(variants, key=str):
        image = compile_source(variant.file, variant.options, arch)
        assert all(not each.local_bytes for each in image.resources.values()), variant


SPILLS = """
extern "C" __global__ void __launch_bounds__(1024, 2) spills(const float* a, float* b) {
    float x[64];
#pragma unroll
    for (int i = 0; i < 64; ++i) x[i] = a[i * 1024 + threadIdx.x];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 64; ++i) b[i * 1024 + threadIdx.x] = x[63 - i] * x[i];
}
"""
INDEXES = """
extern "C" __global__ void indexes(const int* a, int* b) {
    int x[32];
    for (int i = 0; i < 32; ++i) x[a[i] & 31] = a[32 + i];
    b[threadIdx.x] = x[threadIdx.x & 31];
}
"""
UNUSED = 'extern "C" __global__ void unused(int* a) { int nothing; a[0] = 1; }'
WRONG = 'extern "C" __global__ void wrong(int* a) { a[0] = missing; }'


@pytest.mark.parametrize(
    ("source", "complaint", "kind"),
    [
        (SPILLS, "spill", RegistersSpilled),
        (INDEXES, "local memory", RegistersSpilled),
        (UNUSED, "never referenced", MembenchError),
        (WRONG, "missing", MembenchError),
    ],
)
def test_what_would_spoil_a_number_does_not_compile(
    source: str, complaint: str, kind: type[MembenchError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("membench.gpu.cuda.compile.read_kernel", lambda _file: source)
    with pytest.raises(MembenchError, match=f"(?i){complaint}") as refused:
        compile_source(f"{complaint}.cu", (), "90")
    assert type(refused.value) is kind


@pytest.mark.parametrize(
    ("arch", "shown", "hint"), [("70", "7.0", "cuda12"), ("139", "13.9", "newer")]
)
def test_an_architecture_that_the_compiler_does_not_know_is_named(
    arch: str, shown: str, hint: str
) -> None:
    with pytest.raises(
        BackendUnavailable, match=f"does not support compute capability {shown}"
    ) as no:
        compile_source("stream.cu", (), arch)
    assert hint in no.value.hint


@pytest.mark.parametrize(
    ("known", "arch", "compiled"),
    [
        ((80, 90, 100, 120), "80", "80"),
        ((80, 90, 100, 120), "90", "90a"),  # with the features of this device
        ((80, 90, 100, 120), "121", "120"),  # GB10 and NVRTC 12.8: GB10 can run the older code
        ((80, 90, 100, 120), "103", "100"),
        ((80, 86, 90), "89", "86"),
        # No older architecture of the same generation: membench refuses it.
        ((80, 90, 100, 101), "110", "110"),
        ((80, 90), "70", "70"),
        ((80, 90), "90f", "90f"),  # requested explicitly
    ],
)
def test_what_is_compiled_runs_on_the_device(
    known: tuple[int, ...], arch: str, compiled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("membench.gpu.cuda.compile._architectures", lambda: known)
    assert target(arch) == compiled


def test_an_assembler_without_wide_loads_is_a_skip_with_the_reason() -> None:
    """NVRTC 12.8 has this message for loads of 256 bits, which CUDA 12.9 added."""
    log = "ptxas ..., line 54; error   : Vector type too large, exceeds 128 bit limit"
    found = _explained("stream.cu", "100", "12.8.93", log, MembenchError("failed"))
    assert isinstance(found, Skip)
    assert "NVRTC 12.8.93 has no 256-bit loads" in str(found)


def test_a_source_that_does_not_exist_is_named() -> None:
    with pytest.raises(MembenchError, match=r"no CUDA source 'nothing\.cu'"):
        compile_source("nothing.cu", (), "90")


def test_the_same_arguments_are_compiled_once() -> None:
    assert compile_source("stream.cu", (), "90") is compile_source("stream.cu", (), "90")
    assert read_kernel("stream.cu")
