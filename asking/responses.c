// See responses.h.
#include "asking/responses.h"
#include <string.h>

enum { STOP_TEXT_MOST = 1024 };

bool responses_check(const ResponseOptions *o)
{
    if (o->temperature > 0 && o->temperature < 1e-6)
        return fail_as(ERROR_USAGE, "--temperature %g: too small to divide by; 0 is greedy", o->temperature);
    for (size_t i = 0; i < o->stop.count; i++)
        if (o->stop.items[i][0] == 0 || strlen(o->stop.items[i]) > STOP_TEXT_MOST)
            return fail_as(ERROR_USAGE, "--stop: a text of 1 to %d bytes", STOP_TEXT_MOST);
    return true;
}

GenerationRequest responses_request(const ResponseOptions *o)
{
    return (GenerationRequest){.seed = (uint64_t)o->seed,
                               .samples = 1,
                               .max_new_tokens = o->max_new_tokens,
                               .temperature = (float)o->temperature,
                               .top_k = (int32_t)o->top_k,
                               .top_p = (float)o->top_p,
                               .min_p = (float)o->min_p};
}

uint64_t responses_name_of(const char *id) { return hash_bytes(id, strlen(id)); }

uint64_t responses_name(const Record *record) { return responses_name_of(record->id); }

int64_t responses_seed(int64_t seed, const Record *record, int64_t sample)
{
    uint64_t names[] = {(uint64_t)seed, responses_name(record), (uint64_t)sample};
    return (int64_t)(hash_bytes(names, sizeof names) >> 33);
}
