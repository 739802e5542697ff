// JSON on jansson: strict reading (UTF-8, no duplicate keys, depth limited) and typed look-ups whose errors name file
// and key.
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include "base/base.h"
#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

json_t *json_read(const char *path, size_t limit); // NULL after fail("path:line:column: ...")
json_t *json_parse(const char *text, size_t size,
                   const char *where); // "file.jsonl:17"; NULL after fail("where:column: ...")

// Each fails with "where: key ..." when the key is missing, of another type or out of range.
bool json_need_int(int64_t *out, const json_t *object, const char *key, int64_t low, int64_t high, const char *where);
bool json_need_number(double *out, const json_t *object, const char *key, double low, double high, const char *where);
bool json_need_bool(bool *out, const json_t *object, const char *key, const char *where);
bool json_need_text(const char **out, const json_t *object, const char *key, const char *where); // belongs to object

// As above, but *out keeps its value when the key is absent or null.
bool json_may_int(int64_t *out, const json_t *object, const char *key, int64_t low, int64_t high, const char *where);
bool json_may_number(double *out, const json_t *object, const char *key, double low, double high, const char *where);
bool json_may_bool(bool *out, const json_t *object, const char *key, const char *where);
bool json_may_text(const char **out, const json_t *object, const char *key, const char *where);

bool json_write_atomic(const char *path, const json_t *value); // indented, key order kept, a newline at the end
char *json_spelled(const json_t *value); // the same without the newline, NULL: no memory; free() it

#ifdef __cplusplus
}
#endif
#endif
