// Contents of buffers, which the benches write before a measurement and check afterwards.
//
// In a pattern, the value of every 32-bit word is a function of its index. The kernels use
// grid-stride loops, so that any one-dimensional launch is valid.

namespace {

// 2^32 divided by the golden ratio. The number is odd, so that words with different indices (modulo
// 2^32) differ.
constexpr unsigned kStep = 0x9e3779b1u;

__device__ __forceinline__ unsigned pattern(size_t i, unsigned salt) {
    return static_cast<unsigned>(i) * kStep + salt;
}

// Returns 0, 1, 2 or 3. Sums and products of a few such numbers are exact in single precision.
__device__ __forceinline__ float small(size_t i, unsigned salt) {
    return static_cast<float>(pattern(i, salt) >> 30);
}

template <typename Function>
__device__ __forceinline__ void for_each(size_t n, Function function) {
    const size_t step = static_cast<size_t>(blockDim.x) * gridDim.x;
#pragma unroll 1
    for (size_t i = static_cast<size_t>(blockDim.x) * blockIdx.x + threadIdx.x; i < n; i += step)
        function(i);
}

// found[0] = number of wrong words. found[1] = 1 + the smallest index of a wrong word.
__device__ __forceinline__ void report(unsigned long long* found, size_t i) {
    atomicAdd(found, 1ull);
    atomicMin(found + 1, static_cast<unsigned long long>(i) + 1);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(1024)
    pattern_fill(unsigned* __restrict__ a, size_t n, unsigned salt) {
    for_each(n, [=](size_t i) { a[i] = pattern(i, salt); });
}

extern "C" __global__ void __launch_bounds__(1024)
    pattern_fill_small(float* __restrict__ a, size_t n, unsigned salt) {
    for_each(n, [=](size_t i) { a[i] = small(i, salt); });
}

extern "C" __global__ void __launch_bounds__(1024)
    pattern_check(unsigned long long* __restrict__ found, const unsigned* __restrict__ a, size_t n,
                  unsigned salt) {
    for_each(n, [=](size_t i) {
        if (a[i] != pattern(i, salt)) report(found, i);
    });
}

extern "C" __global__ void __launch_bounds__(1024)
    pattern_check_value(unsigned long long* __restrict__ found, const unsigned* __restrict__ a,
                        size_t n, unsigned value) {
    for_each(n, [=](size_t i) {
        if (a[i] != value) report(found, i);
    });
}

extern "C" __global__ void __launch_bounds__(1024)
    pattern_check_linear(unsigned long long* __restrict__ found, const float* __restrict__ a,
                         size_t n, unsigned salt, float x, float y, float z) {
    for_each(n, [=](size_t i) {
        const float expected =
            x * small(i, salt) + (y * small(i, salt + 1) + z * small(i, salt + 2));
        if (a[i] != expected) report(found, i);
    });
}

// Checks a pool of `blocks` blocks of `words` words. Block b must equal block of[b] of the pattern.
// If of[b] is 2^32 - 1, all words of block b must be `poison`.
extern "C" __global__ void __launch_bounds__(1024)
    pattern_check_blocks(unsigned long long* __restrict__ found, const unsigned* __restrict__ a,
                         const unsigned* __restrict__ of, size_t words, size_t blocks,
                         unsigned salt, unsigned poison) {
    for_each(words * blocks, [=](size_t i) {
        const unsigned source = of[i / words];
        const unsigned expected =
            source == 0xffffffffu ? poison : pattern(source * words + i % words, salt);
        if (a[i] != expected) report(found, i);
    });
}
