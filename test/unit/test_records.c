// Rows of every format, and what is said about the ones that are none. Then whole data sets: masks token by token, counts,
// limits.
#include "test/support/check.h"
#include "data/documents.h"
#include <omp.h>
#include <unistd.h>

#define BOXED INSTRUCTION_DEFAULT
#define TINY "test/fixtures/tokenizer/tiny"

static bool read_with(Record *record, const char *json, const char *instruction)
{
    const RecordOptions options = {.instruction = instruction};
    return record_read(record, json, strlen(json), "rows.jsonl", 17, &options);
}

static Record record_of(const char *json)
{
    Record record;
    if (!read_with(&record, json, "none"))
        fail_msg("%s: %s", json, error_text());
    return record;
}

static void assert_message(const Message *m, Role role, const char *content)
{
    assert_int_equal(m->role, role);
    if (m->content.size != strlen(content) || memcmp(m->content.data, content, m->content.size) != 0)
        fail_msg("got '%.*s', expected '%s'", (int)m->content.size, m->content.data, content);
}

// A row of one question; response NULL: it has none.
static void assert_row(const char *json, const char *question, const char *response)
{
    Record r = record_of(json);
    assert_int_equal(record_prompt(&r), 1);
    assert_message(&r.messages[0], ROLE_USER, question);
    assert_int_equal(r.has_response, response != NULL);
    if (response != NULL)
        assert_message(&r.messages[1], ROLE_ASSISTANT, response);
    record_free(&r);
}

static void assert_row_refused(const char *json, const char *what)
{
    Record record;
    assert_refused(read_with(&record, json, "none"), what);
    if (strncmp(error_text(), "rows.jsonl:17: ", 15) != 0)
        fail_msg("the error should begin with file and line: %s", error_text());
}

// ---- formats

static void a_chat_row_has_messages(void **state)
{
    Record r = record_of("{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\": \"q\"},"
                         "{\"role\": \"assistant\", \"content\": \"a\", \"reasoning_content\": \"why\"}], \"question\": null}");
    assert_int_equal(r.format, ROW_CHAT);
    assert_int_equal(r.count, 3);
    assert_int_equal(record_prompt(&r), 2);
    assert_message(&r.messages[0], ROLE_SYSTEM, "s");
    assert_message(&r.messages[2], ROLE_ASSISTANT, "a");
    assert_memory_equal(r.messages[2].reasoning.data, "why", 3);
    assert_null(r.messages[1].reasoning.data);
    record_free(&r);
    assert_row("{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}], \"tools\": []}", "q", NULL);
}

static void a_sharegpt_row_has_conversations(void **state)
{
    assert_row("{\"conversations\": [{\"from\": \"human\", \"value\": \"q\"}, {\"from\": \"gpt\", \"value\": \"a\"}]}", "q", "a");
    assert_row("{\"conversations\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\"}]}",
               "q", "a");
}

static void a_prompt_row_is_a_user_turn_and_an_assistant_turn(void **state)
{
    assert_row("{\"prompt\": \"q\", \"completion\": \"a\"}", "q", "a");
    assert_row("{\"prompt\": \"q\"}", "q", NULL);
    assert_row("{\"prompt\": [{\"role\": \"user\", \"content\": \"q\"}],"
               "\"completion\": [{\"role\": \"assistant\", \"content\": \"a\"}]}",
               "q", "a");
}

static void an_alpaca_row_joins_instruction_and_input(void **state)
{
    assert_row("{\"instruction\": \"Add.\", \"input\": \"1 2\", \"output\": \"3\"}", "Add.\n1 2", "3");
    assert_row("{\"instruction\": \"Hi.\", \"input\": \"\", \"output\": \"Ho.\"}", "Hi.", "Ho.");
    assert_row("{\"instruction\": \"Hi.\", \"output\": \"Ho.\"}", "Hi.", "Ho.");
}

static void a_problem_row_has_a_text_to_train_on_or_none(void **state)
{
    assert_row("{\"problem\": \"q\", \"solution\": \"a\", \"answer\": \"4\"}", "q", "a");
    assert_row("{\"question\": \"q\", \"response\": \"a\"}", "q", "a");
    assert_row("{\"question\": \"q\", \"solution\": [true, false], \"answer\": \"4\"}", "q", NULL);
    assert_row("{\"question\": \"q\", \"answer\": 4}", "q", NULL);
}

static void the_instruction_is_appended_to_problems_only(void **state)
{
    static const char *const rows[][2] = {
        {"{\"question\": \"q\", \"solution\": \"a\"}", "q " BOXED},
        {"{\"prompt\": \"q\", \"completion\": \"a\"}", "q"},
        {"{\"instruction\": \"q\", \"output\": \"a\"}", "q"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\"}]}", "q"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Record r;
        assert_ok(read_with(&r, rows[i][0], INSTRUCTION_DEFAULT));
        assert_message(&r.messages[0], ROLE_USER, rows[i][1]);
        record_free(&r);
    }
}

static void options_make_a_multiple_choice(void **state)
{
    const char *row = "{\"question\": \"Which?\", \"options\": [\"one\", \"two\"], \"answer\": \"B\"}";
    static const char *const cases[][2] = {
        {INSTRUCTION_DEFAULT,
         "Which?\nOptions are:\n(A): one\n(B): two\n\n\nPlease reason step by step, and put your final answer option within "
         "\\boxed{}. Only put the option letter in the box, e.g. \\boxed{A}. There is only one correct answer."},
        {"Choose.", "Which?\nOptions are:\n(A): one\n(B): two\n\n\nChoose."},
        {"none", "Which?\nOptions are:\n(A): one\n(B): two"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Record r;
        assert_ok(read_with(&r, row, cases[i][0]));
        assert_message(&r.messages[0], ROLE_USER, cases[i][1]);
        record_free(&r);
    }
    assert_row("{\"question\": \"q\", \"options\": [], \"solution\": \"a\"}", "q", "a");
}

static void a_generated_row_answers_its_own_prompt_with_its_text(void **state)
{
    static const char rest[] = ", \"sample\": 0, \"prompt_ids\": [1], \"ids\": [2, 3], \"text\": \"new\", \"logprobs\": [0, 0],"
                               "\"finish_reason\": \"stop\"}";
    static const char *const prompts[] = {
        "{\"question\": \"q\", \"solution\": \"old\", \"response\": \"older\"",
        "{\"prompt\": \"q\", \"completion\": \"old\"",
        "{\"instruction\": \"q\", \"output\": \"old\"",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}]",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"old\"}]",
    };
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        char row[512];
        snprintf(row, sizeof row, "%s%s", prompts[i], rest);
        assert_row(row, "q", "new");
    }
    Record r = record_of("{\"question\": \"q\", \"text\": \"cut o\", \"finish_reason\": \"length\"}");
    assert_true(r.generated && r.unfinished);
    record_free(&r);
}

static void an_ids_row_is_trained_where_its_labels_are(void **state)
{
    Record r = record_of("{\"ids\": [5, 6, 7, 8], \"labels\": [-100, -100, 7, -100]}");
    const int32_t ids[] = {5, 6, 7, 8};
    const uint8_t trained[] = {0, 0, 1, 0}, all_but_first[] = {0, 1, 1};
    assert_int_equal(r.tokens, 4);
    assert_memory_equal(r.ids, ids, sizeof ids);
    assert_memory_equal(r.trained, trained, sizeof trained);
    record_free(&r);
    r = record_of("{\"ids\": [5, 6, 7]}");
    assert_memory_equal(r.trained, all_but_first, sizeof all_but_first);
    record_free(&r);
}

static void names_and_difficulty_are_read_or_made_up(void **state)
{
    Record r = record_of("{\"question\": \"q\", \"id\": \"math-7\", \"source\": \"web\", \"category\": \"physics\","
                         "\"difficulty\": 4, \"answer\": 12}");
    assert_string_equal(r.id, "math-7");
    assert_string_equal(r.answer, "12");
    assert_string_equal(r.source.data, "web");
    assert_string_equal(r.category.data, "physics");
    assert_int_equal(r.difficulty, 4);
    record_free(&r);
    r = record_of("{\"question\": \"q\", \"difficulty\": \"University\"}");
    assert_string_equal(r.id, "17");
    assert_int_equal(r.difficulty, 0);
    assert_null(r.answer);
    record_free(&r);
    r = record_of("{\"question\": \"q\", \"id\": 70, \"difficulty\": 3.0}");
    assert_string_equal(r.id, "70");
    assert_int_equal(r.difficulty, 3);
    record_free(&r);
}

static void a_text_may_hold_nul(void **state)
{
    Record r = record_of("{\"prompt\": \"a\\u0000b\", \"completion\": \"c\"}");
    assert_int_equal(r.messages[0].content.size, 3);
    assert_memory_equal(r.messages[0].content.data, "a\0b", 3);
    record_free(&r);
}

static void a_bad_row_is_refused_with_file_and_line(void **state)
{
    static const char *const rows[][2] = {
        {"{", "not valid JSON"},
        {"[1]", "must be a JSON object"},
        {"{\"id\": 1}", "no known row format"},
        {"{\"text\": \"x\", \"finish_reason\": \"stop\", \"ids\": [1, 2]}", "no known row format"},
        {"{\"prompt\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"q\"}]}", "both \"messages\" and \"prompt\""},
        {"{\"problem\": \"a\", \"question\": \"b\"}", "both \"problem\" and \"question\""},
        {"{\"question\": \"a\", \"ids\": [1, 2]}", "both \"question\" and \"ids\""},
        {"{\"question\": \"a\", \"solution\": \"b\", \"response\": \"c\"}", "both \"solution\" and \"response\""},
        {"{\"question\": \"a\", \"question\": \"b\"}", "duplicate"},
        {"{\"question\": 5}", "\"question\" must be a text"},
        {"{\"prompt\": 5}", "\"prompt\" must be a list of messages"},
        {"{\"prompt\": []}", "\"prompt\" is an empty list"},
        {"{\"prompt\": \"q\", \"completion\": 5}", "\"completion\" must be a list of messages"},
        {"{\"prompt\": \"q\", \"completion\": []}", "one message of the assistant"},
        {"{\"prompt\": \"q\", \"completion\": [{\"role\": \"user\", \"content\": \"x\"}]}", "one message of the assistant"},
        {"{\"instruction\": \"q\", \"output\": 5}", "\"output\" must be a text"},
        {"{\"messages\": 5}", "\"messages\" must be a list"},
        {"{\"messages\": []}", "\"messages\" is an empty list"},
        {"{\"messages\": [5]}", "message 1 is not an object"},
        {"{\"messages\": [{\"content\": \"x\"}]}", "message 1 has no \"role\""},
        {"{\"messages\": [{\"role\": \"user\"}]}", "message 1 has no \"content\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\"}]}]}", "no \"content\" that is a text"},
        {"{\"messages\": [{\"role\": \"human\", \"content\": \"x\"}]}", "role \"human\""},
        {"{\"messages\": [{\"role\": \"tool\", \"content\": \"x\"}]}", "tools are not rendered here"},
        {"{\"messages\": [{\"role\": \"user\", \"from\": \"human\", \"content\": \"x\"}]}", "both \"role\" and \"from\""},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{}]}]}", "\"tool_calls\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"tools\": [{}]}", "\"tools\""},
        {"{\"conversations\": [{\"from\": \"observation\", \"value\": \"x\"}]}", "role \"observation\""},
        {"{\"question\": \"q\", \"options\": \"A\"}", "\"options\" must be a list"},
        {"{\"question\": \"q\", \"options\": [1]}", "option 1 of key \"options\" is not a text"},
        {"{\"question\": \"q\", \"difficulty\": 6}", "\"difficulty\" must be one of"},
        {"{\"question\": \"q\", \"difficulty\": 2.5}", "\"difficulty\" must be one of"},
        {"{\"question\": \"q\", \"id\": [1]}", "\"id\" must be"},
        {"{\"question\": \"q\", \"id\": \"a\\u0000b\"}", "NUL"},
        {"{\"question\": \"q\", \"finish_reason\": \"stop\"}", "\"text\" must be a text"},
        {"{\"question\": \"q\", \"text\": \"a\", \"finish_reason\": \"error\"}", "\"finish_reason\" must be"},
        {"{\"ids\": [1]}", "at least two ids"},
        {"{\"ids\": \"1 2\"}", "at least two ids"},
        {"{\"ids\": [1, -2]}", "ids[1] is not a token id"},
        {"{\"ids\": [1, 4294967297]}", "ids[1] is not a token id"},
        {"{\"ids\": [1, 2.0]}", "ids[1] is not a token id"},
        {"{\"ids\": [1, 2], \"labels\": [1]}", "\"labels\" must be a list as long"},
        {"{\"ids\": [1, 2], \"labels\": [-100, 3]}", "labels[1] must be ids[1] or -100"},
        {"{\"question\": \"\xff\"}", "not valid JSON"},
        {"{\"question\": \"\\ud800\"}", "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_row_refused(rows[i][0], rows[i][1]);
}

// ---- lines

static char folder[64];

static char *write_file(const char *name, const char *content, size_t size)
{
    char *path = path_join(folder, name);
    assert_non_null(path);
    assert_ok(file_write_atomic(path, content, size));
    return path;
}

static char *write_rows(const char *name, const char *rows) { return write_file(name, rows, strlen(rows)); }

static void lines_may_end_as_windows_ends_them_and_begin_with_a_mark(void **state)
{
    char *path = write_rows("lines.jsonl", "\xEF\xBB\xBF{1}\r\n\r\n  \n{22}\n{333}");
    static const char *const expected[] = {"{1}", "{22}", "{333}"};
    static const int64_t numbers[] = {1, 4, 5};
    LineReader reader;
    const char *text;
    size_t size;
    assert_ok(lines_open(&reader, path));
    for (int i = 0; i < 3; i++) {
        assert_ok(lines_next(&reader, &text, &size));
        assert_int_equal(size, strlen(expected[i]));
        assert_memory_equal(text, expected[i], size);
        assert_int_equal(reader.line, numbers[i]);
    }
    assert_ok(lines_next(&reader, &text, &size));
    assert_null(text);
    lines_close(&reader);
    free(path);
}

static void a_line_over_the_limit_is_refused_and_passed_over(void **state)
{
    size_t size = LINE_LIMIT + 8;
    char *content = allocate(size, 1);
    assert_non_null(content);
    memset(content, 'x', size);
    memcpy(content + size - 4, "\n{}\n", 4);
    char *path = write_file("long.jsonl", content, size);
    LineReader reader;
    const char *text;
    assert_ok(lines_open(&reader, path));
    assert_refused(lines_next(&reader, &text, &size), "long.jsonl:1: a line of");
    assert_ok(lines_next(&reader, &text, &size));
    assert_int_equal(size, 2);
    lines_close(&reader);
    free(content);
    free(path);
}

// ---- data sets

static Tokenizer *tokenizer;

static DocumentOptions options_of(const ChatTemplate *chat)
{
    return (DocumentOptions){
        .tokenizer = tokenizer, .chat = chat, .instruction = "none", .vocabulary = tokenizer_size(tokenizer), .seq_len = 4096};
}

static ChatTemplate template_of(const char *name)
{
    ChatTemplate chat;
    assert_ok(template_open(&chat, folder, name));
    return chat;
}

static Documents documents_of(const char *rows, const DocumentOptions *options)
{
    char *path = write_rows("rows.jsonl", rows);
    Documents d;
    assert_ok(documents_read(&d, options, (const char *const[]){path}, 1));
    free(path);
    return d;
}

// Document number of d is exactly these ids, the last trained of them being trained.
static void assert_document(const Documents *d, int64_t number, const char *masked, const char *trained)
{
    Encoder *encoder = encoder_open(tokenizer);
    TokenList tokens = {0};
    assert_ok(encode(encoder, &tokens, masked, strlen(masked)));
    size_t prompt = tokens.count;
    assert_ok(encode(encoder, &tokens, trained, strlen(trained)));
    const Document *document = &d->list[number];
    assert_int_equal(document->length, tokens.count);
    assert_int_equal(document->trained, tokens.count - prompt);
    for (size_t i = 0; i < tokens.count; i++) {
        assert_int_equal(d->ids[(size_t)document->start + i], tokens.ids[i]);
        assert_int_equal(d->trained[(size_t)document->start + i], i >= prompt);
    }
    tokens_free(&tokens);
    encoder_close(encoder);
}

#define ROW "{\"prompt\": \"1+1?\", \"completion\": \"two\"}\n"
#define PROMPT "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n"

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
        ChatTemplate chat = template_of(table[i][0]);
        DocumentOptions options = options_of(&chat);
        Documents d = documents_of(ROW, &options);
        assert_int_equal(d.count, 1);
        assert_document(&d, 0, table[i][1], table[i][2]);
        assert_int_equal(d.ids[d.tokens - 1], tokenizer_find(tokenizer, "<|im_end|>"));
        documents_free(&d);
    }
}

static void the_newline_after_the_turn_is_trained_on_request(void **state)
{
    ChatTemplate chat = template_of("chatml");
    DocumentOptions options = options_of(&chat);
    options.train_turn_newline = true;
    Documents d = documents_of(ROW, &options);
    assert_document(&d, 0, PROMPT, "two<|im_end|>\n");
    documents_free(&d);
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
    ChatTemplate chat = template_of("chatml");
    DocumentOptions options = options_of(&chat);
    Documents d = documents_of("{\"prompt\": \"1+1?\", \"completion\": \"\\n\\ntwo\"}\n", &options);
    assert_document(&d, 0, PROMPT, "\n\ntwo<|im_end|>");
    Encoder *encoder = encoder_open(tokenizer);
    TokenList whole = {0};
    assert_ok(encode(encoder, &whole, PROMPT "\n\ntwo<|im_end|>", strlen(PROMPT "\n\ntwo<|im_end|>")));
    assert_int_not_equal(whole.count, d.tokens); // as one text, the three newlines are one token
    tokens_free(&whole);
    encoder_close(encoder);
    documents_free(&d);
    tokenizer_close(tokenizer);
    tokenizer = small;
}

static void ids_rows_need_no_tokenizer_and_lose_their_untrained_tail(void **state)
{
    DocumentOptions options = {.vocabulary = 100, .seq_len = 16};
    Documents d = documents_of("{\"ids\": [5, 6, 7, 8, 9], \"labels\": [-100, 6, -100, 8, -100], \"id\": \"x\","
                               "\"difficulty\": 2}\n",
                               &options);
    const uint8_t trained[] = {0, 1, 0, 1};
    assert_int_equal(d.tokens, 4);
    assert_int_equal(d.trained_tokens, 2);
    assert_int_equal(d.list[0].difficulty, 2);
    assert_memory_equal(d.trained, trained, sizeof trained);
    assert_string_equal(document_id(&d, 0), "x");
    documents_free(&d);
}

static void assert_set_refused(const char *rows, const DocumentOptions *options, const char *what)
{
    char *path = write_rows("rows.jsonl", rows);
    Documents d;
    assert_refused(documents_read(&d, options, (const char *const[]){path}, 1), what);
    free(path);
}

static void a_row_that_cannot_be_trained_is_refused_with_file_and_line(void **state)
{
    ChatTemplate chat = template_of("chatml"), unknown = {.kind = TEMPLATE_UNKNOWN, .origin = "model/chat_template.jinja"};
    DocumentOptions options = options_of(&chat);
    assert_set_refused("\n{\"question\": \"q\", \"answer\": \"4\"}\n", &options, "rows.jsonl:2: the row has no response");
    assert_set_refused(ROW "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}]}", &options,
                       "rows.jsonl:2: the row has no response");
    assert_set_refused("{\"ids\": [1, 2], \"labels\": [-100, -100]}", &options, "rows.jsonl:1: none of its tokens is trained");
    assert_set_refused("{\"ids\": [1, 2], \"labels\": [1, -100]}", &options, "rows.jsonl:1: none of its tokens is trained");
    assert_set_refused("{\"ids\": [1, 358]}", &options, "rows.jsonl:1: token 1 is 358, but the model has 358 tokens");
    options.tokenizer = NULL;
    assert_set_refused(ROW, &options, "rows.jsonl:1: the row is text, but there is no tokenizer");
    options = options_of(&unknown);
    assert_set_refused(ROW, &options, "rows.jsonl:1: model/chat_template.jinja: a chat template that is none of");
}

static void too_long_documents_are_dropped_cut_or_refused(void **state)
{
    static const char rows[] = "{\"ids\": [1, 2, 3, 4, 5, 6]}\n"
                               "{\"ids\": [1, 2, 3, 4, 5, 6], \"labels\": [-100, -100, -100, -100, 5, 6]}\n"
                               "{\"ids\": [1, 2, 3, 4, 5, 6], \"labels\": [-100, -100, 3, -100, 5, 6]}\n"
                               "{\"ids\": [1, 2, 3, 4]}\n";
    DocumentOptions options = {.vocabulary = 100, .seq_len = 4, .over_length = OVER_LENGTH_DROP};
    Documents d = documents_of(rows, &options);
    assert_int_equal(d.count, 1);
    assert_int_equal(d.too_long, 3);
    documents_free(&d);
    options.over_length = OVER_LENGTH_CUT;
    d = documents_of(rows, &options);
    assert_int_equal(d.count, 3);
    assert_int_equal(d.too_long, 1); // its trained part was cut away entirely
    assert_int_equal(d.cut, 2);
    assert_int_equal(d.list[0].length, 4);
    assert_int_equal(d.list[1].length, 3); // the fourth is not trained
    assert_int_equal(d.longest, 4);
    documents_free(&d);
    options.over_length = OVER_LENGTH_ERROR;
    assert_set_refused(rows, &options, "rows.jsonl:1: 6 tokens, more than --seq-len 4");
}

static void bad_rows_are_passed_over_when_allowed_and_the_first_are_named(void **state)
{
    Bytes rows = {0};
    for (int i = 0; i < 7; i++)
        assert_ok(bytes_text(&rows, i == 3 ? "{\"ids\": [1, 2, 3]}\nnonsense\n" : "nonsense\n"));
    DocumentOptions options = {.vocabulary = 100, .seq_len = 16, .skip_bad_rows = 7};
    Documents d = documents_of(rows.data, &options);
    assert_int_equal(d.count, 1);
    assert_int_equal(d.rows, 8);
    assert_int_equal(d.bad, 7);
    assert_non_null(strstr(d.bad_rows[0], "rows.jsonl:1: "));
    assert_non_null(strstr(d.bad_rows[4], "rows.jsonl:6: "));
    documents_free(&d);
    options.skip_bad_rows = 6;
    assert_set_refused(rows.data, &options, "rows.jsonl:8: ");
    options.skip_bad_rows = 0;
    assert_set_refused(rows.data, &options, "--skip-bad-rows");
    bytes_free(&rows);
}

static void every_kind_of_bad_row_may_be_passed_over(void **state)
{
    static const char rows[] = "nonsense\n[]\n{\"id\": 1}\n{\"question\": \"q\"}\n{\"ids\": [1, 2], \"labels\": [-100, -100]}\n"
                               "{\"ids\": [1, 4000]}\n{\"ids\": [1, 2, 3, 4, 5]}\n{\"ids\": [1, 2]}\n";
    ChatTemplate chat = template_of("chatml");
    DocumentOptions options = options_of(&chat);
    options.seq_len = 4;
    options.over_length = OVER_LENGTH_ERROR;
    options.skip_bad_rows = 7;
    Documents d = documents_of(rows, &options);
    assert_int_equal(d.bad, 7);
    assert_int_equal(d.count, 1);
    documents_free(&d);
}

static void unfinished_answers_are_dropped_and_counted(void **state)
{
    ChatTemplate chat = template_of("chatml");
    DocumentOptions options = options_of(&chat);
    Documents d = documents_of("{\"prompt\": \"1+1?\", \"text\": \"two\", \"finish_reason\": \"stop\"}\n"
                               "{\"prompt\": \"1+1?\", \"text\": \"tw\", \"finish_reason\": \"length\"}\n",
                               &options);
    assert_int_equal(d.count, 1);
    assert_int_equal(d.unfinished, 1);
    assert_document(&d, 0, PROMPT, "two<|im_end|>");
    documents_free(&d);
}

static void an_empty_data_set_says_where_its_rows_went(void **state)
{
    DocumentOptions options = {.vocabulary = 100, .seq_len = 2, .skip_bad_rows = 9};
    assert_set_refused("{\"ids\": [1, 2, 3]}\n{\"prompt\": \"a\", \"text\": \"b\", \"finish_reason\": \"length\"}\nx\n", &options,
                       "of 3 rows, 1 are unfinished (finish_reason length), 1 are longer than --seq-len 2, 1 are bad, the");
    assert_set_refused("", &options, "of 0 rows");
}

static void a_folder_stands_for_its_jsonl_files_in_order(void **state)
{
    DocumentOptions options = {.vocabulary = 100, .seq_len = 16};
    char *data = path_join(folder, "data"), *empty = path_join(folder, "empty"), *missing = path_join(folder, "missing");
    assert_ok(folder_make(data) && folder_make(empty));
    free(write_rows("data/b.jsonl", "{\"ids\": [3, 4]}"));
    free(write_rows("data/a.jsonl", "{\"ids\": [1, 2]}"));
    free(write_rows("data/c.json", "not read"));
    Documents d;
    assert_ok(documents_read(&d, &options, (const char *const[]){data, data}, 2));
    const int32_t ids[] = {1, 2, 3, 4, 1, 2, 3, 4};
    assert_int_equal(d.files, 4);
    assert_memory_equal(d.ids, ids, sizeof ids);
    documents_free(&d);
    assert_refused(documents_read(&d, &options, (const char *const[]){empty}, 1), "there is no *.jsonl");
    assert_refused(documents_read(&d, &options, (const char *const[]){missing}, 1), "missing");
    free(data);
    free(empty);
    free(missing);
}

static void threads_do_not_show_and_the_hash_sees_every_flag(void **state)
{
    ChatTemplate chat = template_of("qwen3");
    DocumentOptions options = options_of(&chat);
    Bytes rows = {0};
    for (int i = 0; i < 3000; i++)
        assert_ok(bytes_printf(&rows, "{\"question\": \"%d and %d?\", \"solution\": \"They are %d.\", \"id\": \"q%d\"}\n", i,
                               i % 7, i + i % 7, i));
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    Documents one = documents_of(rows.data, &options);
    omp_set_num_threads(4);
    Documents four = documents_of(rows.data, &options);
    omp_set_num_threads(threads);
    assert_int_equal(one.count, 3000);
    assert_int_equal(one.tokens, four.tokens);
    assert_memory_equal(one.ids, four.ids, (size_t)one.tokens * 4);
    assert_memory_equal(one.list, four.list, (size_t)one.count * sizeof *one.list);
    assert_memory_equal(one.names.data, four.names.data, one.names.size);
    assert_string_equal(document_id(&one, 2999), "q2999");
    uint64_t hash = documents_hash(&one);
    assert_true(hash == documents_hash(&four));
    four.trained[5] ^= 1;
    assert_true(hash != documents_hash(&four));
    four.trained[5] ^= 1;
    four.list[0].length--;
    four.list[1].length++;
    assert_true(hash != documents_hash(&four));
    documents_free(&one);
    documents_free(&four);
    bytes_free(&rows);
}

static void published_problems_are_read_whole(void **state)
{
    const char *path = "../shared/data/gsm8k/train.jsonl";
    if (!file_exists(path)) {
        print_message("skipped: no ../shared/data\n");
        skip();
    }
    ChatTemplate chat = template_of("chatml");
    DocumentOptions options = options_of(&chat);
    Documents d;
    assert_ok(documents_read(&d, &options, &path, 1));
    assert_int_equal(d.count, 7473);
    assert_string_equal(document_id(&d, 0), "gsm8k-train-0");
    documents_free(&d);
}

static int set_up(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/test_records_XXXXXX");
    tokenizer = tokenizer_open(TINY);
    return mkdtemp(folder) == NULL || tokenizer == NULL;
}

static int tear_down(void **state)
{
    tokenizer_close(tokenizer);
    return !folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chat_row_has_messages),
        cmocka_unit_test(a_sharegpt_row_has_conversations),
        cmocka_unit_test(a_prompt_row_is_a_user_turn_and_an_assistant_turn),
        cmocka_unit_test(an_alpaca_row_joins_instruction_and_input),
        cmocka_unit_test(a_problem_row_has_a_text_to_train_on_or_none),
        cmocka_unit_test(the_instruction_is_appended_to_problems_only),
        cmocka_unit_test(options_make_a_multiple_choice),
        cmocka_unit_test(a_generated_row_answers_its_own_prompt_with_its_text),
        cmocka_unit_test(an_ids_row_is_trained_where_its_labels_are),
        cmocka_unit_test(names_and_difficulty_are_read_or_made_up),
        cmocka_unit_test(a_text_may_hold_nul),
        cmocka_unit_test(a_bad_row_is_refused_with_file_and_line),
        cmocka_unit_test(lines_may_end_as_windows_ends_them_and_begin_with_a_mark),
        cmocka_unit_test(a_line_over_the_limit_is_refused_and_passed_over),
        cmocka_unit_test(the_mask_is_the_templates_table_token_by_token),
        cmocka_unit_test(the_newline_after_the_turn_is_trained_on_request),
        cmocka_unit_test(the_edge_between_prompt_and_answer_is_an_edge_of_tokens),
        cmocka_unit_test(ids_rows_need_no_tokenizer_and_lose_their_untrained_tail),
        cmocka_unit_test(a_row_that_cannot_be_trained_is_refused_with_file_and_line),
        cmocka_unit_test(too_long_documents_are_dropped_cut_or_refused),
        cmocka_unit_test(bad_rows_are_passed_over_when_allowed_and_the_first_are_named),
        cmocka_unit_test(every_kind_of_bad_row_may_be_passed_over),
        cmocka_unit_test(unfinished_answers_are_dropped_and_counted),
        cmocka_unit_test(an_empty_data_set_says_where_its_rows_went),
        cmocka_unit_test(a_folder_stands_for_its_jsonl_files_in_order),
        cmocka_unit_test(threads_do_not_show_and_the_hash_sees_every_flag),
        cmocka_unit_test(published_problems_are_read_whole),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
