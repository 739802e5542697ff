// Rows as tokens: masks token by token for every template, the edge between prompt and answer, rows of ids; and, on a committed
// fixture, the very labels of TRL and LLaMA-Factory.
#include "test/support/prepared.h"

#define ROW "{\"prompt\": \"1+1?\", \"completion\": \"two\"}\n"

static Preparation with_template(const char *name, ChatTemplate *chat)
{
    assert_ok(template_open(chat, folder, name));
    Preparation p = preparation("masks", NULL, 0);
    p.options.rules.chat = chat;
    return p;
}

static void the_mask_is_the_templates_table_token_by_token(void **state)
{
    static const char *const table[][3] = {
        {"chatml", PROMPT, "two<|im_end|>"},
        {"qwen3", PROMPT, "<think>\n\n</think>\n\ntwo<|im_end|>"},
        {"qwen3-nothink", PROMPT "<think>\n\n</think>\n\n", "two<|im_end|>"},
        {"qwen2.5", "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n" PROMPT,
         "two<|im_end|>"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ChatTemplate chat;
        Documents d = prepared_rows(ROW, with_template(table[i][0], &chat));
        assert_int_equal(d.count, 1);
        assert_int_equal(documents_about(&d)->template_, chat.kind);
        assert_document(&d, 0, table[i][1], table[i][2]);
        assert_int_equal(d.list[0].ids[d.list[0].length - 1], tokenizer_find(tokenizer, "<|im_end|>"));
        documents_close(&d);
    }
}

static void the_newline_after_the_turn_is_trained_on_request(void **state)
{
    Preparation p = preparation("newline", NULL, 0);
    p.options.rules.train_turn_newline = true;
    Documents d = prepared_rows(ROW, p);
    assert_true(documents_about(&d)->train_turn_newline);
    assert_document(&d, 0, PROMPT, "two<|im_end|>\n");
    documents_close(&d);
}

static void the_edge_between_prompt_and_answer_is_an_edge_of_tokens(void **state)
{
    const char *published = "../shared/data/qwen3-tokenizer"; // the small one has no token of several newlines
    if (!folder_exists(published)) {
        print_message("skipped: no ../shared/data\n");
        skip();
    }
    Tokenizer *small = tokenizer;
    tokenizer = tokenizer_open(published);
    assert_non_null(tokenizer);
    Documents d = prepared_rows("{\"prompt\": \"1+1?\", \"completion\": \"\\n\\ntwo\"}\n", preparation("edge", NULL, 0));
    assert_document(&d, 0, PROMPT, "\n\ntwo<|im_end|>");
    Encoder *encoder = encoder_open(tokenizer);
    TokenList whole = {0};
    assert_ok(encode(encoder, &whole, PROMPT "\n\ntwo<|im_end|>", strlen(PROMPT "\n\ntwo<|im_end|>")));
    assert_int_not_equal(whole.count, d.tokens); // as one text, the three newlines are one token
    tokens_free(&whole);
    encoder_close(encoder);
    documents_close(&d);
    tokenizer_close(tokenizer);
    tokenizer = small;
}

static void ids_rows_need_no_tokenizer_and_lose_their_untrained_tail(void **state)
{
    Preparation p = preparation("ids", NULL, 0);
    p.options.rules = (TokenRules){.vocabulary = 100};
    Documents d = prepared_rows("{\"ids\": [5, 6, 7, 8, 9], \"labels\": [-100, 6, -100, 8, -100], \"id\": \"x\","
                                "\"difficulty\": 2}\n",
                                p);
    const int32_t ids[] = {5, 6, 7, 8};
    assert_int_equal(d.tokens, 4);
    assert_int_equal(d.trained_tokens, 2);
    assert_int_equal(d.list[0].difficulty, 2);
    assert_memory_equal(d.list[0].ids, ids, sizeof ids);
    for (int32_t t = 0; t < 4; t++)
        assert_int_equal(is_trained(&d.list[0], t), t % 2 == 1);
    assert_true(has_id(&d, "x"));
    assert_int_equal(documents_about(&d)->tokenizer, 0);
    documents_close(&d);
}

// ---- the labels of others

static void assert_labels(const Document *d, const json_t *expected, const char *who, size_t row)
{
    const json_t *ids = json_object_get(expected, "ids"), *labels = json_object_get(expected, "labels");
    size_t last = json_array_size(ids); // we leave away what follows the last trained token
    while (last > 0 && json_integer_value(json_array_get(labels, last - 1)) == -100)
        last--;
    if ((size_t)d->length != last)
        fail_msg("row %zu has %d tokens, with %s %zu", row, (int)d->length, who, last);
    for (size_t t = 0; t < last; t++) {
        bool trained = json_integer_value(json_array_get(labels, t)) != -100;
        if (d->ids[t] != json_integer_value(json_array_get(ids, t)) || is_trained(d, (int32_t)t) != trained)
            fail_msg("row %zu, token %zu: id %d, %s; with %s it is %d, %s", row, t, (int)d->ids[t],
                     is_trained(d, (int32_t)t) ? "trained" : "masked", who, (int)json_integer_value(json_array_get(ids, t)),
                     trained ? "trained" : "masked");
    }
}

static void masks_are_those_of_trl_and_llama_factory(void **state)
{
    json_t *root = json_read("test/fixtures/masks/masks.json", (size_t)64 << 20), *row;
    size_t i;
    assert_non_null(root);
    json_array_foreach (json_object_get(root, "rows"), i, row) {
        char *text = json_dumps(json_object_get(row, "row"), JSON_COMPACT);
        Preparation p = preparation("theirs", NULL, 0);
        p.options.rules.train_turn_newline = true;
        Documents d = prepared_rows(text, p);
        assert_int_equal(d.count, 1);
        assert_labels(&d.list[0], json_object_get(row, "trl"), "TRL", i);
        assert_labels(&d.list[0], json_object_get(row, "llamafactory"), "LLaMA-Factory", i);
        documents_close(&d);
        free(text);
    }
    assert_true(i >= 10);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mask_is_the_templates_table_token_by_token),
        cmocka_unit_test(the_newline_after_the_turn_is_trained_on_request),
        cmocka_unit_test(the_edge_between_prompt_and_answer_is_an_edge_of_tokens),
        cmocka_unit_test(ids_rows_need_no_tokenizer_and_lose_their_untrained_tail),
        cmocka_unit_test(masks_are_those_of_trl_and_llama_factory),
    };
    return cmocka_run_group_tests(tests, prepared_set_up, prepared_tear_down);
}
