// train_sft with a fault in it: PLANT=loss:A,B or gradient:A,B makes the loss, or the gradient alone, of the
// micro-batches with these names not finite, on the rank that has them; PLANT=list writes their names to standard
// error. A micro-batch's name is a number made of its tokens.
#include "sharded/sharded.h"
#include "options/program.h"
#include "pretrained/weights.h"
#include "run/run.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_named(const char *names, uint64_t name)
{
    for (char *end; *names != 0; names = end + (*end == ','))
        if (strtoull(names, &end, 10) == name)
            return true;
    return false;
}

static bool planted_loss(Model *m, const Ragged *batch, double scale, LossSum *sum)
{
    const char *plant = getenv("PLANT"), *names = plant == NULL ? NULL : strchr(plant, ':');
    uint64_t name = hash_bytes(batch->ids, (size_t)batch->tokens * sizeof *batch->ids) >> 16;
    TRY(model_loss(m, batch, scale, sum));
    if (plant != NULL && names == NULL && batch->tokens > 0)
        fprintf(stderr, "micro-batch %" PRIu64 "\n", name);
    if (names == NULL || batch->tokens == 0 || !is_named(names + 1, name))
        return true;
    if (strncmp(plant, "loss", 4) == 0) {
        ((float *)model_loss_logprobs(m))[0] = NAN;
        sum->finite = false;
    }
    ((float *)m->a.dhidden)[0] = NAN;
    return true;
}

#define model_loss planted_loss
#include "train_sft.cu"
