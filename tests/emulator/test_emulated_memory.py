"""Global, constant and local memory: bounds, alignment, unwritten bytes, widths, operators."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import (
    BadArgument,
    EmulationError,
    FuelExhausted,
    Loaded,
    Machine,
    Misaligned,
    OutOfBounds,
    Uninitialised,
    UnknownInstruction,
    execute,
)
from emulator.faults import Deadlock
from ptx_snippets import Run, compiled, evaluate

STRIDED = """
extern "C" __global__ void k(const float* in, float* out, int stride) {
    out[blockDim.x * blockIdx.x + threadIdx.x] =
        in[(blockDim.x * blockIdx.x + threadIdx.x) * stride];
}
"""


@pytest.mark.parametrize(("stride", "sectors"), [(1, 4), (2, 8), (8, 32), (32, 32), (0, 1)])
def test_sectors_of_strided_floats(stride: int, sectors: int) -> None:
    data = np.arange(96 * 4 * 32, dtype=np.float32)
    run = Run(STRIDED, [data, 96 * 4 * 4, np.int32(stride)], grid=4, block=96)
    assert run.counts.requests["ld.global"] == 4 * 3
    assert run.counts.sectors["ld.global"] == 4 * 3 * sectors
    assert np.array_equal(
        run.result(1, np.float32),
        data[: 384 * max(1, stride) : max(1, stride)][:384]
        if stride
        else np.zeros(384, np.float32),
    )


def test_an_access_behind_the_end_names_the_buffer_and_the_thread() -> None:
    data = np.zeros(100, np.float32)
    with pytest.raises(
        OutOfBounds,
        match=r"k: 4-byte access out of bounds at 0x\w+, 0 bytes behind the end of buffer 0 "
        r"\(400 bytes\), block 1, thread 36: ld\.global",
    ):
        Run(STRIDED, [data, 512, np.int32(1)], grid=2, block=64)
    before = STRIDED.replace("in[", "in[-3000ll + ")
    with pytest.raises(OutOfBounds, match=r"before every buffer, block 0, thread 0"):
        Run(before, [data, 512, np.int32(1)], block=64)
    with pytest.raises(OutOfBounds, match=r"0 bytes behind the end of buffer 1.*thread 16: st"):
        Run(STRIDED, [data, 64, np.int32(1)], block=64)


def test_a_vector_may_not_begin_inside_and_end_outside() -> None:
    text = """extern "C" __global__ void k(const float4* in, float4* out) {
        out[threadIdx.x] = in[threadIdx.x]; }"""
    with pytest.raises(OutOfBounds, match=r"16-byte access out of bounds .* byte 48"):
        Run(text, [np.zeros(15, np.float32), 512], block=8)


def test_misaligned_access_names_its_width() -> None:
    text = """extern "C" __global__ void k(const char* in, float2* out) {
        out[threadIdx.x] = *(const float2*)(in + 8 * threadIdx.x + 4); }"""
    with pytest.raises(Misaligned, match=r"misaligned 8-byte access .*thread 0"):
        Run(text, [np.zeros(80, np.float32), 512])


def test_reads_of_unwritten_memory_can_be_refused() -> None:
    with pytest.raises(Uninitialised, match=r"read of unwritten memory at .* byte 0 of buffer 0"):
        Run(STRIDED, [128, 128, np.int32(1)])
    poison = Run(STRIDED, [128, 128, np.int32(1)], machine=Machine(unwritten=False))
    assert set(poison.result(1, np.uint8).tolist()) == {0xA5}


def test_what_a_kernel_wrote_may_be_read() -> None:
    text = """extern "C" __global__ void k(unsigned* a, unsigned n) {
        if (threadIdx.x < n) a[threadIdx.x] = 1;
        __syncthreads();
        if (threadIdx.x == 0) atomicAdd(a + 8, 2);
        if (threadIdx.x == 1) a[threadIdx.x] += a[n - 2]; }"""
    assert Run(text, [128, np.uint32(9)]).result(0, np.uint32)[:9].tolist() == [1, 2] + [1] * 6 + [
        3
    ]
    with pytest.raises(Uninitialised, match="atomic on unwritten memory"):
        Run(text, [128, np.uint32(8)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([np.zeros(9, np.float32), 64, np.int64(1)], "argument 2 is 8 bytes, the kernel takes 4"),
        ([np.zeros(9, np.float32), np.uint32(1), np.int32(1)], "argument 1 is 4 bytes"),
        ([np.zeros(9, np.float32), 64], "2 arguments, the kernel takes 3"),
    ],
)
def test_scalars_have_the_size_that_the_kernel_takes(arguments: list[object], message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        Run(STRIDED, arguments, block=4)


def test_python_numbers_have_no_size() -> None:
    machine = Machine()
    module = Loaded(machine, compiled(STRIDED).ptx)
    with pytest.raises(BadArgument, match="argument 0 is no NumPy scalar but int"):
        execute(machine, module, "k", 1, 32, [1, 2, 3])
    with pytest.raises(BadArgument, match="a block of 1025 threads"):
        execute(machine, module, "k", 1, 1025, [np.uint64(0), np.uint64(0), np.int32(0)])
    with pytest.raises(EmulationError, match=r"no kernel 'j' \(there are: k\)"):
        execute(machine, module, "j", 1, 32, [])


OPERATORS = ["ca", "cg", "cs", "cv", "lu", "nc", "nc.L1::no_allocate", "L1::evict_last"]
OPERATORS += ["nc.L2::128B", "L1::no_allocate.L2::256B"]


@pytest.mark.parametrize("operator", OPERATORS)
def test_cache_operators_do_not_change_the_result_but_are_counted(operator: str) -> None:
    text = f"""extern "C" __global__ void k(const unsigned* in, unsigned* out) {{
        unsigned v;
        asm volatile("ld.global.{operator}.u32 %0, [%1];" : "=r"(v) : "l"(in + threadIdx.x));
        out[threadIdx.x] = v; }}"""
    data = np.arange(32, dtype=np.uint32)
    run = Run(text, [data, 128])
    assert np.array_equal(run.result(1, np.uint32), data)
    assert run.counts.opcodes[f"ld.global.{operator}.u32"] == 32
    assert run.counts.executed(f"ld.global.{operator}") == 32


@pytest.mark.parametrize("order", ["volatile", "relaxed.gpu", "acquire.sys"])
def test_strong_loads_and_stores(order: str) -> None:
    store = {"volatile": "volatile", "relaxed.gpu": "relaxed.gpu", "acquire.sys": "release.sys"}[
        order
    ]
    text = f"""extern "C" __global__ void k(unsigned* a) {{
        unsigned v;
        asm volatile("ld.{order}.global.u32 %0, [%1];" : "=r"(v) : "l"(a + threadIdx.x) : "memory");
        asm volatile("st.{store}.global.u32 [%0], %1;" ::"l"(a + threadIdx.x), "r"(v + 1)); }}"""
    assert np.array_equal(Run(text, [np.arange(32, dtype="u4")]).result(0, "u4"), np.arange(1, 33))


def test_cache_hints_are_refused_by_name() -> None:
    text = """extern "C" __global__ void k(unsigned* a) {
        unsigned v;
        asm volatile("ld.global.L2::cache_hint.u32 %0, [%1], %2;" : "=r"(v) : "l"(a), "l"(0ull));
        a[1] = v; }"""
    with pytest.raises(UnknownInstruction, match=r"not emulated: ld\.global\.L2::cache_hint"):
        Run(text, [np.zeros(4, "u4")])
    text = """extern "C" __global__ void k(unsigned* a) {
        asm volatile("discard.global.L2 [%0], 128;" ::"l"(a)); }"""
    with pytest.raises(UnknownInstruction, match=r"not emulated: discard\.global\.L2"):
        Run(text, [np.zeros(64, "u4")])


def test_narrow_words_are_extended_and_cut() -> None:
    text = """extern "C" __global__ void k(const signed char* s, const unsigned char* u,
                                            const short* h, int* out) {
        out[threadIdx.x] = s[threadIdx.x] + 3 * u[threadIdx.x] + 7 * h[threadIdx.x];
        ((unsigned char*)out)[128 + threadIdx.x] = 256 + threadIdx.x; }"""
    raw = np.random.default_rng(12).integers(0, 256, 32, np.uint8)
    h = np.random.default_rng(13).integers(-(2**15), 2**15, 32).astype(np.int16)
    run = Run(text, [raw, raw, h, 160])
    wanted = raw.view(np.int8).astype(np.int32) + 3 * raw.astype(np.int32) + 7 * h.astype(np.int32)
    assert np.array_equal(run.result(3, np.int32)[:32], wanted)
    assert np.array_equal(run.result(3, np.uint8)[128:], np.arange(32))


@pytest.mark.parametrize("arch", ["100", "120"])
def test_vectors_of_256_bits(arch: str) -> None:
    text = """extern "C" __global__ void k(const float* in, float* out) {
        asm volatile("{ .reg .b32 a, b, c, d, e, f, g, h;"
            " ld.global.v8.b32 {a, b, c, d, e, f, g, h}, [%0];"
            " st.global.v8.b32 [%1], {h, g, f, e, d, c, b, a}; }"
            ::"l"(in + 8 * threadIdx.x), "l"(out + 8 * threadIdx.x) : "memory"); }"""
    data = np.arange(256, dtype=np.float32)
    run = Run(text, [data, 1024], arch=arch)
    assert np.array_equal(run.result(1, np.float32).reshape(32, 8), data.reshape(32, 8)[:, ::-1])
    assert run.counts.sectors["ld.global"] == 32


def test_variables_of_a_module_and_constants() -> None:
    text = """
    __device__ unsigned counter = 5;
    __constant__ float table[4] = {1.5f, 2.5f, 3.5f, 4.5f};
    __device__ unsigned char bytes[3] = {7, 8, 9};
    extern "C" __global__ void k(float* out) {
        if (threadIdx.x == 0) counter += 1;
        __syncthreads();
        out[threadIdx.x] = table[threadIdx.x % 4] + counter + bytes[threadIdx.x % 3];
    }"""
    lane = np.arange(32)
    wanted = np.array([1.5, 2.5, 3.5, 4.5])[lane % 4] + 6 + np.array([7, 8, 9])[lane % 3]
    run = Run(text, [128])
    assert np.array_equal(run.result(0, np.float32), wanted)
    assert run.counts.bytes["ld.const"] == 128


def test_local_memory_is_of_each_thread() -> None:
    code = """
        .local .align 4 .b8 depot[16];
        mov.u64 u0, depot; cvta.local.u64 u1, u0;
        st.local.u32 [u0], lane; add.u32 t0, lane, 7; st.u32 [u1+4], t0;
        ld.u32 t1, [u1]; ld.local.u32 t2, [u0+4]; mad.lo.u32 d, t2, 100, t1;"""
    lane = np.arange(32)
    assert np.array_equal(evaluate(code, np.uint32), 100 * (lane + 7) + lane)
    with pytest.raises(OutOfBounds, match="local memory"):
        evaluate(code.replace("[u0+4]", "[u0+16]"), np.uint32)


def test_generic_addresses_find_their_space() -> None:
    text = """extern "C" __global__ void k(unsigned* out) {
        __shared__ unsigned tile[32];
        unsigned* p = tile;
        asm volatile("st.u32 [%0], %1;" ::"l"(p + threadIdx.x), "r"(threadIdx.x * 3) : "memory");
        __syncthreads();
        unsigned v;
        asm volatile("ld.u32 %0, [%1];" : "=r"(v) : "l"(p + 31 - threadIdx.x) : "memory");
        asm volatile("st.u32 [%0], %1;" ::"l"(out + threadIdx.x), "r"(v) : "memory"); }"""
    run = Run(text, [128])
    assert np.array_equal(run.result(0, np.uint32), 3 * (31 - np.arange(32)))
    assert run.counts.bytes["ld.shared"] == run.counts.bytes["st.global"] == 128


def test_special_registers_tell_the_place_in_the_launch() -> None:
    text = """extern "C" __global__ void k(unsigned* out) {
        unsigned sm, sms, lane, warp, dyn;
        asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
        asm volatile("mov.u32 %0, %%nsmid;" : "=r"(sms));
        asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
        asm volatile("mov.u32 %0, %%warpid;" : "=r"(warp));
        asm volatile("mov.u32 %0, %%dynamic_smem_size;" : "=r"(dyn));
        unsigned t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
        unsigned b = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
        unsigned* at = out + 4 * (b * blockDim.x * blockDim.y * blockDim.z + t);
        at[0] = sm * 100 + sms; at[1] = lane * 100 + warp; at[2] = b; at[3] = dyn; }"""
    machine = Machine(sms=3)
    out = machine.memory.allocate(4 * 4 * 12 * 48)
    module = Loaded(machine, compiled(text).ptx)
    execute(machine, module, "k", (2, 3, 2), (4, 6, 2), [out], shared=128)
    got = out.array.view(np.uint32).reshape(12, 48, 4)
    assert np.array_equal(got[:, 0, 0], (2 * (np.arange(12) % 3) + 1) * 100 + 7)
    assert np.array_equal(got[5, :, 1], np.arange(48) % 32 * 100 + np.arange(48) // 32)
    assert np.array_equal(got[:, 7, 2], np.arange(12))
    assert (got[:, :, 3] == 128).all()


def test_clocks_grow_with_each_step_and_repeat() -> None:
    text = """extern "C" __global__ void k(long long* out) {
        long long a = clock64();
        unsigned long long n0, n1;
        asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(n0) :: "memory");
        for (int i = 0; i < 5; ++i) asm volatile("nanosleep.u32 20;" ::: "memory");
        asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(n1) :: "memory");
        out[0] = clock64() - a; out[1] = n1 - n0; }"""
    first, second = (Run(text, [16], block=1).result(0, np.int64) for _ in range(2))
    assert first[0] > first[1] > 5
    assert np.array_equal(first, second)


def test_an_endless_loop_runs_out_of_fuel() -> None:
    text = """extern "C" __global__ void k(volatile unsigned* flag) { while (*flag == 0) {} }"""
    with pytest.raises(FuelExhausted, match=r"fuel exhausted: 32 threads at .*block 0, thread 0"):
        Run(text, [np.zeros(1, "u4")], fuel=2000)


SPIN = """extern "C" __global__ void k(volatile unsigned* flag, unsigned* out) {
    if (blockIdx.x == 0) { while (flag[0] == 0) {} }
    if (blockIdx.x == 1 && threadIdx.x == 0) {
        for (int i = 0; i < 50; ++i) out[64] = i;
        flag[0] = 1;
    }
    out[blockDim.x * blockIdx.x + threadIdx.x] = flag[0]; }"""


def test_blocks_may_wait_for_each_other_where_they_are_resident_together() -> None:
    run = Run(SPIN, [np.zeros(1, "u4"), np.zeros(65, "u4")], grid=2)
    assert (run.result(1, np.uint32)[:32] == 1).all()
    alone = Machine(sms=1, resident=32)  # the second block starts after the first block has ended
    with pytest.raises(FuelExhausted):
        Run(SPIN, [np.zeros(1, "u4"), np.zeros(65, "u4")], grid=2, machine=alone, fuel=3000)


def test_threads_of_one_warp_may_wait_for_each_other() -> None:
    text = """extern "C" __global__ void k(volatile unsigned* flag, unsigned* out) {
        if (threadIdx.x != 7) { while (flag[0] == 0) {} } else flag[0] = 3;
        out[threadIdx.x] = flag[0]; }"""
    run = Run(text, [np.zeros(1, "u4"), 128], fuel=100_000)
    assert (run.result(1, np.uint32) == 3).all()


def test_deadlock_and_fuel_are_different_things() -> None:
    assert not issubclass(Deadlock, FuelExhausted)
    with pytest.raises(EmulationError, match="trap"):
        evaluate("setp.eq.u32 p, lane, 3; @p trap; mov.u32 d, 0;", np.uint32)


def test_prefetches_are_counted_and_checked() -> None:
    text = """extern "C" __global__ void k(const char* in) {
        asm volatile("prefetch.global.L2 [%0];" ::"l"(in + 128 * threadIdx.x)); }"""
    run = Run(text, [np.zeros(4096, np.uint8)])
    assert run.counts.requests["prefetch.global"] == 1
    assert run.counts.sectors["prefetch.global"] == 32
    assert run.counts.loaded == 0
    with pytest.raises(OutOfBounds):
        Run(text, [np.zeros(4095 - 127, np.uint8)])
