// See history.h. Several chats may append at once, a line at a time; whoever opens a file that has grown long makes it
// short again.
#include "chat/history.h"
#include "json/json_source.h"
#include "system/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool history_path(char **path)
{
    char *folder;
    *path = NULL;
    TRY(user_folder(&folder, "XDG_STATE_HOME", ".local/state"));
    bool ok = folder == NULL || (*path = path_join(folder, "chat_history.jsonl")) != NULL;
    free(folder);
    return ok;
}

// ---- reading

typedef struct Messages {
    char **list; // (count)
    size_t count, capacity;
} Messages;

static void messages_free(Messages *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->list[i]);
    free(m->list);
}

static bool take_line(void *context, const FileLine *line)
{
    Messages *m = context;
    if (line->half)
        return line->text.size == 0 || line->text.data[0] == '"' || fail("not a history of chats");
    json_t *value = json_loadb(line->text.data, line->text.size, JSON_DECODE_ANY, NULL);
    bool ok = json_is_string(value) || fail("line %" PRId64 ": not a history of chats", line->number);
    ok = ok && grow(&m->list, &m->capacity, m->count + 1, sizeof *m->list) &&
         (m->list[m->count] = copy_text(json_string_value(value))) != NULL;
    m->count += ok;
    json_decref(value);
    return ok;
}

static bool append_message(Bytes *out, const char *message)
{
    return json_append_string(out, (Text){message, strlen(message)}) && bytes_text(out, "\n");
}

static bool make_private(const char *path)
{
    TRY(parents_make(path));
    int descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (descriptor < 0)
        return fail_errno("%s: opening", path);
    struct stat facts;
    bool ok = (fstat(descriptor, &facts) == 0 && (!S_ISREG(facts.st_mode) || fchmod(descriptor, 0600) == 0)) ||
              fail_errno("%s: making it private", path);
    close(descriptor);
    return ok;
}

// The last HISTORY_MOST messages, in the place of twice as many.
static bool shorten(const char *path, Messages *m)
{
    Bytes lines = {0};
    AtomicFile file = {.descriptor = -1};
    bool ok = true;
    for (size_t i = m->count - HISTORY_MOST; ok && i < m->count; i++)
        ok = append_message(&lines, m->list[i]);
    ok = ok && atomic_open(&file, path) &&
         (fchmod(file.descriptor, 0600) == 0 || fail_errno("%s: making it private", path)) &&
         atomic_write(&file, lines.data, lines.size) && atomic_commit(&file);
    atomic_abort(&file);
    bytes_free(&lines);
    return ok;
}

static bool read_all(LineFile *file, const char *path, Messages *m)
{
    TRY(make_private(path) && line_file_open(file, path, false, NULL));
    TRY(line_file_read(file, take_line, m));
    if (m->count < 2 * HISTORY_MOST)
        return true;
    return line_file_close(file) && shorten(path, m) && make_private(path) && line_file_open(file, path, false, NULL);
}

bool history_open(LineFile *file, const char *path, HistoryTake take, void *context)
{
    Messages m = {0};
    *file = (LineFile){.descriptor = -1};
    bool ok = read_all(file, path, &m);
    for (size_t i = m.count > HISTORY_MOST ? m.count - HISTORY_MOST : 0; ok && i < m.count; i++)
        take(context, m.list[i]);
    if (!ok && file->path != NULL)
        line_file_close(file);
    messages_free(&m);
    return ok;
}

bool history_add(LineFile *file, const char *message)
{
    Bytes line = {0};
    if (file->path == NULL)
        return true;
    bool ok = append_message(&line, message) && line_file_append(file, line.data, line.size);
    bytes_free(&line);
    return ok;
}
