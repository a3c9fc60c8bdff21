// What the engine puts around the work that it times; see membench/measure/worker/span.py.

#include "device.cuh"

// Holds the queue: one thread waits until word[0], in mapped host memory, has come to `ticket`.
// Tickets only grow, so that a release that comes early, or twice, can do no harm.  After
// `deadline_ns` it gives up and says so in word[1].
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

// ticks[3 block ...] = {1 + number of the SM, nanoseconds of the global timer, cycles of the SM},
// by one thread of each block.  As many blocks as SMs on an idle device reach every SM; the numbers
// of SMs have gaps where some are switched off, so that none is an index here.
extern "C" __global__ void control_probe(unsigned long long* __restrict__ ticks) {
    unsigned long long* const mine = ticks + 3 * blockIdx.x;
    mine[0] = 1 + device_sm();
    mine[1] = device_ns();
    mine[2] = static_cast<unsigned long long>(clock64());
}

// The least that can be launched.
extern "C" __global__ void control_idle() {}

// Reads n 16-byte vectors.  After the buffer was written, it leaves the L2 cache full of lines
// that are clean, so that no write-back of them competes with what is timed next.
extern "C" __global__ void __launch_bounds__(1024)
    control_sweep(const ulonglong2* __restrict__ a, unsigned long long* __restrict__ sink,
                  size_t n) {
    unsigned long long bits = 0;
    const size_t step = static_cast<size_t>(blockDim.x) * gridDim.x;
    for (size_t i = static_cast<size_t>(blockDim.x) * blockIdx.x + threadIdx.x; i < n; i += step) {
        const ulonglong2 v = a[i];
        bits |= v.x | v.y;
    }
    if (bits != 0) *sink = bits;  // the buffer holds zeros: the loads are needed, the store is not
}

// Answers each of `turns` numbers that the host writes to word[0] by writing it to word[1].
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
