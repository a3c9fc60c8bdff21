// SM accesses to mapped host memory, in blocks of 2^shift vectors of 16 bytes.
//
// There are n vectors, a power of two, and in them n / 2^shift blocks.  The b-th block that is
// visited is b * factor modulo their number: an odd factor visits each once, 1 in their order.
// Threads with neighbouring numbers work on neighbouring vectors of a block.

#include "system.cuh"

#ifndef UNROLL
#define UNROLL 4
#endif

namespace {

constexpr unsigned kStep = 0x9e3779b1u;  // as in pattern.cu

// In 32 bits, for up to 64 GiB: n may be 2^32, and then the mask of blocks is that of all words.
__device__ __forceinline__ unsigned place(size_t i, size_t n, unsigned shift, unsigned factor) {
    const unsigned index = static_cast<unsigned>(i);
    const unsigned block = (index >> shift) * factor & static_cast<unsigned>((n >> shift) - 1);
    return block << shift | (index & ((1u << shift) - 1));
}

}  // namespace

// *sum += wrapping sum of the 32-bit words of all n vectors: 16 n bytes are read in one launch.
// Blocks are a multiple of 32 threads.
extern "C" __global__ void __launch_bounds__(512)
    zerocopy_read(unsigned* __restrict__ sum, const Quad* __restrict__ a, size_t n, unsigned shift,
                  unsigned factor) {
    unsigned mine = 0;
    in_flight<UNROLL>(
        n, [=](size_t i) { return a + place(i, n, shift, factor); },
        [](const Quad* at) { return fetch(at); },
        [&](size_t, Quad v) {
#pragma unroll
            for (int k = 0; k < 4; ++k) mine += v.word[k];
        });
    for (int lanes = 16; lanes > 0; lanes /= 2) mine += __shfl_down_sync(0xffffffff, mine, lanes);
    if (threadIdx.x % 32 == 0) atomicAdd(sum, mine);
}

// Every word of the n vectors gets the pattern of its index: 16 n bytes are written in one launch.
extern "C" __global__ void __launch_bounds__(512)
    zerocopy_write(Quad* __restrict__ a, size_t n, unsigned shift, unsigned factor, unsigned salt) {
    in_flight<UNROLL>(
        n, [=](size_t i) { return place(i, n, shift, factor); },
        [=](unsigned at) {
            const unsigned first = 4u * at;
            Quad v;
#pragma unroll
            for (unsigned k = 0; k < 4; ++k) v.word[k] = (first + k) * kStep + salt;
            return v;
        },
        [=](size_t i, Quad v) { a[place(i, n, shift, factor)] = v; });
}
