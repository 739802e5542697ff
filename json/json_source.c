// One tokenizer for everything here. It assumes that jansson has accepted the text before; on any other text its
// results are meaningless, but it stays within bounds.
#include "json/json_source.h"
#include "base/text.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
static bool is_mark(char c) { return c == ',' || c == ':' || c == '{' || c == '}' || c == '[' || c == ']'; }

static bool is_escaped(const char *begin, const char *quote) // by an odd number of backslashes before it
{
    const char *c = quote;
    while (c > begin && c[-1] == '\\')
        c--;
    return (quote - c) % 2 != 0;
}

static size_t string_size(Text t) // with both quotes
{
    const char *begin = t.data + 1, *end = t.data + t.size, *quote = begin;
    while (quote < end && (quote = memchr(quote, '"', (size_t)(end - quote))) != NULL && is_escaped(begin, quote))
        quote++;
    return quote == NULL || quote >= end ? t.size : (size_t)(quote + 1 - t.data);
}

// A string, one of {}[],: or the characters of a number or a word; size 0 at the end.
static Text next_token(Text *rest)
{
    while (rest->size > 0 && is_space(rest->data[0]))
        *rest = (Text){rest->data + 1, rest->size - 1};
    size_t n = rest->size > 0;
    if (n > 0 && rest->data[0] == '"')
        n = string_size(*rest);
    else if (n > 0 && !is_mark(rest->data[0]))
        while (n < rest->size && !is_mark(rest->data[n]) && !is_space(rest->data[n]) && rest->data[n] != '"')
            n++;
    Text token = {rest->data, n};
    *rest = (Text){rest->data + n, rest->size - n};
    return token;
}

static Text next_value(Text *rest) // with everything nested in it
{
    Text value = {NULL, 0};
    int64_t depth = 0;
    do {
        Text token = next_token(rest);
        if (token.size == 0)
            break;
        value.data = value.data == NULL ? token.data : value.data;
        value.size = (size_t)(token.data + token.size - value.data);
        char c = token.data[0];
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    } while (depth > 0);
    return value;
}

static bool is(Text token, const char *word)
{
    return token.size == strlen(word) && memcmp(token.data, word, token.size) == 0;
}
static bool odd(Text token) { return is(token, "NaN") || is(token, "Infinity") || is(token, "-Infinity"); }

// ---- numbers that jansson can't hold

static size_t digits(Text t, size_t at)
{
    size_t end = at;
    while (end < t.size && t.data[end] >= '0' && t.data[end] <= '9')
        end++;
    return end - at;
}

// A number as JSON has it; *whole: it has no point and no exponent.
static bool is_number(Text t, bool *whole)
{
    size_t at = t.size > 0 && t.data[0] == '-', n = digits(t, at);
    bool ok = n > 0 && (n == 1 || t.data[at] != '0');
    at += n;
    *whole = at == t.size;
    if (ok && at < t.size && t.data[at] == '.') {
        n = digits(t, ++at);
        ok = n > 0;
        at += n;
    }
    if (ok && at < t.size && (t.data[at] == 'e' || t.data[at] == 'E')) {
        at += 1 + (at + 1 < t.size && (t.data[at + 1] == '+' || t.data[at + 1] == '-'));
        n = digits(t, at);
        ok = n > 0;
        at += n;
    }
    return ok && at == t.size;
}

static bool too_large(Text token) // a terminating character, or a 0, follows it
{
    bool whole;
    if (!is_number(token, &whole))
        return false;
    errno = 0;
    if (whole)
        return strtoll(token.data, NULL, 10), errno == ERANGE;
    return isinf(strtod(token.data, NULL));
}

static void stand_in(char *place, Text token, const char *number) // as long as the token, so that columns stay right
{
    bool negative = token.data[0] == '-';
    memset(place, ' ', token.size);
    if (negative)
        *place++ = '-';
    memcpy(place, number, strlen(number));
}

static size_t put_stand_ins(char *copy, size_t size, int64_t *odd_count)
{
    size_t replaced = 0;
    Text rest = {copy, size};
    for (Text token = next_token(&rest); token.size > 0; token = next_token(&rest)) {
        bool is_odd = odd(token);
        if (!is_odd && !too_large(token))
            continue;
        stand_in(copy + (token.data - copy), token, is_odd ? "9e9" : "1e308");
        *odd_count += is_odd;
        replaced++;
    }
    return replaced;
}

json_t *json_parse_row(const char *text, size_t size, const char *where, int64_t *odd_count)
{
    *odd_count = 0;
    json_t *value = json_parse(text, size, where);
    if (value != NULL)
        return value;
    Bytes copy = {0}; // only rows that jansson refuses pay for this
    if (bytes_append(&copy, text, size) && put_stand_ins(copy.data, size, odd_count) > 0) {
        error_clear();
        value = json_parse(copy.data, size, where);
    }
    bytes_free(&copy);
    return value;
}

// ---- fields

static bool read_name(JsonField *field, Text token)
{
    field->name = (Text){token.data + 1, token.size - 2};
    if (memchr(token.data, '\\', token.size) == NULL)
        return true;
    json_t *string = json_loadb(token.data, token.size, JSON_DECODE_ANY, NULL);
    field->unescaped = string == NULL ? NULL : copy_text(json_string_value(string));
    json_decref(string);
    if (field->unescaped == NULL)
        return fail_as(ERROR_SYSTEM, "no memory for the name of a field");
    field->name = (Text){field->unescaped, strlen(field->unescaped)};
    return true;
}

static bool add_field(JsonFields *fields, JsonField field) // takes what it owns
{
    if (!grow(&fields->list, &fields->capacity, fields->count + 1, sizeof *fields->list)) {
        free(field.unescaped);
        return false;
    }
    fields->list[fields->count++] = field;
    return true;
}

bool json_fields(JsonFields *fields, Text object)
{
    Text rest = object;
    json_fields_free(fields);
    next_token(&rest); // {
    for (Text token = next_token(&rest); token.size > 0 && token.data[0] == '"'; token = next_token(&rest)) {
        JsonField field = {{NULL, 0}, {NULL, 0}, NULL};
        TRY(read_name(&field, token));
        next_token(&rest); // :
        field.value = next_value(&rest);
        TRY(add_field(fields, field));
        next_token(&rest); // , or }
    }
    return true;
}

static JsonField *find(const JsonFields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (text_is(fields->list[i].name, name))
            return &fields->list[i];
    return NULL;
}

Text json_field(const JsonFields *fields, const char *name)
{
    const JsonField *field = find(fields, name);
    return field == NULL ? (Text){NULL, 0} : field->value;
}

bool json_fields_set(JsonFields *fields, const char *name, Text value)
{
    JsonField *field = find(fields, name);
    if (field == NULL)
        return add_field(fields, (JsonField){{name, strlen(name)}, value, NULL});
    field->value = value;
    return true;
}

void json_fields_remove(JsonFields *fields, const char *name)
{
    JsonField *field = find(fields, name);
    if (field == NULL)
        return;
    free(field->unescaped);
    size_t behind = (size_t)(fields->list + fields->count - (field + 1));
    memmove(field, field + 1, behind * sizeof *field);
    fields->count--;
}

void json_fields_free(JsonFields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        free(fields->list[i].unescaped);
    free(fields->list);
    *fields = (JsonFields){0};
}

Text json_first_element(Text list)
{
    next_token(&list); // [
    return next_value(&list);
}

// ---- writing

bool json_append(Bytes *out, Text value)
{
    for (Text token = next_token(&value); token.size > 0; token = next_token(&value))
        TRY(odd(token) ? bytes_text(out, "null") : bytes_append(out, token.data, token.size));
    return true;
}

static bool is_plain(Text text) // needs no escapes
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] > '~' || text.data[i] == '"' || text.data[i] == '\\')
            return false;
    return true;
}

bool json_append_string(Bytes *out, Text text)
{
    if (is_plain(text))
        return bytes_text(out, "\"") && bytes_append(out, text.data, text.size) && bytes_text(out, "\"");
    json_t *value = json_stringn(text.data == NULL ? "" : text.data, text.size);
    char *dumped = value == NULL ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    json_decref(value);
    bool valid = dumped != NULL || utf8_valid_prefix(text.data, text.size) == text.size;
    bool ok = dumped != NULL ? bytes_text(out, dumped)
              : valid        ? fail("no memory for a text of %zu bytes", text.size)
                             : fail("a text of %zu bytes is not UTF-8", text.size);
    free(dumped);
    return ok;
}

bool json_is_odd(Text value)
{
    for (Text token = next_token(&value); token.size > 0; token = next_token(&value))
        if (odd(token))
            return true;
    return false;
}
