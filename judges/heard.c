// A table of verdicts by question, and the two ways into it: see heard.h.
#include "judges/heard.h"
#include "ranks/gather.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>

// ---- the table

static HeardVerdict *place_of(HeardVerdict *list, size_t capacity, const uint64_t key[2])
{
    size_t i = (size_t)key[0] & (capacity - 1);
    while (list[i].known && (list[i].key[0] != key[0] || list[i].key[1] != key[1]))
        i = (i + 1) & (capacity - 1);
    return &list[i];
}

const HeardVerdict *heard_find(const Heard *h, const uint64_t key[2])
{
    const HeardVerdict *v = h->capacity == 0 ? NULL : place_of(h->list, h->capacity, key);
    return v != NULL && v->known ? v : NULL;
}

static bool make_room(Heard *h)
{
    if (2 * (h->count + 1) <= h->capacity)
        return true;
    size_t capacity = h->capacity == 0 ? 256 : 2 * h->capacity;
    HeardVerdict *list = allocate(capacity, sizeof *list);
    TRY(list != NULL);
    for (size_t i = 0; i < h->capacity; i++)
        if (h->list[i].known)
            *place_of(list, capacity, h->list[i].key) = h->list[i];
    free(h->list);
    h->list = list;
    h->capacity = capacity;
    return true;
}

bool heard_add(Heard *h, const uint64_t key[2], double score, const char *why)
{
    TRY(make_room(h));
    HeardVerdict *v = place_of(h->list, h->capacity, key);
    if (v->known)
        return true;
    *v = (HeardVerdict){{key[0], key[1]}, true, score, NULL};
    h->count++;
    return why == NULL || (v->why = copy_text(why)) != NULL;
}

void heard_free(Heard *h)
{
    for (size_t i = 0; i < h->capacity; i++)
        free(h->list[i].why);
    free(h->list);
    bytes_free(&h->news);
    *h = (Heard){0};
}

// ---- from process to process

typedef struct News { // then the reason, with its 0
    uint64_t key[2];
    double score;
    uint64_t why; // bytes; 0: NULL
} News;

bool heard_own(Heard *h, const uint64_t key[2], double score, const char *why)
{
    News n = {{key[0], key[1]}, score, why == NULL ? 0 : strlen(why) + 1};
    return !h->telling || (bytes_append(&h->news, &n, sizeof n) && bytes_append(&h->news, why, n.why));
}

bool heard_tell(Heard *h, Bytes *out)
{
    bool ok = bytes_append(out, h->news.data, h->news.size);
    bytes_clear(&h->news);
    return ok;
}

bool heard_take(Heard *h, Text news)
{
    while (news.size > 0) {
        News n;
        Text why;
        TRY(gathered_take(&news, &n, sizeof n) && gathered_part(&news, &why, n.why));
        TRY(heard_add(h, n.key, n.score, n.why == 0 ? NULL : why.data));
    }
    return true;
}

// ---- from journals

static bool is_journal(const char *file, const char *name) // NAME.jsonl, NAME-12.jsonl
{
    size_t size = strlen(name);
    if (strncmp(file, name, size) != 0)
        return false;
    const char *rest = file + size;
    size_t digits = rest[0] == '-' ? strspn(rest + 1, "0123456789") : 0;
    rest += digits > 0 ? digits + 1 : 0;
    return strcmp(rest, ".jsonl") == 0;
}

static bool read_in_folder(const char *folder, const char *own, const char *name, AnswerTaking *take, void *context)
{
    char **files;
    size_t count;
    TRY(folder_list(&files, &count, folder));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        if (!is_journal(files[i], name) || strcmp(files[i], own) == 0)
            continue;
        char *path = path_join(folder, files[i]);
        ok = path != NULL && answers_read(path, take, context);
        free(path);
    }
    names_free(files, count);
    return ok;
}

bool heard_journals(const char *journal, const char *name, AnswerTaking *take, void *context)
{
    if (name == NULL)
        return true;
    char *folder = copy_text(journal), *slash = folder == NULL ? NULL : strrchr(folder, '/');
    bool ok = folder != NULL;
    if (slash != NULL)
        *slash = 0;
    ok = ok && read_in_folder(slash == NULL ? "." : folder, slash == NULL ? journal : slash + 1, name, take, context);
    free(folder);
    return ok;
}
