// Fuzzing the reader of shards: any bytes as a file, then the same bytes with their checksums made right, so that
// mutations reach what stands behind them. What must hold of one that is accepted: its records fill its sections, each
// can be read to its last byte, and they keep what shard.h promises of them.
#include "test/support/shards.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise, const char *what)
{
    if (promise)
        return;
    fprintf(stderr, "fuzz_shard: broken promise: %s (%s)\n", what, error_text());
    abort();
}

static void read_text(Text text)
{
    must(utf8_valid_prefix(text.data, text.size) == text.size, "texts are UTF-8"); // reads every byte of them
}

static void read_entry(const Shard *s, const ShardEntry *e)
{
    uint64_t end = 0, trained = 0;
    for (uint32_t t = 0; t < e->tokens; t++)
        must(e->ids[t] >= 0 && e->ids[t] < s->vocabulary, "ids are below the vocabulary");
    for (uint32_t i = 0; i < e->span_count; i++) {
        must(e->spans[i].begin > end && e->spans[i].begin < e->spans[i].end,
             "spans ascend, and the first token is not trained");
        end = e->spans[i].end;
        trained += end - e->spans[i].begin;
    }
    must(end <= e->tokens && trained == e->trained, "spans lie in their record and are what is trained");
    must(e->prompt > 0 && e->prompt <= e->tokens && e->difficulty >= 0 && e->difficulty <= 5, "a record's numbers fit");
    must(s->about.kind == SHARD_RL ? e->trained == 0 && e->answer.data != NULL : e->trained > 0,
         "a record is of its kind");
    read_text(e->id);
    read_text(e->answer);
    read_text(e->row);
    read_text(e->source);
    read_text(e->category);
}

static void read_all(const Shard *s)
{
    int64_t tokens = 0;
    for (int64_t i = 0; i < s->records; i++) {
        ShardEntry e = shard_entry(s, i), before = shard_entry(s, i == 0 ? 0 : i - 1);
        read_entry(s, &e);
        tokens += e.tokens;
        must(before.difficulty < e.difficulty || (before.difficulty == e.difficulty && before.key <= e.key),
             "records ascend");
    }
    must(s->records > 0 && tokens == s->tokens && s->number < s->of, "records fill the shard");
}

static void take(uint8_t *exact, size_t size)
{
    Shard shard = {.file = {exact, size}};
    if (shard_take(&shard, "fuzz"))
        read_all(&shard);
    error_clear();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size == 0 ? 1 : size); // the sanitizer sees a read one byte behind the end
    if (exact == NULL)
        return 0;
    if (size > 0)
        memcpy(exact, data, size);
    take(exact, size);
    shard_reseal(exact, size);
    take(exact, size);
    free(exact);
    return 0;
}
