// A vector of VEC bytes, which one load or store of VEC bytes moves. HINT is the cache hint. 0
// means no hint. 1 means "used once" (.cs: L1 and L2 evict the data first). 2 means "no allocation
// in L1", only for loads, because stores never allocate in L1.
#pragma once

#ifndef VEC
#define VEC 16
#endif

#ifndef HINT
#define HINT 0
#endif

static_assert(VEC == 4 || VEC == 8 || VEC == 16 || VEC == 32, "VEC is a width of the hardware");

namespace {

struct alignas(VEC) Vector {
    static constexpr int kWords = VEC / 4;
    unsigned word[kWords];

    __device__ __forceinline__ float real(int k) const { return __uint_as_float(word[k]); }
    __device__ __forceinline__ void set(int k, float value) { word[k] = __float_as_uint(value); }
};

#if VEC == 32 && defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 1000
#error "256-bit loads and stores begin with compute capability 10.0"
#endif

#if HINT == 1
#define MEMBENCH_LOAD ".cs"
#define MEMBENCH_STORE ".cs"
#elif HINT == 2
#define MEMBENCH_LOAD ".L1::no_allocate"
#define MEMBENCH_STORE ""
#else
#define MEMBENCH_LOAD ""
#define MEMBENCH_STORE ""
#endif

#if VEC == 32
// The function uses asm, because the compiler would otherwise make two accesses of 16 bytes.
__device__ __forceinline__ Vector load(const Vector* from) {
    union {
        unsigned long long part[4];
        Vector whole;
    } v;
    asm("ld.global" MEMBENCH_LOAD ".v4.b64 {%0, %1, %2, %3}, [%4];"
        : "=l"(v.part[0]), "=l"(v.part[1]), "=l"(v.part[2]), "=l"(v.part[3])
        : "l"(from));
    return v.whole;
}

__device__ __forceinline__ void store(Vector* to, Vector value) {
    union {
        Vector whole;
        unsigned long long part[4];
    } v{value};
    asm volatile("st.global" MEMBENCH_STORE ".v4.b64 [%0], {%1, %2, %3, %4};" ::"l"(to),
                 "l"(v.part[0]), "l"(v.part[1]), "l"(v.part[2]), "l"(v.part[3])
                 : "memory");
}
#elif HINT && VEC == 16
__device__ __forceinline__ Vector load(const Vector* from) {
    Vector v;
    asm("ld.global" MEMBENCH_LOAD ".v4.b32 {%0, %1, %2, %3}, [%4];"
        : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
        : "l"(from));
    return v;
}

__device__ __forceinline__ void store(Vector* to, Vector value) {
    asm volatile("st.global" MEMBENCH_STORE ".v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to),
                 "r"(value.word[0]), "r"(value.word[1]), "r"(value.word[2]), "r"(value.word[3])
                 : "memory");
}
#elif HINT
#error "a hint is for vectors of 16 and 32 bytes"
#else
__device__ __forceinline__ Vector load(const Vector* from) { return *from; }
__device__ __forceinline__ void store(Vector* to, Vector value) { *to = value; }
#endif

}  // namespace
