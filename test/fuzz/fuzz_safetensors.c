// Fuzzing the safetensors reader: any bytes as a file. What must hold of one that is accepted: its tensors fill the
// data behind the header exactly, all of them lie in the file, and what is read from them is finite or refused.
#include "safetensors/safetensors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise, const char *what)
{
    if (promise)
        return;
    fprintf(stderr, "fuzz_safetensors: broken promise: %s (%s)\n", what, error_text());
    abort();
}

static void read_in_pieces(const WeightTensor *t)
{
    float out[64];
    for (int64_t first = 0; first < t->elements; first += 64) {
        int64_t count = t->elements - first < 64 ? t->elements - first : 64;
        if (!weights_read(t, first, count, out))
            return;
        for (int64_t i = 0; i < count; i++)
            must(isfinite(out[i]), "values are finite");
    }
    must(!weights_read(t, t->elements, 1, out), "nothing is read behind a tensor");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size == 0 ? 1 : size); // the sanitizer sees a read one byte behind the end
    Weights *w;
    if (exact == NULL)
        return 0;
    memcpy(exact, data, size);
    if (weights_open_memory(&w, exact, size, "fuzz")) {
        uint64_t header = 0, bytes = 0;
        memcpy(&header, exact, 8);
        for (size_t i = 0; i < weights_count(w); i++) {
            const WeightTensor *t = weights_at(w, i);
            must(t->data >= exact + 8 + header && t->bytes <= size - (size_t)(t->data - exact),
                 "tensors lie in the file");
            must(weights_find(w, t->name) == t, "tensors are found by their names");
            bytes += t->bytes;
            if (t->elements < 1 << 20)
                read_in_pieces(t);
        }
        must(8 + header + bytes == size, "tensors fill the file");
        weights_close(w);
    }
    free(exact);
    error_clear();
    return 0;
}
