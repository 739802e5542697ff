// Reading shards: a file is mapped and looked at from end to end before anything in it is believed. Records tile their sections
// exactly, so nothing in them overlaps and nothing is left over.
#include "data/shard_format.h"
#include <stdlib.h>
#include <string.h>

#define AGAIN "; copy it again, or run ./prepare again"

static const char *const SECTION_LABELS[SECTIONS] = {"records", "ids", "spans", "text", "names"};

// ---- the header

static bool check_header(const ShardHeader *h, const MappedFile *file, const char *path)
{
    static const uint8_t zeros[sizeof h->zero] = {0};
    if (file->size < 12 || memcmp(h->magic, SHARD_MAGIC, sizeof h->magic) != 0)
        return fail("%s: not a shard; ./prepare makes shards of JSONL", path);
    if (h->version != SHARD_VERSION)
        return fail("%s: a shard of version %" PRIu32 ", and this program reads version %d; run ./prepare again", path,
                    h->version, SHARD_VERSION);
    if (file->size < sizeof *h)
        return fail("%s: cut short at byte %zu, within its header" AGAIN, path, file->size);
    if (h->hash != shard_header_hash(h))
        return fail("%s: its header is damaged (checksum at byte %zu)" AGAIN, path, offsetof(ShardHeader, hash));
    if (h->header_size != sizeof *h || memcmp(h->zero, zeros, sizeof zeros) != 0 ||
        (h->flags & ~(uint32_t)SHARD_FLAG_NEWLINE) != 0)
        return fail("%s: its header holds what version %d does not know; run ./prepare again", path, SHARD_VERSION);
    if (h->file_size != file->size)
        return fail("%s: %zu bytes, but its header says %" PRIu64 AGAIN, path, file->size, h->file_size);
    if ((h->kind != SHARD_SFT && h->kind != SHARD_RL) || h->template_ > TEMPLATE_UNKNOWN || h->number >= h->of ||
        h->vocabulary > INT32_MAX || h->records > SHARD_RECORDS_MOST)
        return fail("%s: its header contradicts itself" AGAIN, path);
    return true;
}

// Sections follow each other, with zeros up to where each begins, and the last one ends the file.
static bool check_sections(const ShardHeader *h, const MappedFile *file, const char *path)
{
    uint64_t end = sizeof *h;
    for (int i = 0; i < SECTIONS; i++) {
        const ShardSection *s = &h->sections[i];
        uint64_t begin = (end + SHARD_ALIGN - 1) / SHARD_ALIGN * SHARD_ALIGN;
        if (s->offset != begin || s->offset > file->size || s->size > file->size - s->offset)
            return fail("%s: its section of %s is not where it should be (byte %" PRIu64 ")" AGAIN, path, SECTION_LABELS[i],
                        s->offset);
        for (uint64_t at = end; at < begin; at++)
            if (file->data[at] != 0)
                return fail("%s: byte %" PRIu64 ", before its section of %s, is damaged" AGAIN, path, at, SECTION_LABELS[i]);
        if (hash_bytes(file->data + s->offset, (size_t)s->size) != s->hash)
            return fail("%s: its section of %s (%" PRIu64 " bytes from byte %" PRIu64 ") is damaged: another checksum" AGAIN,
                        path, SECTION_LABELS[i], s->size, s->offset);
        end = s->offset + s->size;
    }
    return end == file->size || fail("%s: %" PRIu64 " bytes too many at its end" AGAIN, path, file->size - end);
}

static bool take_sections(Shard *s, const ShardHeader *h, const char *path)
{
    const uint8_t *data = s->file.data;
    if (h->sections[SECTION_RECORDS].size != h->records * sizeof(ShardRecord) ||
        h->sections[SECTION_IDS].size % sizeof *s->ids != 0 || h->sections[SECTION_SPANS].size % sizeof *s->spans != 0)
        return fail("%s: the sizes of its sections contradict its header" AGAIN, path);
    s->about = (ShardAbout){.kind = (ShardKind)h->kind,
                            .tokenizer = h->tokenizer,
                            .template_ = (TemplateKind)h->template_,
                            .train_turn_newline = (h->flags & SHARD_FLAG_NEWLINE) != 0,
                            .instruction = h->instruction,
                            .seed = h->seed};
    s->number = h->number;
    s->of = h->of;
    s->records = (int64_t)h->records;
    s->vocabulary = (int32_t)h->vocabulary;
    s->hash = h->hash;
    s->table = (const ShardRecord *)(const void *)(data + h->sections[SECTION_RECORDS].offset);
    s->ids = (const int32_t *)(const void *)(data + h->sections[SECTION_IDS].offset);
    s->tokens = (int64_t)(h->sections[SECTION_IDS].size / sizeof *s->ids);
    s->spans = (const Span *)(const void *)(data + h->sections[SECTION_SPANS].offset);
    s->span_count = h->sections[SECTION_SPANS].size / sizeof *s->spans;
    s->text = (const char *)data + h->sections[SECTION_TEXT].offset;
    s->text_size = h->sections[SECTION_TEXT].size;
    s->names = (const char *)data + h->sections[SECTION_NAMES].offset;
    s->names_size = h->sections[SECTION_NAMES].size;
    return true;
}

// ---- records

static bool valid_text(const char *text, size_t size) { return utf8_valid_prefix(text, size) == size; }

static bool is_name(const Shard *s, uint32_t place)
{
    return place < s->names_size && (place == 0 || s->names[place - 1] == 0) &&
           valid_text(s->names + place, strlen(s->names + place));
}

static bool check_spans(const Shard *s, const ShardRecord *r, uint64_t *trained)
{
    uint64_t end = 0, sum = 0;
    for (uint32_t i = 0; i < r->spans; i++) {
        const Span *span = &s->spans[r->span + i];
        if (span->begin < (i == 0 ? 1 : end + 1) || span->end <= span->begin || span->end > r->tokens)
            return false;
        end = span->end;
        sum += span->end - span->begin;
    }
    *trained += sum;
    return sum == r->trained;
}

static bool check_kind(const Shard *s, const ShardRecord *r)
{
    if (s->about.kind == SHARD_RL)
        return r->prompt == r->tokens && r->spans == 0 && (r->flags & RECORD_HAS_ANSWER) != 0;
    return r->trained > 0 && r->prompt < r->tokens;
}

static bool check_texts(const Shard *s, const ShardRecord *r)
{
    const char *text = s->text + r->text;
    return valid_text(text, r->id) && valid_text(text + r->id, r->answer) && valid_text(text + r->id + r->answer, r->row) &&
           ((r->flags & RECORD_HAS_ANSWER) != 0 || r->answer == 0) && ((r->flags & RECORD_HAS_ROW) != 0 || r->row == 0) &&
           (r->flags & ~(RECORD_HAS_ANSWER | RECORD_HAS_ROW)) == 0 && r->zero == 0;
}

typedef struct Tiling { // where the next record's parts have to begin
    uint64_t token, span, text, trained;
} Tiling;

static bool check_record(const Shard *s, const ShardRecord *r, const ShardRecord *previous, Tiling *at)
{
    uint64_t text = (uint64_t)r->id + r->answer + r->row;
    if (r->token != at->token || r->span != at->span || r->text != at->text || r->tokens > (uint64_t)s->tokens - at->token ||
        r->spans > s->span_count - at->span || text > s->text_size - at->text)
        return false;
    at->token += r->tokens;
    at->span += r->spans;
    at->text += text;
    bool ascends = previous == NULL || previous->difficulty < r->difficulty ||
                   (previous->difficulty == r->difficulty && previous->key <= r->key);
    return ascends && r->difficulty <= 5 && r->prompt > 0 && r->prompt <= r->tokens && r->tokens <= INT32_MAX &&
           is_name(s, r->source) && is_name(s, r->category) && check_kind(s, r) && check_spans(s, r, &at->trained) &&
           check_texts(s, r);
}

static bool check_records(const Shard *s, const ShardHeader *h, const char *path)
{
    Tiling at = {0};
    if (s->names_size == 0 || s->names[0] != 0 || s->names[s->names_size - 1] != 0)
        return fail("%s: its section of names is broken" AGAIN, path);
    for (int64_t i = 0; i < s->records; i++)
        if (!check_record(s, &s->table[i], i == 0 ? NULL : &s->table[i - 1], &at))
            return fail("%s: its record %" PRId64 " contradicts the rest of the file" AGAIN, path, i);
    if (at.token != (uint64_t)s->tokens || at.span != s->span_count || at.text != s->text_size || at.trained != h->trained)
        return fail("%s: its sections hold more than its records" AGAIN, path);
    return true;
}

static bool check_ids(const Shard *s, const char *path)
{
    uint32_t largest = 0; // a negative id is a very large one
    for (int64_t i = 0; i < s->tokens; i++)
        largest = (uint32_t)s->ids[i] > largest ? (uint32_t)s->ids[i] : largest;
    bool right = s->tokens == 0 ? s->vocabulary == 0 : (uint64_t)largest + 1 == (uint64_t)s->vocabulary;
    return right ||
           fail("%s: its largest id is %" PRIu32 ", but its header says %" PRId32 " tokens" AGAIN, path, largest, s->vocabulary);
}

bool shard_open(Shard *shard, const char *path)
{
    *shard = (Shard){0};
    TRY(file_map(&shard->file, path));
    const ShardHeader *h = (const ShardHeader *)(const void *)shard->file.data;
    bool ok = check_header(h, &shard->file, path) && check_sections(h, &shard->file, path) && take_sections(shard, h, path) &&
              check_records(shard, h, path) && check_ids(shard, path);
    if (!ok)
        shard_close(shard);
    return ok;
}

void shard_close(Shard *shard)
{
    file_unmap(&shard->file);
    *shard = (Shard){0};
}

ShardEntry shard_entry(const Shard *s, int64_t record)
{
    const ShardRecord *r = &s->table[record];
    const char *text = s->text + r->text, *source = s->names + r->source, *category = s->names + r->category;
    bool answer = (r->flags & RECORD_HAS_ANSWER) != 0, row = (r->flags & RECORD_HAS_ROW) != 0;
    return (ShardEntry){.ids = s->ids + r->token,
                        .spans = s->spans + r->span,
                        .tokens = r->tokens,
                        .prompt = r->prompt,
                        .trained = r->trained,
                        .span_count = r->spans,
                        .difficulty = r->difficulty,
                        .key = r->key,
                        .id = {text, r->id},
                        .answer = {answer ? text + r->id : NULL, r->answer},
                        .row = {row ? text + r->id + r->answer : NULL, r->row},
                        .source = {source, strlen(source)},
                        .category = {category, strlen(category)}};
}

// ---- a folder of them

// "shard-00003-of-00008.bin"
static bool parse_name(const char *name, size_t *number, size_t *of)
{
    int used = 0;
    return sscanf(name, "shard-%5zu-of-%5zu.bin%n", number, of, &used) == 2 && used > 0 && name[used] == 0;
}

bool shard_files(char ***paths, size_t *count, const char *folder)
{
    char **names;
    size_t name_count, wanted = 0;
    *paths = NULL;
    *count = 0;
    TRY(folder_list(&names, &name_count, folder));
    *paths = allocate(name_count + 1, sizeof **paths);
    bool ok = *paths != NULL;
    for (size_t i = 0; ok && i < name_count; i++) { // sorted by name, so by number
        size_t number, of;
        if (strncmp(names[i], "shard-", 6) != 0)
            continue;
        if (!parse_name(names[i], &number, &of))
            ok = fail("%s/%s: not the name of a shard", folder, names[i]);
        else if (number != *count || (*count > 0 && of != wanted))
            ok = fail("%s: shard %05zu of %05zu is missing, or there are shards of two preparations; run ./prepare again", folder,
                      *count, *count > 0 ? wanted : of);
        wanted = of;
        ok = ok && ((*paths)[*count] = path_join(folder, names[i])) != NULL;
        *count += ok;
    }
    if (ok && *count > 0 && *count != wanted)
        ok = fail("%s: shard %05zu of %05zu is missing; copy it again, or run ./prepare again", folder, *count, wanted);
    names_free(names, name_count);
    if (!ok) {
        names_free(*paths, *count);
        *paths = NULL;
        *count = 0;
    }
    return ok;
}
