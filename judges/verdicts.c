// Verdicts are answers of answer_file.h, under the key of their question. A failure is kept under another key, derived
// from it, so that it never hides a verdict.
#include "judges/verdicts.h"
#include <string.h>

const char VERDICT_FAILED[] = "failed";

bool verdicts_open(Verdicts *v, const char *path) { return answer_file_open(&v->file, path); }

void verdicts_close(Verdicts *v) { answer_file_close(&v->file); }

// Of two lines with one key the file's first one counts, so a failure needs a separate key.
static void failure_key(uint64_t to[2], const uint64_t key[2])
{
    to[0] = key[0];
    to[1] = key[1] ^ hash_bytes(VERDICT_FAILED, strlen(VERDICT_FAILED));
}

bool verdicts_find(Verdicts *v, const uint64_t key[2], bool *there, char ending[VERDICT_ENDING], Bytes *said)
{
    Answer answer;
    uint64_t other[2];
    failure_key(other, key);
    const uint64_t *found = answer_file_has(&v->file, key) ? key : other;
    *there = answer_file_has(&v->file, found);
    if (!*there)
        return true;
    TRY(answer_file_read(&v->file, found, &answer));
    snprintf(ending, VERDICT_ENDING, "%s", answer.finish_reason);
    bytes_clear(said);
    bool ok = bytes_append(said, answer.text.data, answer.text.size);
    answer_free(&answer);
    return ok;
}

bool verdicts_had_failed(const Verdicts *v, const uint64_t key[2])
{
    uint64_t other[2];
    failure_key(other, key);
    return answer_file_had(&v->file, other);
}

bool verdicts_next(Verdicts *v, size_t *at, bool *there, Bytes *said)
{
    Answer answer;
    *there = false;
    while (!*there && *at < v->file.capacity) {
        const PagedLine *line = &v->file.lines[(*at)++];
        if (line->size == 0)
            continue;
        TRY(answer_file_read(&v->file, line->key, &answer));
        bytes_clear(said);
        *there = strcmp(answer.finish_reason, VERDICT_FAILED) != 0;
        bool ok = !*there || bytes_append(said, answer.text.data, answer.text.size);
        answer_free(&answer);
        TRY(ok);
    }
    return true;
}

bool verdicts_add(Verdicts *v, const uint64_t key[2], const char *ending, Text said)
{
    Answer answer;
    uint64_t other[2];
    bool failed = strcmp(ending, VERDICT_FAILED) == 0;
    size_t valid = utf8_valid_prefix(said.data, said.size);
    json_t *root = json_pack("{s:[{s:{s:s%}, s:s}]}", "choices", "message", "content",
                             said.data == NULL ? "" : said.data, valid, "finish_reason", ending);
    TRY(root != NULL || fail("no memory for a verdict"));
    TRY(answer_take(&answer, root, "a verdict"));
    failure_key(other, key);
    bool ok = answer_file_add(&v->file, failed ? other : key, &answer);
    answer_free(&answer);
    return ok;
}
