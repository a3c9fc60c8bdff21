/* A stand-in for NVIDIA's libcuda: multicast objects, with the structures as cuda.h of CUDA 12 and
 * 13 declares them.  It notes what it was asked in the order that it came, and refuses what the
 * driver's manual forbids: memory that is bound before all devices are there, sizes that are no
 * multiple of the granularity, mappings of what does not exist. */

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef int CUdevice;
typedef unsigned long long CUdeviceptr, CUmemGenericAllocationHandle;
typedef struct {
    int type, id;
} CUmemLocation;
typedef struct {
    int type, requestedHandleTypes;
    CUmemLocation location;
    void* win32HandleMetaData;
    struct {
        unsigned char compressionType, gpuDirectRDMACapable;
        unsigned short usage;
        unsigned char reserved[4];
    } allocFlags;
} CUmemAllocationProp;
typedef struct {
    unsigned int numDevices;
    size_t size;
    unsigned long long handleTypes, flags;
} CUmulticastObjectProp;
typedef struct {
    CUmemLocation location;
    int flags;
} CUmemAccessDesc;

enum { GRAIN = 2 << 20, OBJECT = 0x77, INVALID = 1, NOT_READY = 802 };

char said[4096];
int supported = 1, fails_at = -1, calls;
static int added;
static size_t object_size;

static int note(const char* name, unsigned long long number) {
    char line[64];
    snprintf(line, sizeof line, "%s %llx\n", name, number);
    strncat(said, line, sizeof said - strlen(said) - 1);
    return calls++ == fails_at ? NOT_READY : 0;
}

int cuDeviceGet(CUdevice* device, int ordinal) {
    *device = 40 + ordinal;
    return ordinal < 3 ? 0 : 101;
}

int cuDeviceGetAttribute(int* value, int attribute, CUdevice device) {
    *value = attribute == 132 && device >= 40 && supported;
    return 0;
}

int cuMulticastGetGranularity(size_t* grain, const CUmulticastObjectProp* prop, int option) {
    *grain = GRAIN;
    return option == 1 && prop->numDevices == 3 && prop->handleTypes == 0 && prop->flags == 0
               ? 0
               : INVALID;
}

static int is_device_memory(const CUmemAllocationProp* prop) {
    static const CUmemAllocationProp zero;
    return prop->type == 1 && prop->location.type == 1 && prop->location.id >= 40 &&
           !prop->requestedHandleTypes && !prop->win32HandleMetaData &&
           !memcmp(&prop->allocFlags, &zero.allocFlags, sizeof zero.allocFlags);
}

int cuMemGetAllocationGranularity(size_t* grain, const CUmemAllocationProp* prop, int option) {
    *grain = 65536;
    return option == 1 && is_device_memory(prop) ? 0 : INVALID;
}

int cuMulticastCreate(CUmemGenericAllocationHandle* handle, const CUmulticastObjectProp* prop) {
    if (prop->numDevices != 3 || prop->size % GRAIN || prop->handleTypes || prop->flags)
        return INVALID;
    *handle = OBJECT;
    added = 0;
    object_size = prop->size;
    return note("create", prop->size);
}

int cuMulticastAddDevice(CUmemGenericAllocationHandle handle, CUdevice device) {
    ++added;
    return handle == OBJECT ? note("add", device) : INVALID;
}

int cuMemCreate(CUmemGenericAllocationHandle* handle, size_t size, const CUmemAllocationProp* prop,
                unsigned long long flags) {
    if (!is_device_memory(prop) || flags || size != object_size) return INVALID;
    *handle = 0x100 + prop->location.id;
    return note("memory", *handle);
}

int cuMulticastBindMem(CUmemGenericAllocationHandle object, size_t at,
                       CUmemGenericAllocationHandle memory, size_t offset, size_t size,
                       unsigned long long flags) {
    if (object != OBJECT || added != 3 || at || offset || size != object_size || flags)
        return INVALID;
    return note("bind", memory);
}

int cuMulticastUnbind(CUmemGenericAllocationHandle object, CUdevice device, size_t at,
                      size_t size) {
    return object == OBJECT && !at && size == object_size ? note("unbind", device) : INVALID;
}

int cuMemAddressReserve(CUdeviceptr* at, size_t size, size_t alignment, CUdeviceptr wished,
                        unsigned long long flags) {
    static CUdeviceptr next = 1ULL << 40;
    if (size != object_size || alignment % GRAIN || wished || flags) return INVALID;
    *at = next += 1ULL << 32;
    return note("reserve", size);
}

int cuMemMap(CUdeviceptr at, size_t size, size_t offset, CUmemGenericAllocationHandle handle,
             unsigned long long flags) {
    return at && size == object_size && !offset && !flags ? note("map", handle) : INVALID;
}

int cuMemSetAccess(CUdeviceptr at, size_t size, const CUmemAccessDesc* all, size_t count) {
    if (!at || size != object_size || count != 3) return INVALID;
    for (size_t i = 0; i < count; ++i)
        if (all[i].location.type != 1 || all[i].location.id != 40 + (int)i || all[i].flags != 3)
            return INVALID;
    return note("access", count);
}

int cuMemUnmap(CUdeviceptr at, size_t size) {
    return at && size == object_size ? note("unmap", size) : INVALID;
}

int cuMemAddressFree(CUdeviceptr at, size_t size) {
    return at && size == object_size ? note("give", size) : INVALID;
}

int cuMemRelease(CUmemGenericAllocationHandle handle) { return note("release", handle); }

int cuGetErrorName(int status, const char** name) {
    if (status != NOT_READY) return 1;
    *name = "CUDA_ERROR_SYSTEM_NOT_READY";
    return 0;
}
