/* A stand-in for NVIDIA's libcuda: two GPUs, of which the second does not tell its memory. */

#include <string.h>

static int begun;

int cuInit(unsigned int flags) {
    begun = flags == 0;
    return FAILS;
}

int cuDeviceGetCount(int* count) {
    *count = 2;
    return begun ? 0 : 3; /* CUDA_ERROR_NOT_INITIALIZED */
}

int cuDeviceGet(int* device, int ordinal) {
    *device = 40 + ordinal;
    return ordinal < 2 ? 0 : 101;
}

int cuDeviceGetUuid_v2(unsigned char* uuid, int device) {
    memset(uuid, device, 16);
    return 0;
}

int cuDeviceTotalMem_v2(unsigned long* bytes, int device) {
    *bytes = 96ul << 30;
    return device == 40 ? 0 : 1;
}
