// Classifies a grader's command: one program, or input for a shell; and finds the scripts named in it.
#include "judges/grader_pool.h"
#include "system/files.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCRIPT_MOST = 1 << 24 }; // bytes; a larger file is no script

#define SPACE " \t\n"

// ---- one program

static bool is_program(const char *word, size_t size)
{
    const char *path = getenv("PATH");
    char file[4096];
    if (memchr(word, '/', size) != NULL)
        return snprintf(file, sizeof file, "%.*s", (int)size, word) < (int)sizeof file && file_exists(file) &&
               access(file, X_OK) == 0;
    for (size_t length; path != NULL && *path != 0; path += length + (path[length] == ':')) {
        length = strcspn(path, ":");
        if (snprintf(file, sizeof file, "%.*s/%.*s", (int)length, path, (int)size, word) < (int)sizeof file &&
            file_exists(file) && access(file, X_OK) == 0)
            return true;
    }
    return false;
}

// Without anything that joins commands or starts another shell, outside quotes.
static bool is_one_command(const char *command)
{
    char quote = 0;
    for (const char *at = command; *at != 0; at++) {
        if (*at == '\\' && quote != '\'' && at[1] != 0)
            at++;
        else if (quote != 0)
            quote = *at == quote ? 0 : quote;
        else if (*at == '\'' || *at == '"')
            quote = *at;
        else if (strchr(";&|()`\n", *at) != NULL)
            return false;
    }
    return quote == 0;
}

bool grader_command_is_program(const char *command)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
    const char *word = command + strspn(command, " \t");
    size_t size = strspn(word, PLAIN);
    bool ends = word[size] == 0 || strchr(SPACE, word[size]) != NULL;
    return size > 0 && ends && is_program(word, size) &&
           is_one_command(command); // while, eval, A=1 and the like are none
}

// ---- its scripts

static bool is_script(const char *file)
{
    static const char *const ENDS[] = {".py",  ".sh", ".bash", ".pl", ".rb", ".js",
                                       ".mjs", ".ts", ".lua",  ".R",  ".jl", ".php"};
    const char *slash = strrchr(file, '/'), *dot = strrchr(slash == NULL ? file : slash, '.');
    if (!file_exists(file))
        return false;
    for (size_t i = 0; dot != NULL && i < sizeof ENDS / sizeof *ENDS; i++)
        if (strcmp(dot, ENDS[i]) == 0)
            return true;
    return access(file, X_OK) == 0;
}

static bool append_script(Bytes *out, const char *file)
{
    uint64_t hash[2];
    MappedFile content;
    if (!is_script(file))
        return true;
    TRY(file_map(&content, file));
    bool small = content.size <= SCRIPT_MOST;
    if (small)
        hash_bytes_128(content.data == NULL ? (const uint8_t *)"" : content.data, content.size, hash);
    file_unmap(&content);
    return !small || bytes_printf(out, "%s %016" PRIx64 "%016" PRIx64 "\n", file, hash[0], hash[1]);
}

// Words end at space and at shell operators; quotes are removed.
bool grader_command_name(Bytes *out, const char *command)
{
    Bytes word = {0};
    bool ok = bytes_printf(out, "grader 2 %s\n", command);
    for (const char *at = command; ok; at++) {
        bool ends = *at == 0 || strchr(SPACE ";&|()<>`=", *at) != NULL;
        if (ends && word.size > 0) {
            ok = append_script(out, word.data);
            bytes_clear(&word);
        } else if (!ends && strchr("'\"", *at) == NULL) {
            ok = bytes_append(&word, at, 1);
        }
        if (*at == 0)
            break;
    }
    bytes_free(&word);
    return ok;
}
