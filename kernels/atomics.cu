// Atomic additions of 1 to one counter, to counters in separate lines, or to one counter per
// thread.
//
// Thread i of the grid adds to counter (i & mask) * apart. `atom` returns the old value, `red`
// returns nothing.

#include "device.cuh"

namespace {

constexpr unsigned kBlock = 256;

__device__ __forceinline__ unsigned* counter(unsigned* counters, unsigned mask, unsigned apart) {
    return counters + static_cast<size_t>((blockIdx.x * kBlock + threadIdx.x) & mask) * apart;
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kBlock)
    atomics_red(unsigned* __restrict__ counters, unsigned mask, unsigned apart, unsigned turns) {
    unsigned* const at = counter(counters, mask, apart);
#pragma unroll 4
    for (unsigned turn = 0; turn < turns; ++turn)
        asm volatile("red.relaxed.gpu.global.add.u32 [%0], 1;" ::"l"(at) : "memory");
}

// olds[thread] += the sum of the old values that the thread's additions returned.
extern "C" __global__ void __launch_bounds__(kBlock)
    atomics_atom(unsigned* __restrict__ counters, unsigned mask, unsigned apart, unsigned turns,
                 unsigned* __restrict__ olds) {
    unsigned* const at = counter(counters, mask, apart);
    unsigned sum = 0;
#pragma unroll 4
    for (unsigned turn = 0; turn < turns; ++turn) {
        unsigned old;
        asm volatile("atom.relaxed.gpu.global.add.u32 %0, [%1], 1;"
                     : "=r"(old)
                     : "l"(at)
                     : "memory");
        sum += old;
    }
    olds[blockIdx.x * kBlock + threadIdx.x] += sum;
}

// The counters are in mapped host memory.
extern "C" __global__ void __launch_bounds__(kBlock)
    atomics_system(unsigned* __restrict__ counters, unsigned mask, unsigned apart, unsigned turns) {
    unsigned* const at = counter(counters, mask, apart);
#pragma unroll 1
    for (unsigned turn = 0; turn < turns; ++turn)
        asm volatile("red.relaxed.sys.global.add.u32 [%0], 1;" ::"l"(at) : "memory");
}

// The counters are in 32 kBlock words of shared memory. The kernel adds the sum of the counters to
// totals[block]. `amount` is 1. For a constant 1, the compiler would use an increment instruction.
extern "C" __global__ void __launch_bounds__(kBlock)
    atomics_shared(unsigned* __restrict__ totals, unsigned mask, unsigned apart, unsigned turns,
                   unsigned amount) {
    extern __shared__ unsigned counters[];
    const unsigned words = (mask < kBlock ? mask + 1 : kBlock) * apart;
#pragma unroll 1
    for (unsigned i = threadIdx.x; i < words; i += kBlock) counters[i] = 0;
    __syncthreads();
    const unsigned at = shared_address(counters + (threadIdx.x & mask) * apart);
#pragma unroll 4
    for (unsigned turn = 0; turn < turns; ++turn)
        asm volatile("red.relaxed.cta.shared.add.u32 [%0], %1;" ::"r"(at), "r"(amount) : "memory");
    __syncthreads();
    unsigned sum = 0;
#pragma unroll 1
    for (unsigned i = threadIdx.x; i < words; i += kBlock) sum += counters[i];
    add_block_sum(totals, sum);
}
