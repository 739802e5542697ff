// Memory of the device: what is allocated, copied, rounded, cleared and added there comes out to the bit.
#include "test/cuda/call.h"
#include <cstring>

static void memory_is_zeroed_and_aligned()
{
    for (size_t size : {1u, 7u, 256u, 100001u}) {
        std::vector<unsigned char> host(size, 1);
        void *p = settings.cuda->allocate(size);
        if (p == NULL || (uintptr_t)p % 256 != 0)
            failed("allocate(%zu) gave %p", size, p);
        if (!settings.cuda->download(NULL, host.data(), p, size) || !settings.cuda->synchronize(NULL))
            failed("download: %s", error_text());
        for (size_t i = 0; i < size; i++)
            if (host[i] != 0)
                failed("byte %zu of %zu new ones is %d", i, size, host[i]);
        settings.cuda->release(p);
    }
}

static void bytes_come_back_as_they_went()
{
    for (size_t size : {1u, 3u, 4096u, 1000003u}) {
        std::vector<unsigned char> host(size), back(size);
        for (size_t i = 0; i < size; i++)
            host[i] = (unsigned char)(i * 151 + i / 256);
        Memory m(settings.cuda);
        void *p = m.bytes(host.data(), size);
        m.read(back.data(), p, size);
        if (back != host)
            failed("%zu bytes came back changed", size);
    }
}

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Nearest of the two bf16 numbers around x, found by their distances; the one with an even last bit where both are as
// far.
static uint32_t nearest_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t toward_zero = bits & 0xffff0000u, away = toward_zero + 0x10000u;
    double down = std::fabs((double)x - (double)of_bits(toward_zero));
    double above =
        (away & 0x7fffffffu) == 0x7f800000u ? 0x1p128 : std::fabs((double)of_bits(away)); // where infinity would stand
    double up = above - std::fabs((double)x);
    return down < up || (down == up && toward_zero % 0x20000u == 0) ? toward_zero : away;
}

static Floats rounding_cases()
{
    const uint32_t edges[] = {0x00000000, 0x80000000, 0x3f800000, 0x3f808000, 0x3f808001, 0x3f807fff, 0x3f818000,
                              0xbf818000, 0x7f7f7fff, 0x7f7f8000, 0x7f7fffff, 0xff7fffff, 0x00000001, 0x00008000,
                              0x00008001, 0x00018000, 0x007fffff, 0x00800000, 0x7f800000, 0xff800000, 0x7fffffff};
    Floats x;
    for (uint32_t bits : edges)
        x.push_back(of_bits(bits));
    for (uint32_t i = 0; i < 5000; i++) {
        float any = of_bits(random_bits(5, RANDOM_SAMPLE, i, 0, 0).v[0]);
        x.push_back(std::isnan(any) ? 0.1f : any);
    }
    return x;
}

static void numbers_are_rounded_to_the_nearest_or_even()
{
    Floats x = rounding_cases(), expected = x;
    for (float &number : expected)
        if (settings.bf16 && std::isfinite(number))
            number = of_bits(nearest_bf16(number));
    Memory m(settings.cuda);
    Floats got = m.read(m.elements(Matrix{1, (int64_t)x.size(), x}));
    for (size_t i = 0; i < x.size(); i++)
        if (std::isnan(x[i]) ? !std::isnan(got[i]) : memcmp(&got[i], &expected[i], 4) != 0)
            failed("%a became %a instead of %a", (double)x[i], (double)got[i], (double)expected[i]);
}

static void many_numbers_are_rounded_like_few() // more than are converted at a time
{
    Matrix x = {1, (1 << 20) + 5, random_floats((1 << 20) + 5, 6)};
    Memory m(settings.cuda);
    check_same("upload_rounded", m.read(m.elements(x)), rounded(1, x.columns, x.x).x);
}

static void zero_clears_what_it_is_given()
{
    const struct {
        int64_t first, count;
    } ranges[] = {{0, 1000}, {4, 1}, {100, 333}, {999, 1}, {0, 0}};
    for (auto range : ranges) {
        Floats before = random_floats(1000, 7), expected = before;
        Memory m(settings.cuda);
        float *x = m.floats(before);
        settings.cuda->zero(NULL, x + range.first, (size_t)range.count * sizeof(float));
        for (int64_t i = range.first; i < range.first + range.count; i++)
            expected[(size_t)i] = 0;
        check_same("zero", m.read(x, 1000), expected);
    }
}

static void accumulate_adds_each_number_once()
{
    for (int64_t count : {1, 3, 4, 5, 1023, 4100}) {
        Floats sum = random_floats(count, 8), x = random_floats(count, 9), expected = sum;
        for (int64_t i = 0; i < count; i++)
            expected[(size_t)i] += x[(size_t)i];
        Memory m(settings.cuda);
        float *device = m.floats(sum);
        settings.cuda->accumulate(NULL, device, m.floats(x), count);
        check_same(text("accumulate of %d", (int)count), m.read(device, count), expected);
    }
}

extern const Tests memory_tests;
const Tests memory_tests = {{"memory_is_zeroed_and_aligned", memory_is_zeroed_and_aligned},
                            {"bytes_come_back_as_they_went", bytes_come_back_as_they_went},
                            {"numbers_are_rounded_to_the_nearest_or_even", numbers_are_rounded_to_the_nearest_or_even},
                            {"many_numbers_are_rounded_like_few", many_numbers_are_rounded_like_few},
                            {"zero_clears_what_it_is_given", zero_clears_what_it_is_given},
                            {"accumulate_adds_each_number_once", accumulate_adds_each_number_once}};
