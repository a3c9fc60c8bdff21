// Copies of KV-cache blocks from one pool to another, in any order.
//
// A pool is an array of blocks of the same size. Block from[i] of the source is copied to block
// to[i] of the target, for every i < blocks; no block occurs twice in `to`. Either pool may be in
// mapped host memory. The grid limits the SMs that the copy occupies.

#include "bulk.cuh"
#include "system.cuh"

#ifndef UNROLL
#define UNROLL 4
#endif

// One warp moves a tile of UNROLL * 512 bytes at a time. A KV block has `vectors` vectors of 16
// bytes; thread blocks have a multiple of 32 threads. One launch reads and writes 16 * vectors *
// blocks bytes, and every lane reads two words of the tables per tile.
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

// The same copy as kv_move, but with bulk copies (TMA) through shared memory, for compute
// capability 9.0 and newer. One thread of each thread block keeps four pieces of 8 KiB arriving and
// four pieces leaving. The kernel needs 64 KiB of dynamic shared memory. A KV block has `bytes`
// bytes, a multiple of 16.
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
    __trap();  // the bench checks the compute capability first
#endif
}
