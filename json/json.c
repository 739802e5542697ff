// Strict JSON. Errors name file, line and column, or file and key; numbers are checked against their range where they
// are read.
#include "json/json.h"
#include "system/files.h"
#include "system/hub.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t STRICT = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;

static bool refuse(const char *place, const json_error_t *error)
{
    return error->text[0] == 0 ? fail_as(ERROR_SYSTEM, "%s: no memory for its JSON", place)
                               : fail("%s:%d: not valid JSON: %s", place, error->column, error->text);
}

json_t *json_parse(const char *text, size_t size, const char *where)
{
    json_error_t error;
    json_t *value = json_loadb(text, size, STRICT, &error);
    if (value == NULL)
        refuse(where, &error);
    return value;
}

// Published files hold integers beyond 64 bits (a tokenizer's model_max_length of 10^30): such a file is read once more
// with all its numbers as reals, and fails only where one of them is needed as an integer.
static json_t *load_file(const char *text, size_t size, json_error_t *error)
{
    json_t *value = json_loadb(text, size, STRICT, error);
    if (value == NULL && json_error_code(error) == json_error_numeric_overflow)
        value = json_loadb(text, size, STRICT | JSON_DECODE_INT_AS_REAL, error);
    return value;
}

// A broken download or copy: the file ends before its JSON does.
static bool is_cut_short(const Bytes *text, const json_error_t *error)
{
    size_t size = text->size;
    while (size > 0 && text->data[size - 1] != 0 && strchr(" \t\r\n", text->data[size - 1]) != NULL)
        size--;
    char last = size == 0 ? 0 : text->data[size - 1];
    return json_error_code(error) == json_error_premature_end_of_input || (last != '}' && last != ']');
}

// The answer of a server that wants a log-in first, or has moved.
static bool is_web_page(const Bytes *text)
{
    size_t blank = text->size == 0 ? 0 : strspn(text->data, " \t\r\n");
    return blank < text->size && text->data[blank] == '<';
}

static const char *mishap(const Bytes *text) // the likely cause
{
    return text->size == 0 ? "empty" : is_web_page(text) ? "a web page" : "cut short";
}

json_t *json_read(const char *path, size_t limit)
{
    Bytes text = {0};
    json_t *value = NULL;
    bool ok = file_read(&text, path, limit);
    if (ok && is_lfs_pointer(text.data, text.size)) {
        fail("%s: " LFS_POINTER, path);
    } else if (ok) {
        json_error_t error;
        value = load_file(text.data, text.size, &error);
        char place[1024];
        snprintf(place, sizeof place, "%s:%d", path, error.line);
        if (value == NULL && !refuse(error.line > 0 ? place : path, &error) && error.text[0] != 0 &&
            is_cut_short(&text, &error))
            fail_in("the file is %s; download or copy it again", mishap(&text));
    }
    bytes_free(&text);
    return value;
}

static const json_t *find(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static bool missing(const char *key, const char *where) { return fail("%s: key \"%s\" is missing", where, key); }

bool json_may_int(int64_t *out, const json_t *object, const char *key, int64_t low, int64_t high, const char *where)
{
    const json_t *value = find(object, key);
    if (value == NULL)
        return true;
    int64_t number = (int64_t)json_integer_value(value);
    if (!json_is_integer(value) || number < low || number > high)
        return fail("%s: key \"%s\" must be an integer from %" PRId64 " to %" PRId64, where, key, low, high);
    *out = number;
    return true;
}

bool json_may_number(double *out, const json_t *object, const char *key, double low, double high, const char *where)
{
    const json_t *value = find(object, key);
    if (value == NULL)
        return true;
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= low && number <= high))
        return fail("%s: key \"%s\" must be a number from %g to %g", where, key, low, high);
    *out = number;
    return true;
}

bool json_may_bool(bool *out, const json_t *object, const char *key, const char *where)
{
    const json_t *value = find(object, key);
    if (value == NULL)
        return true;
    if (!json_is_boolean(value))
        return fail("%s: key \"%s\" must be true or false", where, key);
    *out = json_is_true(value);
    return true;
}

bool json_may_text(const char **out, const json_t *object, const char *key, const char *where)
{
    const json_t *value = find(object, key);
    if (value == NULL)
        return true;
    if (!json_is_string(value))
        return fail("%s: key \"%s\" must be a string", where, key);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return fail("%s: key \"%s\" holds a NUL character", where, key);
    *out = json_string_value(value);
    return true;
}

bool json_need_int(int64_t *out, const json_t *object, const char *key, int64_t low, int64_t high, const char *where)
{
    return find(object, key) == NULL ? missing(key, where) : json_may_int(out, object, key, low, high, where);
}

bool json_need_number(double *out, const json_t *object, const char *key, double low, double high, const char *where)
{
    return find(object, key) == NULL ? missing(key, where) : json_may_number(out, object, key, low, high, where);
}

bool json_need_bool(bool *out, const json_t *object, const char *key, const char *where)
{
    return find(object, key) == NULL ? missing(key, where) : json_may_bool(out, object, key, where);
}

bool json_need_text(const char **out, const json_t *object, const char *key, const char *where)
{
    return find(object, key) == NULL ? missing(key, where) : json_may_text(out, object, key, where);
}

// 15 digits keep 1e-6 as people write it; a number that does not survive that gets the 17 that it needs.
char *json_spelled(const json_t *value)
{
    const size_t flags = JSON_INDENT(2) | JSON_ENCODE_ANY;
    char *text = json_dumps(value, flags | JSON_REAL_PRECISION(15));
    json_t *back = text == NULL ? NULL : json_loads(text, STRICT | JSON_DECODE_ANY, NULL);
    if (back == NULL || !json_equal(back, value)) {
        free(text);
        text = json_dumps(value, flags | JSON_REAL_PRECISION(17));
    }
    json_decref(back);
    return text;
}

bool json_write_atomic(const char *path, const json_t *value)
{
    char *text = json_spelled(value);
    if (text == NULL)
        return fail("%s: no memory for its JSON", path);
    Bytes out = {0};
    bool ok = bytes_text(&out, text) && bytes_text(&out, "\n") && file_write_atomic(path, out.data, out.size);
    free(text);
    bytes_free(&out);
    return ok;
}
