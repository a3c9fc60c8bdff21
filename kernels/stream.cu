// STREAM kernels over global memory: read, write, copy, scale, add, triad, nstream.
//
// n counts vectors of VEC bytes. Reads and writes together, one launch moves VEC n bytes (read,
// write), 2 VEC n bytes (copy, scale), 3 VEC n bytes (add, triad) or 4 VEC n bytes (nstream).
// Pointers are aligned to VEC bytes, and arrays do not overlap. Any one-dimensional grid and block
// is valid. Blocks of the read kernel have a multiple of 32 threads.

#include "vector.cuh"

#ifndef UNROLL
#define UNROLL 4
#endif

// Maximum threads per block. With fewer threads, a thread may use more registers. The launch bound
// of one block per SM lets the assembler use these registers. Without this bound, the assembler
// reserves registers for many blocks. Then the first store of a tile comes before half of the
// tile's loads (NVRTC 13.0, seen in the machine code).
#ifndef BLOCK
#define BLOCK 1024
#endif

namespace {

// Accesses per thread that are in flight together. By Little's law (bytes in flight = bandwidth x
// latency), one 16-byte access per thread is too little for fast memory.
constexpr int kInFlight = UNROLL;

// Calls put(i, get(i)) for every i < n: first for whole tiles of blockDim.x * kInFlight vectors,
// then for the incomplete last tile. In a tile no load waits for a store, and kInFlight loads per
// array are in flight before the first value is needed. A test checks both facts in the machine
// code of every configuration.
template <typename Get, typename Put>
__device__ __forceinline__ void stream(size_t n, Get get, Put put) {
    const size_t width = blockDim.x;
    const size_t step = width * kInFlight * gridDim.x;
    size_t i = width * kInFlight * blockIdx.x + threadIdx.x;
#pragma unroll 1
    for (; i + (kInFlight - 1) * width < n; i += step) {
        decltype(get(i)) got[kInFlight];
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) got[k] = get(i + k * width);
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) put(i + k * width, got[k]);
    }
#pragma unroll 1
    for (; i < n; i += width) put(i, get(i));
}

struct Pair {
    Vector x, y;
};

struct Triple {
    Vector x, y, z;
};

template <typename Function>
__device__ __forceinline__ Vector each(Function function) {
    Vector v;
#pragma unroll
    for (int k = 0; k < Vector::kWords; ++k) v.set(k, function(k));
    return v;
}

}  // namespace

// sums[block] += sum, modulo 2^32, of the 32-bit words that the block read. The total over all
// blocks does not depend on the launch shape. So the total shows whether the kernel read every word
// once per launch.
extern "C" __global__ void __launch_bounds__(BLOCK, 1)
    stream_read(unsigned* __restrict__ sums, const Vector* __restrict__ a, size_t n) {
    unsigned sum = 0;
    stream(
        n, [=](size_t i) { return load(a + i); },
        [&](size_t, Vector v) {
#pragma unroll
            for (int k = 0; k < Vector::kWords; ++k) sum += v.word[k];
        });

    __shared__ unsigned of_warp[32];
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffff, sum, offset);
    if (lane == 0) of_warp[warp] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
#pragma unroll 1
        for (unsigned w = 1; w < blockDim.x / 32; ++w) sum += of_warp[w];
        sums[blockIdx.x] += sum;
    }
}

// a = value, in every word
extern "C" __global__ void __launch_bounds__(BLOCK, 1)
    stream_write(Vector* __restrict__ a, unsigned value, size_t n) {
    Vector v;
#pragma unroll
    for (int k = 0; k < Vector::kWords; ++k) v.word[k] = value;
    stream(n, [=](size_t) { return v; }, [=](size_t i, Vector x) { store(a + i, x); });
}

// c = a
extern "C" __global__ void __launch_bounds__(BLOCK, 1)
    stream_copy(Vector* __restrict__ c, const Vector* __restrict__ a, size_t n) {
    stream(n, [=](size_t i) { return load(a + i); }, [=](size_t i, Vector x) { store(c + i, x); });
}

// b = s c
extern "C" __global__ void __launch_bounds__(BLOCK, 1)
    stream_scale(Vector* __restrict__ b, const Vector* __restrict__ c, float s, size_t n) {
    stream(
        n, [=](size_t i) { return load(c + i); },
        [=](size_t i, Vector v) { store(b + i, each([=](int k) { return s * v.real(k); })); });
}

// c = a + b
extern "C" __global__ void __launch_bounds__(BLOCK, 1)
    stream_add(Vector* __restrict__ c, const Vector* __restrict__ a, const Vector* __restrict__ b,
               size_t n) {
    stream(
        n, [=](size_t i) { return Pair{load(a + i), load(b + i)}; },
        [=](size_t i, Pair p) {
            store(c + i, each([=](int k) { return p.x.real(k) + p.y.real(k); }));
        });
}

// a = b + s c
extern "C" __global__ void __launch_bounds__(BLOCK, 1)
    stream_triad(Vector* __restrict__ a, const Vector* __restrict__ b, const Vector* __restrict__ c,
                 float s, size_t n) {
    stream(
        n, [=](size_t i) { return Pair{load(b + i), load(c + i)}; },
        [=](size_t i, Pair p) {
            store(a + i, each([=](int k) { return p.x.real(k) + s * p.y.real(k); }));
        });
}

// a += b + s c
extern "C" __global__ void __launch_bounds__(BLOCK, 1)
    stream_nstream(Vector* __restrict__ a, const Vector* __restrict__ b,
                   const Vector* __restrict__ c, float s, size_t n) {
    stream(
        n, [=](size_t i) { return Triple{load(a + i), load(b + i), load(c + i)}; },
        [=](size_t i, Triple t) {
            store(a + i,
                  each([=](int k) { return t.x.real(k) + (t.y.real(k) + s * t.z.real(k)); }));
        });
}
