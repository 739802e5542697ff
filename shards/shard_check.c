// What every record must satisfy by itself: checked by the writer before it takes one, by the reader before it returns
// one. A record's place in the file, the order and the ids are checked in shard_write.c and shard_read.c.
#include "shards/shard_format.h"

static bool fits(Text text) { return text.size <= UINT32_MAX / 4; } // three of them add up in 32 bits

static bool valid(Text text) { return utf8_valid_prefix(text.data, text.size) == text.size; }

static const char *spans_fault(const ShardEntry *e)
{
    uint64_t end = 0, trained = 0;
    for (uint32_t i = 0; i < e->span_count; i++) {
        const Span *span = &e->spans[i];
        if (span->begin < (i == 0 ? 1 : end + 1) || span->end <= span->begin || span->end > e->tokens)
            return "its spans are empty, overlap or touch, begin at its first token or end after its last";
        end = span->end;
        trained += span->end - span->begin;
    }
    return trained == e->trained ? NULL : "its spans do not hold the number of tokens that are trained";
}

static const char *kind_fault(ShardKind kind, const ShardEntry *e)
{
    if (kind == SHARD_SFT && (e->trained == 0 || e->prompt == e->tokens))
        return "nothing in it is trained";
    if (kind == SHARD_RL && (e->trained != 0 || e->prompt != e->tokens))
        return "it has a response, in a shard for RL";
    if (kind == SHARD_RL && e->answer.data == NULL)
        return "it has no reference answer, in a shard for RL";
    return NULL;
}

const char *shard_entry_fault(ShardKind kind, const ShardEntry *e)
{
    if (e->difficulty < 0 || e->difficulty > 5)
        return "its difficulty is not from 0 to 5";
    if (e->tokens > INT32_MAX)
        return "it has too many tokens";
    if (e->prompt == 0 || e->prompt > e->tokens)
        return "its prompt is empty, or longer than the record";
    if (!fits(e->id) || !fits(e->answer) || !fits(e->row))
        return "one of its texts is too large";
    if (!valid(e->id) || !valid(e->answer) || !valid(e->row))
        return "one of its texts is not UTF-8";
    const char *fault = spans_fault(e);
    return fault != NULL ? fault : kind_fault(kind, e);
}
