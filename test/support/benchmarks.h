// What benchmarks' own scripts ask, extract, count and average: test/fixtures/benchmarks, written by
// lab/reference/benchmarks.py.
#ifndef TEST_SUPPORT_BENCHMARKS_H
#define TEST_SUPPORT_BENCHMARKS_H

#include "test/support/check.h"
#include "json/json.h"

static inline json_t *fixture(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "test/fixtures/benchmarks/%s.json", name);
    json_t *root = json_read(path, 16 << 20);
    if (root == NULL)
        fail_msg("%s", error_text());
    return root;
}

static inline const char *text_at(const json_t *object, const char *key) // "": none
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

#endif
