// Reads the packed lists of a page (html/packed.h) as a browser does.
#ifndef TEST_UNPACKED_H
#define TEST_UNPACKED_H

#include "json/json.h"
#include "test/support/check.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static inline Bytes from_base64(const char *text, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    Bytes out = {0};
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < size && text[i] != '='; i++) {
        const char *digit = strchr(digits, text[i]);
        assert_true(digit != NULL && *digit != 0);
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            char byte = (char)(bits >> have & 255);
            assert_ok(bytes_append(&out, &byte, 1));
        }
    }
    return out;
}

// All values of the lists of this name in a page, in their order: a new reference. elements: how many lists there are.
static inline json_t *unpacked(const char *html, const char *name, size_t *elements)
{
    enum { MOST = 1 << 27 };
    char opening[80];
    json_t *all = json_array();
    snprintf(opening, sizeof opening, "<script type=\"text/plain\" class=\"%s\">", name);
    *elements = 0;
    for (const char *at = html; (at = strstr(at, opening)) != NULL; ++*elements) {
        at += strlen(opening);
        Bytes packed = from_base64(at, strcspn(at, "<"));
        uLongf size = MOST;
        char *text = malloc(MOST);
        assert_non_null(text);
        assert_int_equal(uncompress((uint8_t *)text, &size, (const uint8_t *)packed.data, packed.size), Z_OK);
        json_t *list = json_parse(text, size, name);
        if (list == NULL)
            fail_msg("%s", error_text());
        json_array_extend(all, list);
        json_decref(list);
        free(text);
        bytes_free(&packed);
    }
    return all;
}

#endif
