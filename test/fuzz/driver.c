// Drives a fuzz target without a fuzzer: every file of the corpus as it is, then a fixed number of mutations of them,
// each a function of its number. The same targets link with libFuzzer as they are (clang -fsanitize=fuzzer). usage:
// fuzz_x MUTATIONS FILE...
#include "base/base.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t draw(uint32_t number, uint32_t which) { return random_bits(1, RANDOM_SAMPLE, number, which, 0).v[0]; }

// A few edits: flipped bits, bytes set to telling values, pieces cut out, repeated or swapped for digits.
static void mutate(Bytes *b, uint32_t number)
{
    static const char TELLING[] = {0,   (char)0xFF, (char)0x80, 0x7F, '"', '{',  '}',  '[',
                                   ']', ',',        '-',        '9',  'e', '\\', '\n', (char)0xED};
    uint32_t edits = 1 + draw(number, 1) % 6;
    for (uint32_t e = 0; e < edits && b->size > 0; e++) {
        size_t at = draw(number, 10 + 4 * e) % b->size, length = 1 + draw(number, 11 + 4 * e) % 16;
        uint32_t kind = draw(number, 12 + 4 * e) % 5, value = draw(number, 13 + 4 * e);
        length = at + length > b->size ? b->size - at : length;
        if (kind == 0)
            b->data[at] ^= (char)(1 << value % 8);
        else if (kind == 1)
            b->data[at] = TELLING[value % sizeof TELLING];
        else if (kind == 2) {
            memmove(b->data + at, b->data + at + length, b->size - at - length);
            b->size -= length;
        } else if (kind == 3)
            memcpy(b->data + value % (b->size - length + 1), memcpy((char[16]){0}, b->data + at, length), length);
        else
            b->size = at;
    }
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fprintf(stderr, "usage: %s MUTATIONS FILE...\n", arguments[0]);
        return 2;
    }
    uint32_t mutations = (uint32_t)atoi(arguments[1]);
    Bytes *corpus = allocate((size_t)count - 2, sizeof *corpus), input = {0};
    for (int i = 2; i < count; i++) {
        if (corpus == NULL || !file_read(&corpus[i - 2], arguments[i], (size_t)1 << 24)) {
            fprintf(stderr, "%s: %s\n", arguments[0], error_text());
            return 1;
        }
        LLVMFuzzerTestOneInput((const uint8_t *)corpus[i - 2].data, corpus[i - 2].size);
    }
    for (uint32_t n = 0; n < mutations; n++) {
        const Bytes *from = &corpus[n % (uint32_t)(count - 2)];
        bytes_clear(&input);
        if (!bytes_append(&input, from->data, from->size))
            return 1;
        mutate(&input, n);
        LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.size);
    }
    printf("%s: %d files and %u mutations of them\n", arguments[0], count - 2, mutations);
    for (int i = 2; i < count; i++)
        bytes_free(&corpus[i - 2]);
    bytes_free(&input);
    free(corpus);
    return 0;
}
