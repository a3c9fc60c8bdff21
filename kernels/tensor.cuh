// Products on the tensor cores, and functions that arrange registers for these products. PTX ISA,
// "Matrix fragments for mma.m16n8k16", shows which lane has which elements of a matrix.
#pragma once

// A warp computes sum[16][8] += a[16][16] b[16][8].
__device__ __forceinline__ void multiply(float (&sum)[4], const unsigned (&a)[4], unsigned b_low,
                                         unsigned b_high) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_low), "r"(b_high));
}

// The transpose of an 8 x 8 matrix with two halves per lane.
__device__ __forceinline__ unsigned turned(unsigned pair) {
    unsigned result;
    asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(result) : "r"(pair));
    return result;
}

__device__ __forceinline__ unsigned halves(float low, float high) {
    unsigned pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

// FP8 needs compute capability 8.9.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890
// Convert the four FP8 numbers in `packed` to halves.
__device__ __forceinline__ void unpack(unsigned packed, unsigned& low, unsigned& high) {
    asm("{ .reg .b16 a, b; mov.b32 {a, b}, %2; cvt.rn.f16x2.e4m3x2 %0, a; "
        "cvt.rn.f16x2.e4m3x2 %1, b; }"
        : "=r"(low), "=r"(high)
        : "r"(packed));
}
#endif
