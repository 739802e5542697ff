// Edits in the text of a JSON object: the value is set, and every other character is unchanged.
#include "json/json_edit.h"
#include "test/support/check.h"
#include <stdlib.h>

static void assert_edit(const char *before, const char *key, const char *value, const char *after)
{
    Bytes text = {0};
    json_t *parsed = value == NULL ? NULL : json_loads(value, JSON_DECODE_ANY, NULL);
    assert_true(value == NULL || parsed != NULL);
    assert_ok(bytes_text(&text, before) && json_edit(&text, key, parsed));
    assert_string_equal(text.data, after);
    json_decref(parsed);
    bytes_free(&text);
}

static void a_value_is_replaced_where_it_stands(void **state)
{
    assert_edit("{\"a\": 1, \"b\": 2}", "a", "3", "{\"a\": 3, \"b\": 2}");
    assert_edit("{\"a\": 1, \"b\": 2}", "b", "\"x\"", "{\"a\": 1, \"b\": \"x\"}");
    assert_edit("{\"a\":[1,{\"b\":2}],\"b\":{\"a\":[\"]\"]},\"c\":3}", "b", "7",
                "{\"a\":[1,{\"b\":2}],\"b\":7,\"c\":3}");
    assert_edit("{\n  \"long\": 1000000000000000000000000000000,\n  \"a\" : null ,\n  \"r\": 1.50e+07\n}\n", "a",
                "true", "{\n  \"long\": 1000000000000000000000000000000,\n  \"a\" : true ,\n  \"r\": 1.50e+07\n}\n");
    assert_edit("{\"t\": \"say \\\"a\\\": 1, \\\\\", \"a\": \"}\"}", "a", "0",
                "{\"t\": \"say \\\"a\\\": 1, \\\\\", \"a\": 0}");
}

static void a_new_key_comes_last(void **state)
{
    assert_edit("{}", "a", "1", "{\n  \"a\": 1}");
    assert_edit("{\n  \"b\": {\"a\": 2}\n}\n", "a", "1", "{\n  \"b\": {\"a\": 2},\n  \"a\": 1\n}\n");
    assert_edit(" { \"aa\": 1 } ", "a", "1", " { \"aa\": 1,\n  \"a\": 1 } ");
}

static void a_key_is_removed_with_its_comma(void **state)
{
    assert_edit("{\"a\": 1}", "a", NULL, "{}");
    assert_edit("{\"a\": 1, \"b\": 2}", "a", NULL, "{ \"b\": 2}");
    assert_edit("{\n  \"b\": 2,\n  \"a\": [1, 2],\n  \"c\": 3\n}", "a", NULL, "{\n  \"b\": 2,\n  \"c\": 3\n}");
    assert_edit("{\n  \"b\": 2,\n  \"a\": \"x\"\n}", "a", NULL, "{\n  \"b\": 2\n}");
    assert_edit("{\"b\": {\"a\": 1}}", "a", NULL, "{\"b\": {\"a\": 1}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_replaced_where_it_stands),
        cmocka_unit_test(a_new_key_comes_last),
        cmocka_unit_test(a_key_is_removed_with_its_comma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
