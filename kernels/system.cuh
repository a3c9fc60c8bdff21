// Accesses to memory that others write too: the host's, or another GPU's.
#pragma once

struct alignas(16) Quad {
    unsigned word[4];
};

// Fetched anew: a plain load may be answered by a copy in this GPU's caches, which no link carried.
__device__ __forceinline__ Quad fetch(const Quad* from) {
    Quad v;
    asm volatile("ld.global.cv.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
                 : "l"(from));
    return v;
}

// put(i, get(at(i))) for every i < n: whole tiles of blockDim.x * kInFlight vectors, then the rest
// of the last one.  In a tile all addresses come before all gets and all gets before all puts, so
// that kInFlight of them are under way: what lies between two gets would make the later one wait.
template <int kInFlight, typename At, typename Get, typename Put>
__device__ __forceinline__ void in_flight(size_t n, At at, Get get, Put put) {
    const size_t width = blockDim.x;
    const size_t step = width * kInFlight * gridDim.x;
    size_t i = width * kInFlight * blockIdx.x + threadIdx.x;
#pragma unroll 1
    for (; i + (kInFlight - 1) * width < n; i += step) {
        decltype(at(i)) where[kInFlight];
        Quad got[kInFlight];
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) where[k] = at(i + k * width);
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) got[k] = get(where[k]);
#pragma unroll
        for (int k = kInFlight - 1; k >= 0; --k)
            put(i + k * width, got[k]);  // last come, first put
    }
#pragma unroll 1
    for (; i < n; i += width) put(i, get(at(i)));
}
