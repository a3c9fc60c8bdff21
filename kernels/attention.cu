// The attention of one decode step over a paged KV cache: K and V through a block table.
//
// A page has 16 tokens; pages of K and of V lie in two pools, each [page][KV head][token][128].
// Each block takes the pages first .. last of one sequence and KV head, for all GROUP query heads
// that share it, so that K and V are read once.  16 lanes take a token: eight of its 128 elements
// each.  The weights are 2^(q k - m), m the largest q k so far: where it grows, what was added up
// before is scaled (the online softmax of Milakov and Gimelshein, 2018), so that no query
// overflows. What the splits of a sequence found is put together by a second kernel, by their own
// maxima.
//
// The products run on the CUDA cores: what is measured is the reading, and as much arithmetic as
// needs every element of it.

#include "device.cuh"

// Query heads of a KV head.
#ifndef GROUP
#define GROUP 4
#endif

// 1: K and V are E4M3, which needs compute capability 8.9.
#ifndef FP8
#define FP8 0
#endif

namespace {

constexpr unsigned kBlock = 128;
constexpr unsigned kDim = 128;
constexpr float kLeast = -3e38f;  // below every q k; 2^(kLeast - m) is 0

__device__ __forceinline__ float power_of_two(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

}  // namespace

#if !FP8 || !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890

namespace {

constexpr unsigned kTokens = 16;
constexpr unsigned kLanes = 16;
constexpr unsigned kSets = kBlock / kLanes;
constexpr int kEach = kDim / kLanes;

// In the order of the source: the compiler would put the second half off.
#if FP8
using Part = uint2;

__device__ __forceinline__ uint2 load(const uint2* from) {
    uint2 v;
    asm volatile("ld.global.nc.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(from));
    return v;
}
#else
using Part = uint4;

__device__ __forceinline__ uint4 load(const uint4* from) {
    uint4 v;
    asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(from));
    return v;
}
#endif

__device__ __forceinline__ void two_halves(float* to, unsigned packed) {
    asm("{ .reg .b16 low, high; mov.b32 {low, high}, %2; cvt.f32.f16 %0, low; "
        "cvt.f32.f16 %1, high; }"
        : "=f"(to[0]), "=f"(to[1])
        : "r"(packed));
}

#if FP8
__device__ __forceinline__ void four_bytes(float* to, unsigned packed) {
    unsigned low, high;
    asm("{ .reg .b16 a, b; mov.b32 {a, b}, %2; cvt.rn.f16x2.e4m3x2 %0, a; "
        "cvt.rn.f16x2.e4m3x2 %1, b; }"
        : "=r"(low), "=r"(high)
        : "r"(packed));
    two_halves(to, low);
    two_halves(to + 2, high);
}

__device__ __forceinline__ void unpack(float* to, uint2 v) {
    four_bytes(to, v.x);
    four_bytes(to + 4, v.y);
}
#else
__device__ __forceinline__ void unpack(float* to, uint4 v) {
    two_halves(to, v.x);
    two_halves(to + 2, v.y);
    two_halves(to + 4, v.z);
    two_halves(to + 6, v.w);
}
#endif

// The lane's parts of two tokens of K and of V, `at` and eight tokens further.
__device__ __forceinline__ void ask(Part* to, const Part* k_pool, const Part* v_pool, size_t at) {
    constexpr unsigned kApart = kSets * kLanes;
    to[0] = load(k_pool + at);
    to[1] = load(k_pool + at + kApart);
    to[2] = load(v_pool + at);
    to[3] = load(v_pool + at + kApart);
}

}  // namespace

// parts[block][GROUP][128] = weighted sums of V, weights[block][GROUP] = {sum of the weights, m}.
// q is [sequence][KV head][GROUP][128]; block = (sequence * heads + head) * splits + split.
extern "C" __global__ void __launch_bounds__(kBlock)
    attention_read(float* __restrict__ parts, float2* __restrict__ weights,
                   const float* __restrict__ q, const Part* __restrict__ k_pool,
                   const Part* __restrict__ v_pool, const unsigned* __restrict__ table,
                   unsigned pages, unsigned heads, unsigned splits) {
    const unsigned lane = threadIdx.x % kLanes, set = threadIdx.x / kLanes;
    const unsigned split = blockIdx.x % splits, row = blockIdx.x / splits;
    const unsigned head = row % heads;
    const unsigned first = static_cast<unsigned>(static_cast<size_t>(pages) * split / splits);
    const unsigned last = static_cast<unsigned>(static_cast<size_t>(pages) * (split + 1) / splits);
    const unsigned* const of_sequence = table + static_cast<size_t>(row / heads) * pages;

    float query[GROUP][kEach], sum[GROUP][kEach], weight[GROUP], most[GROUP];
#pragma unroll
    for (int g = 0; g < GROUP; ++g) {
        weight[g] = 0;
        most[g] = kLeast;
#pragma unroll
        for (int e = 0; e < kEach; ++e) {
            query[g][e] = q[(static_cast<size_t>(row) * GROUP + g) * kDim + lane * kEach + e];
            sum[g][e] = 0;
        }
    }
    // The next page is asked for before this one is worked on: without that, half of the loads
    // would wait for the arithmetic.
    const size_t mine = (static_cast<size_t>(head) * kTokens + set) * kLanes + lane;
    const size_t of_page = static_cast<size_t>(heads) * kTokens * kLanes;
    Part next[4], part[4];
    if (first < last) ask(next, k_pool, v_pool, of_sequence[first] * of_page + mine);
#pragma unroll 1
    for (unsigned p = first; p < last; ++p) {
#pragma unroll
        for (int i = 0; i < 4; ++i) part[i] = next[i];
        if (p + 1 < last) ask(next, k_pool, v_pool, of_sequence[p + 1] * of_page + mine);
        float w[2][GROUP];
#pragma unroll
        for (int t = 0; t < 2; ++t) {
            float x[kEach];
            unpack(x, part[t]);
#pragma unroll
            for (int g = 0; g < GROUP; ++g) {
                float dot = 0;
#pragma unroll
                for (int e = 0; e < kEach; ++e) dot += query[g][e] * x[e];
#pragma unroll
                for (int offset = kLanes / 2; offset > 0; offset /= 2)
                    dot += __shfl_xor_sync(0xffffffff, dot, offset);
                w[t][g] = dot;
            }
        }
#pragma unroll
        for (int g = 0; g < GROUP; ++g) {
            const float before = most[g];
            most[g] = fmaxf(before, fmaxf(w[0][g], w[1][g]));
            const float keep = power_of_two(before - most[g]);
#pragma unroll
            for (int t = 0; t < 2; ++t) w[t][g] = power_of_two(w[t][g] - most[g]);
            weight[g] = weight[g] * keep + (w[0][g] + w[1][g]);
#pragma unroll
            for (int e = 0; e < kEach; ++e) sum[g][e] *= keep;
        }
#pragma unroll
        for (int t = 0; t < 2; ++t) {
            float x[kEach];
            unpack(x, part[2 + t]);
#pragma unroll
            for (int g = 0; g < GROUP; ++g) {
#pragma unroll
                for (int e = 0; e < kEach; ++e) sum[g][e] += w[t][g] * x[e];
            }
        }
    }

    __shared__ float of_set[kSets][kDim];
    __shared__ float of_weight[kSets];
    __shared__ float of_most[kSets];
#pragma unroll
    for (int g = 0; g < GROUP; ++g) {
#pragma unroll
        for (int e = 0; e < kEach; ++e) of_set[set][lane * kEach + e] = sum[g][e];
        if (lane == 0) {
            of_weight[set] = weight[g];
            of_most[set] = most[g];
        }
        __syncthreads();
        float all = 0, total = 0, top = kLeast;
#pragma unroll
        for (unsigned s = 0; s < kSets; ++s) top = fmaxf(top, of_most[s]);
#pragma unroll
        for (unsigned s = 0; s < kSets; ++s) {
            const float keep = power_of_two(of_most[s] - top);
            all += of_set[s][threadIdx.x] * keep;
            total += of_weight[s] * keep;
        }
        const size_t place = static_cast<size_t>(blockIdx.x) * GROUP + g;
        parts[place * kDim + threadIdx.x] = all;
        if (threadIdx.x == 0) weights[place] = make_float2(total, top);
        __syncthreads();
    }
}

#endif

// out[row * GROUP + g][128] = sum of the splits' parts over the sum of their weights, both scaled
// to the largest of their maxima, of one row and query head a block.
extern "C" __global__ void __launch_bounds__(kBlock)
    attention_merge(float* __restrict__ out, const float* __restrict__ parts,
                    const float2* __restrict__ weights, unsigned splits) {
    const unsigned row = blockIdx.x / GROUP, g = blockIdx.x % GROUP;
    float all = 0, total = 0, top = kLeast;
#pragma unroll 4
    for (unsigned s = 0; s < splits; ++s) {
        const size_t place = (static_cast<size_t>(row) * splits + s) * GROUP + g;
        const float2 weight = weights[place];
        const float before = top;
        top = fmaxf(before, weight.y);
        const float keep = power_of_two(before - top), add = power_of_two(weight.y - top);
        all = all * keep + parts[place * kDim + threadIdx.x] * add;
        total = total * keep + weight.x * add;
    }
    out[static_cast<size_t>(blockIdx.x) * kDim + threadIdx.x] = all / total;
}
