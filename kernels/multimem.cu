// Accesses to one address that maps to the memory of several GPUs (multimem, in the NVLink switch).
// A load returns the sum over all GPUs, and a store writes to all GPUs.
//
// The words are single-precision numbers. Any one-dimensional grid and block of up to 512 threads
// is valid; n counts vectors of 16 bytes.

#include "system.cuh"

namespace {

constexpr int kInFlight = 8;

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
__device__ __forceinline__ Quad sum_of_all(const Quad* at) {
    Quad v;
    asm volatile("multimem.ld_reduce.relaxed.sys.global.add.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
                 : "l"(at)
                 : "memory");
    return v;
}

__device__ __forceinline__ void write_to_all(Quad* at, Quad v) {
    asm volatile("multimem.st.relaxed.sys.global.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(at),
                 "r"(v.word[0]), "r"(v.word[1]), "r"(v.word[2]), "r"(v.word[3])
                 : "memory");
}

__device__ __forceinline__ void add_to_all(Quad* at, Quad v) {
    asm volatile("multimem.red.relaxed.sys.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(at),
                 "r"(v.word[0]), "r"(v.word[1]), "r"(v.word[2]), "r"(v.word[3])
                 : "memory");
}
#else
// Multimem needs compute capability 9.0; the bench checks the compute capability first.
__device__ __forceinline__ Quad sum_of_all(const Quad*) {
    __trap();
    return {};
}

__device__ __forceinline__ void write_to_all(Quad*, Quad) { __trap(); }

__device__ __forceinline__ void add_to_all(Quad*, Quad) { __trap(); }
#endif

}  // namespace

// own = the sum over all GPUs. 16 n bytes arrive over the link of this GPU, and the kernel writes
// 16 n bytes to the memory of this GPU.
extern "C" __global__ void __launch_bounds__(512, 1)
    multimem_reduce(Quad* __restrict__ own, const Quad* __restrict__ all, size_t n) {
    in_flight<kInFlight>(
        n, [=](size_t i) { return all + i; }, [](const Quad* at) { return sum_of_all(at); },
        [=](size_t i, Quad v) { own[i] = v; });
}

// all = own, on every GPU. The kernel reads 16 n bytes, which leave over the link only once for all
// GPUs.
extern "C" __global__ void __launch_bounds__(512, 1)
    multimem_store(Quad* __restrict__ all, const Quad* __restrict__ own, size_t n) {
    in_flight<kInFlight>(
        n, [=](size_t i) { return own + i; }, [](const Quad* at) { return *at; },
        [=](size_t i, Quad v) { write_to_all(all + i, v); });
}

// all += own, on every GPU.
extern "C" __global__ void __launch_bounds__(512, 1)
    multimem_add(Quad* __restrict__ all, const Quad* __restrict__ own, size_t n) {
    in_flight<kInFlight>(
        n, [=](size_t i) { return own + i; }, [](const Quad* at) { return *at; },
        [=](size_t i, Quad v) { add_to_all(all + i, v); });
}
