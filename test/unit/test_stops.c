// Texts that end an answer: an answer ends with the token that completes one, and is cut where the text begins.
#include "asking/stops.h"
#include "base/base.h"
#include "test/support/check.h"
#include "tokenizer/tokenizer.h"

enum { IDS = 24, TRIES = 4000 };

static uint32_t draw(int n, uint32_t what, uint32_t below)
{
    return random_bits(5, RANDOM_DEMO, what, (uint32_t)n, 0).v[0] % below;
}

// Where the text of the first `count` ids holds one of the stops.
static bool holds(const Tokenizer *tokenizer, const int32_t *ids, size_t count, const char *stop)
{
    Bytes text = {0};
    assert_ok(decode(tokenizer, &text, ids, count, false) && bytes_text(&text, ""));
    bool found = memmem(text.data, text.size, stop, strlen(stop)) != NULL;
    bytes_free(&text);
    return found;
}

// Any ids, special ones among them, which have no text: a stop may span them as it may span tokens and characters.
static void a_stop_is_met_with_the_token_that_completes_it_in_the_text(void **state)
{
    Tokenizer *tokenizer = tokenizer_open("dev/demo/tokenizer");
    int met = 0, across = 0;
    int32_t special = 0;
    assert_non_null(tokenizer);
    while (!tokenizer_is_special(tokenizer, special))
        special++;
    for (int n = 0; n < TRIES; n++) {
        int32_t ids[IDS];
        Bytes text = {0};
        for (uint32_t i = 0; i < IDS; i++) {
            size_t size;
            ids[i] = (int32_t)draw(n, i, (uint32_t)tokenizer_size(tokenizer));
            if (token_bytes(tokenizer, ids[i], &size) == NULL || size == 0 || draw(n, 100 + i, 8) == 0)
                ids[i] = special;
        }
        assert_ok(decode(tokenizer, &text, ids, IDS, false) && bytes_text(&text, ""));
        size_t begin = draw(n, 200, (uint32_t)text.size), size = 1 + draw(n, 201, 12);
        size = begin + size > text.size ? text.size - begin : size;
        char stop[16] = {0};
        memcpy(stop, text.data + begin, size);
        const char *const texts[] = {"~never~", stop};
        StopTexts stops = {tokenizer, texts, 2};
        bytes_free(&text);
        if (strlen(stop) == 0 || strstr(stop, "\xEF") != NULL || utf8_valid_prefix(stop, size) < size)
            continue; // bytes that are no character are shown as U+FFFD, which no token has
        for (int64_t count = 1; count <= IDS; count++) {
            bool now = holds(tokenizer, ids, (size_t)count, stop);
            if (stop_texts_met(&stops, ids, count) != now)
                fail_msg("try %d, '%s' after %d tokens: %d", n, stop, (int)count, now);
            if (!now)
                continue;
            met++;
            across += count > 1 && tokenizer_is_special(tokenizer, ids[count - 2]);
            break;
        }
    }
    assert_true(met > TRIES / 3 && across > 50);
    tokenizer_close(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_stop_is_met_with_the_token_that_completes_it_in_the_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
