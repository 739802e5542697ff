// The file is read once, line by line, when it is opened; a line is read again when its answer is needed.
#include "server/answer_file.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEGINNING "{\"key\":\"" // of every line; then 32 digits, HASH, 16 digits, BEHIND, and the answer
#define HASH "\",\"hash\":\""
#define BEHIND "\","
enum {
    KEY_DIGITS = 32,
    HASH_DIGITS = 16,
    HEAD = sizeof BEGINNING + KEY_DIGITS + sizeof HASH + HASH_DIGITS + sizeof BEHIND - 3
};

// ---- the table

static PagedLine *place_of(PagedLine *lines, size_t capacity, const uint64_t key[2])
{
    size_t i = (size_t)key[0] & (capacity - 1);
    while (lines[i].size > 0 && (lines[i].key[0] != key[0] || lines[i].key[1] != key[1]))
        i = (i + 1) & (capacity - 1);
    return &lines[i];
}

static const PagedLine *find(const AnswerFile *cache, const uint64_t key[2]) // NULL: absent
{
    if (cache->capacity == 0)
        return NULL;
    const PagedLine *line = place_of(cache->lines, cache->capacity, key);
    return line->size > 0 ? line : NULL;
}

static bool make_room(AnswerFile *cache)
{
    if (2 * (cache->count + 1) <= cache->capacity)
        return true;
    size_t capacity = cache->capacity == 0 ? 1024 : 2 * cache->capacity;
    PagedLine *lines = allocate(capacity, sizeof *lines);
    TRY(lines != NULL);
    for (size_t i = 0; i < cache->capacity; i++)
        if (cache->lines[i].size > 0)
            *place_of(lines, capacity, cache->lines[i].key) = cache->lines[i];
    free(cache->lines);
    cache->lines = lines;
    cache->capacity = capacity;
    return true;
}

static bool remember(AnswerFile *cache, const uint64_t key[2], uint64_t offset, size_t size)
{
    TRY(make_room(cache));
    PagedLine *line = place_of(cache->lines, cache->capacity, key);
    if (line->size > 0)
        return true;
    *line = (PagedLine){{key[0], key[1]}, offset, size};
    cache->count++;
    return true;
}

// ---- lines

static bool key_of(uint64_t key[2], const json_t *object, const char *where)
{
    const char *text = "";
    TRY(json_need_text(&text, object, "key", where));
    if (strlen(text) != KEY_DIGITS || strspn(text, "0123456789abcdef") != KEY_DIGITS)
        return fail("%s: key \"key\" must be 32 hexadecimal digits", where);
    char half[17] = {0};
    key[1] = strtoull(text + 16, NULL, 16);
    key[0] = strtoull(memcpy(half, text, 16), NULL, 16);
    return true;
}

// Parses the head of a line; rest: the text after the comma that follows it.
static void make_head(char head[HEAD + 1], const uint64_t key[2], const char *rest, size_t size)
{
    uint64_t all[] = {key[0], key[1], hash_bytes(rest, size)};
    snprintf(head, HEAD + 1, BEGINNING "%016" PRIx64 "%016" PRIx64 HASH "%016" PRIx64 BEHIND, key[0], key[1],
             hash_bytes(all, sizeof all));
}

static bool check_hash(const uint64_t key[2], const json_t *object, const char *line, size_t size, const char *where)
{
    char head[HEAD + 1];
    if (json_object_get(object, "hash") == NULL)
        return fail("%s: there is no \"hash\" of the answer (older versions wrote none), so the answer "
                    "cannot be verified",
                    where);
    make_head(head, key, size < HEAD ? "" : line + HEAD, size < HEAD ? 0 : size - HEAD);
    return (size >= HEAD && memcmp(line, head, HEAD) == 0) || fail("%s: was changed since it was written", where);
}

static bool read_line(uint64_t key[2], Answer *answer, const char *line, size_t size, const char *where)
{
    *answer = (Answer){0};
    json_t *object = json_parse(line, size, where);
    bool ok = object != NULL && key_of(key, object, where) && check_hash(key, object, line, size, where);
    if (!ok) {
        json_decref(object);
        return false;
    }
    return answer_take(answer, object, where);
}

static void refuse_line(void) // after a failure that names file and line
{
    char *why = copy_text(error_text());
    if (why != NULL)
        fail("%s; remove this line, or move the file away: its question is then asked again", why);
    free(why);
}

static bool whole_line(uint64_t key[2], Answer *answer, const char *path, const FileLine *line)
{
    Bytes where = {0};
    bool ok = bytes_printf(&where, "%s:%" PRId64, path, line->number) &&
              read_line(key, answer, line->text.data, line->text.size, where.data);
    if (!ok)
        refuse_line();
    bytes_free(&where);
    return ok;
}

static bool check_line(AnswerFile *cache, const FileLine *line)
{
    uint64_t key[2];
    Answer answer;
    TRY(whole_line(key, &answer, cache->file.path, line));
    answer_free(&answer);
    return remember(cache, key, line->offset, line->text.size);
}

// A last line left incomplete by a kill or a power cut begins like our lines. Anything else has another origin.
static bool take_line(void *context, const FileLine *line)
{
    AnswerFile *cache = context;
    if (!line->half)
        return check_line(cache, line);
    size_t known = line->text.size < strlen(BEGINNING) ? line->text.size : strlen(BEGINNING);
    return memcmp(line->text.data, BEGINNING, known) == 0 ||
           fail("%s:%" PRId64 ": its end is neither an answer nor part of one; remove this line, or move the file "
                "away: its question is then asked again",
                cache->file.path, line->number);
}

// ---- the file

bool answer_file_open(AnswerFile *cache, const char *path)
{
    *cache = (AnswerFile){0};
    bool ok = parents_make(path) &&
              line_file_open(&cache->file, path, true, "another process keeps its answers in this file; wait for it") &&
              line_file_read(&cache->file, take_line, cache);
    cache->opened = cache->file.end;
    if (!ok)
        answer_file_close(cache);
    return ok;
}

void answer_file_close(AnswerFile *cache)
{
    line_file_close(&cache->file);
    free(cache->lines);
    *cache = (AnswerFile){0};
}

bool answer_file_has(const AnswerFile *cache, const uint64_t key[2]) { return find(cache, key) != NULL; }

bool answer_file_had(const AnswerFile *cache, const uint64_t key[2])
{
    const PagedLine *line = find(cache, key);
    return line != NULL && line->offset < cache->opened;
}

bool answer_file_read(const AnswerFile *cache, const uint64_t key[2], Answer *answer)
{
    const PagedLine *line = find(cache, key);
    uint64_t found[2] = {0};
    *answer = (Answer){0};
    char *text = allocate(line->size, 1);
    TRY(text != NULL);
    ssize_t size = pread(cache->file.descriptor, text, line->size, (off_t)line->offset);
    bool ok = size < 0 ? fail_errno("%s: reading at byte %" PRIu64, cache->file.path, line->offset)
                       : (size_t)size == line->size && read_line(found, answer, text, line->size, cache->file.path);
    free(text);
    if (ok && found[0] == key[0] && found[1] == key[1])
        return true;
    answer_free(answer);
    return size < 0 ? false
                    : fail("%s: was changed while it was in use, at byte %" PRIu64, cache->file.path, line->offset);
}

static bool make_line(Bytes *line, const uint64_t key[2], const Answer *answer)
{
    json_t *object = answer_json(answer);
    TRY(object != NULL);
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(object);
    bool ok = text != NULL || fail("no memory for the JSON of an answer");
    char head[HEAD + 1];
    if (ok)
        make_head(head, key, text + 1, strlen(text + 1)); // after its {
    ok = ok && bytes_printf(line, "%s%s\n", head, text + 1);
    free(text);
    return ok;
}

bool answer_file_add(AnswerFile *cache, const uint64_t key[2], const Answer *answer)
{
    Bytes line = {0};
    uint64_t begin = cache->file.end;
    bool ok = make_line(&line, key, answer) && line_file_is_ours(&cache->file) &&
              line_file_append(&cache->file, line.data, line.size) && remember(cache, key, begin, line.size - 1);
    bytes_free(&line);
    return ok;
}

// ---- of another process

typedef struct AnswerReading {
    const char *path;
    AnswerTaking *take;
    void *context;
} AnswerReading;

static bool take_answer(void *context, const FileLine *line)
{
    const AnswerReading *r = context;
    uint64_t key[2];
    Answer answer;
    if (line->half)
        return true;
    TRY(whole_line(key, &answer, r->path, line));
    bool ok = r->take(r->context, key, &answer);
    answer_free(&answer);
    return ok;
}

bool answers_read(const char *path, AnswerTaking *take, void *context)
{
    Bytes all = {0}; // not mapped: its process may shorten it
    AnswerReading r = {path, take, context};
    bool ok = file_read(&all, path, SIZE_MAX) && lines_read((Text){all.data, all.size}, take_answer, &r);
    bytes_free(&all);
    return ok;
}
