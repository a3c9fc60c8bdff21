// Traffic from many SMs, and one thread that follows pointers at the same time.
//
// Each warp of the generator has a region of `chunks` chunks of 4 KiB, and cycles through the
// region. Of every six chunks, the warp reads the first `reads` chunks and writes the other chunks.
// The generator counts its bytes, so that no performance counter is needed. The chase starts when
// every block has moved data. When the chase ends, the chase signals the generator to stop. In any
// case the generator ends at its deadline.

#include "device.cuh"

#ifndef LOADS
#define LOADS 32
#endif

namespace {

constexpr unsigned kBlock = 1024;
constexpr unsigned kVectors = 256;  // vectors per chunk: eight per lane
constexpr int kEach = kVectors / 32;
constexpr unsigned kApart = 16;  // words between two counters, so that each has a line
constexpr unsigned kPoison = 0xa5a5a5a5u;

__device__ __forceinline__ unsigned long long moved_by(const unsigned long long* moved,
                                                       unsigned blocks) {
    unsigned long long sum = 0;
#pragma unroll 8
    for (unsigned b = 0; b < blocks; ++b) {
        unsigned long long x;
        asm volatile("ld.volatile.global.u64 %0, [%1];" : "=l"(x) : "l"(moved + b * kApart));
        sum += x;
    }
    return sum;
}

__device__ __forceinline__ unsigned long long follow(unsigned long long address) {
    unsigned long long next;
    asm volatile("ld.global.u64 %0, [%1];" : "=l"(next) : "l"(address) : "memory");
    return next;
}

// volatile keeps the order of the source, so that a whole chunk is in flight at once.
__device__ __forceinline__ uint4 load(const uint4* from) {
    uint4 v;
    asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(from)
                 : "memory");
    return v;
}

__device__ __forceinline__ uint4 content(size_t vector, unsigned salt) {
    return make_uint4(pattern_word(4 * vector, salt), pattern_word(4 * vector + 1, salt),
                      pattern_word(4 * vector + 2, salt), pattern_word(4 * vector + 3, salt));
}

}  // namespace

// Fills chunks to be read with the pattern, and chunks to be written with poison.
extern "C" __global__ void __launch_bounds__(kBlock)
    loaded_prepare(uint4* __restrict__ memory, size_t vectors, unsigned chunks, unsigned reads,
                   unsigned salt) {
    const size_t step = static_cast<size_t>(blockDim.x) * gridDim.x;
#pragma unroll 1
    for (size_t i = static_cast<size_t>(blockDim.x) * blockIdx.x + threadIdx.x; i < vectors;
         i += step) {
        const bool read = i / kVectors % chunks % 6 < reads;
        memory[i] = read ? content(i, salt) : make_uint4(kPoison, kPoison, kPoison, kPoison);
    }
}

// done[warp] = {chunks, sum of the words read}. moved[block * kApart] grows by 4096 bytes per
// chunk. where[block] = 1 + number of the SM.
extern "C" __global__ void __launch_bounds__(kBlock, 1)
    loaded_generate(uint4* memory, unsigned chunks, unsigned reads, unsigned salt, unsigned pause,
                    const unsigned* stop, unsigned long long* moved, uint2* done, unsigned* where,
                    unsigned long long deadline_ns) {
    const unsigned lane = threadIdx.x % 32;
    const unsigned warp = (blockIdx.x * kBlock + threadIdx.x) / 32;
    const size_t region = static_cast<size_t>(warp) * chunks * kVectors + lane;
    const unsigned long long begin = device_ns();
    unsigned sum = 0, count = 0, chunk = 0, phase = 0;
    if (threadIdx.x == 0) where[blockIdx.x] = 1 + device_sm();
    // The warps do not start all at once. Each warp begins at a different time within the first
    // pause, and keeps this offset.
    const long long start = clock64();
    const long long late = static_cast<long long>(pause) * ((warp * 0x9e3779b1u) >> 16) >> 16;
#pragma unroll 1
    while (clock64() - start < late) asm volatile("" ::: "memory");
#pragma unroll 1
    while (true) {
        const long long from = clock64();
        unsigned halt;  // loaded before the chunk, needed after the chunk
        asm volatile("ld.volatile.global.u32 %0, [%1];" : "=r"(halt) : "l"(stop));
        const size_t i = region + static_cast<size_t>(chunk) * kVectors;
        if (phase < reads) {
            uint4 got[kEach];
#pragma unroll
            for (int k = 0; k < kEach; ++k) got[k] = load(memory + i + 32 * k);
#pragma unroll
            for (int k = 0; k < kEach; ++k) sum += sum_of(got[k]);
        } else {
#pragma unroll
            for (int k = 0; k < kEach; ++k) memory[i + 32 * k] = content(i + 32 * k, salt);
        }
        if (lane == 0)
            asm volatile(
                "red.relaxed.gpu.global.add.u64 [%0], 4096;" ::"l"(moved + blockIdx.x * kApart)
                : "memory");
        ++count;
        if (++phase == 6) phase = 0;
        if (++chunk == chunks) chunk = phase = 0;
        if (halt) break;
        if (count % 64 == 0 && device_ns() - begin > deadline_ns) break;
        if (pause != 0) {
#pragma unroll 1
            while (clock_after(sum) - from < pause) asm volatile("" ::: "memory");
        }
    }
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffff, sum, offset);
    if (lane == 0) done[warp] = make_uint2(count, sum);
}

// A sample is LOADS * turns hops in one span, then `hops` hops that are timed individually, all
// while the traffic runs.
//
// out = {address at the end of all hops, blocks that were running, 1 + number of the SM, cycles of
// all samples, nanoseconds of all samples, cycles between two consecutive clock reads, 0, 0}. For
// sample s, out[8 + 4 s ...] = {nanoseconds of the LOADS * turns hops, nanoseconds between the two
// counts of bytes, bytes between the two counts, bytes moved during the single hops}. took[hops * s
// ...] = cycles of the single hops of sample s.
//
// The time runs from the start of one count of bytes to the start of the next count, so that the
// duration of counting cancels.
//
// Single hops are between the second count of a sample and the first count of the next sample, so
// that they affect neither the time nor the bytes of a sample. The cycles of single hops stay in
// shared memory until the traffic stops. Stores to global memory would add traffic, and the next
// hop would wait for these stores.
extern "C" __global__ void __launch_bounds__(1)
    loaded_chase(unsigned long long* __restrict__ out, unsigned* __restrict__ took,
                 unsigned long long at, unsigned turns, unsigned hops, unsigned samples,
                 const unsigned long long* moved, unsigned blocks, unsigned* stop,
                 unsigned long long deadline_ns) {
    extern __shared__ unsigned cycles[];
    const unsigned long long waiting = device_ns();
    unsigned running = 0;
#pragma unroll 1
    while (running < blocks) {
        unsigned long long x;
        asm volatile("ld.volatile.global.u64 %0, [%1];" : "=l"(x) : "l"(moved + running * kApart));
        if (x != 0) {
            ++running;
        } else if (device_ns() - waiting > deadline_ns) {
            break;
        }
    }
    const long long first_cycle = clock64();
    unsigned long long counted_at = device_ns();
    const unsigned long long first_ns = counted_at;
    unsigned long long bytes = moved_by(moved, blocks);
    unsigned timed = 0;
#pragma unroll 1
    for (unsigned s = 0; s < samples; ++s) {
        const unsigned long long begin = device_ns();
#pragma unroll 1
        for (unsigned turn = 0; turn < turns; ++turn) {
#pragma unroll
            for (int k = 0; k < LOADS; ++k) at = follow(at);
        }
        const long long arrived = clock_after(static_cast<unsigned>(at));
        const unsigned long long end = device_ns();
        const unsigned long long now = moved_by(moved, blocks);
#pragma unroll 1
        for (unsigned hop = 0; hop < hops; ++hop) cycles[timed++] = timed_hop<follow>(at);
        out[8 + 4 * s] = arrived != 0 ? end - begin : 0;
        out[9 + 4 * s] = end - counted_at;
        out[10 + 4 * s] = now - bytes;
        counted_at = device_ns();
        bytes = moved_by(moved, blocks);
        out[11 + 4 * s] = bytes - now;
    }
    out[0] = at;
    out[1] = running;
    out[2] = 1 + device_sm();
    out[3] = static_cast<unsigned long long>(clock64() - first_cycle);
    out[4] = device_ns() - first_ns;
    asm volatile("st.volatile.global.u32 [%0], 1;" ::"l"(stop) : "memory");
    out[5] = clock_pair(at);
#pragma unroll 1
    for (unsigned hop = 0; hop < timed; ++hop) took[hop] = cycles[hop];
}

// Checks whether every chunk contains the data that the warp must have left there after `done`
// chunks. found[0] += number of wrong vectors.
extern "C" __global__ void __launch_bounds__(kBlock)
    loaded_check(unsigned long long* __restrict__ found, const uint4* __restrict__ memory,
                 size_t vectors, unsigned chunks, unsigned reads, unsigned salt,
                 const uint2* __restrict__ done) {
    const size_t step = static_cast<size_t>(blockDim.x) * gridDim.x;
#pragma unroll 1
    for (size_t i = static_cast<size_t>(blockDim.x) * blockIdx.x + threadIdx.x; i < vectors;
         i += step) {
        const size_t place = i / kVectors;
        const unsigned chunk = static_cast<unsigned>(place % chunks);
        const bool known = chunk % 6 < reads || chunk < done[place / chunks].x;
        const uint4 is = memory[i];
        const uint4 must =
            known ? content(i, salt) : make_uint4(kPoison, kPoison, kPoison, kPoison);
        if (is.x != must.x || is.y != must.y || is.z != must.z || is.w != must.w)
            atomicAdd(found, 1ull);
    }
}
