/* A stand-in for libnvidia-ml.so.1: the entries that membench calls, through their true signatures.
 *
 * What it answers stands in the file that NVML_STUB names, read anew at every call, so that a test
 * can change a GPU while it is in use.  One fact a line, "KEY VALUE":
 *
 *   0.name NVIDIA H100       of GPU 0; 0.m1.name of the instance in its MIG slot 1
 *   0.power !3               the call fails with that error; so does one whose key is absent
 *   init 9                   error of nvmlInit; gone 15: of everything that asks a GPU
 *
 * With -DOLD the entries that drivers of 2021 did not have are absent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int R;
typedef unsigned long long U64;
typedef struct {
    U64 total, free, used;
} Memory;
typedef struct {
    U64 reference, violation;
} Violation;
typedef struct {
    unsigned pid;
    U64 memory;
    unsigned gpu, compute;
} Process;
typedef struct {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[32];
} Pci;

enum { OK, UNINITIALIZED, INVALID, NOT_SUPPORTED, NOT_FOUND = 6, TOO_SMALL };
static int up;

/* The value of KEY, 0 where it is absent. */
static const char* look(const char* key) {
    static char line[512];
    const char* path = getenv("NVML_STUB");
    FILE* file = path ? fopen(path, "r") : 0;
    const char* found = 0;
    size_t length = strlen(key);
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, key, length) && line[length] == ' ') found = line + length + 1;
    }
    if (file) fclose(file);
    return found;
}
static long number(const char* key, long otherwise) {
    const char* text = look(key);
    return text ? strtol(text, 0, 0) : otherwise;
}
/* The fact NAME of a device; sets the error that asking for it gives. */
static const char* fact(void* device, const char* name, R* error) {
    char key[64];
    unsigned long id = (unsigned long)device;
    long gone = number("gone", 0);
    *error = gone ? (R)gone : up ? OK : UNINITIALIZED;
    if (*error) return 0;
    if (id < 1000)
        snprintf(key, sizeof key, "%lu.%s", id - 1, name);
    else
        snprintf(key, sizeof key, "%lu.m%lu.%s", id / 1000 - 1, id % 1000, name);
    const char* text = look(key);
    *error = !text ? NOT_SUPPORTED : *text == '!' ? atoi(text + 1) : OK;
    return text;
}
static R whole(void* device, const char* name, unsigned* out) {
    R error;
    const char* text = fact(device, name, &error);
    if (!error) *out = (unsigned)strtoul(text, 0, 0);
    return error;
}
static R whole64(void* device, const char* name, U64* out) {
    R error;
    const char* text = fact(device, name, &error);
    if (!error) *out = strtoull(text, 0, 0);
    return error;
}
static R string(void* device, const char* name, char* out, unsigned room) {
    R error;
    const char* text = fact(device, name, &error);
    if (error) return error;
    if (strlen(text) + 1 > room) return TOO_SMALL;
    strcpy(out, text);
    return OK;
}
static R clock_of(void* device, const char* kind, int type, unsigned* mhz) {
    char name[32];
    snprintf(name, sizeof name, "%s%s", type == 2 ? "mem" : "sm", kind);
    return whole(device, name, mhz);
}

R nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    R error = (R)number("init", 0);
    up += !error;
    return error;
}
R nvmlShutdown(void) {
    if (!up) return UNINITIALIZED;
    up--;
    return OK;
}
const char* nvmlErrorString(R error) {
    static char text[32];
    snprintf(text, sizeof text, "error %d", error);
    return text;
}
R nvmlSystemGetDriverVersion(char* out, unsigned room) {
    const char* text = look("driver");
    if (up && text && *text == '!') return atoi(text + 1);
    snprintf(out, room, "%s", text ? text : "580.95.05");
    return up ? OK : UNINITIALIZED;
}
R nvmlSystemGetCudaDriverVersion(int* version) {
    *version = (int)number("cuda", 13000);
    return !up ? UNINITIALIZED : *version ? OK : NOT_SUPPORTED;
}
R nvmlDeviceGetCount_v2(unsigned* count) {
    *count = (unsigned)number("count", 0);
    return up ? (R)number("gone", 0) : UNINITIALIZED;
}
R nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
    char key[32];
    if (!up) return UNINITIALIZED;
    if (index >= (unsigned)number("count", 0)) return INVALID;
    snprintf(key, sizeof key, "%u.handle", index);
    *device = (void*)(unsigned long)(index + 1);
    return (R)number(key, 0);
}
R nvmlDeviceGetUUID(void* d, char* out, unsigned room) { return string(d, "uuid", out, room); }
R nvmlDeviceGetName(void* d, char* out, unsigned room) { return string(d, "name", out, room); }
R nvmlDeviceGetMemoryInfo(void* d, Memory* out) { return whole64(d, "memory", &out->total); }
R nvmlDeviceGetCudaComputeCapability(void* d, int* major, int* minor) {
    R error;
    const char* text = fact(d, "capability", &error);
    if (!error) sscanf(text, "%d.%d", major, minor);
    return error;
}
R nvmlDeviceGetClockInfo(void* d, int type, unsigned* mhz) { return clock_of(d, "", type, mhz); }
R nvmlDeviceGetMaxClockInfo(void* d, int type, unsigned* mhz) {
    return clock_of(d, "_max", type, mhz);
}
R nvmlDeviceGetApplicationsClock(void* d, int type, unsigned* mhz) {
    return clock_of(d, "_set", type, mhz);
}
R nvmlDeviceGetPerformanceState(void* d, int* state) {
    return whole(d, "performance", (unsigned*)state);
}
R nvmlDeviceGetCurrentClocksThrottleReasons(void* d, U64* mask) {
    return whole64(d, "reasons", mask);
}
R nvmlDeviceGetViolationStatus(void* d, int policy, Violation* out) {
    char name[32];
    snprintf(name, sizeof name, "held%d", policy);
    return whole64(d, name, &out->violation);
}
R nvmlDeviceGetTemperature(void* d, int sensor, unsigned* celsius) {
    return sensor ? INVALID : whole(d, "temperature", celsius);
}
typedef struct {
    unsigned field, scope;
    long long stamp, latency;
    int type;
    R result;
    union {
        double d;
        unsigned ui;
        U64 ull;
    } value;
} Field;
R nvmlDeviceGetFieldValues(void* d, int count, Field* fields) {
    for (int n = 0; n < count; ++n) {
        fields[n].type = 1; /* an unsigned int */
        fields[n].result =
            fields[n].field == 82 ? whole(d, "memory_temperature", &fields[n].value.ui) : NOT_SUPPORTED;
    }
    return OK;
}
typedef struct {
    unsigned environment, feature, tools;
} Confidential;
R nvmlSystemGetConfComputeState(Confidential* out) {
    const char* text = look("confidential");
    out->environment = out->tools = 0;
    out->feature = text ? (unsigned)strtoul(text, 0, 0) : 0;
    return !up ? UNINITIALIZED : text ? OK : NOT_SUPPORTED;
}
R nvmlDeviceGetPowerUsage(void* d, unsigned* mw) { return whole(d, "power", mw); }
R nvmlDeviceGetPowerManagementLimit(void* d, unsigned* mw) { return whole(d, "power_limit", mw); }
R nvmlDeviceGetPowerManagementDefaultLimit(void* d, unsigned* mw) {
    return whole(d, "power_default", mw);
}
R nvmlDeviceGetEccMode(void* d, int* now, int* pending) {
    *pending = 0;
    return whole(d, "ecc", (unsigned*)now);
}
R nvmlDeviceGetTotalEccErrors(void* d, int type, int counter, U64* count) {
    return type != 1 || counter != 0 ? INVALID : whole64(d, "ecc_errors", count);
}
R nvmlDeviceGetPersistenceMode(void* d, int* mode) {
    return whole(d, "persistence", (unsigned*)mode);
}
R nvmlDeviceGetCurrPcieLinkGeneration(void* d, unsigned* out) { return whole(d, "gen", out); }
R nvmlDeviceGetMaxPcieLinkGeneration(void* d, unsigned* out) { return whole(d, "gen_max", out); }
R nvmlDeviceGetCurrPcieLinkWidth(void* d, unsigned* out) { return whole(d, "width", out); }
R nvmlDeviceGetMaxPcieLinkWidth(void* d, unsigned* out) { return whole(d, "width_max", out); }
R nvmlDeviceGetPciInfo_v3(void* d, Pci* out) {
    memset(out, 0, sizeof *out);
    return string(d, "bus", out->bus_id, sizeof out->bus_id);
}
#ifndef OLD
R nvmlDeviceGetCurrentClocksEventReasons(void* d, U64* mask) { return whole64(d, "reasons", mask); }
R nvmlDeviceGetMemoryBusWidth(void* d, unsigned* bits) { return whole(d, "bus_bits", bits); }
/* Processes "17 42", or "none". */
static R listed(void* d, const char* name, unsigned* count, Process* out) {
    R error;
    const char* text = fact(d, name, &error);
    char copy[256];
    unsigned found = 0, room = *count;
    if (error) return error;
    snprintf(copy, sizeof copy, "%s", strcmp(text, "none") ? text : "");
    for (char* word = strtok(copy, " "); word; word = strtok(0, " "), found++)
        if (found < room)
            memset(&out[found], 0, sizeof *out), out[found].pid = (unsigned)atoi(word);
    *count = found;
    return found > room ? TOO_SMALL : OK;
}
R nvmlDeviceGetComputeRunningProcesses_v3(void* d, unsigned* count, Process* out) {
    return listed(d, "processes", count, out);
}
R nvmlDeviceGetMPSComputeRunningProcesses_v3(void* d, unsigned* count, Process* out) {
    return listed(d, "mps", count, out);
}
R nvmlDeviceGetComputeMode(void* d, unsigned* mode) { return whole(d, "compute_mode", mode); }
R nvmlDeviceGetVirtualizationMode(void* d, unsigned* mode) {
    return whole(d, "virtualization", mode);
}
R nvmlDeviceGetNumaNodeId(void* d, int* node) { return whole(d, "numa", (unsigned*)node); }
R nvmlDeviceGetAddressingMode(void* d, unsigned* mode) {
    return whole(d, "addressing", mode + 1); /* behind the version of the structure */
}
R nvmlDeviceGetC2cModeInfoV(void* d, unsigned* enabled) { return whole(d, "c2c", enabled); }
R nvmlDeviceGetMigMode(void* d, unsigned* now, unsigned* pending) {
    *pending = 0;
    return whole(d, "mig", now);
}
R nvmlDeviceGetMaxMigDeviceCount(void* d, unsigned* count) { return whole(d, "slots", count); }
R nvmlDeviceGetMigDeviceHandleByIndex(void* d, unsigned slot, void** part) {
    char name[32], uuid[96];
    snprintf(name, sizeof name, "m%u.uuid", slot);
    if (string(d, name, uuid, sizeof uuid)) return NOT_FOUND; /* slots may be empty */
    *part = (void*)((unsigned long)d * 1000 + slot);
    return OK;
}
#endif
