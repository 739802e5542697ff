// The parts of the kernel benchmark. A Case is one operation at one shape with the bytes it must move and the
// operations it must do (bench_cases.cc lists them all); a Memory holds the arrays of one case, filled with random
// numbers; a Timer runs it with a cold cache and takes the median (bench_timer.cc); kernel_bench.cc measures the
// machine's two ceilings and holds everything against them.
#ifndef DEV_BENCH_H
#define DEV_BENCH_H

#include "kernels/kernels.h"
#include <functional>
#include <string>
#include <vector>

// ---- arrays of random numbers (bench_timer.cc)

enum Numbers { NORMAL, SMALL, POSITIVE }; // standard deviations 1 and 0.02; and the absolute values of the second

// Random numbers are made once, on the host; arrays are filled from them on the device, each from another place on.
// Everything a case takes is given back with it.
class Memory
{
  public:
    explicit Memory(const Kernels *kernels);
    ~Memory();
    void release(); // what was taken, not the random numbers
    Tensor tensor(int64_t rows, int64_t columns, Numbers kind);
    float *floats(int64_t count, Numbers kind);
    template <typename T> T *copy(const std::vector<T> &host)
    {
        return (T *)copy_bytes(host.data(), host.size() * sizeof(T));
    }
    // for results: every byte 0xFF, so that what a kernel does not write is NaN
    Tensor empty(int64_t rows, int64_t columns);
    float *empty_floats(int64_t count);

  private:
    void *take(size_t bytes);
    void *copy_bytes(const void *host, size_t bytes);
    void *poisoned(size_t bytes);
    void fill(void *array, size_t bytes, void *source, size_t source_bytes);
    const Kernels *kernels;
    std::vector<void *> taken;
    void *element_source[3], *float_source[3];
    size_t place;
};

// ---- one thing to time

struct Peer {
    std::string name;
    int repeats;
    std::function<bool()> run; // false: it does not do this shape
};

// A case that is ready to run, and an array that it writes, to be looked at for NaN.
struct Work {
    std::function<void()> run;
    const void *result;
    int64_t result_count;
    bool result_is_float;
    std::vector<Peer> peers;
};

struct Case {
    std::string kernel, model, shape;
    double bytes, flops; // the fewest that it can do with
    std::function<Work(Memory &)> prepare;
};

// The sizes of a model, as DESIGN.md's letters have them.
struct Sizes {
    const char *model;
    int64_t C, H, Hkv, D, F, V;
};

// Every case of a model with so many tokens, attention over documents of each length; plain: simple kernels beside
// ours.
struct Extent {
    int64_t tokens;
    std::vector<std::pair<int64_t, int64_t>> documents; // how many, and how long
    std::vector<int64_t> few_rows;                      // for the products of decoding
    std::vector<std::pair<int64_t, int64_t>>
        decoding; // sequences with a new token each, and how many tokens they have by then
    bool plain;
};

std::vector<Case> bench_cases(const Kernels *kernels, const Sizes &sizes, const Extent &extent);

// ---- timing (bench_timer.cc)

struct Timing {
    double microseconds, spread; // median; distance of the quartiles over the median
    int repeats;
};

class Timer
{
  public:
    Timer(const Kernels *kernels, bool host_clock);
    ~Timer();
    Timing measure(const std::function<void()> &run, int repeats);
    // microseconds of one launch among many of a graph, as a decoding pass has them; NAN: it does not go into one
    double in_graph(const std::function<void()> &run, int repeats);

  private:
    double once(const std::function<void()> &run);
    Graph *taken_down(const std::function<void()> &run);
    const Kernels *kernels;
    bool host_clock;
    void *begin, *end; // cudaEvent_t
    void *flush;
    size_t flush_bytes;
};

// ---- the simplest kernels that are right (plain_kernels.cu; true, as peers are), one that only reads; and what a
// timer needs in the stream that our kernels run in

namespace PRECISION
{

bool plain_rmsnorm(Stream *s, void *y, const void *x, const void *weight, int64_t rows, int64_t columns, float epsilon);
bool plain_swiglu(Stream *s, void *y, const void *gate, const void *up, int64_t count);
bool plain_matmul(Stream *s, void *y, const void *x, const void *w, int64_t rows, int64_t columns, int64_t inner);
bool plain_attention(Stream *s, void *out, const void *q, const void *k, const void *v, int64_t tokens, int64_t heads,
                     int64_t kv_heads, int64_t head_width);
void read_all(Stream *s, const void *data, size_t bytes);
bool copy_all(Stream *s, void *to, const void *from, size_t bytes);
bool record(Stream *s, void *event);

} // namespace PRECISION

#endif
