// Functions for several families of kernels: clocks, a timed hop, the SM number, block sums.
#pragma once

__device__ __forceinline__ unsigned long long device_ns() {
    unsigned long long now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now)::"memory");
    return now;
}

__device__ __forceinline__ unsigned device_sm() {
    unsigned sm;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
    return sm;
}

// Reads the clock after `needed` has arrived, because `needed` is an operand of the read.
__device__ __forceinline__ long long clock_after(unsigned needed) {
    long long now;
    asm volatile(
        "{ .reg .pred p; setp.ne.u32 p, %1, 0xffffffff; @p mov.u64 %0, %%clock64; "
        "@!p mov.u64 %0, 0; }"
        : "=l"(now)
        : "r"(needed)
        : "memory");
    return now;
}

// Cycles between two clock reads, with at = Between(at) in the middle. Both clock reads have `at`
// as an operand, so both are the same instruction. On some architectures, a read without operands
// uses another unit, and the difference would contain the times of both units. The machine code has
// this order: clock read, the load of Between, an instruction that needs the loaded value, clock
// read.
template <unsigned long long (*Between)(unsigned long long)>
__device__ __forceinline__ unsigned timed_hop(unsigned long long& at) {
    unsigned before, after;
    asm volatile(
        "{ .reg .pred p; setp.ne.u64 p, %1, 0; @p mov.u32 %0, %%clock; @!p mov.u32 %0, 0; }"
        : "=r"(before)
        : "l"(at)
        : "memory");
    at = Between(at);
    asm volatile(
        "{ .reg .pred p; setp.ne.u64 p, %1, 0; @p mov.u32 %0, %%clock; @!p mov.u32 %0, 0; }"
        : "=r"(after)
        : "l"(at)
        : "memory");
    return after - before;
}

__device__ __forceinline__ unsigned long long nothing(unsigned long long at) {
    asm volatile("" : "+l"(at)::"memory");
    return at;
}

// Cycles between two consecutive clock reads: the minimum over several pairs of reads.
__device__ __forceinline__ unsigned clock_pair(unsigned long long& at) {
    unsigned least = ~0u;
#pragma unroll 1
    for (int k = 0; k < 32; ++k) {
        const unsigned took = timed_hop<nothing>(at);
        least = took < least ? took : least;
    }
    return least;
}

// sums[block] += sum, modulo 2^32, over the threads of the block. The number of threads is a
// multiple of 32.
__device__ __forceinline__ void add_block_sum(unsigned* sums, unsigned sum) {
    __shared__ unsigned of_warp[32];
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffff, sum, offset);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
#pragma unroll 1
        for (unsigned w = 1; w < blockDim.x / 32; ++w) sum += of_warp[w];
        sums[blockIdx.x] += sum;
    }
}

__device__ __forceinline__ unsigned sum_of(uint4 v) { return v.x + v.y + v.z + v.w; }

// Word i of the pattern, from the same function as in pattern.cu.
__device__ __forceinline__ unsigned pattern_word(size_t i, unsigned salt) {
    return static_cast<unsigned>(i) * 0x9e3779b1u + salt;
}

__device__ __forceinline__ unsigned shared_address(const void* at) {
    return static_cast<unsigned>(__cvta_generic_to_shared(at));
}
