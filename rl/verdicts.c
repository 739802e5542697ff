#include "rl/verdicts.h"
#include <string.h>

static const char FAILED[] = "failed"; // in the place of a finish reason

bool verdicts_open(Verdicts *v, const char *path)
{
    *v = (Verdicts){.file = {.descriptor = -1}};
    return answer_cache_open(&v->file, path);
}

void verdicts_close(Verdicts *v) { answer_cache_close(&v->file); }

bool verdicts_find(Verdicts *v, const uint64_t key[2], bool *there, bool *failed, Bytes *said)
{
    Answer answer;
    *there = answer_cache_has(&v->file, key);
    if (!*there)
        return true;
    TRY(answer_cache_read(&v->file, key, &answer));
    *failed = strcmp(answer.finish_reason, FAILED) == 0;
    bytes_clear(said);
    bool ok = bytes_append(said, answer.text.data, answer.text.size);
    answer_free(&answer);
    return ok;
}

bool verdicts_add(Verdicts *v, const uint64_t key[2], bool failed, Text said)
{
    Answer answer;
    size_t valid = utf8_valid_prefix(said.data, said.size);
    json_t *root = json_pack("{s:[{s:{s:s%}, s:s}]}", "choices", "message", "content", said.data == NULL ? "" : said.data, valid,
                             "finish_reason", failed ? FAILED : "stop");
    TRY(root != NULL || fail("no memory for a verdict"));
    TRY(answer_take(&answer, root, "a verdict"));
    bool ok = answer_cache_add(&v->file, key, &answer);
    answer_free(&answer);
    return ok;
}
