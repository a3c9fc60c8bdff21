// Shared memory: reads and writes of WIDTH bytes per thread with a stride, latency, and access to
// the shared memory of another block in the cluster.
//
// A tile has one element of WIDTH bytes for each of the 1024 threads. With stride s (1 .. 32, a
// power of two) lane l of warp w has element (w / s) * 32 s + l s + w % s of each tile. Every
// element belongs to one thread, and neighbouring lanes are s elements apart. A turn accesses
// kTiles successive tiles, starting at tile turn % kTiles. So successive turns make different
// accesses, and the compiler cannot drop an access.

#include "cluster.cuh"
#include "device.cuh"

#ifndef WIDTH
#define WIDTH 4
#endif

// Blocks per cluster, a property of the compiled kernel.
#ifndef CLUSTER
#define CLUSTER 2
#endif

#ifndef LOADS
#define LOADS 32
#endif

namespace {

constexpr unsigned kBlock = 1024;
constexpr unsigned kTile = kBlock * WIDTH;
constexpr unsigned kTiles = 32768 / kTile;
constexpr unsigned kAll = 2 * kTiles - 1;
constexpr unsigned kWords = WIDTH / 4;

// Bytes from the start of a tile to the thread's element.
__device__ __forceinline__ unsigned place(unsigned stride) {
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    return ((warp / stride) * 32 * stride + lane * stride + warp % stride) * WIDTH;
}

// volatile asm keeps all reads, in order. Without volatile, the compiler would read unchanging data
// only once.
__device__ __forceinline__ unsigned read(unsigned address) {
#if WIDTH == 4
    unsigned x;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(x) : "r"(address));
    return x;
#elif WIDTH == 8
    unsigned x, y;
    asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];" : "=r"(x), "=r"(y) : "r"(address));
    return x + y;
#else
    uint4 v;
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "r"(address));
    return sum_of(v);
#endif
}

__device__ __forceinline__ void write(unsigned address, unsigned x) {
#if WIDTH == 4
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(address), "r"(x));
#elif WIDTH == 8
    asm volatile("st.shared.v2.u32 [%0], {%1, %1};" ::"r"(address), "r"(x));
#else
    asm volatile("st.shared.v4.u32 [%0], {%1, %1, %1, %1};" ::"r"(address), "r"(x));
#endif
}

extern __shared__ uint4 memory[];

// Fills `words` words of shared memory with the pattern.
__device__ __forceinline__ void fill(unsigned words, unsigned salt) {
    unsigned* const word = reinterpret_cast<unsigned*>(memory);
#pragma unroll 1
    for (unsigned i = threadIdx.x; i < words; i += blockDim.x) word[i] = pattern_word(i, salt);
    __syncthreads();
}

}  // namespace

// Uses kAll tiles of dynamic shared memory. sums[block] += sum of the words that the block read.
extern "C" __global__ void __launch_bounds__(kBlock)
    shared_read(unsigned* __restrict__ sums, unsigned stride, unsigned turns, unsigned salt) {
    fill(kAll * kBlock * kWords, salt);
    const unsigned mine = shared_address(memory) + place(stride);
    unsigned sum = 0;
#pragma unroll 1
    for (unsigned turn = 0; turn < turns; ++turn) {
        const unsigned at = mine + turn % kTiles * kTile;
#pragma unroll
        for (unsigned k = 0; k < kTiles; ++k) sum += read(at + k * kTile);
    }
    add_block_sum(sums, sum);
}

// Every word of an element becomes thread + turn. Then sums[block] += sum of all words.
extern "C" __global__ void __launch_bounds__(kBlock)
    shared_write(unsigned* __restrict__ sums, unsigned stride, unsigned turns, unsigned salt) {
    fill(kAll * kBlock * kWords, salt);
    const unsigned mine = shared_address(memory) + place(stride);
#pragma unroll 1
    for (unsigned turn = 0; turn < turns; ++turn) {
        const unsigned at = mine + turn % kTiles * kTile;
#pragma unroll
        for (unsigned k = 0; k < kTiles; ++k) write(at + k * kTile, threadIdx.x + turn);
    }
    __syncthreads();
    unsigned sum = 0;
#pragma unroll 1
    for (unsigned k = 0; k < kAll; ++k) sum += read(shared_address(memory) + place(1) + k * kTile);
    add_block_sum(sums, sum);
}

// One thread follows addresses in shared memory. Word i points to word i + step. The number of
// words (`words`) is a power of two and `step` is odd, so that the ring is one cycle. out = {word
// at the end of LOADS * turns hops, nanoseconds, cycles}.
extern "C" __global__ void __launch_bounds__(32)
    shared_chase(unsigned long long* __restrict__ out, unsigned words, unsigned step,
                 unsigned turns) {
    unsigned* const word = reinterpret_cast<unsigned*>(memory);
    const unsigned base = shared_address(memory);
#pragma unroll 1
    for (unsigned i = threadIdx.x; i < words; i += blockDim.x)
        word[i] = base + ((i + step) & (words - 1)) * 4;
    __syncthreads();
    if (threadIdx.x != 0) return;
    unsigned at = base;
    const unsigned long long ns = device_ns();
    const long long cycles = clock64();
#pragma unroll 1
    for (unsigned turn = 0; turn < turns; ++turn) {
#pragma unroll
        for (int k = 0; k < LOADS; ++k)
            asm volatile("ld.shared.u32 %0, [%0];" : "+r"(at)::"memory");
    }
    const long long cycles_after = clock_after(at);
    const unsigned long long ns_after = device_ns();
    out[0] = (at - base) / 4;
    out[1] = ns_after - ns;
    out[2] = static_cast<unsigned long long>(cycles_after - cycles);
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900

namespace {

// The address of the same offset in the shared memory of the next block in the cluster.
__device__ __forceinline__ unsigned beside(unsigned address) {
    unsigned there;
    asm("mapa.shared::cluster.u32 %0, %1, %2;"
        : "=r"(there)
        : "r"(address), "r"((rank() + 1) % CLUSTER));
    return there;
}

__device__ __forceinline__ unsigned long long in_block(const void* at, unsigned block) {
    unsigned long long there;
    asm("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(at), "r"(block));
    return there;
}

__device__ __forceinline__ uint4 read_beside(unsigned address) {
    uint4 v;
    asm volatile("ld.shared::cluster.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "r"(address));
    return v;
}

constexpr unsigned kRemoteTile = kBlock * 16;
constexpr unsigned kRemoteTiles = 2;

}  // namespace

// Like shared_read with WIDTH 16 and stride 1, but reads 48 KiB of the next block's shared memory.
extern "C" __global__ void __cluster_dims__(CLUSTER) __launch_bounds__(kBlock)
    cluster_read(unsigned* __restrict__ sums, unsigned turns, unsigned salt) {
    fill((2 * kRemoteTiles - 1) * kBlock * 4, salt + blockIdx.x % CLUSTER);
    meet();
    const unsigned mine = beside(shared_address(memory)) + threadIdx.x * 16;
    unsigned sum = 0;
#pragma unroll 1
    for (unsigned turn = 0; turn < turns; ++turn) {
        const unsigned at = mine + turn % kRemoteTiles * kRemoteTile;
#pragma unroll
        for (unsigned k = 0; k < kRemoteTiles; ++k)
            sum += sum_of(read_beside(at + k * kRemoteTile));
    }
    meet();  // no block ends while another one reads its memory
    add_block_sum(sums, sum);
}

// Like shared_chase, but the ring is in the next block's shared memory. A launch has one cluster.
extern "C" __global__ void __cluster_dims__(CLUSTER) __launch_bounds__(32)
    cluster_chase(unsigned long long* __restrict__ out, unsigned words, unsigned step,
                  unsigned turns) {
    // The ring contains generic addresses, because an address in the cluster's window would have to
    // be computed at every hop. Generic addresses contain the rank of the block, so that they are
    // valid in all blocks.
    unsigned long long* const word = reinterpret_cast<unsigned long long*>(memory);
    const unsigned long long own = in_block(memory, rank());
#pragma unroll 1
    for (unsigned i = threadIdx.x; i < words; i += blockDim.x)
        word[i] = own + ((i + step) & (words - 1)) * 8;
    meet();
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        const unsigned long long start = in_block(memory, (rank() + 1) % CLUSTER);
        unsigned long long at = start;
        const unsigned long long ns = device_ns();
        const long long cycles = clock64();
#pragma unroll 1
        for (unsigned turn = 0; turn < turns; ++turn) {
#pragma unroll
            for (int k = 0; k < LOADS; ++k) asm volatile("ld.u64 %0, [%0];" : "+l"(at)::"memory");
        }
        const long long cycles_after = clock_after(static_cast<unsigned>(at));
        const unsigned long long ns_after = device_ns();
        out[0] = (at - start) / 8;
        out[1] = ns_after - ns;
        out[2] = static_cast<unsigned long long>(cycles_after - cycles);
    }
    meet();
}

#endif
