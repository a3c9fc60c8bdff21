// Copies by the SMs over a link, and time stamps for the comparison of concurrent copies.

#include "system.cuh"

#ifndef UNROLL
#define UNROLL 8
#endif

// Copies n vectors of 16 bytes from `from` to `to`. One launch reads 16 n bytes and writes 16 n
// bytes. `from` and `to` may be in mapped host memory or on another GPU. Any one-dimensional grid
// and block is valid. The grid limits the SMs that the copy occupies.
extern "C" __global__ void __launch_bounds__(512)
    link_copy(Quad* __restrict__ to, const Quad* __restrict__ from, size_t n) {
    in_flight<UNROLL>(
        n, [=](size_t i) { return from + i; }, [](const Quad* at) { return fetch(at); },
        [=](size_t i, Quad v) { to[i] = v; });
}

// ticks[slot] = nanoseconds of the global timer, which all streams of a GPU share.
extern "C" __global__ void link_stamp(unsigned long long* ticks, unsigned slot) {
    unsigned long long now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now)::"memory");
    ticks[slot] = now;
}
