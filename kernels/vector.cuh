// A vector of VEC bytes, moved by one load or store of that width.
#pragma once

#ifndef VEC
#define VEC 16
#endif

static_assert(VEC == 4 || VEC == 8 || VEC == 16 || VEC == 32, "VEC is a width of the hardware");

namespace {

struct alignas(VEC) Vector {
    static constexpr int kWords = VEC / 4;
    unsigned word[kWords];

    __device__ __forceinline__ float real(int k) const { return __uint_as_float(word[k]); }
    __device__ __forceinline__ void set(int k, float value) { word[k] = __float_as_uint(value); }
};

#if VEC == 32
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 1000
#error "256-bit loads and stores begin with compute capability 10.0"
#endif

// By name, because the compiler would make two accesses of 16 bytes of it.
__device__ __forceinline__ Vector load(const Vector* from) {
    union {
        unsigned long long part[4];
        Vector whole;
    } v;
    asm("ld.global.v4.b64 {%0, %1, %2, %3}, [%4];"
        : "=l"(v.part[0]), "=l"(v.part[1]), "=l"(v.part[2]), "=l"(v.part[3])
        : "l"(from));
    return v.whole;
}

__device__ __forceinline__ void store(Vector* to, Vector value) {
    union {
        Vector whole;
        unsigned long long part[4];
    } v{value};
    asm volatile("st.global.v4.b64 [%0], {%1, %2, %3, %4};" ::"l"(to), "l"(v.part[0]),
                 "l"(v.part[1]), "l"(v.part[2]), "l"(v.part[3])
                 : "memory");
}
#else
__device__ __forceinline__ Vector load(const Vector* from) { return *from; }
__device__ __forceinline__ void store(Vector* to, Vector value) { *to = value; }
#endif

}  // namespace
