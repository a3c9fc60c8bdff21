/* A stand-in for NVIDIA's libcuda: the occupancy of clusters, with the structures as cuda.h of CUDA
 * 12 and 13 declares them.  It answers with the sum of what it was asked, which only a caller with
 * the same layout gets right. */

#include <stddef.h>
#include <string.h>

typedef struct CUstream_st* CUstream;
typedef struct CUfunc_st* CUfunction;
typedef enum { CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION = 4 } CUlaunchAttributeID;
typedef union {
    char pad[64];
    struct {
        unsigned int x, y, z;
    } clusterDim;
} CUlaunchAttributeValue;
typedef struct {
    CUlaunchAttributeID id;
    char pad[8 - sizeof(CUlaunchAttributeID)];
    CUlaunchAttributeValue value;
} CUlaunchAttribute;
typedef struct {
    unsigned int gridDimX, gridDimY, gridDimZ;
    unsigned int blockDimX, blockDimY, blockDimZ;
    unsigned int sharedMemBytes;
    CUstream hStream;
    CUlaunchAttribute* attrs;
    unsigned int numAttrs;
} CUlaunchConfig;

int cuOccupancyMaxActiveClusters(int* found, CUfunction function, const CUlaunchConfig* config) {
    const CUlaunchAttribute* const first = config->attrs;
    if (!function) return 400;
    if (config->numAttrs != 1 || first->id != CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION) return 1;
    if (config->gridDimY != 1 || config->gridDimZ != 1 || config->blockDimY != 1 ||
        config->blockDimZ != 1 || first->value.clusterDim.y != 1 || first->value.clusterDim.z != 1)
        return 1;
    if (config->gridDimX % first->value.clusterDim.x) return 912;
    *found = (int)(1000000 * first->value.clusterDim.x + 1000 * (config->blockDimX / 32) +
                   config->sharedMemBytes / 1024);
    return 0;
}

int cuGetErrorName(int status, const char** name) {
    if (status != 400) return 1;
    *name = "CUDA_ERROR_INVALID_HANDLE";
    return 0;
}
