/* A stand-in for libnvidia-ml.so.1: two GPUs, one with NVLinks and a chip-to-chip link, one that
 * answers little.  Names, types and return values as in nvml.h. */

#include <string.h>

typedef int nvmlReturn_t;
typedef struct device* nvmlDevice_t;
typedef struct {
    char busIdLegacy[16];
    unsigned int domain, bus, device, pciDeviceId, pciSubSystemId;
    char busId[32];
} nvmlPciInfo_t;
typedef struct {
    unsigned long long bar1Total, bar1Free, bar1Used;
} nvmlBAR1Memory_t;
typedef struct {
    unsigned int isC2cEnabled;
} nvmlC2cModeInfo_v1_t;

enum { OK = 0, NOT_SUPPORTED = 3 };
static char first, second;
#define FULL(device) ((void*)(device) == (void*)&first)

nvmlReturn_t nvmlInit_v2(void) { return OK; }
nvmlReturn_t nvmlInitWithFlags(unsigned int flags) { (void)flags; return OK; }
nvmlReturn_t nvmlShutdown(void) { return OK; }
const char* nvmlErrorString(nvmlReturn_t result) { return result ? "Not Supported" : "Success"; }
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int* count) { *count = 2; return OK; }
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t* device) {
    *device = (nvmlDevice_t)(index ? &second : &first);
    return OK;
}
nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char* uuid, unsigned int length) {
    strncpy(uuid, FULL(device) ? "GPU-first" : "GPU-second", length);
    return OK;
}
nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int* now, unsigned int* next) {
    (void)device, (void)now, (void)next;
    return NOT_SUPPORTED;
}
#define NUMBER(name, value)                                         \
    nvmlReturn_t name(nvmlDevice_t device, unsigned int* answer) {  \
        if (!FULL(device)) return NOT_SUPPORTED;                    \
        *answer = (value);                                          \
        return OK;                                                  \
    }
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, 1)
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, 5)
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, 16)
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, 16)
nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t* memory) {
    if (!FULL(device)) return NOT_SUPPORTED;
    memory->bar1Total = 128ull << 30;
    return OK;
}
nvmlReturn_t nvmlDeviceGetC2cModeInfoV(nvmlDevice_t device, nvmlC2cModeInfo_v1_t* info) {
    if (!FULL(device)) return NOT_SUPPORTED;
    info->isC2cEnabled = 1;
    return OK;
}
nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, unsigned int* on) {
    if (!FULL(device) || link >= 18) return NOT_SUPPORTED;
    *on = link != 7; /* one is down */
    return OK;
}
nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned int link, unsigned int* v) {
    (void)device, (void)link;
    *v = 7;
    return OK;
}
nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t one, nvmlDevice_t other, unsigned int index,
                                    unsigned int* status) {
    if (index) return NOT_SUPPORTED; /* only reading is asked for */
    *status = FULL(one) && !FULL(other) ? 1 : 0;
    return OK;
}
nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t* pci) {
    memset(pci, 0, sizeof *pci);
    strcpy(pci->busId, FULL(device) ? "00000000:3B:00.0" : "00000000:5E:00.0");
    return OK;
}
