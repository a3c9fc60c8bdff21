// The attention of one decode step over a paged KV cache. A block table gives the pages of K and V.
//
// A page has 16 tokens. One pool has the pages of K, and one pool has the pages of V. Each pool is
// an array [page][KV head][token][128]. Each block processes the pages first .. last of one
// sequence and KV head, for all GROUP query heads that share the KV head. So each block reads K and
// V once. Each warp processes one page at a time. The weights are 2^(q k - m), where m is the
// largest q k so far. When m grows, the warp scales the sums so far, so that no query overflows
// (the online softmax of Milakov and Gimelshein, 2018). A second kernel combines the results of the
// blocks of a sequence (the splits), and uses the maximum m of each split.
//
// Both products run on the tensor cores, as in inference engines. On the CUDA cores, with eight
// query heads or FP8, arithmetic instead of memory would limit the speed. In a product, the page is
// the operand with 16 rows, and the query heads are the operand with 8 columns. The lanes hold the
// numbers as in mma.m16n8k16 (PTX ISA, "Matrix fragments"). Two orders are free: the order of
// summation over the elements of a head, and the order of the rows of a result, which are also
// elements. So a lane can load 16 adjacent bytes as a fragment.

#include "device.cuh"
#include "tensor.cuh"

// The number of query heads per KV head, at most 8.
#ifndef GROUP
#define GROUP 4
#endif

// With 1, K and V are in the format E4M3, which needs compute capability 8.9.
#ifndef FP8
#define FP8 0
#endif

namespace {

constexpr unsigned kBlock = 128;
constexpr unsigned kDim = 128;
constexpr float kLeast = -3e38f;  // below every q k; 2^(kLeast - m) is 0

static_assert(0 < GROUP && GROUP <= 8, "the query heads are the 8 columns of a product");

__device__ __forceinline__ float power_of_two(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

}  // namespace

// Older compute capabilities have no mma.m16n8k16, or do not support FP8.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= (FP8 ? 890 : 800)

namespace {

constexpr unsigned kTokens = 16;
constexpr unsigned kWarps = kBlock / 32;
constexpr unsigned kBytes = FP8 ? 1 : 2;
constexpr unsigned kRow = kDim * kBytes / 16;  // vectors per token
constexpr unsigned kPage = kTokens * kRow;     // vectors per page and head
constexpr unsigned kMine = kPage / 32;         // vectors of a page per lane
constexpr unsigned kSteps = kDim / 16;         // products of 16 elements of a head

// volatile keeps the order of the source. Otherwise the compiler would delay half of the loads.
__device__ __forceinline__ uint4 load(const uint4* from) {
    uint4 v;
    asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(from));
    return v;
}

__device__ __forceinline__ unsigned word(const uint4& v, unsigned i) {
    return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

// Loads the part of a page of K that a lane needs: a quarter of every 64 bytes of the tokens lane /
// 4 and lane / 4 + 8.
__device__ __forceinline__ void ask_keys(uint4 (&to)[kMine], const uint4* page, unsigned lane) {
#pragma unroll
    for (unsigned i = 0; i < kMine; ++i) {
        const unsigned token = lane / 4 + i % 2 * 8;
        to[i] = load(page + token * kRow + i / 2 * 4 + lane % 4);
    }
}

// The number of the token that the i-th vector of a lane belongs to, in a page of V.
__device__ __forceinline__ unsigned value_token(unsigned i, unsigned lane) {
    return lane % 4 * 2 + i % 2 + i / 2 % 2 * 8;
}

// Loads the part of a page of V that a lane needs: an eighth of every 128 bytes of four tokens.
__device__ __forceinline__ void ask_values(uint4 (&to)[kMine], const uint4* page, unsigned lane) {
#pragma unroll
    for (unsigned i = 0; i < kMine; ++i)
        to[i] = load(page + value_token(i, lane) * kRow + i / 4 * 8 + lane / 4);
}

// Loads the query as the second operand of every step. The elements of the query are in the same
// order as the elements of K.
__device__ __forceinline__ void ask_query(unsigned (&to)[2 * kSteps], const uint4* q,
                                          unsigned lane) {
    const unsigned head = lane / 4;
#pragma unroll
    for (unsigned i = 0; i < kSteps / 2; ++i) {
        uint4 v = make_uint4(0, 0, 0, 0);
        const unsigned place = FP8 ? i / 2 * 8 + lane % 4 * 2 + i % 2 : i * 4 + lane % 4;
        if (head < GROUP) v = q[head * (kDim / 8) + place];
#pragma unroll
        for (unsigned j = 0; j < 4; ++j) to[4 * i + j] = word(v, j);
    }
}

// power[token][head] = q k for a page. The code uses two sums, so that a step need not wait for the
// previous step.
__device__ __forceinline__ void multiply_keys(float (&power)[4], const uint4 (&keys)[kMine],
                                              const unsigned (&query)[2 * kSteps]) {
    float other[4] = {0, 0, 0, 0};
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) power[i] = 0;
#pragma unroll
    for (unsigned step = 0; step < kSteps; ++step) {
        unsigned a[4];
#if FP8
        const unsigned vector = step / 4 * 2, which = step % 4;
        unpack(word(keys[vector], which), a[0], a[2]);
        unpack(word(keys[vector + 1], which), a[1], a[3]);
#else
        const unsigned vector = step / 2 * 2, which = step % 2 * 2;
        a[0] = word(keys[vector], which);
        a[1] = word(keys[vector + 1], which);
        a[2] = word(keys[vector], which + 1);
        a[3] = word(keys[vector + 1], which + 1);
#endif
        multiply(step % 2 ? other : power, a, query[2 * step], query[2 * step + 1]);
    }
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) power[i] += other[i];
}

// The number of the element of a head to which sum[step][0] and sum[step][1] belong. sum[step][2]
// and sum[step][3] belong to the next element.
__device__ __forceinline__ unsigned element(unsigned step, unsigned lane) {
    return FP8 ? lane / 4 * 16 + step * 2 : step / 4 * 64 + lane / 4 * 8 + step % 4 * 2;
}

// sum[step][element][head] += the weighted values of a page.
__device__ __forceinline__ void multiply_values(float (&sum)[kSteps][4],
                                                const uint4 (&values)[kMine], unsigned weights_low,
                                                unsigned weights_high) {
    // Transpose, because a load has two elements per token, but the product needs two tokens per
    // element.
#pragma unroll
    for (unsigned step = 0; step < kSteps; ++step) {
        unsigned a[4];
#if FP8
        const unsigned which = step / 2, selector = step % 2 ? 0x7362 : 0x5140;
#pragma unroll
        for (unsigned i = 0; i < 2; ++i) {
            const unsigned first = word(values[2 * i], which);
            const unsigned second = word(values[2 * i + 1], which);
            unpack(__byte_perm(first, second, selector), a[2 * i], a[2 * i + 1]);
        }
#else
        const unsigned vector = step / 4 * 4, which = step % 4;
#pragma unroll
        for (unsigned i = 0; i < 2; ++i) {
            const unsigned first = word(values[vector + 2 * i], which);
            const unsigned second = word(values[vector + 2 * i + 1], which);
            a[2 * i] = __byte_perm(first, second, 0x5410);
            a[2 * i + 1] = __byte_perm(first, second, 0x7632);
        }
#endif
        multiply(sum[step], a, weights_low, weights_high);
    }
}

// The maximum over the lanes that have the same two query heads.
__device__ __forceinline__ float most_of(float x) {
#pragma unroll
    for (int apart = 4; apart < 32; apart *= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, apart));
    return x;
}

// The sum over the lanes that have the same two query heads.
__device__ __forceinline__ float total_of(float x) {
#pragma unroll
    for (int apart = 4; apart < 32; apart *= 2) x += __shfl_xor_sync(0xffffffff, x, apart);
    return x;
}

}  // namespace

// parts[block][GROUP][128] = weighted sums of V, weights[block][GROUP] = {sum of the weights, m}.
// q is [sequence][KV head][GROUP][128] in FP16; block = (sequence * heads + head) * splits + split.
extern "C" __global__ void __launch_bounds__(kBlock)
    attention_read(float* __restrict__ parts, float2* __restrict__ weights,
                   const uint4* __restrict__ q, const uint4* __restrict__ k_pool,
                   const uint4* __restrict__ v_pool, const unsigned* __restrict__ table,
                   unsigned pages, unsigned heads, unsigned splits) {
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const unsigned split = blockIdx.x % splits, row = blockIdx.x / splits;
    const unsigned head = row % heads;
    const unsigned first = static_cast<unsigned>(static_cast<size_t>(pages) * split / splits);
    const unsigned last = static_cast<unsigned>(static_cast<size_t>(pages) * (split + 1) / splits);
    const unsigned* const of_sequence = table + static_cast<size_t>(row / heads) * pages;

    unsigned query[2 * kSteps];
    ask_query(query, q + static_cast<size_t>(row) * GROUP * (kDim / 8), lane);
    float sum[kSteps][4] = {}, weight[2] = {0, 0}, most[2] = {kLeast, kLeast};

    // The warp requests each half of the next page as soon as it has used the same half of this
    // page. By then, the warp has loaded the number of the page after the next page.
    const size_t mine = static_cast<size_t>(head) * kPage;
    const size_t of_page = static_cast<size_t>(heads) * kPage;
    uint4 keys[kMine], values[kMine];
    unsigned p = first + warp, page = 0;
    if (p < last) {
        const size_t at = of_sequence[p] * of_page + mine;
        ask_keys(keys, k_pool + at, lane);
        ask_values(values, v_pool + at, lane);
        if (p + kWarps < last) page = of_sequence[p + kWarps];
    }
#pragma unroll 1
    for (; p < last; p += kWarps) {
        const bool more = p + kWarps < last;
        const size_t at = page * of_page + mine;
        if (p + 2 * kWarps < last) page = of_sequence[p + 2 * kWarps];
        float power[4];
        multiply_keys(power, keys, query);
        if (more) ask_keys(keys, k_pool + at, lane);
        // power[0] and power[1] belong to one token and two heads. power[2] and power[3] belong to
        // the token 8 positions later.
        float keep[2];
#pragma unroll
        for (unsigned h = 0; h < 2; ++h) {
            const float before = most[h];
            most[h] = fmaxf(before, most_of(fmaxf(power[h], power[h + 2])));
            keep[h] = power_of_two(before - most[h]);
            power[h] = power_of_two(power[h] - most[h]);
            power[h + 2] = power_of_two(power[h + 2] - most[h]);
            weight[h] = weight[h] * keep[h] + (power[h] + power[h + 2]);
        }
#pragma unroll
        for (unsigned step = 0; step < kSteps; ++step) {
#pragma unroll
            for (unsigned i = 0; i < 4; ++i) sum[step][i] *= keep[i % 2];
        }
        // The first product gives [token][head], but the second product needs [head][token].
        multiply_values(sum, values, turned(halves(power[0], power[1])),
                        turned(halves(power[2], power[3])));
        if (more) ask_values(values, v_pool + at, lane);
    }

    __shared__ float of_warp[kWarps][GROUP][kDim];
    __shared__ float2 weights_of[kWarps][GROUP];
#pragma unroll
    for (unsigned h = 0; h < 2; ++h) {
        const unsigned g = lane % 4 * 2 + h;
        const float total = total_of(weight[h]);
        if (g < GROUP) {
            if (lane < 4) weights_of[warp][g] = make_float2(total, most[h]);
#pragma unroll
            for (unsigned step = 0; step < kSteps; ++step) {
                of_warp[warp][g][element(step, lane)] = sum[step][h];
                of_warp[warp][g][element(step, lane) + 1] = sum[step][h + 2];
            }
        }
    }
    __syncthreads();
#pragma unroll 1
    for (unsigned g = 0; g < GROUP; ++g) {
        float all = 0, total = 0, top = kLeast;
#pragma unroll
        for (unsigned w = 0; w < kWarps; ++w) top = fmaxf(top, weights_of[w][g].y);
#pragma unroll
        for (unsigned w = 0; w < kWarps; ++w) {
            const float keep = power_of_two(weights_of[w][g].y - top);
            all += of_warp[w][g][threadIdx.x] * keep;
            total += weights_of[w][g].x * keep;
        }
        const size_t place = static_cast<size_t>(blockIdx.x) * GROUP + g;
        parts[place * kDim + threadIdx.x] = all;
        if (threadIdx.x == 0) weights[place] = make_float2(total, top);
    }
}

#endif

// out[row * GROUP + g][128] = the sum of the parts of all splits, divided by the sum of the weights
// of all splits. Both sums are scaled to the largest maximum of the splits. One block computes one
// row and query head.
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
