// prepare --inspect: every token in its place, coloured by its use, counted, and harmless whatever the rows hold.
#include "log/visible.h"
#include "inspect/inspect.h"
#include "test/support/check.h"
#include <unistd.h>

typedef struct Shown { // one document: a prompt and a response, whose tokens are trained
    const char *prompt, *response, *id, *source, *answer;
} Shown;

static char folder[64];
static Tokenizer *tokenizer;
static Documents documents;

static int set_up(void **state)
{
    tokenizer = tokenizer_open("dev/demo/tokenizer");
    return tokenizer == NULL;
}

static int tear_down(void **state)
{
    tokenizer_close(tokenizer);
    return 0;
}

static Text text_of(const char *text) { return (Text){text, text == NULL ? 0 : strlen(text)}; }

static void write_document(ShardWriter *writer, const Shown *shown, uint64_t key)
{
    TokenList tokens = {0};
    Encoder *encoder = encoder_open(tokenizer);
    assert_non_null(encoder);
    assert_ok(encode(encoder, &tokens, shown->prompt, strlen(shown->prompt)));
    Span span = {(uint32_t)tokens.count, 0};
    assert_ok(encode(encoder, &tokens, shown->response, strlen(shown->response)));
    span.end = (uint32_t)tokens.count;
    ShardEntry entry = {.ids = tokens.ids,
                        .tokens = span.end,
                        .prompt = span.begin,
                        .trained = span.end - span.begin,
                        .spans = &span,
                        .span_count = span.end > span.begin,
                        .difficulty = 3,
                        .key = key,
                        .id = text_of(shown->id),
                        .answer = text_of(shown->answer),
                        .source = text_of(shown->source)};
    assert_ok(shard_writer_add(writer, &entry));
    tokens_free(&tokens);
    encoder_close(encoder);
}

static void open_shown(const Shown *shown, size_t count, ShardKind kind, int64_t seq_len)
{
    ShardAbout about = {.kind = kind, .tokenizer = tokenizer_hash(tokenizer), .template = TEMPLATE_CHATML};
    DocumentOptions options = {.kind = kind,
                               .seq_len = seq_len,
                               .over_length = kind == SHARD_SFT ? OVER_LENGTH_CUT : OVER_LENGTH_DROP,
                               .vocabulary = INT32_MAX};
    const char *paths[] = {folder};
    int shards;
    snprintf(folder, sizeof folder, "/tmp/test_inspect_XXXXXX");
    assert_non_null(mkdtemp(folder));
    ShardWriter *writer = shard_writer_open(folder, &about);
    assert_non_null(writer);
    for (size_t i = 0; i < count; i++)
        write_document(writer, &shown[i], i + 1);
    assert_ok(shard_writer_finish(writer, &shards));
    shard_writer_close(writer);
    assert_ok(documents_open(&documents, &options, paths, 1));
}

static void close_shown(void)
{
    documents_close(&documents);
    assert_ok(folder_remove(folder));
}

static Bytes look_at(InspectLook look, const Tokenizer *with)
{
    static const int64_t numbers[] = {0, 1, 2};
    Bytes out = {0};
    assert_ok(inspect(&out, look, "record 17 & more", &documents, with, numbers, (size_t)documents.count));
    return out;
}

// The documents in one look, as text that the caller frees.
static Bytes shown_as(InspectLook look, const Shown *shown, size_t count)
{
    open_shown(shown, count, SHARD_SFT, 4096);
    Bytes out = look_at(look, tokenizer);
    close_shown();
    return out;
}

static void assert_has(const Bytes *out, const char *text)
{
    if (strstr(out->data, text) == NULL)
        fail_msg("'%s' is missing in:\n%s", text, out->data);
}

static void assert_has_not(const Bytes *out, const char *text)
{
    if (strstr(out->data, text) != NULL)
        fail_msg("'%s' should not be in:\n%s", text, out->data);
}

static size_t times(const Bytes *out, const char *text)
{
    size_t count = 0;
    for (const char *p = out->data; (p = strstr(p, text)) != NULL; p++)
        count++;
    return count;
}

// ---- trained and masked

static const Shown USUAL = {"<|im_start|>user\nThe is<|im_end|>\n<|im_start|>assistant\n", "the\n\nan<|im_end|>",
                            "row-9", "math", "42"};

static void plain_text_marks_what_is_trained_and_where_lines_end(void **state)
{
    Bytes out = shown_as(INSPECT_PLAIN, &USUAL, 1);
    assert_has(&out, "<|im_start|>user⏎\nThe is<|im_end|>⏎\n<|im_start|>assistant⏎\n«the⏎\n⏎\nan<|im_end|>»\n");
    assert_has_not(&out, "\x1b");
    bytes_free(&out);
}

static void the_mark_closes_before_tokens_that_are_not_trained(void **state)
{
    open_shown(&USUAL, 1, SHARD_SFT, 4096);
    uint32_t last = (uint32_t)documents.list[0].length - 1;
    const Span spans[] = {{1, 2}, {last - 1, last}};
    documents.list[0].spans = spans;
    documents.list[0].span_count = 2;
    Bytes out = look_at(INSPECT_PLAIN, NULL);
    assert_int_equal(times(&out, "«["), 2);
    assert_int_equal(times(&out, "]»["), 2);
    bytes_free(&out);
    close_shown();
}

static void colours_tell_special_tokens_apart_and_whether_they_are_trained(void **state)
{
    Bytes out = shown_as(INSPECT_COLOUR, &USUAL, 1);
    assert_has(&out, "\x1b[2;36m<|im_start|>\x1b[0m\x1b[2muser⏎\x1b[0m\n"); // ends before its line
    assert_has(&out, "\x1b[32mthe⏎\x1b[0m\n\x1b[32m⏎\x1b[0m\n\x1b[32man\x1b[0m\x1b[7;36m<|im_end|>\x1b[0m\n");
    assert_has(&out, "\x1b[32mtrained\x1b[0m \x1b[2mmasked\x1b[0m"); // the legend
    bytes_free(&out);
}

static void every_token_of_a_page_says_its_place_id_and_kind(void **state)
{
    char end[160];
    Bytes out = shown_as(INSPECT_HTML, &USUAL, 1);
    int32_t id = tokenizer_find(tokenizer, "<|im_end|>"), first = tokenizer_find(tokenizer, "<|im_start|>");
    snprintf(end, sizeof end,
             "<span class=\"special\" title=\"token 0 · id %" PRId32 " · special, masked\">&#60;|im_start|&#62;</span>",
             first);
    assert_has(&out, end);
    snprintf(end, sizeof end, " · id %" PRId32 " · special, trained\">&#60;|im_end|&#62;</span></div>", id);
    assert_has(&out, end);
    assert_has(&out, "<title>record 17 &#38; more</title>");
    assert_has(&out, "prefers-color-scheme:dark");
    assert_has_not(&out, "<script");
    assert_has_not(&out, "http");
    bytes_free(&out);
}

static void without_a_tokenizer_tokens_are_shown_by_number(void **state)
{
    char first[32];
    open_shown(&USUAL, 1, SHARD_SFT, 4096);
    Bytes out = look_at(INSPECT_PLAIN, NULL);
    snprintf(first, sizeof first, "\n[%" PRId32 "][", documents.list[0].ids[0]);
    assert_has(&out, first);
    bytes_free(&out);
    close_shown();
}

static void an_id_that_the_tokenizer_lacks_is_shown_by_number(void **state)
{
    open_shown(&USUAL, 1, SHARD_SFT, 4096);
    const int32_t ids[] = {documents.list[0].ids[0], 987654, -5};
    documents.list[0].ids = ids;
    documents.list[0].length = 3;
    Bytes out = look_at(INSPECT_PLAIN, tokenizer);
    assert_has(&out, "<|im_start|>[987654][-5]\n");
    bytes_free(&out);
    close_shown();
}

// ---- what is said about documents

static void a_document_comes_with_its_counts_and_where_it_lies(void **state)
{
    open_shown(&(Shown){"<|im_start|><|im_start|><|im_start|>", "<|im_end|>", "row-9", "math", "42"}, 1, SHARD_SFT,
               4096);
    Bytes out = look_at(INSPECT_PLAIN, tokenizer);
    assert_has(&out, "record 17 & more: 1 document, 4 tokens, 1 of them trained (25.0%)");
    assert_has(&out, "\nrow-9\n4 tokens, 1 trained (25.0%), prompt 3 · difficulty 3 · source math · answer 42 · in ");
    assert_has(&out, folder);
    assert_has(&out, "/shard-00000-of-00001.bin, record 0\n");
    bytes_free(&out);
    close_shown();
}

static void a_document_that_was_cut_says_so(void **state)
{
    open_shown(&(Shown){"<|im_start|><|im_start|>", "<|im_end|><|im_end|><|im_end|>", "long", NULL, NULL}, 1, SHARD_SFT,
               3);
    Bytes out = look_at(INSPECT_PLAIN, tokenizer);
    assert_has(&out, "3 tokens, 1 trained (33.3%), prompt 2 · cut, it has 5 tokens · difficulty 3 · in ");
    assert_has(&out, "\n<|im_start|><|im_start|>«<|im_end|>»\n");
    bytes_free(&out);
    close_shown();
}

static void a_page_of_several_documents_begins_with_a_table_of_them(void **state)
{
    const Shown three[] = {
        USUAL, {"<|im_start|>", "<|im_end|>", "a<b", "web", NULL}, {"<|im_start|>", "<|im_end|>", "c", NULL, NULL}};
    Bytes out = shown_as(INSPECT_HTML, three, 3);
    assert_has(&out, "<p>3 documents, ");
    assert_has(&out, "<a href=\"#d1\">a&#60;b</a></td><td class=\"number\">2</td><td class=\"number\">1</td>"
                     "<td class=\"number\">3</td><td>web</td></tr>");
    assert_has(&out, "<section id=\"d1\">");
    assert_int_equal(times(&out, "<tr>"), 4);
    assert_int_equal(times(&out, "<span"), times(&out, "</span>"));
    bytes_free(&out);
}

static void nothing_trained_is_an_error(void **state)
{
    Bytes out = {0};
    open_shown(&USUAL, 1, SHARD_SFT, 4096);
    documents.list[0].trained = 0;
    documents.list[0].span_count = 0;
    assert_refused(inspect(&out, INSPECT_PLAIN, "step 3", &documents, tokenizer, &(int64_t){0}, 1),
                   "step 3: NOTHING IS TRAINED in 1 document");
    bytes_free(&out);
    close_shown();
}

static void prompts_for_rl_are_shown_although_nothing_of_them_is_trained(void **state)
{
    open_shown(&(Shown){"<|im_start|>user\nis", "", "p", "math", "7"}, 1, SHARD_RL, 4096);
    Bytes out = look_at(INSPECT_PLAIN, tokenizer);
    assert_has(&out, "0 of them trained (0.0%)");
    assert_has(&out, "answer 7");
    assert_has(&out, "<|im_start|>user⏎\nis\n");
    bytes_free(&out);
    close_shown();
}

// ---- rows that would like to act

// ESC and BEL, C1 CSI, right-to-left override, zero width space, a tag letter, a tab, a carriage return, half an
// emoji's bytes.
#define EVIL "\x1b[31m\x07 \xC2\x9B \xE2\x80\xAE \xE2\x80\x8B \xF3\xA0\x81\x81\t\r<b onclick='x'>&\"</b></div>"
static const Shown HOSTILE = {"<|im_start|>" EVIL, EVIL "<|im_end|>", "id " EVIL "\nnext", "source " EVIL,
                              "answer " EVIL "\nnext"};

static void assert_no_control_characters(const Bytes *out, bool escape_allowed)
{
    for (size_t i = 0; i < out->size;) {
        Character c = character_at(out->data + i, out->size - i);
        bool ours = c.code == '\n' || (c.code == 0x1b && escape_allowed);
        if (!c.valid || (character_hidden(c.code) && !ours))
            fail_msg("byte %zu is U+%04X, raw, in:\n%s", i, (unsigned)c.code, out->data);
        i += c.size;
    }
}

static void what_a_row_holds_never_acts_on_a_terminal(void **state)
{
    Bytes plain = shown_as(INSPECT_PLAIN, &HOSTILE, 1), colour = shown_as(INSPECT_COLOUR, &HOSTILE, 1);
    assert_no_control_characters(&plain, false);
    assert_no_control_characters(&colour, true);
    assert_has(&colour, "\\x1B");
    assert_has_not(&colour, "\x1b[31m"); // the row's own
    assert_has(&plain,
               "id \\x1B[31m\\x07 \\u{009B} \\u{202E} \\u{200B} \\u{E0041}⇥\\x0D<b onclick='x'>&\"</b></div>⏎next\n");
    bytes_free(&plain);
    bytes_free(&colour);
}

static void what_a_row_holds_never_acts_in_a_page(void **state)
{
    Bytes page = shown_as(INSPECT_HTML, &HOSTILE, 1), harmless = shown_as(INSPECT_HTML, &USUAL, 1);
    assert_no_control_characters(&page, false);
    assert_has_not(&page, "<b ");
    assert_has(&page, "&#60;b onclick=&#39;x&#39;&#62;&#38;&#34;");
    assert_int_equal(times(&page, "</div>"), times(&harmless, "</div>"));
    bytes_free(&page);
    bytes_free(&harmless);
}

static void half_a_character_is_shown_by_its_bytes(void **state)
{
    Bytes out = shown_as(INSPECT_PLAIN, &(Shown){"<|im_start|>", "\xF0\x9F\xA6\xA5<|im_end|>", "sloth", NULL, NULL}, 1);
    assert_has(&out, "«\\xF0\\x9F\\xA6\\xA5<|im_end|>»"); // four tokens in this vocabulary
    bytes_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_marks_what_is_trained_and_where_lines_end),
        cmocka_unit_test(the_mark_closes_before_tokens_that_are_not_trained),
        cmocka_unit_test(colours_tell_special_tokens_apart_and_whether_they_are_trained),
        cmocka_unit_test(every_token_of_a_page_says_its_place_id_and_kind),
        cmocka_unit_test(without_a_tokenizer_tokens_are_shown_by_number),
        cmocka_unit_test(an_id_that_the_tokenizer_lacks_is_shown_by_number),
        cmocka_unit_test(a_document_comes_with_its_counts_and_where_it_lies),
        cmocka_unit_test(a_document_that_was_cut_says_so),
        cmocka_unit_test(a_page_of_several_documents_begins_with_a_table_of_them),
        cmocka_unit_test(nothing_trained_is_an_error),
        cmocka_unit_test(prompts_for_rl_are_shown_although_nothing_of_them_is_trained),
        cmocka_unit_test(what_a_row_holds_never_acts_on_a_terminal),
        cmocka_unit_test(what_a_row_holds_never_acts_in_a_page),
        cmocka_unit_test(half_a_character_is_shown_by_its_bytes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
