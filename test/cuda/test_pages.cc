// KV pages and tokens that stay on the device: numbers are moved, so everything is compared to the bit. That attention
// reads pages as they are written here is in test_attention.cc.
#include "test/cuda/call.h"
#include <algorithm>

// Three sequences over shuffled pages; contexts that end inside a page, at its end, and nowhere.
static void every_token_goes_to_its_place()
{
    for (Heads heads : {Heads{4, 2, 64}, Heads{2, 1, 128}}) {
        int64_t T = 1 + 140 + 7, Hkv = heads.kv_heads, D = heads.width, pool = 8, rows = pool * Hkv * KEY_BLOCK;
        Sequences s = {heads,
                       {0, 1, 141, (int32_t)T},
                       {127, 128, 0},
                       {},
                       random_matrix(T, Hkv * D, 1),
                       random_matrix(T, Hkv * D, 2),
                       {},
                       {}};
        s.k.x.resize((size_t)(T * Hkv * D));
        Pages before = {random_matrix(rows, D, 3), random_matrix(rows, D, 4), {5, 0, 0, 1, 7, 2, 4, 0, 0}, 3, {}, {}};
        Pages expected = before;
        for (size_t i = 0; i < 3; i++)
            for (int32_t t = s.starts[i]; t < s.starts[i + 1]; t++) {
                int32_t position = s.contexts[i] + t - s.starts[i];
                int64_t page = before.table[i * 3 + (size_t)(position / KEY_BLOCK)];
                for (int64_t h = 0; h < Hkv; h++) {
                    int64_t row = (page * Hkv + h) * KEY_BLOCK + position % KEY_BLOCK;
                    std::copy_n(s.k.row(t) + h * D, D, expected.keys.row(row));
                    std::copy_n(s.v.row(t) + h * D, D, expected.values.row(row));
                }
            }
        Pages after = pages_write(settings.cuda, s, before);
        check_same("keys in pages", after.keys.x, expected.keys.x);
        check_same("values in pages", after.values.x, expected.values.x);
    }
}

// Normed, turned and written in one: as keys that were normed and turned before.
static void keys_are_turned_on_their_way_to_the_pages()
{
    for (Heads heads : {Heads{4, 2, 64}, Heads{3, 1, 128}}) {
        int64_t T = 1 + 140 + 7, H = heads.heads, Hkv = heads.kv_heads, D = heads.width, rows = 8 * Hkv * KEY_BLOCK;
        Sequences s = {heads,
                       {0, 1, 141, (int32_t)T},
                       {127, 128, 0},
                       random_matrix(T, H * D, 11, 3),
                       random_matrix(T, Hkv * D, 12, 3),
                       random_matrix(T, Hkv * D, 13),
                       {},
                       {}};
        Pages before = {random_matrix(rows, D, 14), random_matrix(rows, D, 15), {5, 0, 0, 1, 7, 2, 4, 0, 0}, 3, {}, {}};
        Matrix q_weight = random_matrix(1, D, 16, 2), k_weight = random_matrix(1, D, 17, 2);
        Rope rope = rope_table(settings.cpu, 300, D, 1e6);
        Integers positions = random_integers(T, 18, 300);
        Turned got = qk_norm_rope_pages(settings.cuda, s, q_weight, k_weight, rope, positions, 1e-6f, before);
        check_same("turned queries", got.queries,
                   qk_norm_rope_forward(settings.cuda, s.q, q_weight, rope, positions, 1e-6f).y);
        s.k.x = qk_norm_rope_forward(settings.cuda, s.k, k_weight, rope, positions, 1e-6f).y;
        Pages expected = pages_write(settings.cuda, s, before);
        check_same("turned keys in pages", got.pages.keys.x, expected.keys.x);
        check_same("values beside them", got.pages.values.x, expected.values.x);
    }
}

static void pages_are_copied_whole()
{
    int64_t elements = settings.cuda->page_elements(2, 64), rows = 5;
    Matrix pages = random_matrix(rows, elements, 5);
    Floats expected = pages.x;
    std::copy_n(pages.row(3), elements, expected.begin() + 1 * elements);
    std::copy_n(pages.row(3), elements, expected.begin() + 4 * elements);
    check_same("copied pages", pages_copy(settings.cuda, pages, elements, {3, 1, 3, 4}), expected);
    check_same("no copy", pages_copy(settings.cuda, pages, elements, {}), pages.x);
}

static void tokens_are_kept_and_taken()
{
    Integers ids = random_integers(300, 6, 1000), kept = random_integers(20, 7, 1000), expected = ids;
    for (size_t i = 0; i < ids.size(); i += 3) {
        expected[i] = kept[i % 20];
        ids[i] = -1 - (int32_t)(i % 20);
    }
    check_same("tokens taken", tokens_take(settings.cuda, ids, kept), expected);
    Integers token = random_integers(7, 8, 1000), slots = {3, 19, 0, 4, 5, 11, 12}, after = kept;
    for (size_t i = 0; i < token.size(); i++)
        after[(size_t)slots[i]] = token[i];
    check_same("tokens kept", tokens_keep(settings.cuda, kept, token, slots), after);
}

extern const Tests page_tests;
const Tests page_tests = {{"pages_get_every_token_at_its_place", every_token_goes_to_its_place},
                          {"keys_are_turned_on_their_way_to_the_pages", keys_are_turned_on_their_way_to_the_pages},
                          {"pages_are_copied_whole", pages_are_copied_whole},
                          {"tokens_are_kept_and_taken", tokens_are_kept_and_taken}};
