// Streaming over global memory: read, write, copy, scale, add, triad.
//
// n counts 16-byte vectors (two doubles, or two 64-bit words for read), so that one launch moves
// 16 n bytes (read, write), 32 n (copy, scale) or 48 n (add, triad), reads and writes added up.
// Pointers are 16-byte aligned and do not overlap.  Any one-dimensional grid and block will do;
// blocks for read are a multiple of 32 threads.

namespace {

// Accesses of one thread that are under way together.  By Little's law one 16-byte access a thread
// is too little for fast memory: bytes in flight = bandwidth x latency.
constexpr int kInFlight = 4;

// store(i, load(i)) for every i < n: whole tiles of blockDim.x * kInFlight vectors, then what is
// left of the last one.  In a tile no load waits for a store, so that the compiler can have
// kInFlight of them under way; the test of the machine code looks that it does.
template <typename Load, typename Store>
__device__ __forceinline__ void stream(size_t n, Load load, Store store) {
    const size_t width = blockDim.x;
    const size_t step = width * kInFlight * gridDim.x;
    size_t i = width * kInFlight * blockIdx.x + threadIdx.x;
#pragma unroll 1
    for (; i + (kInFlight - 1) * width < n; i += step) {
        decltype(load(i)) loaded[kInFlight];
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) loaded[k] = load(i + k * width);
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) store(i + k * width, loaded[k]);
    }
#pragma unroll 1
    for (; i < n; i += width) store(i, load(i));
}

struct Pair {
    double2 x, y;
};

}  // namespace

// sums[block] = wrapping sum of the 64-bit words that the block read.  The sum over all blocks does
// not depend on the launch, so it proves that every word was read exactly once.
extern "C" __global__ void __launch_bounds__(1024)
    stream_read(unsigned long long* __restrict__ sums, const ulonglong2* __restrict__ a, size_t n) {
    unsigned long long sum = 0;
    stream(n, [=](size_t i) { return a[i]; }, [&](size_t, ulonglong2 v) { sum += v.x + v.y; });

    __shared__ unsigned long long of_warp[32];
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffff, sum, offset);
    if (lane == 0) of_warp[warp] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
#pragma unroll 1
        for (unsigned w = 1; w < blockDim.x / 32; ++w) sum += of_warp[w];
        sums[blockIdx.x] = sum;
    }
}

// a = value
extern "C" __global__ void __launch_bounds__(1024)
    stream_write(double2* __restrict__ a, double value, size_t n) {
    const double2 v = make_double2(value, value);
    stream(n, [=](size_t) { return v; }, [=](size_t i, double2 x) { a[i] = x; });
}

// c = a
extern "C" __global__ void __launch_bounds__(1024)
    stream_copy(double2* __restrict__ c, const double2* __restrict__ a, size_t n) {
    stream(n, [=](size_t i) { return a[i]; }, [=](size_t i, double2 x) { c[i] = x; });
}

// b = s c
extern "C" __global__ void __launch_bounds__(1024)
    stream_scale(double2* __restrict__ b, const double2* __restrict__ c, double s, size_t n) {
    stream(
        n, [=](size_t i) { return c[i]; },
        [=](size_t i, double2 x) { b[i] = make_double2(s * x.x, s * x.y); });
}

// c = a + b
extern "C" __global__ void __launch_bounds__(1024)
    stream_add(double2* __restrict__ c, const double2* __restrict__ a,
               const double2* __restrict__ b, size_t n) {
    stream(
        n, [=](size_t i) { return Pair{a[i], b[i]}; },
        [=](size_t i, Pair p) { c[i] = make_double2(p.x.x + p.y.x, p.x.y + p.y.y); });
}

// a = b + s c
extern "C" __global__ void __launch_bounds__(1024)
    stream_triad(double2* __restrict__ a, const double2* __restrict__ b,
                 const double2* __restrict__ c, double s, size_t n) {
    stream(
        n, [=](size_t i) { return Pair{b[i], c[i]}; },
        [=](size_t i, Pair p) { a[i] = make_double2(p.x.x + s * p.y.x, p.x.y + s * p.y.y); });
}
