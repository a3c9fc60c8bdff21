// The latency of each line of the L2 cache for one SM.

#include "device.cuh"

#ifndef LOADS
#define LOADS 16
#endif

namespace {

constexpr unsigned kLine = 128;

__device__ __forceinline__ unsigned long long follow(unsigned long long address) {
    unsigned long long next;
    asm volatile("ld.global.cg.u64 %0, [%1];" : "=l"(next) : "l"(address) : "memory");
    return next;
}

}  // namespace

// Writes to line lines[i] at `base` the address of this line, for every i < count.
extern "C" __global__ void __launch_bounds__(1024)
    l2map_link(char* __restrict__ base, const unsigned* __restrict__ lines, unsigned count) {
#pragma unroll 1
    for (unsigned i = blockDim.x * blockIdx.x + threadIdx.x; i < count;
         i += blockDim.x * gridDim.x) {
        char* const line = base + static_cast<size_t>(lines[i]) * kLine;
        *reinterpret_cast<char**>(line) = line;
    }
}

// where[block] = number of the SM that runs the block. SM numbers may have gaps.
extern "C" __global__ void __launch_bounds__(1) l2map_where(unsigned* __restrict__ where) {
    where[blockIdx.x] = device_sm();
}

// Only the block on SM `sm` works. took[i] = cycles of LOADS dependent loads of line i, after one
// load that brings the line into the cache. For all lines together, out = {number of loads that did
// not return the line's address, nanoseconds, cycles, 1 + sm}.
extern "C" __global__ void __launch_bounds__(1)
    l2map_run(unsigned long long* __restrict__ out, unsigned* __restrict__ took, char* base,
              const unsigned* __restrict__ lines, unsigned count, unsigned sm) {
    if (device_sm() != sm) return;
    unsigned long long wrong = 0;
    const unsigned long long ns = device_ns();
    const long long begin = clock64();
#pragma unroll 1
    for (unsigned i = 0; i < count; ++i) {
        const unsigned long long line =
            reinterpret_cast<unsigned long long>(base) + static_cast<size_t>(lines[i]) * kLine;
        unsigned long long at = follow(line);
        const long long before = clock_after(static_cast<unsigned>(at));
#pragma unroll
        for (int k = 0; k < LOADS; ++k) at = follow(at);
        const long long after = clock_after(static_cast<unsigned>(at));
        took[i] = static_cast<unsigned>(after - before);
        wrong += at != line;
    }
    out[0] = wrong;
    out[1] = device_ns() - ns;
    out[2] = static_cast<unsigned long long>(clock64() - begin);
    out[3] = 1 + device_sm();
}
