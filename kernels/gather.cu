// Reads of pages that a table names, as a paged KV cache is read.
//
// The pages of a launch are one long row of vectors of 16 bytes: vector v lies in page
// table[v >> bits] of 16 << bits bytes, at v modulo 2^bits.  Neighbouring threads take neighbouring
// vectors, so that a warp reads a large page as a stream and 16 pages of 32 bytes at a time.

#include "device.cuh"

namespace {

constexpr unsigned kBlock = 512;
constexpr int kInFlight = 4;

}  // namespace

// sums[block] += sum of the words that the block read.  `vectors` is a multiple of 2^bits.
extern "C" __global__ void __launch_bounds__(kBlock)
    gather_read(unsigned* __restrict__ sums, const uint4* __restrict__ pages,
                const unsigned* __restrict__ table, unsigned bits, size_t vectors) {
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
            const size_t at = (static_cast<size_t>(page[k]) << bits) + ((v + k * kBlock) & within);
            got[k] = pages[at];
        }
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) sum += sum_of(got[k]);
    }
#pragma unroll 1
    for (; v < vectors; v += kBlock)
        sum += sum_of(pages[(static_cast<size_t>(table[v >> bits]) << bits) + (v & within)]);
    add_block_sum(sums, sum);
}
