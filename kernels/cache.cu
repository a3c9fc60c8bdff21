// Repeated reads or writes of one working set within one launch.
//
// The set consists of chunks of 16 KiB. The number of chunks is a power of two. For one chunk, each
// of the 1024 threads of a block makes one access of 16 bytes. Block b makes the visits
// b * spread + step * i (i = 0, 1, ...) below its end, and visit v accesses chunk v modulo the
// number of chunks. With spread 1, step = blocks and a common end, the blocks move through the set
// together and visit every chunk once per lap. If the number of blocks is odd, each lap begins at a
// different block. So each SM accesses lines from both partitions of the L2 cache.
// With step 1 and a separate end, each block moves through the whole set alone, so that its L1
// cache serves the part of the set that fits in L1.

#include "device.cuh"

// The cache operator of a load, with the dot; empty for a load without operator, as in ordinary
// kernels.
#ifndef HINT
#define HINT ".cg"
#endif

namespace {

constexpr unsigned kBlock = 1024;
constexpr int kInFlight = 4;

__device__ __forceinline__ uint4 load(const uint4* from) {
    uint4 v;
    asm("ld.global" HINT ".v4.u32 {%0, %1, %2, %3}, [%4];"
        : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
        : "l"(from));
    return v;
}

}  // namespace

// sums[block] += sum of the words that the block read. If `own` is not 0, `end` is relative to the
// block's first visit.
extern "C" __global__ void __launch_bounds__(kBlock)
    cache_read(unsigned* __restrict__ sums, const uint4* __restrict__ a, unsigned mask,
               unsigned spread, unsigned step, unsigned end, unsigned own) {
    unsigned v = blockIdx.x * spread, sum = 0;
    if (own) end += v;
    const uint4* const mine = a + threadIdx.x;
#pragma unroll 1
    for (; v + (kInFlight - 1) * step < end; v += kInFlight * step) {
        uint4 got[kInFlight];
#pragma unroll
        for (int k = 0; k < kInFlight; ++k)
            got[k] = load(mine + static_cast<size_t>((v + k * step) & mask) * kBlock);
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) sum += sum_of(got[k]);
    }
#pragma unroll 1
    for (; v < end; v += step) sum += sum_of(load(mine + static_cast<size_t>(v & mask) * kBlock));
    add_block_sum(sums, sum);
}

// Writes pattern(i, salt) to word i of the set. The value does not depend on the block that writes.
extern "C" __global__ void __launch_bounds__(kBlock)
    cache_write(uint4* __restrict__ a, unsigned salt, unsigned mask, unsigned step, unsigned end) {
    const auto put = [=](unsigned v) {
        const size_t i = static_cast<size_t>(v & mask) * kBlock + threadIdx.x;
        a[i] = make_uint4(pattern_word(4 * i, salt), pattern_word(4 * i + 1, salt),
                          pattern_word(4 * i + 2, salt), pattern_word(4 * i + 3, salt));
    };
    // The loop works in tiles, because in an unrolled loop with an unknown stride the compiler
    // checks the end at each access.
    unsigned v = blockIdx.x;
#pragma unroll 1
    for (; v + (kInFlight - 1) * step < end; v += kInFlight * step) {
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) put(v + k * step);
    }
#pragma unroll 1
    for (; v < end; v += step) put(v);
}
