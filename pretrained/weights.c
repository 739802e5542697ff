// Reads a folder's weights into a model, a piece at a time in host memory: see weights.h.
#include "pretrained/weights.h"
#include "safetensors/safetensors.h"
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 22 }; // elements

static bool load_tensor(Model *m, const Weights *weights, const Parameter *p, const char *folder, float *host)
{
    const WeightTensor *t = weights_find(weights, p->name);
    if (t == NULL)
        return fail("%s: the tensor %s is missing", folder, p->name);
    bool shape = p->matrix ? t->rank == 2 && t->shape[0] == p->rows && t->shape[1] == p->columns
                           : t->rank == 1 && t->shape[0] == p->columns;
    if (!shape)
        return fail("%s: the tensor %s should be %" PRId64 " x %" PRId64 " by config.json, but has another shape",
                    folder, p->name, p->rows, p->columns);
    int64_t count = parameter_elements(p);
    for (int64_t first = 0; first < count; first += PIECE) {
        int64_t n = count - first < PIECE ? count - first : PIECE;
        TRY(weights_read(t, first, n, host));
        model_write_own(m, p->offset + first, n, host);
    }
    return true;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length >= tail && strcmp(name + length - tail, ending) == 0;
}

// A tensor without a parameter means that the folder holds another model than its config.json says. Exceptions: RoPE's
// frequencies in older folders, since they are computed from rope_theta as in transformers; and a tied model's copy of
// its head: same_head.
static bool nothing_is_left_over(const Model *m, const Weights *weights, const char *folder)
{
    for (size_t i = 0; i < weights_count(weights); i++) {
        const char *name = weights_at(weights, i)->name;
        bool known = (m->config.tied && strcmp(name, "lm_head.weight") == 0) || ends_with(name, "rotary_emb.inv_freq");
        for (int64_t p = 0; !known && p < model_own(m)->count; p++)
            known = strcmp(name, model_own(m)->list[p].name) == 0;
        if (!known)
            return fail("%s: the tensor %s does not belong to the %s model that config.json describes", folder, name,
                        family_of(&m->config)->name);
    }
    return true;
}

// A separate head in the file of a tied model must equal the embedding, or one of the two is not what was trained.
static bool same_head(const Model *m, const Weights *weights, const char *folder, float *host)
{
    const Parameter *embedding = &model_own(m)->list[model_own(m)->embedding];
    const WeightTensor *head = weights_find(weights, "lm_head.weight"), *table = weights_find(weights, embedding->name);
    if (!m->config.tied || head == NULL || table == NULL)
        return true;
    bool same = head->rank == table->rank && head->elements == table->elements && head->shape[0] == table->shape[0];
    float *other = same ? allocate(PIECE, sizeof *other) : NULL;
    TRY(!same || other != NULL);
    bool ok = true;
    for (int64_t first = 0; ok && same && first < head->elements; first += PIECE) {
        int64_t n = head->elements - first < PIECE ? head->elements - first : PIECE;
        ok = weights_read(head, first, n, host) && weights_read(table, first, n, other);
        same = ok && memcmp(host, other, (size_t)n * sizeof *host) == 0;
    }
    free(other);
    TRY(ok);
    return same || fail("%s: config.json says \"tie_word_embeddings\": true, but lm_head.weight is not %s once more; "
                        "set it to false to "
                        "keep the head, or remove lm_head.weight to go on without it",
                        folder, embedding->name);
}

bool model_load(Model *m, const char *folder)
{
    Weights *weights;
    if (!weights_open(&weights, folder))
        return fail_in("loading the weights of %s", folder);
    float *host = allocate(PIECE, sizeof *host);
    bool ok = host != NULL && nothing_is_left_over(m, weights, folder) && same_head(m, weights, folder, host);
    for (int64_t i = 0; ok && i < model_own(m)->count; i++)
        ok = load_tensor(m, weights, &model_own(m)->list[i], folder, host);
    free(host);
    weights_close(weights);
    return ok;
}

bool model_begin(Model *m, const char *folder, uint64_t seed, bool resumed)
{
    bool adapted = m->frozen.count > 0;
    if (!resumed || adapted)
        TRY(folder == NULL ? model_initialise(m, seed) : model_load(m, folder));
    return resumed || !adapted || model_begin_adapters(m, seed);
}
