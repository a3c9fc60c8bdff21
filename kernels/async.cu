// Three methods to copy data from global memory into shared memory: plain loads, cp.async, and bulk
// copies.
//
// Block b copies tiles b, b + blocks, ... A tile has `vectors` vectors of 16 bytes. STAGES tiles
// are in flight, in a ring of STAGES tiles in dynamic shared memory. After the data have arrived in
// shared memory, the block sums the data. With plain loads and cp.async, a thread reads only data
// that the same thread copied, so that no thread waits for other threads.

#include "bulk.cuh"

#ifndef STAGES
#define STAGES 2
#endif

namespace {

constexpr unsigned kBlock = 256;
constexpr int kInFlight = 4;

extern __shared__ __align__(128) uint4 ring[];

__device__ __forceinline__ unsigned sum_of_tile(const uint4* tile, unsigned vectors) {
    unsigned sum = 0;
    // signed, because an unsigned count may wrap, and the compiler would check the end in each step
    const int end = static_cast<int>(vectors);
#pragma unroll 4
    for (int i = static_cast<int>(threadIdx.x); i < end; i += static_cast<int>(kBlock)) {
        uint4 v;  // asm, because the compiler would split the load
        asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                     : "r"(shared_address(tile + i))
                     : "memory");
        sum += sum_of(v);
    }
    return sum;
}

}  // namespace

// Copies through registers, one tile at a time, with kInFlight vectors in flight per thread.
extern "C" __global__ void __launch_bounds__(kBlock, 1)
    async_ld(unsigned* __restrict__ sums, const uint4* __restrict__ a, unsigned vectors,
             unsigned tiles) {
    unsigned sum = 0;
#pragma unroll 1
    for (unsigned t = blockIdx.x; t < tiles; t += gridDim.x) {
        const uint4* const from = a + static_cast<size_t>(t) * vectors;
        unsigned i = threadIdx.x;
#pragma unroll 1
        for (; i + (kInFlight - 1) * kBlock < vectors; i += kInFlight * kBlock) {
            uint4 got[kInFlight];
#pragma unroll
            for (int k = 0; k < kInFlight; ++k) got[k] = from[i + k * kBlock];
#pragma unroll
            for (int k = 0; k < kInFlight; ++k) ring[i + k * kBlock] = got[k];
        }
#pragma unroll 1
        for (; i < vectors; i += kBlock) ring[i] = from[i];
        sum += sum_of_tile(ring, vectors);
    }
    add_block_sum(sums, sum);
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800

namespace {

__device__ __forceinline__ void copy_tile(uint4* to, const uint4* from, unsigned vectors) {
    const int end = static_cast<int>(vectors);  // signed, as in sum_of_tile
#pragma unroll 4
    for (int i = static_cast<int>(threadIdx.x); i < end; i += static_cast<int>(kBlock))
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to + i)),
                     "l"(from + i)
                     : "memory");
}

__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

}  // namespace

extern "C" __global__ void __launch_bounds__(kBlock)
    async_cp(unsigned* __restrict__ sums, const uint4* __restrict__ a, unsigned vectors,
             unsigned tiles) {
    // Each turn commits a group, even an empty group if there are no more tiles. So the block
    // always needs the oldest of STAGES groups.
    unsigned next = blockIdx.x, sum = 0;
#pragma unroll 1
    for (int s = 0; s < STAGES; ++s, next += gridDim.x) {
        if (next < tiles) copy_tile(ring + s * vectors, a + size_t{next} * vectors, vectors);
        commit();
    }
    unsigned stage = 0;
#pragma unroll 1
    for (unsigned t = blockIdx.x; t < tiles; t += gridDim.x, next += gridDim.x) {
        uint4* const tile = ring + stage * vectors;
        asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 1) : "memory");
        sum += sum_of_tile(tile, vectors);
        if (next < tiles) copy_tile(tile, a + size_t{next} * vectors, vectors);
        commit();
        stage = stage + 1 < STAGES ? stage + 1 : 0;
    }
    asm volatile("cp.async.wait_all;" ::: "memory");
    add_block_sum(sums, sum);
}

#endif

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900

// One thread requests whole tiles; one mbarrier per stage signals the arrival of a tile.
extern "C" __global__ void __launch_bounds__(kBlock)
    async_bulk(unsigned* __restrict__ sums, const uint4* __restrict__ a, unsigned vectors,
               unsigned tiles) {
    __shared__ unsigned long long arrived[STAGES];
    const unsigned bytes = vectors * 16, first = shared_address(arrived);
    unsigned next = blockIdx.x, sum = 0;
    if (threadIdx.x == 0) make_barriers(first, STAGES);
    __syncthreads();
#pragma unroll 1
    for (int s = 0; s < STAGES; ++s, next += gridDim.x) {
        if (threadIdx.x == 0 && next < tiles) {
            expect(first + 8 * s, bytes);
            bulk_load(shared_address(ring + s * vectors), a + size_t{next} * vectors, bytes,
                      first + 8 * s);
        }
    }
    unsigned stage = 0, parity = 0;
#pragma unroll 1
    for (unsigned t = blockIdx.x; t < tiles; t += gridDim.x, next += gridDim.x) {
        uint4* const tile = ring + stage * vectors;
        await(first + 8 * stage, parity);
        sum += sum_of_tile(tile, vectors);
        __syncthreads();  // all threads have read the tile: request the next one
        if (threadIdx.x == 0 && next < tiles) {
            expect(first + 8 * stage, bytes);
            bulk_load(shared_address(tile), a + size_t{next} * vectors, bytes, first + 8 * stage);
        }
        if (++stage == STAGES) {
            stage = 0;
            parity ^= 1;
        }
    }
    add_block_sum(sums, sum);
}

#endif
