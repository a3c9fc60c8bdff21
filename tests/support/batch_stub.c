/* A stand-in for NVIDIA's libcuda: the batch copy in one or both of its signatures, as cuda.h of
 * CUDA 12.8 and 13.0 declares them.  It records what it is called with, and copies.
 *
 * NEWEST is the CUDA version that it pretends to have; FAILS is an error that the copy returns. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef int CUresult;
typedef unsigned long long CUdeviceptr;
typedef struct CUstream_st* CUstream;
typedef struct {
    int type;
    int id;
} CUmemLocation;
typedef struct {
    int srcAccessOrder;
    CUmemLocation srcLocHint;
    CUmemLocation dstLocHint;
    unsigned int flags;
} CUmemcpyAttributes;

struct {
    int version;
    int calls;
    size_t count;
    size_t bytes;
    size_t attributes;
    size_t first_index;
    int order;
    int source_hint;
    unsigned int flags;
    uint64_t stream;
    int had_fail_index;
} recorded;

#ifndef FAILS
#define FAILS 0
#endif

static CUresult copy(CUdeviceptr* dsts, CUdeviceptr* srcs, size_t* sizes, size_t count,
                     CUmemcpyAttributes* attrs, size_t* attrsIdxs, size_t numAttrs,
                     CUstream stream) {
    recorded.calls += 1;
    recorded.count = count;
    recorded.attributes = numAttrs;
    recorded.first_index = attrsIdxs[0];
    recorded.order = attrs[0].srcAccessOrder;
    recorded.source_hint = attrs[0].srcLocHint.type;
    recorded.flags = attrs[0].flags;
    recorded.stream = (uint64_t)(uintptr_t)stream;
    recorded.bytes = 0;
    if (FAILS) return FAILS;
    for (size_t i = 0; i < count; ++i) {
        memcpy((void*)(uintptr_t)dsts[i], (void*)(uintptr_t)srcs[i], sizes[i]);
        recorded.bytes += sizes[i];
    }
    return 0;
}

CUresult cuMemcpyBatchAsync(CUdeviceptr* dsts, CUdeviceptr* srcs, size_t* sizes, size_t count,
                            CUmemcpyAttributes* attrs, size_t* attrsIdxs, size_t numAttrs,
                            size_t* failIdx, CUstream stream) {
    recorded.version = 12080;
    recorded.had_fail_index = failIdx != NULL;
    if (FAILS) *failIdx = 2;
    return copy(dsts, srcs, sizes, count, attrs, attrsIdxs, numAttrs, stream);
}

CUresult cuMemcpyBatchAsync_v2(CUdeviceptr* dsts, CUdeviceptr* srcs, size_t* sizes, size_t count,
                               CUmemcpyAttributes* attrs, size_t* attrsIdxs, size_t numAttrs,
                               CUstream stream) {
    recorded.version = 13000;
    recorded.had_fail_index = 0;
    return copy(dsts, srcs, sizes, count, attrs, attrsIdxs, numAttrs, stream);
}

CUresult cuGetErrorName(CUresult error, const char** name) {
    *name = "CUDA_ERROR_INVALID_VALUE";
    return error == 1 ? 0 : 1;
}

#if NEWEST >= 12000
CUresult cuGetProcAddress_v2(const char* symbol, void** pfn, int cudaVersion, uint64_t flags,
                             int* status) {
    *pfn = NULL;
    *status = 1; /* CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND */
    if (strcmp(symbol, "cuMemcpyBatchAsync") != 0 || flags != 0) return 0;
    if (cudaVersion > NEWEST || cudaVersion < 12080) {
        *status = 2; /* CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT */
        return 0;
    }
    *pfn = cudaVersion >= 13000 ? (void*)cuMemcpyBatchAsync_v2 : (void*)cuMemcpyBatchAsync;
    *status = 0;
    return 0;
}
#endif
