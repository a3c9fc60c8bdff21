// Reads of the pages that a table lists, similar to reads of a paged KV cache.
//
// The pages of a launch form a sequence of vectors of 16 bytes. A page has 16 << bits bytes; vector
// v is in page (table[v >> bits] + shift) modulo `pages`, at index v modulo 2^bits. Neighbouring
// threads read neighbouring vectors, so that a warp reads a large page as a stream, and 16 pages of
// 32 bytes at a time. With a different shift (less than `pages`) in each launch, the same table
// lists different pages.

#include "device.cuh"

namespace {

constexpr unsigned kBlock = 512;
constexpr int kInFlight = 4;

__device__ __forceinline__ unsigned shifted(unsigned page, unsigned shift, unsigned pages) {
    const unsigned rest = pages - shift;
    return page < rest ? page + shift : page - rest;
}

}  // namespace

// sums[block] += sum of the words that the block read. `vectors` is a multiple of 2^bits.
extern "C" __global__ void __launch_bounds__(kBlock)
    gather_read(unsigned* __restrict__ sums, const uint4* __restrict__ pages,
                const unsigned* __restrict__ table, unsigned bits, size_t vectors, unsigned shift,
                unsigned pages_in_all) {
    const size_t step = static_cast<size_t>(kBlock) * kInFlight * gridDim.x;
    const unsigned within = (1u << bits) - 1u;
    unsigned sum = 0;
    size_t v = static_cast<size_t>(kBlock) * kInFlight * blockIdx.x + threadIdx.x;
#pragma unroll 1
    for (; v + (kInFlight - 1) * kBlock < vectors; v += step) {
        uint4 got[kInFlight];
        unsigned page[kInFlight];
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) page[k] = table[(v + k * kBlock) >> bits];
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) {
            const size_t at = shifted(page[k], shift, pages_in_all);
            got[k] = pages[(at << bits) + ((v + k * kBlock) & within)];
        }
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) sum += sum_of(got[k]);
    }
#pragma unroll 1
    for (; v < vectors; v += kBlock) {
        const size_t at = shifted(table[v >> bits], shift, pages_in_all);
        sum += sum_of(pages[(at << bits) + (v & within)]);
    }
    add_block_sum(sums, sum);
}
