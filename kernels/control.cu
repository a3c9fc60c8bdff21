// Kernels around the timed work; see membench/measure/worker/span.py.

#include "device.cuh"

// Blocks the queue: one thread waits until word[0], in mapped host memory, is at least `ticket`.
// The host only increases the tickets, so that an early or repeated release does no harm. After
// `deadline_ns`, the kernel ends and writes the ticket to word[1].
extern "C" __global__ void control_hold(volatile int* word, int ticket,
                                        unsigned long long deadline_ns) {
    const unsigned long long begin = device_ns();
#pragma unroll 1
    while (word[0] < ticket) {
        if (device_ns() - begin > deadline_ns) {
            word[1] = ticket;
            break;
        }
        asm volatile("nanosleep.u32 200;" ::: "memory");
    }
}

// One thread of each block writes ticks[3 block ...] = {1 + number of the SM, nanoseconds of the
// global timer, cycles of the SM}. On an idle device, a launch with as many blocks as SMs reaches
// every SM. SM numbers have gaps if some SMs are disabled, so the kernel does not use SM numbers as
// indices.
extern "C" __global__ void control_probe(unsigned long long* __restrict__ ticks) {
    unsigned long long* const mine = ticks + 3 * blockIdx.x;
    mine[0] = 1 + device_sm();
    mine[1] = device_ns();
    mine[2] = static_cast<unsigned long long>(clock64());
}

extern "C" __global__ void control_idle() {}

// Reads n vectors of 16 bytes. The reads follow a write of the buffer, and fill the L2 cache with
// clean lines. So no write-back competes with the work that is timed next.
extern "C" __global__ void __launch_bounds__(1024)
    control_sweep(const ulonglong2* __restrict__ a, unsigned long long* __restrict__ sink,
                  size_t n) {
    unsigned long long bits = 0;
    const size_t step = static_cast<size_t>(blockDim.x) * gridDim.x;
    for (size_t i = static_cast<size_t>(blockDim.x) * blockIdx.x + threadIdx.x; i < n; i += step) {
        const ulonglong2 v = a[i];
        bits |= v.x | v.y;
    }
    if (bits != 0) *sink = bits;  // never true (all zeros), but keeps the loads
}

// Waits `turns` times for a new number from the host in word[0], and copies the number to word[1].
extern "C" __global__ void control_echo(volatile int* word, int turns,
                                        unsigned long long deadline_ns) {
    const unsigned long long begin = device_ns();
#pragma unroll 1
    for (int turn = 1; turn <= turns; ++turn) {
#pragma unroll 1
        while (word[0] < turn) {
            if (device_ns() - begin > deadline_ns) return;
        }
        word[1] = turn;
    }
}
