// Copies of whole buffers by bulk copies (TMA), and reads that serve all blocks of a cluster.

#include "bulk.cuh"
#include "cluster.cuh"

// Blocks per cluster, a property of the compiled kernel.
#ifndef CLUSTER
#define CLUSTER 2
#endif

// Hops per turn.
#ifndef LOADS
#define LOADS 32
#endif

// Copies `bytes` bytes, a multiple of 16, from `from` to `to`. `from` and `to` may be on another
// GPU. One thread of block b copies pieces b, b + blocks, ... of 8 KiB. The data do not pass
// through registers. The kernel needs 64 KiB of dynamic shared memory.
extern "C" __global__ void __launch_bounds__(32)
    tma_copy(char* __restrict__ to, const char* __restrict__ from, size_t bytes) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
    constexpr unsigned kPieceBytes = 8192, kPieces = 8, kAhead = 4;
    extern __shared__ __align__(128) char stages[];
    __shared__ __align__(8) unsigned long long barriers[kPieces];
    const size_t pieces = (bytes + kPieceBytes - 1) / kPieceBytes;
    if (threadIdx.x != 0 || blockIdx.x >= pieces) return;
    const size_t mine = (pieces - blockIdx.x + gridDim.x - 1) / gridDim.x;
    auto place = [=](size_t p) { return (blockIdx.x + p * gridDim.x) * kPieceBytes; };
    pump<kPieces, kAhead, kPieceBytes>(
        mine, stages, barriers, [=](size_t p) { return from + place(p); },
        [=](size_t p) { return to + place(p); },
        [=](size_t p) {
            const size_t left = bytes - place(p);
            return left < kPieceBytes ? static_cast<unsigned>(left) : kPieceBytes;
        });
#else
    __trap();  // the bench checks the compute capability first
#endif
}

// Like chase_run in chase.cu, over the same ring. A hop consists of a bulk copy of the first 16
// bytes of a line into shared memory, the wait for the end of the copy, and a load of the next
// address.
extern "C" __global__ void __launch_bounds__(1)
    tma_chase(unsigned long long* __restrict__ out, unsigned long long at, unsigned turns) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
    __shared__ __align__(16) unsigned long long landed[2];
    __shared__ __align__(8) unsigned long long arrived;
    const unsigned to = shared_address(landed), barrier = shared_address(&arrived);
    make_barriers(barrier, 1);
    unsigned parity = 0;
    const unsigned long long ns = device_ns();
    const long long cycles = clock64();
#pragma unroll 1
    for (unsigned hop = 0; hop < LOADS * turns; ++hop) {
        expect(barrier, 16);
        bulk_load(to, reinterpret_cast<const void*>(at), 16, barrier);
        await(barrier, parity);
        parity ^= 1;
        asm volatile("ld.shared.u64 %0, [%1];" : "=l"(at) : "r"(to) : "memory");
    }
    const long long cycles_after = clock_after(static_cast<unsigned>(at));
    const unsigned long long ns_after = device_ns();
    out[0] = at;
    out[1] = ns_after - ns;
    out[2] = static_cast<unsigned long long>(cycles_after - cycles);
#else
    __trap();  // the bench checks the compute capability first
#endif
}

#ifdef MEMBENCH_MULTICAST

namespace {

constexpr unsigned kBlock = 256;
constexpr unsigned kTileBytes = 16384;
constexpr unsigned kStages = 6;

}  // namespace

// Every block receives all tiles of its cluster. Cluster c has `tiles` tiles t = c, c + clusters,
// ... The data of tile t are in tile t & mask of `a`. Each block reads a part of a tile once, for
// all blocks of the cluster. With one block per cluster, the block reads the whole tile.
// sums[block] += sum of the received words. The kernel needs 96 KiB of dynamic shared memory.
extern "C" __global__ void __cluster_dims__(CLUSTER) __launch_bounds__(kBlock)
    tma_multicast(unsigned* __restrict__ sums, const char* __restrict__ a, unsigned mask,
                  unsigned tiles) {
    extern __shared__ __align__(128) char ring[];
    __shared__ __align__(8) unsigned long long arrived[kStages];
    constexpr unsigned kPart = kTileBytes / CLUSTER;
    constexpr unsigned kAll = (1u << CLUSTER) - 1;
    const unsigned first = shared_address(arrived), memory = shared_address(ring);
    const unsigned cluster = blockIdx.x / CLUSTER, clusters = gridDim.x / CLUSTER;
    const unsigned mine = rank() * kPart;
    auto ask = [=](unsigned stage, unsigned n) {
        if (threadIdx.x != 0 || n >= tiles) return;
        const char* const tile =
            a + static_cast<size_t>((cluster + n * clusters) & mask) * kTileBytes;
        const unsigned to = memory + stage * kTileBytes, barrier = first + 8 * stage;
        expect(barrier, kTileBytes);  // the bytes of all parts, from all blocks
        if constexpr (CLUSTER == 1)
            bulk_load(to, tile, kTileBytes, barrier);
        else
            bulk_multicast(to + mine, tile + mine, kPart, barrier, kAll);
    };
    if (threadIdx.x == 0) make_barriers(first, kStages);
    meet();  // every block's mbarriers must exist before bytes from another block arrive
#pragma unroll 1
    for (unsigned s = 0; s < kStages; ++s) ask(s, s);
    unsigned sum = 0, stage = 0, parity = 0;
#pragma unroll 1
    for (unsigned n = 0; n < tiles; ++n) {
        await(first + 8 * stage, parity);
#pragma unroll
        for (unsigned k = 0; k < kTileBytes / 16 / kBlock; ++k) {
            uint4 v;  // asm, because the compiler would split the load
            asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                         : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                         : "r"(memory + stage * kTileBytes + (k * kBlock + threadIdx.x) * 16)
                         : "memory");
            sum += sum_of(v);
        }
        // After this wait, all blocks have read the previous tile, so its stage can be reused. The
        // blocks arrived one tile earlier, so that no block waits for the slowest block.
        if (n > 0) {
            wait_for_all();
            ask(stage == 0 ? kStages - 1 : stage - 1, n - 1 + kStages);
        }
        arrive();
        if (++stage == kStages) {
            stage = 0;
            parity ^= 1;
        }
    }
    wait_for_all();  // every arrival needs a matching wait
    add_block_sum(sums, sum);
}

#endif
