// Blocks of a KV cache from one pool to another, both in any order.
//
// A pool is an array of blocks of the same size.  Block from[i] of the source becomes block to[i]
// of the target, for every i < blocks; no block stands twice in `to`.  Either pool may lie in
// mapped host memory.  The grid is the cap on the SMs that the copy occupies.

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

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

namespace {

constexpr unsigned kStageBytes = 8192, kStages = 8, kAhead = 4;

__device__ __forceinline__ unsigned shared_address(const void* of) {
    return static_cast<unsigned>(__cvta_generic_to_shared(of));
}

__device__ __forceinline__ void await(unsigned barrier, unsigned parity) {
    unsigned done = 0;
    while (done == 0) {
        asm volatile(
            "{ .reg .pred p;\n"
            "  mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
            "  selp.u32 %0, 1, 0, p; }"
            : "=r"(done)
            : "r"(barrier), "r"(parity)
            : "memory");
    }
}

}  // namespace

#endif

// The same through shared memory by bulk copies (TMA), from compute capability 9.0 on: one thread
// of each block keeps kAhead pieces of 8 KiB coming and as many going.  Dynamic shared memory:
// kStages * kStageBytes = 64 KiB.  `bytes` of a block are a multiple of 16.
extern "C" __global__ void __launch_bounds__(32)
    kv_bulk(char* __restrict__ target, const char* __restrict__ source,
            const unsigned* __restrict__ to, const unsigned* __restrict__ from, unsigned blocks,
            unsigned bytes) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
    extern __shared__ __align__(128) char stage[];
    __shared__ __align__(8) unsigned long long barriers[kStages];
    if (threadIdx.x != 0 || blockIdx.x >= blocks) return;
    const unsigned filled = shared_address(barriers), memory = shared_address(stage);
    for (unsigned s = 0; s < kStages; ++s)
        asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(filled + 8 * s) : "memory");
    // The bulk copies must see the barriers as they are now.
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");

    const unsigned pieces = (bytes + kStageBytes - 1) / kStageBytes;
    const unsigned mine = (blocks - blockIdx.x + gridDim.x - 1) / gridDim.x;
    const size_t all = static_cast<size_t>(mine) * pieces;
#pragma unroll 1
    for (size_t p = 0; p < all + kAhead; ++p) {
        if (p < all) {
            // Its stage was piece p - kStages, which must have been read out: of the groups that
            // are committed by now, all but the newest kStages - kAhead - 1.
            if (p >= kStages)
                asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(kStages - kAhead - 1)
                             : "memory");
            const unsigned s = static_cast<unsigned>(p % kStages);
            const unsigned part = static_cast<unsigned>(p % pieces) * kStageBytes;
            const unsigned block = from[blockIdx.x + static_cast<unsigned>(p / pieces) * gridDim.x];
            const unsigned size = min(kStageBytes, bytes - part);
            const char* const in = source + static_cast<size_t>(block) * bytes + part;
            asm volatile(
                "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(filled + 8 * s),
                "r"(size)
                : "memory");
            asm volatile(
                "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, "
                "[%3];" ::"r"(memory + s * kStageBytes),
                "l"(__cvta_generic_to_global(in)), "r"(size), "r"(filled + 8 * s)
                : "memory");
        }
        if (p >= kAhead) {
            const size_t q = p - kAhead;
            const unsigned s = static_cast<unsigned>(q % kStages);
            const unsigned part = static_cast<unsigned>(q % pieces) * kStageBytes;
            const unsigned block = to[blockIdx.x + static_cast<unsigned>(q / pieces) * gridDim.x];
            const unsigned size = min(kStageBytes, bytes - part);
            char* const out = target + static_cast<size_t>(block) * bytes + part;
            await(filled + 8 * s, static_cast<unsigned>(q / kStages) & 1);
            asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(
                             __cvta_generic_to_global(out)),
                         "r"(memory + s * kStageBytes), "r"(size)
                         : "memory");
            asm volatile("cp.async.bulk.commit_group;" ::: "memory");
        }
    }
    asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
#else
    __trap();  // the bench asks for the capability first
#endif
}
