// Promises of tokenizer/bpe.h: the array and the heap merge alike, as the definition says, and a long word costs n log
// n (counted, not timed).
#include "test/unit/test_tokenizer.h"

enum { LETTERS = 4, TOKENS = 60 };

// Random merges of tokens made of four letters; ids 0 .. 255 are the bytes, the rest are merged. merges[r] = {left,
// right}.
static void random_bpe(Bpe *bpe, int32_t merges[TOKENS][2], uint32_t seed)
{
    int32_t known[LETTERS + TOKENS] = {'a', 'b', 'c', 'd'};
    no_error(bpe_open(bpe, TOKENS));
    for (int i = 0; i < 256; i++)
        bpe->of_byte[i] = i;
    for (uint32_t count = 0, draw = 0; count < TOKENS; draw++) {
        Philox bits = random_bits(seed, RANDOM_ORDER, draw, 0, 0);
        int32_t left = known[bits.v[0] % (LETTERS + count)], right = known[bits.v[1] % (LETTERS + count)];
        if (!bpe_add(bpe, left, right, 256 + (int32_t)count)) {
            error_clear(); // drawn before
            continue;
        }
        merges[count][0] = left;
        merges[count][1] = right;
        known[LETTERS + count] = 256 + (int32_t)count;
        count++;
    }
}

// The definition, word for word: while some neighbours are a merge, merge the leftmost of those of the lowest rank.
static size_t merge_by_definition(int32_t merges[TOKENS][2], int32_t *ids, size_t count)
{
    for (int rank = 0; rank < TOKENS; rank++)
        for (size_t i = 0; i + 1 < count; i++)
            if (ids[i] == merges[rank][0] && ids[i + 1] == merges[rank][1]) {
                ids[i] = 256 + rank;
                memmove(ids + i + 1, ids + i + 2, (count - i - 2) * sizeof *ids);
                count--;
                rank = -1; // a merge may make way for one of a lower rank
                break;
            }
    return count;
}

static void words_of_any_length_merge_as_the_definition_says(void **state)
{
    for (uint32_t seed = 1; seed <= 30; seed++) {
        Bpe bpe;
        BpeScratch scratch = {0};
        int32_t merges[TOKENS][2];
        random_bpe(&bpe, merges, seed);
        for (uint32_t size = 1; size <= 130; size += size < 50 ? 1 : 13) { // 40 bytes is where the heap takes over
            uint8_t word[130];
            int32_t wanted[130], ids[130];
            size_t count;
            for (uint32_t i = 0; i < size; i++)
                wanted[i] = word[i] = (uint8_t)('a' + random_bits(seed, RANDOM_DEMO, size, i, 0).v[0] % LETTERS);
            no_error(bpe_word(&bpe, &scratch, ids, &count, word, size));
            assert_int_equal(count, merge_by_definition(merges, wanted, size));
            assert_memory_equal(ids, wanted, count * sizeof *ids);
        }
        bpe_scratch_free(&scratch);
        bpe_close(&bpe);
    }
}

static void a_pair_can_be_merged_in_one_way_only(void **state)
{
    Bpe bpe;
    no_error(bpe_open(&bpe, 2));
    no_error(bpe_add(&bpe, 1, 2, 3));
    assert_false(bpe_add(&bpe, 1, 2, 4));
    no_error(bpe_add(&bpe, 2, 1, 4));
    assert_false(bpe_add(&bpe, 5, 6, 7)); // more than announced
    error_clear();
    bpe_close(&bpe);
}

// At most 3n entries go through the heap (one per byte, two per merge), each up and down at most log2(3n) levels, and
// one look each.
static double most_steps(size_t n) { return 3.0 * (double)n * (2 * log2(3.0 * (double)n) + 1); }

static void encode_a_megabyte(const char *folder, const char *unit)
{
    Tokenizer *tokenizer = opened(folder);
    Encoder *encoder = encoding(tokenizer);
    Bytes text = {0}, back = {0};
    TokenList ids = {0};
    while (text.size < 1 << 20)
        no_error(bytes_text(&text, unit));
    no_error(encode(encoder, &ids, text.data, text.size));
    assert_true((double)encoder_steps(encoder) < most_steps(text.size));
    no_error(decode(tokenizer, &back, ids.ids, ids.count, true));
    assert_bytes(&back, text.data, text.size);
    bytes_free(&text);
    bytes_free(&back);
    tokens_free(&ids);
    encoder_close(encoder);
    tokenizer_close(tokenizer);
}

static void a_megabyte_without_a_space_takes_n_log_n_steps(void **state)
{
    encode_a_megabyte(TINY, "a");
    encode_a_megabyte(TINY, " ");
    encode_a_megabyte(TINY, "\xE4\xB8\xAD\xE6\x96\x87");
    encode_a_megabyte(TINY, "<"); // an added token could begin at every byte
    encode_a_megabyte(TINY, "ban");
}

static void a_megabyte_without_a_space_takes_n_log_n_steps_with_qwens_tokenizer(void **state)
{
    skip_without_data();
    encode_a_megabyte(QWEN, "a");
    encode_a_megabyte(QWEN, " ");
    encode_a_megabyte(QWEN, "\xE4\xB8\xAD\xE6\x96\x87");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_any_length_merge_as_the_definition_says),
        cmocka_unit_test(a_pair_can_be_merged_in_one_way_only),
        cmocka_unit_test(a_megabyte_without_a_space_takes_n_log_n_steps),
        cmocka_unit_test(a_megabyte_without_a_space_takes_n_log_n_steps_with_qwens_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
