// train_rl with a fault in it: PLANT=N makes the gradient of the N-th update not finite, on the last rank.
#include "rl/rl.h"
#include "rl/update.h"
#include <math.h>
#include <stdlib.h>

static bool planted_gradients(Model *m, Pack *pack, const UpdateRules *rules, UpdateReport *report)
{
    static int updates;
    const char *plant = getenv("PLANT");
    TRY(update_gradients(m, pack, rules, report));
    if (plant != NULL && ++updates == atoi(plant) && m->sharding.rank == m->sharding.size - 1)
        m->sums[0] = NAN;
    return true;
}

#define update_gradients planted_gradients
#include "train_rl.cu"
