// Blocks of a KV cache from one pool to another, both in any order.
//
// A pool is an array of blocks of the same size.  Block from[i] of the source becomes block to[i]
// of the target, for every i < blocks; no block stands twice in `to`.  Either pool may lie in
// mapped host memory.  The grid is the cap on the SMs that the copy occupies.

#include "bulk.cuh"
#include "system.cuh"

#ifndef UNROLL
#define UNROLL 4
#endif

// One warp moves UNROLL * 512 bytes at a time.  `vectors` of 16 bytes are a block; blocks are a
// multiple of 32 threads.  One launch reads and writes 16 * vectors * blocks bytes, and every lane
// reads two words of the tables a tile.
extern "C" __global__ void __launch_bounds__(512)
    kv_move(Quad* __restrict__ target, const Quad* __restrict__ source,
            const unsigned* __restrict__ to, const unsigned* __restrict__ from, unsigned blocks,
            unsigned vectors) {
    constexpr unsigned kTile = 32 * UNROLL;
    const unsigned tiles = (vectors + kTile - 1) / kTile;
    const unsigned lane = threadIdx.x % 32;
    const unsigned warps = blockDim.x / 32 * gridDim.x;
    const size_t all = static_cast<size_t>(tiles) * blocks;
#pragma unroll 1
    for (size_t tile = blockDim.x / 32 * blockIdx.x + threadIdx.x / 32; tile < all; tile += warps) {
        const unsigned block = static_cast<unsigned>(tile / tiles);
        const unsigned first = static_cast<unsigned>(tile % tiles) * kTile + lane;
        const Quad* const in = source + static_cast<size_t>(from[block]) * vectors + first;
        Quad* const out = target + static_cast<size_t>(to[block]) * vectors + first;
        Quad got[UNROLL];
#pragma unroll
        for (unsigned k = 0; k < UNROLL; ++k)
            if (first + 32 * k < vectors) got[k] = fetch(in + 32 * k);
#pragma unroll
        for (unsigned k = 0; k < UNROLL; ++k)
            if (first + 32 * k < vectors) out[32 * k] = got[k];
    }
}

// The same through shared memory by bulk copies (TMA), from compute capability 9.0 on: one thread
// of each block keeps four pieces of 8 KiB coming and as many going.  Dynamic shared memory:
// 64 KiB.  `bytes` of a block are a multiple of 16.
extern "C" __global__ void __launch_bounds__(32)
    kv_bulk(char* __restrict__ target, const char* __restrict__ source,
            const unsigned* __restrict__ to, const unsigned* __restrict__ from, unsigned blocks,
            unsigned bytes) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
    constexpr unsigned kStageBytes = 8192, kStages = 8, kAhead = 4;
    extern __shared__ __align__(128) char stages[];
    __shared__ __align__(8) unsigned long long barriers[kStages];
    if (threadIdx.x != 0 || blockIdx.x >= blocks) return;
    const unsigned pieces = (bytes + kStageBytes - 1) / kStageBytes;
    const unsigned mine = (blocks - blockIdx.x + gridDim.x - 1) / gridDim.x;
    auto which = [=](size_t p) {
        return blockIdx.x + static_cast<unsigned>(p / pieces) * gridDim.x;
    };
    auto part = [=](size_t p) { return static_cast<unsigned>(p % pieces) * kStageBytes; };
    pump<kStages, kAhead, kStageBytes>(
        static_cast<size_t>(mine) * pieces, stages, barriers,
        [=](size_t p) { return source + static_cast<size_t>(from[which(p)]) * bytes + part(p); },
        [=](size_t p) { return target + static_cast<size_t>(to[which(p)]) * bytes + part(p); },
        [=](size_t p) { return min(kStageBytes, bytes - part(p)); });
#else
    __trap();  // the bench asks for the capability first
#endif
}
