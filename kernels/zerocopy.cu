// Accesses of the SMs to mapped host memory, in blocks of 2^shift vectors of 16 bytes.
//
// The n vectors (a power of two) form n / 2^shift blocks. Visit b accesses block b * factor, modulo
// the number of blocks. With an odd factor, the kernel visits each block once; with factor 1, in
// order. Neighbouring threads access neighbouring vectors of a block.

#include "system.cuh"

#ifndef UNROLL
#define UNROLL 4
#endif

namespace {

constexpr unsigned kStep = 0x9e3779b1u;  // the same number as in pattern.cu

// The arithmetic has 32 bits, which suffices for up to 64 GiB: for n = 2^32, the mask of the blocks
// has all bits set.
__device__ __forceinline__ unsigned place(size_t i, size_t n, unsigned shift, unsigned factor) {
    const unsigned index = static_cast<unsigned>(i);
    const unsigned block = (index >> shift) * factor & static_cast<unsigned>((n >> shift) - 1);
    return block << shift | (index & ((1u << shift) - 1));
}

}  // namespace

// *sum += sum, modulo 2^32, of the 32-bit words of all n vectors. One launch reads 16 n bytes.
// Thread blocks have a multiple of 32 threads.
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

// Writes the pattern to every word of the n vectors. One launch writes 16 n bytes.
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
