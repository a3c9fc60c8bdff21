// Bulk copies between global and shared memory (TMA), for compute capability 9.0 and newer. An
// mbarrier signals the arrival of a copy.
#pragma once

#include "device.cuh"

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

// Initialises `count` mbarriers, 8 bytes apart, with one arrival per phase. One thread of a block
// calls this function. Other threads of the block may use the mbarriers after a barrier of the
// block. Other blocks may use the mbarriers after a barrier of the cluster.
__device__ __forceinline__ void make_barriers(unsigned first, unsigned count) {
#pragma unroll 1
    for (unsigned s = 0; s < count; ++s)
        asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(first + 8 * s) : "memory");
    // Makes the initialised mbarriers visible to bulk copies and other blocks.
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// Makes the single arrival of this phase, and lets the phase also wait for `bytes` bytes.
__device__ __forceinline__ void expect(unsigned barrier, unsigned bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
                 : "memory");
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

// Sizes and addresses of all bulk copies are multiples of 16 bytes.
__device__ __forceinline__ void bulk_load(unsigned to, const void* from, unsigned bytes,
                                          unsigned barrier) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
            "r"(to),
        "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(barrier)
        : "memory");
}

// Multicast needs the architecture-specific features of targets such as sm_90a and sm_100a. For
// other targets, the assembler warns that multicast is slow.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || defined(__CUDA_ARCH_FEAT_SM100_ALL) || \
    (defined(__CUDA_ARCH_FAMILY_SPECIFIC__) && __CUDA_ARCH__ < 1200)
#define MEMBENCH_MULTICAST

// Copies to the same shared-memory offset in every block whose bit is set in `mask`. In each of
// these blocks, the mbarrier at the offset of `barrier` signals the arrival.
__device__ __forceinline__ void bulk_multicast(unsigned to, const void* from, unsigned bytes,
                                               unsigned barrier, unsigned short mask) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
        "[%0], [%1], %2, [%3], %4;" ::"r"(to),
        "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(barrier), "h"(mask)
        : "memory");
}
#endif

__device__ __forceinline__ void bulk_store(void* to, unsigned from, unsigned bytes) {
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(
                     __cvta_generic_to_global(to)),
                 "r"(from), "r"(bytes)
                 : "memory");
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}

// Copies pieces 0 to count - 1 through the stages at `stages`, of kStageBytes each. One thread of a
// block calls this function. kAhead pieces arrive while other pieces leave. `in(p)` and `out(p)`
// are the source and the target of piece p. `size(p)` is the size of piece p, at most kStageBytes.
template <unsigned kStages, unsigned kAhead, unsigned kStageBytes, typename In, typename Out,
          typename Size>
__device__ __forceinline__ void pump(size_t count, const void* stages,
                                     unsigned long long (&barriers)[kStages], In in, Out out,
                                     Size size) {
    const unsigned filled = shared_address(barriers), memory = shared_address(stages);
    make_barriers(filled, kStages);
#pragma unroll 1
    for (size_t p = 0; p < count + kAhead; ++p) {
        if (p < count) {
            // This stage contained piece p - kStages. The copy of that piece must have ended. So
            // the thread waits for all committed groups except the newest kStages - kAhead - 1
            // groups.
            if (p >= kStages)
                asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(kStages - kAhead - 1)
                             : "memory");
            const unsigned s = static_cast<unsigned>(p % kStages);
            expect(filled + 8 * s, size(p));
            bulk_load(memory + s * kStageBytes, in(p), size(p), filled + 8 * s);
        }
        if (p >= kAhead) {
            const size_t q = p - kAhead;
            const unsigned s = static_cast<unsigned>(q % kStages);
            await(filled + 8 * s, static_cast<unsigned>(q / kStages) & 1);
            bulk_store(out(q), memory + s * kStageBytes, size(q));
        }
    }
    asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}

#endif
