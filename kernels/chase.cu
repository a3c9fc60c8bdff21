// One thread follows pointers: every load needs the value of the previous load.
//
// A ring goes through `lines` lines of 128 bytes. Each line begins with the address of the next
// line. A bijection `place` on the line numbers gives the order: the i-th line of the ring is
// place(i), and contains the address of place(i + 1). So the ring is one cycle by construction, all
// threads can build the ring at once, and the host can compute the end of k hops without a walk.
// The bijection mixes the low bits of i within windows of `window` lines (a power of two) and keeps
// the other bits. A single window gives a random order. With small windows, the chase finishes one
// window, which needs few address translations, before the next window. If the mixed number is
// beyond the last line, the function mixes the number again until it is the number of a line. So
// the function is also a bijection on an incomplete window.

#include "device.cuh"

// The cache operator of a load, with the dot: ".ca", ".cg" or ".cv". Ordinary kernels use loads
// without an operator, which are a different instruction than loads with ".ca".
#ifndef HINT
#define HINT ""
#endif

#ifndef LOADS
#define LOADS 32
#endif

namespace {

constexpr unsigned kLine = 128;

// Each of the three steps is a bijection on [0, 2^bits): multiplication by an odd factor, addition
// of a constant, xor with a right shift by at least one.
__device__ __forceinline__ unsigned mix(unsigned x, unsigned bits, unsigned seed) {
    const unsigned mask = (1u << bits) - 1u, shift = bits / 2u + 1u;
#pragma unroll
    for (unsigned round = 0; round < 4; ++round) {
        x = (x * 0x9e3779b1u + (seed >> (8u * round))) & mask;
        x ^= x >> shift;
        x = (x * 0x85ebca6bu) & mask;
        x ^= x >> shift;
    }
    return x;
}

__device__ __forceinline__ unsigned place(unsigned i, unsigned lines, unsigned bits,
                                          unsigned seed) {
    const unsigned window = i >> bits, first = window << bits;
    unsigned x = i & ((1u << bits) - 1u);
    do x = mix(x, bits, seed + window * 0xc2b2ae35u);
    while (x >= lines - first);
    return first | x;
}

__device__ __forceinline__ unsigned long long follow(unsigned long long address) {
    unsigned long long next;
    asm volatile("ld.global" HINT ".u64 %0, [%1];" : "=l"(next) : "l"(address) : "memory");
    return next;
}

}  // namespace

// Links the ring in the `lines` lines at `base`. A window has 2^bits lines.
extern "C" __global__ void __launch_bounds__(1024)
    chase_link(char* __restrict__ base, unsigned lines, unsigned bits, unsigned seed) {
    const unsigned step = blockDim.x * gridDim.x;
#pragma unroll 1
    for (unsigned i = blockDim.x * blockIdx.x + threadIdx.x; i < lines; i += step) {
        const unsigned next = i + 1 < lines ? i + 1 : 0;
        char* const line = base + static_cast<size_t>(place(i, lines, bits, seed)) * kLine;
        *reinterpret_cast<char**>(line) =
            base + static_cast<size_t>(place(next, lines, bits, seed)) * kLine;
    }
}

// Makes LOADS * turns hops from the line at `at`. out = {address at the end, nanoseconds, cycles}.
// The thread reads both clocks before it issues the first load and after the last load has
// returned.
extern "C" __global__ void __launch_bounds__(1)
    chase_run(unsigned long long* __restrict__ out, unsigned long long at, unsigned turns) {
    const unsigned long long ns = device_ns();
    const long long cycles = clock64();
#pragma unroll 1
    for (unsigned turn = 0; turn < turns; ++turn) {
#pragma unroll
        for (int k = 0; k < LOADS; ++k) at = follow(at);
    }
    // `at` is an operand of the clock read, so the thread reads the clock after `at` has arrived.
    long long cycles_after;
    asm volatile(
        "{ .reg .pred p; setp.ne.u64 p, %1, 0; @p mov.u64 %0, %%clock64; @!p mov.u64 %0, 0; }"
        : "=l"(cycles_after)
        : "l"(at)
        : "memory");
    const unsigned long long ns_after = device_ns();
    out[0] = at;
    out[1] = ns_after - ns;
    out[2] = static_cast<unsigned long long>(cycles_after - cycles);
}

// Makes `hops` hops from the line at `at`, and times each hop. took[hop] = cycles of a hop,
// including one clock read. out = {address at the end, cycles between two consecutive clock reads}.
extern "C" __global__ void __launch_bounds__(1)
    chase_hops(unsigned long long* __restrict__ out, unsigned* __restrict__ took,
               unsigned long long at, unsigned hops) {
    extern __shared__ unsigned cycles[];  // a store to global memory would disturb the next hop
    const unsigned pair = clock_pair(at);
#pragma unroll 1
    for (unsigned hop = 0; hop < hops; ++hop) cycles[hop] = timed_hop<follow>(at);
    out[0] = at;
    out[1] = pair;
    for (unsigned hop = 0; hop < hops; ++hop) took[hop] = cycles[hop];
}
