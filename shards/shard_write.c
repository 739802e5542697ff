// Writing shards: entries are collected in memory, one buffer per section, until a shard is full; it is then written
// under a temporary name. The number of shards is known only at the end: finish puts it into the headers and renames
// the files.
#include "shards/shard_format.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct NameTable { // known names: offsets in the section of names, + 1
    uint32_t *slots;
    size_t slot_count, count;
} NameTable;

struct ShardWriter {
    char *folder;
    ShardAbout about;
    Bytes sections[SECTIONS];
    NameTable names;
    size_t target;    // a shard is full when its sections are larger
    uint64_t trained; // tokens in this shard
    uint32_t largest; // id in this shard
    int last_difficulty;
    uint64_t last_key;
    ShardHeader *headers; // (parts) of the files written
    size_t parts, capacity;
    size_t renamed; // number of files with their final names
    bool finished;
};

uint64_t shard_header_hash(const ShardHeader *header) { return hash_bytes(header, offsetof(ShardHeader, hash)); }

ShardWriter *shard_writer_open(const char *folder, const ShardAbout *about)
{
    return shard_writer_open_sized(folder, about, SHARD_TARGET_BYTES);
}

ShardWriter *shard_writer_open_sized(const char *folder, const ShardAbout *about, size_t target)
{
    ShardWriter *w = folder_make(folder) ? allocate(1, sizeof *w) : NULL;
    if (w == NULL)
        return NULL;
    *w = (ShardWriter){.folder = copy_text(folder), .about = *about, .target = target, .last_difficulty = -1};
    if (w->folder != NULL)
        return w;
    shard_writer_close(w);
    return NULL;
}

// ---- names

static size_t name_slot(const NameTable *t, const char *names, Text name)
{
    size_t slot = hash_bytes(name.data, name.size) & (t->slot_count - 1);
    while (t->slots[slot] != 0) {
        const char *there = names + t->slots[slot] - 1;
        if (strlen(there) == name.size && memcmp(there, name.data, name.size) == 0)
            break;
        slot = (slot + 1) & (t->slot_count - 1);
    }
    return slot;
}

static bool grow_names(ShardWriter *w)
{
    NameTable bigger = {.slot_count = w->names.slot_count == 0 ? 64 : w->names.slot_count * 2, .count = w->names.count};
    const char *names = w->sections[SECTION_NAMES].data;
    bigger.slots = allocate(bigger.slot_count, sizeof *bigger.slots);
    TRY(bigger.slots != NULL);
    for (size_t i = 0; i < w->names.slot_count; i++)
        if (w->names.slots[i] != 0) {
            const char *name = names + w->names.slots[i] - 1;
            bigger.slots[name_slot(&bigger, names, (Text){name, strlen(name)})] = w->names.slots[i];
        }
    free(w->names.slots);
    w->names = bigger;
    return true;
}

static bool name_place(uint32_t *place, ShardWriter *w, Text name)
{
    Bytes *names = &w->sections[SECTION_NAMES];
    if (names->size == 0)
        TRY(bytes_append(names, "", 1));
    *place = 0;
    if (name.size == 0)
        return true;
    if (memchr(name.data, 0, name.size) != NULL || utf8_valid_prefix(name.data, name.size) != name.size)
        return fail("a source or category holds a NUL character, or is not UTF-8");
    if (w->names.count * 2 >= w->names.slot_count)
        TRY(grow_names(w));
    size_t slot = name_slot(&w->names, names->data, name);
    if (w->names.slots[slot] == 0) {
        if (names->size > UINT32_MAX / 2)
            return fail("the names of sources and categories take more than 2 GB");
        w->names.slots[slot] = (uint32_t)names->size + 1;
        w->names.count++;
        TRY(bytes_append(names, name.data, name.size) && bytes_append(names, "", 1));
    }
    *place = w->names.slots[slot] - 1;
    return true;
}

// ---- one shard

static size_t room_of(const ShardWriter *w)
{
    size_t size = 0;
    for (int i = 0; i < SECTIONS; i++)
        size += w->sections[i].size;
    return size;
}

static bool part_path(Bytes *path, const ShardWriter *w, size_t part)
{
    bytes_clear(path);
    return bytes_printf(path, "%s/part-%05zu", w->folder, part);
}

static bool final_path(Bytes *path, const ShardWriter *w, size_t part)
{
    bytes_clear(path);
    return bytes_printf(path, "%s/shard-%05zu-of-%05zu.bin", w->folder, part, w->parts);
}

static ShardHeader header_of(const ShardWriter *w)
{
    ShardHeader h = {.magic = {'D', 'E', 'R', 'E', 'A', 'S', 'O', 'N'},
                     .version = SHARD_VERSION,
                     .header_size = sizeof h,
                     .kind = w->about.kind,
                     .template = w->about.template,
                     .flags = (w->about.train_turn_newline ? SHARD_FLAG_NEWLINE : 0u) |
                              (w->about.train_all_turns ? SHARD_FLAG_ALL_TURNS : 0u),
                     .number = (uint32_t)w->parts,
                     .vocabulary = w->largest + 1,
                     .tokenizer = w->about.tokenizer,
                     .instruction = w->about.instruction,
                     .seed = w->about.seed,
                     .records = w->sections[SECTION_RECORDS].size / sizeof(struct ShardRecord),
                     .trained = w->trained};
    uint64_t offset = sizeof h;
    for (int i = 0; i < SECTIONS; i++) {
        const Bytes *section = &w->sections[i];
        offset = (offset + SHARD_ALIGN - 1) / SHARD_ALIGN * SHARD_ALIGN;
        h.sections[i] = (ShardSection){offset, section->size, hash_bytes(section->data, section->size)};
        offset += section->size;
    }
    h.file_size = offset;
    h.hash = shard_header_hash(&h);
    return h;
}

static bool write_part(const ShardWriter *w, AtomicFile *file, const ShardHeader *h)
{
    static const char zeros[SHARD_ALIGN] = {0};
    TRY(atomic_write(file, h, sizeof *h));
    for (int i = 0; i < SECTIONS; i++)
        TRY(atomic_write(file, zeros, (size_t)(h->sections[i].offset - file->written)) &&
            atomic_write(file, w->sections[i].data, w->sections[i].size));
    return true;
}

static void start_anew(ShardWriter *w)
{
    for (int i = 0; i < SECTIONS; i++)
        bytes_clear(&w->sections[i]);
    free(w->names.slots);
    w->names = (NameTable){0};
    w->trained = 0;
    w->largest = 0;
}

static bool flush_shard(ShardWriter *w)
{
    Bytes path = {0};
    AtomicFile file;
    ShardHeader header = header_of(w);
    if (w->parts >= SHARDS_MOST)
        return fail("%s: more than %d shards; prepare the data in several folders", w->folder, SHARDS_MOST);
    TRY(grow(&w->headers, &w->capacity, w->parts + 1, sizeof *w->headers));
    bool ok = part_path(&path, w, w->parts) && atomic_open(&file, path.data);
    if (ok) {
        ok = write_part(w, &file, &header);
        if (ok)
            ok = atomic_commit(&file);
        else
            atomic_abort(&file);
    }
    bytes_free(&path);
    TRY(ok);
    w->headers[w->parts++] = header;
    start_anew(w);
    return true;
}

// ---- entries

static uint32_t largest_id(const int32_t *ids, size_t count) // a negative id reads as a very large one
{
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = (uint32_t)ids[i] > largest ? (uint32_t)ids[i] : largest;
    return largest;
}

// A record that the reader would refuse is refused here, at once instead of hours later.
static bool check_entry(const ShardWriter *w, const ShardEntry *e, uint32_t largest)
{
    int shown = (int)(e->id.size < 80 ? e->id.size : 80);
    bool ascends = e->difficulty > w->last_difficulty || (e->difficulty == w->last_difficulty && e->key >= w->last_key);
    const char *fault = shard_entry_fault(w->about.kind, e);
    if (fault == NULL && largest >= INT32_MAX)
        fault = "one of its ids is negative or too large";
    if (fault == NULL && !ascends)
        fault = "it is out of order";
    return fault == NULL || fail("%s: record %.*s can't be written: %s", w->folder, shown, e->id.data, fault);
}

static bool add_record(ShardWriter *w, const ShardEntry *e)
{
    struct ShardRecord r = {.key = e->key,
                            .token = w->sections[SECTION_IDS].size / sizeof *e->ids,
                            .span = w->sections[SECTION_SPANS].size / sizeof *e->spans,
                            .text = w->sections[SECTION_TEXT].size,
                            .tokens = e->tokens,
                            .prompt = e->prompt,
                            .trained = e->trained,
                            .spans = e->span_count,
                            .id = (uint32_t)e->id.size,
                            .answer = (uint32_t)e->answer.size,
                            .row = (uint32_t)e->row.size,
                            .difficulty = (uint8_t)e->difficulty,
                            .flags = (uint8_t)((e->answer.data != NULL ? RECORD_HAS_ANSWER : 0) |
                                               (e->row.data != NULL ? RECORD_HAS_ROW : 0))};
    return name_place(&r.source, w, e->source) && name_place(&r.category, w, e->category) &&
           bytes_append(&w->sections[SECTION_RECORDS], &r, sizeof r);
}

bool shard_writer_add(ShardWriter *w, const ShardEntry *e)
{
    size_t size =
        e->tokens * sizeof *e->ids + e->span_count * sizeof *e->spans + e->id.size + e->answer.size + e->row.size;
    uint32_t largest = largest_id(e->ids, e->tokens);
    TRY(check_entry(w, e, largest));
    if (w->sections[SECTION_RECORDS].size > 0 && room_of(w) + size > w->target)
        TRY(flush_shard(w));
    TRY(add_record(w, e));
    w->last_difficulty = e->difficulty;
    w->last_key = e->key;
    w->trained += e->trained;
    w->largest = largest > w->largest ? largest : w->largest;
    Bytes *text = &w->sections[SECTION_TEXT];
    return bytes_append(&w->sections[SECTION_IDS], e->ids, e->tokens * sizeof *e->ids) &&
           bytes_append(&w->sections[SECTION_SPANS], e->spans, e->span_count * sizeof *e->spans) &&
           bytes_append(text, e->id.data, e->id.size) && bytes_append(text, e->answer.data, e->answer.size) &&
           bytes_append(text, e->row.data, e->row.size);
}

// ---- finishing

static bool rewrite_header(const char *path, const ShardHeader *header)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return fail_errno("%s: opening it again", path);
    ssize_t n;
    do
        n = pwrite(file, header, sizeof *header, 0);
    while (n < 0 && errno == EINTR);
    bool ok = (n == (ssize_t)sizeof *header && fsync(file) == 0) || fail_errno("%s: writing its header", path);
    close(file);
    return ok;
}

static bool name_part(ShardWriter *w, size_t part)
{
    Bytes from = {0}, to = {0};
    ShardHeader *header = &w->headers[part];
    header->of = (uint32_t)w->parts;
    header->hash = shard_header_hash(header);
    bool ok = part_path(&from, w, part) && final_path(&to, w, part) && rewrite_header(from.data, header);
    ok = ok && (rename(from.data, to.data) == 0 || fail_errno("%s: renaming it", from.data));
    w->renamed += ok;
    bytes_free(&from);
    bytes_free(&to);
    return ok;
}

bool shard_writer_finish(ShardWriter *w, int *shards)
{
    if (w->sections[SECTION_RECORDS].size > 0)
        TRY(flush_shard(w));
    for (size_t part = 0; part < w->parts; part++)
        TRY(name_part(w, part));
    TRY(folder_sync(w->folder));
    *shards = (int)w->parts;
    w->finished = true;
    return true;
}

void shard_writer_close(ShardWriter *w)
{
    if (w == NULL)
        return;
    Bytes path = {0};
    // A folder with some of its shards is useless. One more than are counted: its writing may have failed after its
    // renaming.
    for (size_t part = 0; !w->finished && part <= w->parts; part++)
        if (part < w->renamed ? final_path(&path, w, part) : part_path(&path, w, part))
            unlink(path.data);
    bytes_free(&path);
    for (int i = 0; i < SECTIONS; i++)
        bytes_free(&w->sections[i]);
    free(w->names.slots);
    free(w->headers);
    free(w->folder);
    free(w);
}
