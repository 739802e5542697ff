// Reading shards: a file is mapped and checked from end to end before any of it is used. Records tile their sections
// exactly, so nothing overlaps and nothing is left over.
#include "shards/shard_format.h"
#include <stdlib.h>
#include <string.h>

#define AGAIN "; copy it again, or run ./prepare again"

static const char *const SECTION_LABELS[SECTIONS] = {"records", "ids", "spans", "text", "names"};

// ---- the header

static bool check_header(const ShardHeader *h, const MappedFile *file, const char *path)
{
    static const uint8_t zeros[sizeof h->zero] = {0};
    if (file->size < offsetof(ShardHeader, header_size))
        return fail("%s: %zu bytes are too few for a shard" AGAIN, path, file->size);
    if (memcmp(h->magic, SHARD_MAGIC, sizeof h->magic) != 0)
        return fail("%s: not a shard (it does not begin with %s); ./prepare makes shards of JSONL", path, SHARD_MAGIC);
    if (h->version != SHARD_VERSION)
        return fail("%s: a shard of version %" PRIu32 ", and this program reads version %d; run ./prepare again", path,
                    h->version, SHARD_VERSION);
    if (file->size < sizeof *h)
        return fail("%s: cut short at byte %zu, within its header" AGAIN, path, file->size);
    if (h->hash != shard_header_hash(h))
        return fail("%s: its header is damaged: its checksum is not the one at byte %zu" AGAIN, path,
                    offsetof(ShardHeader, hash));
    if (h->header_size != sizeof *h || memcmp(h->zero, zeros, sizeof zeros) != 0 ||
        (h->flags & ~(uint32_t)(SHARD_FLAG_NEWLINE | SHARD_FLAG_ALL_TURNS)) != 0)
        return fail("%s: its header holds what version %d does not know; run ./prepare again", path, SHARD_VERSION);
    if (h->file_size != file->size)
        return fail("%s: %zu bytes, but its header says %" PRIu64 ": %s" AGAIN, path, file->size, h->file_size,
                    file->size < h->file_size ? "it is cut short" : "something was added");
    if ((h->kind != SHARD_SFT && h->kind != SHARD_RL) || h->template >= TEMPLATES || h->number >= h->of ||
        h->of > SHARDS_MOST || h->vocabulary > INT32_MAX || h->records == 0 || h->records > SHARD_RECORDS_MOST)
        return fail("%s: its header contradicts itself" AGAIN, path);
    return true;
}

// Parses "shard-00003-of-00008.bin"; anything else that looks similar is refused.
static bool parse_name(const char *name, uint32_t *number, uint32_t *of)
{
    char same[64];
    if (sscanf(name, "shard-%5" SCNu32 "-of-%5" SCNu32 ".bin", number, of) != 2 || *number >= *of)
        return false;
    snprintf(same, sizeof same, "shard-%05" PRIu32 "-of-%05" PRIu32 ".bin", *number, *of);
    return strcmp(name, same) == 0;
}

// A renamed shard could take the place of another one. A file with any other name may be read alone.
static bool check_name(const ShardHeader *h, const char *path)
{
    uint32_t number, of;
    const char *slash = strrchr(path, '/');
    return !parse_name(slash == NULL ? path : slash + 1, &number, &of) || (number == h->number && of == h->of) ||
           fail("%s: it is shard %05" PRIu32 " of %05" PRIu32 " by its header; was it renamed? Copy the folder again",
                path, h->number, h->of);
}

// Sections follow each other, zero-padded to their beginnings, and the last one ends the file.
static bool check_sections(const ShardHeader *h, const MappedFile *file, const char *path)
{
    uint64_t end = sizeof *h, hash;
    for (int i = 0; i < SECTIONS; i++) {
        const ShardSection *s = &h->sections[i];
        uint64_t begin = (end + SHARD_ALIGN - 1) / SHARD_ALIGN * SHARD_ALIGN;
        if (s->offset != begin || s->offset > file->size || s->size > file->size - s->offset)
            return fail("%s: its section of %s is not where it should be (byte %" PRIu64 ")" AGAIN, path,
                        SECTION_LABELS[i], s->offset);
        for (uint64_t at = end; at < begin; at++)
            if (file->data[at] != 0)
                return fail("%s: byte %" PRIu64 ", before its section of %s, is damaged" AGAIN, path, at,
                            SECTION_LABELS[i]);
        TRY(mapped_hash(&hash, file->data + s->offset, (size_t)s->size));
        if (hash != s->hash)
            return fail("%s: its section of %s (%" PRIu64 " bytes from byte %" PRIu64
                        ") is damaged: wrong checksum" AGAIN,
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
                            .template = (TemplateKind)h->template,
                            .train_turn_newline = (h->flags & SHARD_FLAG_NEWLINE) != 0,
                            .train_all_turns = (h->flags & SHARD_FLAG_ALL_TURNS) != 0,
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

typedef struct Tiling { // where the next record's parts must begin
    uint64_t token, span, text, name, trained;
} Tiling;

// A name is one that was used before, or the next new one.
static bool take_name(const Shard *s, uint32_t place, Tiling *at)
{
    if (place < at->name)
        return s->names[place == 0 ? 0 : place - 1] == 0;
    if (place != at->name || place >= s->names_size || s->names[place] == 0)
        return false;
    at->name += strlen(s->names + place) + 1;
    return true;
}

static bool take_parts(const Shard *s, const ShardRecord *r, Tiling *at)
{
    uint64_t text = (uint64_t)r->id + r->answer + r->row;
    if (r->token != at->token || r->span != at->span || r->text != at->text ||
        r->tokens > (uint64_t)s->tokens - at->token || r->spans > s->span_count - at->span ||
        text > s->text_size - at->text)
        return false;
    at->token += r->tokens;
    at->span += r->spans;
    at->text += text;
    at->trained += r->trained;
    return take_name(s, r->source, at) && take_name(s, r->category, at);
}

static bool flags_agree(const ShardRecord *r)
{
    return ((r->flags & RECORD_HAS_ANSWER) != 0 || r->answer == 0) &&
           ((r->flags & RECORD_HAS_ROW) != 0 || r->row == 0) &&
           (r->flags & ~(RECORD_HAS_ANSWER | RECORD_HAS_ROW)) == 0 && r->zero == 0;
}

static bool ascends(const ShardRecord *r, const ShardRecord *previous)
{
    return previous->difficulty < r->difficulty || (previous->difficulty == r->difficulty && previous->key <= r->key);
}

static const char *record_fault(const Shard *s, int64_t record, Tiling *at)
{
    const ShardRecord *r = &s->table[record];
    if (!take_parts(s, r, at))
        return "its parts do not begin where those of the record before it end";
    if (!flags_agree(r))
        return "its flags contradict it";
    if (record > 0 && !ascends(r, r - 1))
        return "it is out of order";
    ShardEntry entry = shard_entry(s, record);
    return shard_entry_fault(s->about.kind, &entry);
}

static bool check_records(const Shard *s, const ShardHeader *h, const char *path)
{
    Tiling at = {.name = 1};
    if (s->names_size == 0 || s->names[0] != 0 || s->names[s->names_size - 1] != 0 ||
        utf8_valid_prefix(s->names, s->names_size) != s->names_size)
        return fail("%s: its section of names does not begin and end with 0, or is not UTF-8" AGAIN, path);
    for (int64_t i = 0; i < s->records; i++) {
        const char *fault = record_fault(s, i, &at);
        if (fault != NULL)
            return fail("%s: record %" PRId64 " (byte %zu): %s" AGAIN, path, i,
                        (size_t)((const uint8_t *)&s->table[i] - s->file.data), fault);
    }
    if (at.token != (uint64_t)s->tokens || at.span != s->span_count || at.text != s->text_size ||
        at.name != s->names_size || at.trained != h->trained)
        return fail("%s: its sections hold more than its records" AGAIN, path);
    return true;
}

static bool check_ids(const Shard *s, const char *path)
{
    uint32_t largest = 0; // a negative id reads as a very large one
    for (int64_t i = 0; i < s->tokens; i++)
        largest = (uint32_t)s->ids[i] > largest ? (uint32_t)s->ids[i] : largest;
    return (uint64_t)largest + 1 == (uint64_t)s->vocabulary ||
           fail("%s: its largest id is %" PRIu32 ", but its header says %" PRId32 " tokens" AGAIN, path, largest,
                s->vocabulary);
}

bool shard_take(Shard *shard, const char *path)
{
    const ShardHeader *h = (const ShardHeader *)(const void *)shard->file.data;
    return check_header(h, &shard->file, path) && check_name(h, path) && check_sections(h, &shard->file, path) &&
           take_sections(shard, h, path) && check_records(shard, h, path) && check_ids(shard, path);
}

bool shard_open(Shard *shard, const char *path)
{
    *shard = (Shard){0};
    TRY(file_map(&shard->file, path));
    bool ok = shard_take(shard, path);
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

// ---- a folder of shards

// Appends the next shard of a folder; names come sorted, and so do numbers.
static bool add_file(char **paths, size_t *count, uint32_t *wanted, const char *folder, const char *name)
{
    uint32_t number, of;
    if (!parse_name(name, &number, &of))
        return fail("%s/%s: not the name of a shard; move it elsewhere", folder, name);
    if (*count > 0 && of != *wanted)
        return fail("%s/%s: is beside shards of another preparation, of %05" PRIu32 "; remove the older ones", folder,
                    name, *wanted);
    if (number != *count)
        return fail("%s: shard %05zu of %05" PRIu32 " is missing" AGAIN, folder, *count, of);
    *wanted = of;
    paths[*count] = path_join(folder, name);
    TRY(paths[*count] != NULL);
    (*count)++;
    return true;
}

bool shard_files(char ***paths, size_t *count, const char *folder)
{
    char **names;
    size_t name_count;
    uint32_t wanted = 0;
    *paths = NULL;
    *count = 0;
    TRY(folder_list(&names, &name_count, folder));
    *paths = allocate(name_count + 1, sizeof **paths);
    bool ok = *paths != NULL;
    for (size_t i = 0; ok && i < name_count; i++)
        if (strncmp(names[i], "shard-", 6) == 0 && strstr(names[i], ".tmp-") == NULL)
            ok = add_file(*paths, count, &wanted, folder, names[i]);
    if (ok && *count != wanted)
        ok = fail("%s: shard %05zu of %05" PRIu32 " is missing" AGAIN, folder, *count, wanted);
    names_free(names, name_count);
    if (!ok) {
        names_free(*paths, *count);
        *paths = NULL;
        *count = 0;
    }
    return ok;
}
