// Clusters of blocks, for compute capability 9.0 and newer: the rank of a block, and the barrier.
#pragma once

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

__device__ __forceinline__ unsigned rank() {
    unsigned x;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(x));
    return x;
}

// The two halves of the cluster's barrier. All threads of all blocks must call both halves.
__device__ __forceinline__ void arrive() {
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}

__device__ __forceinline__ void wait_for_all() {
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

__device__ __forceinline__ void meet() {
    arrive();
    wait_for_all();
}

#endif
