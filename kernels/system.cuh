// Accesses to memory that the host or another GPU also writes.
#pragma once

struct alignas(16) Quad {
    unsigned word[4];
};

// Always fetches the data over the link. A plain load could get the data from this GPU's caches.
__device__ __forceinline__ Quad fetch(const Quad* from) {
    Quad v;
    asm volatile("ld.global.cv.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
                 : "l"(from));
    return v;
}

// Calls put(i, get(at(i))) for every i < n: first for whole tiles of blockDim.x * kInFlight
// vectors, then for the incomplete last tile. In a tile, a thread computes all addresses before all
// gets, and issues all gets before all puts. So kInFlight gets are in flight. Work between two gets
// would delay the later get.
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
            put(i + k * width, got[k]);  // the last value is put first
    }
#pragma unroll 1
    for (; i < n; i += width) put(i, get(at(i)));
}
