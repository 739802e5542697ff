// Rows as tokens: masks token by token for every template, the edge between prompt and answer, rows of ids; and, on a
// committed fixture, the very labels of TRL and LLaMA-Factory.
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
        {"qwen2.5",
         "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n" PROMPT,
         "two<|im_end|>"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ChatTemplate chat;
        Documents d = prepared_rows(ROW, with_template(table[i][0], &chat));
        assert_int_equal(d.count, 1);
        assert_int_equal(documents_about(&d)->template, chat.kind);
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

// ---- turns

#define USER(text) "<|im_start|>user\n" text "<|im_end|>\n"
#define BOT "<|im_start|>assistant\n"
#define TALK(first, last)                                                                                              \
    "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"one\"" first   \
    "},"                                                                                                               \
    "{\"role\": \"user\", \"content\": \"b\"}, {\"role\": \"assistant\", \"content\": \"two\"" last "}]}\n"

// The document is these texts in turn, masked and trained.
static void assert_turns(const char *row, bool all, const char *const *texts, size_t count)
{
    Preparation p = preparation("turns", NULL, 0);
    p.options.rules.train_all_turns = all;
    Documents d = prepared_rows(row, p);
    Encoder *encoder = encoder_open(tokenizer);
    int32_t at = 0;
    assert_int_equal(documents_about(&d)->train_all_turns, all);
    for (size_t i = 0; i < count; i++) {
        TokenList tokens = {0};
        assert_ok(encode(encoder, &tokens, texts[i], strlen(texts[i])));
        for (size_t t = 0; t < tokens.count; t++, at++) {
            assert_true(at < d.list[0].length);
            assert_int_equal(d.list[0].ids[at], tokens.ids[t]);
            assert_int_equal(is_trained(&d.list[0], at), i % 2 == 1);
        }
        tokens_free(&tokens);
    }
    assert_int_equal(d.list[0].length, at);
    encoder_close(encoder);
    documents_close(&d);
}

static void the_last_turn_is_trained_or_all_of_the_assistants(void **state)
{
    const char *const last[] = {USER("a") BOT "one<|im_end|>\n" USER("b") BOT, "two<|im_end|>"};
    const char *const all[] = {USER("a") BOT, "one<|im_end|>", "\n" USER("b") BOT, "two<|im_end|>"};
    assert_turns(TALK("", ""), false, last, 2);
    assert_turns(TALK("", ""), true, all, 4);
}

static void a_message_overrides_what_turns_are_trained(void **state)
{
    const char *const first[] = {USER("a") BOT, "one<|im_end|>"}; // what follows would be computed for nothing
    const char *const last[] = {USER("a") BOT "one<|im_end|>\n" USER("b") BOT, "two<|im_end|>"};
    const char *const all[] = {USER("a") BOT, "one<|im_end|>", "\n" USER("b") BOT, "two<|im_end|>"};
    assert_turns(TALK(", \"train\": true", ", \"train\": false"), false, first, 2);
    assert_turns(TALK("", ", \"weight\": 0"), true, first, 2);
    assert_turns(TALK(", \"loss\": false", ""), true, last, 2);
    assert_turns(TALK(", \"weight\": 1", ""), false, all, 4);
}

static void assert_row_fails(const char *row, const char *template, bool all, const char *what)
{
    ChatTemplate chat;
    Preparation p = with_template(template, &chat);
    p.options.rules.train_all_turns = all;
    char *path = write_rows("rows.jsonl", row);
    p.inputs[0].path = path;
    p.options.input_count = 1;
    assert_refused(run_preparation(&p), what);
    preparation_free(&p);
    free(path);
}

static void a_thought_is_never_lost_without_a_word(void **state)
{
    static const char *const names[] = {"reasoning_content", "reasoning", "thinking"};
    for (int i = 0; i < 3; i++) {
        char row[256];
        ChatTemplate chat;
        snprintf(row, sizeof row, "{\"prompt\": \"1+1?\", \"completion\": \"two\", \"%s\": \"one and one\"}\n",
                 names[i]);
        Documents d = prepared_rows(row, with_template("qwen3", &chat));
        assert_document(&d, 0, PROMPT, "<think>\none and one\n</think>\n\ntwo<|im_end|>");
        documents_close(&d);
        assert_row_fails(row, "chatml", false,
                         "rows.jsonl:1: message 2 is to be trained and has a thought, which the template chatml");
        assert_row_fails(row, "qwen2.5", false, "--template qwen3");
    }
    assert_row_fails(TALK(", \"reasoning\": \"why\"", ""), "qwen3", true,
                     "message 2 is to be trained and has a thought");
    assert_row_fails(TALK(", \"reasoning\": \"why\", \"train\": 1", ""), "qwen3", false, "message 2 is to be trained");
    assert_row_fails(TALK(", \"train\": 0", ", \"train\": 0"), "chatml", false, "none of its turns is to be trained");
    char *path = write_rows("rows.jsonl", "{\"prompt\": \"q\", \"completion\": \"<think>why</think>a\"}\n");
    ChatTemplate nothink;
    Preparation p = with_template("qwen3-nothink", &nothink); // which is there to leave thoughts out: they are counted
    p.inputs[0].path = path;
    p.options.input_count = 1;
    assert_ok(run_preparation(&p));
    assert_int_equal(p.report.thoughts_left_out, 1);
    preparation_free(&p);
    free(path);
}

static void whether_to_think_must_agree_with_the_template(void **state)
{
    static const char row[] =
        "{\"prompt\": \"q\", \"completion\": \"a\", \"chat_template_kwargs\": {\"enable_thinking\": false}}\n";
    static const char *const agree[] = {"qwen3-nothink", "chatml", "qwen2.5"};
    for (int i = 0; i < 3; i++) {
        ChatTemplate chat;
        Documents d = prepared_rows(row, with_template(agree[i], &chat));
        assert_int_equal(d.count, 1);
        documents_close(&d);
    }
    assert_row_fails(row, "qwen3", false, "enable_thinking false, and the template is qwen3; --template qwen3-nothink");
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
    Documents d =
        prepared_rows("{\"prompt\": \"1+1?\", \"completion\": \"\\n\\ntwo\"}\n", preparation("edge", NULL, 0));
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
                     is_trained(d, (int32_t)t) ? "trained" : "masked", who,
                     (int)json_integer_value(json_array_get(ids, t)), trained ? "trained" : "masked");
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
        cmocka_unit_test(the_last_turn_is_trained_or_all_of_the_assistants),
        cmocka_unit_test(a_message_overrides_what_turns_are_trained),
        cmocka_unit_test(a_thought_is_never_lost_without_a_word),
        cmocka_unit_test(whether_to_think_must_agree_with_the_template),
        cmocka_unit_test(the_edge_between_prompt_and_answer_is_an_edge_of_tokens),
        cmocka_unit_test(ids_rows_need_no_tokenizer_and_lose_their_untrained_tail),
        cmocka_unit_test(masks_are_those_of_trl_and_llama_factory),
    };
    return cmocka_run_group_tests(tests, prepared_set_up, prepared_tear_down);
}
