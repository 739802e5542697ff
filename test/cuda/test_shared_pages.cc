// Decoding over pages that neighbours share: that it has the bits of decoding without a word about what is shared, to
// the bit, however it is said, and that shared pages are read once.
#include "test/cuda/call.h"
#include <algorithm>

// Neighbours that begin with the same `pages`, and the positions before each one's new token; tokens: new ones, where
// it is not one.
struct Together {
    int32_t pages;
    Integers contexts;
    int32_t tokens;
};

struct Batch {
    Sequences s;
    Pages pages;
};

// Pages in no order; NaN behind a sequence's last key.
static Batch batch_of(Heads heads, const std::vector<Together> &all, uint32_t seed)
{
    Batch b = {{heads, {0}, {}, {}, {}, {}, {}, {}}, {}};
    Pages &p = b.pages;
    int32_t taken = 0;
    for (const Together &t : all)
        for (int32_t context : t.contexts)
            p.per_sequence = std::max(p.per_sequence, ceil_divide(context + t.tokens, KEY_BLOCK));
    for (const Together &t : all) {
        int32_t first = taken;
        taken += t.pages;
        for (int32_t context : t.contexts) {
            b.s.contexts.push_back(context);
            b.s.starts.push_back(b.s.starts.back() + t.tokens);
            p.shared.push_back(t.contexts.size() > 1 ? t.pages : 0);
            for (int64_t block = 0; block < p.per_sequence; block++)
                p.table.push_back(block < t.pages                                   ? first + (int32_t)block
                                  : block * KEY_BLOCK < (int64_t)context + t.tokens ? taken++
                                                                                    : 0);
        }
        for (size_t i = 0; i < t.contexts.size(); i++)
            p.until.push_back((int32_t)(t.contexts.size() > 1 ? b.s.contexts.size() : p.until.size() + 1));
    }
    int32_t stride = 7; // so that pages one behind the other do not lie so
    while (taken % stride == 0)
        stride += 2;
    int64_t width = heads.kv_heads * KEY_BLOCK * heads.width;
    p.keys = random_matrix(taken * heads.kv_heads * KEY_BLOCK, heads.width, seed);
    p.values = random_matrix(taken * heads.kv_heads * KEY_BLOCK, heads.width, seed + 1);
    for (int32_t &page : p.table)
        page = (int32_t)((int64_t)page * stride % taken);
    for (size_t i = 0; i < b.s.contexts.size(); i++) {
        int64_t length = b.s.contexts[i] + b.s.starts[i + 1] - b.s.starts[i], block = (length - 1) / KEY_BLOCK;
        int64_t page = p.table[i * (size_t)p.per_sequence + (size_t)block];
        for (int64_t h = 0; h < heads.kv_heads; h++) {
            int64_t from = page * width + (h * KEY_BLOCK + length - block * KEY_BLOCK) * heads.width,
                    to = page * width + (h + 1) * KEY_BLOCK * heads.width;
            std::fill(p.keys.x.begin() + from, p.keys.x.begin() + to, NAN);
            std::fill(p.values.x.begin() + from, p.values.x.begin() + to, NAN);
        }
    }
    b.s.q = random_matrix(b.s.starts.back(), heads.heads * heads.width, seed + 2, 4); // the softmax has peaks
    return b;
}

static Pages without_company(Pages p)
{
    p.shared.clear();
    p.until.clear();
    return p;
}

static void check_batch(const std::string &what, const Batch &b, const Attended &expected)
{
    Attended got = attention_forward(settings.cuda, b.s, &b.pages);
    check_same(what + " out", got.out, expected.out);
    check_same(what + " logsumexp", got.logsumexp, expected.logsumexp);
}

struct SharedCase {
    Heads heads;
    std::vector<Together> all;
};

// Contexts that end inside a page, at its end, with a segment, and behind a second one; more rows than a piece has,
// more heads, a company of which one is left, one beside a piece of a prompt, and shared pages that end with a segment,
// begin one, or end in the middle.
static std::vector<SharedCase> shared_cases()
{
    std::vector<SharedCase> cases = {
        {{1, 1, 64}, {{2, Integers(40, 300), 1}, {1, {129}, 1}, {0, {50}, 7}, {1, {128, 255}, 1}, {0, {90}, 1}}},
        {{4, 1, 128}, {{0, {0}, 1}, {5, {640, 641, 767, 768, 1023, 1024, 1030, 700}, 1}, {1, {200}, 1}}},
        {{10, 2, 64}, {{3, {384, 500, 389}, 1}, {1, {128, 300, 129, 130, 200, 140, 150, 160}, 1}}},
        {{8, 1, 128}, {{2, {256, 257, 400, 300}, 1}, {1, Integers(5, 131), 1}}},
        {{20, 1, 64}, {{1, {130, 180}, 1}, {2, {260, 256}, 1}}},
        {{4, 2, 64}, {{8, {1024, 1100, 1151}, 1}, {9, {1152, 1300}, 1}, {17, {2176, 2200, 2303}, 1}}}};
    if (settings.gpu) {
        cases.push_back({{32, 8, 128}, {{5, Integers(8, 3000), 1}, {40, Integers(16, 7000), 1}, {0, {4000}, 1}}});
        cases.push_back({{64, 8, 128}, {{7, Integers(8, 900), 1}, {8, Integers(64, 1030), 1}}});
    }
    return cases;
}

static void shared_pages_change_no_bit()
{
    uint32_t seed = 30;
    for (const SharedCase &c : shared_cases()) {
        Batch b = batch_of(c.heads, c.all, seed++);
        Pages alone = without_company(b.pages);
        std::string what = text("H %d, Hkv %d, D %d, %d sequences:", (int)c.heads.heads, (int)c.heads.kv_heads,
                                (int)c.heads.width, (int)b.s.contexts.size());
        Attended expected = attention_forward(settings.cuda, b.s, &alone);
        check_batch(what, b, expected);
    }
}

// The same batch, and less said of what is shared: fewer pages, or neighbours in companies of another size.
static void how_neighbours_keep_company_changes_no_bit()
{
    Batch b = batch_of({4, 1, 64}, {{10, {1280, 1281, 1300, 1407, 1500, 1290, 1285}, 1}}, 50);
    Pages alone = without_company(b.pages);
    Attended expected = attention_forward(settings.cuda, b.s, &alone);
    for (int32_t pages : {1, 7, 8, 9, 10})
        for (Integers until : {Integers{7, 7, 7, 7, 7, 7, 7}, Integers{1, 4, 4, 4, 5, 7, 7}}) {
            b.pages.until = until;
            for (size_t i = 0; i < until.size(); i++)
                b.pages.shared[i] = until[i] == (int32_t)i + 1 && (i == 0 || until[i - 1] <= (int32_t)i) ? 0 : pages;
            check_batch(text("%d pages, the first company ends at %d:", pages, until[0]), b, expected);
        }
}

// To the bit: the kernel for Hopper, and the one for any card, with company and without
static void decoding_for_hopper_has_the_bits_of_the_other()
{
    uint64_t order = 0;
    uint32_t seed = 70;
    if (!settings.bf16)
        return; // there is none
    for (const SharedCase &c : shared_cases()) {
        Batch b = batch_of(c.heads, c.all, seed++);
        for (bool company : {true, false}) {
            take_order(order++);
            exact_tensor_cores(order % 3 == 0);
            b.pages = company ? b.pages : without_company(b.pages);
            setenv("DEREASON_ATTENTION", "mma", 1);
            Attended expected = attention_forward(settings.cuda, b.s, &b.pages);
            unsetenv("DEREASON_ATTENTION");
            check_batch(text("H %d, Hkv %d, D %d, %s company:", (int)c.heads.heads, (int)c.heads.kv_heads,
                             (int)c.heads.width, company ? "with" : "without"),
                        b, expected);
        }
    }
    exact_tensor_cores(false);
}

// Keys and values of every position that is there, once. Beside them each row's query is read twice and its sums once
// (32 rows: 36 KB in bf16), the number of a page by every thread (14 pages: 14 KB), and what a grid's blocks make their
// lists from: less than an eighth of the 656 KB here. Read for each sample it would be five times as much.
static void check_bytes_read()
{
    Heads heads = {4, 1, 128};
    int64_t shared = 6, element = settings.bf16 ? 2 : 4, position = 2 * heads.kv_heads * heads.width * element;
    Batch b = batch_of(heads, {{(int32_t)shared, {800, 810, 820, 830, 840, 850, 860, 870}, 1}}, 60);
    Pages alone = without_company(b.pages);
    int64_t keys = 0, samples = (int64_t)b.s.contexts.size();
    for (int32_t context : b.s.contexts)
        keys += context + 1;
    int64_t once = (keys - (samples - 1) * shared * KEY_BLOCK) * position;
    int64_t together = bytes_read([&] { attention_forward(settings.cuda, b.s, &b.pages); });
    int64_t apart = bytes_read([&] { attention_forward(settings.cuda, b.s, &alone); });
    if (together >= 0 && (together < once || together > once + once / 8))
        failed("%lld bytes were read, and there are %lld", (long long)together, (long long)once);
    if (apart >= 0 && apart < keys * position)
        failed("%lld bytes were read without company, less than there are, %lld", (long long)apart,
               (long long)(keys * position));
}

static void shared_pages_are_read_once()
{
    check_bytes_read();
    setenv("DEREASON_ATTENTION", "mma", 1);
    check_bytes_read();
    unsetenv("DEREASON_ATTENTION");
}

extern const Tests shared_page_tests;
const Tests shared_page_tests = {
    {"decoding_for_hopper_has_the_bits_of_the_other", decoding_for_hopper_has_the_bits_of_the_other},
    {"shared_pages_change_no_bit", shared_pages_change_no_bit},
    {"shared_pages_in_any_company_change_no_bit", how_neighbours_keep_company_changes_no_bit},
    {"shared_pages_are_read_once", shared_pages_are_read_once}};
