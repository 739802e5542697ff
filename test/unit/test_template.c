// The templates against what transformers renders (test/fixtures/templates/chats.jsonl), and how a folder's own is
// recognised: by the canonical form of its text, which is compared with what jinja2's lexer gives (forms.jsonl).
#include "json/json.h"
#include "system/files.h"
#include "test/support/check.h"
#include "tokenizer/jinja.h"
#include "tokenizer/template.h"
#include <unistd.h>

#define FIXTURES "test/fixtures/templates/"
enum { TURNS_MAX = 16 };

static Text text(const char *t) { return (Text){t, strlen(t)}; }
static Message user(const char *t) { return (Message){.role = ROLE_USER, .content = text(t)}; }
static Message assistant(const char *t) { return (Message){.role = ROLE_ASSISTANT, .content = text(t)}; }
static Message system_turn(const char *t) { return (Message){.role = ROLE_SYSTEM, .content = text(t)}; }

static ChatTemplate named(const char *name)
{
    ChatTemplate chat;
    assert_ok(template_open(&chat, "no such folder", name));
    return chat;
}

static void assert_bytes(const char *what, Text got, Text expected)
{
    if (got.size != expected.size || memcmp(got.data, expected.data, got.size) != 0)
        fail_msg("%s:\n got      '%.*s'\n expected '%.*s'", what, (int)got.size, got.data, (int)expected.size,
                 expected.data);
}

// ---- rendering

static size_t messages_of(Message *out, const json_t *list)
{
    size_t count = json_array_size(list);
    assert_true(count <= TURNS_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *m = json_array_get(list, i), *content = json_object_get(m, "content");
        const json_t *reasoning = json_object_get(m, "reasoning_content");
        const char *role = json_string_value(json_object_get(m, "role"));
        out[i] = (Message){.role = role[0] == 's'   ? ROLE_SYSTEM
                                   : role[0] == 'u' ? ROLE_USER
                                                    : ROLE_ASSISTANT,
                           .content = {json_string_value(content), json_string_length(content)}};
        if (json_is_string(reasoning))
            out[i].reasoning = (Text){json_string_value(reasoning), json_string_length(reasoning)};
    }
    return count;
}

// The rendering, and, where a chat ends with an answer, its parts: they are the same text, cut after a generation
// prompt.
static void check_row(const json_t *row, const char *where)
{
    Message messages[TURNS_MAX];
    size_t count = messages_of(messages, json_object_get(row, "messages"));
    bool prompt = json_is_true(json_object_get(row, "add_generation_prompt"));
    ChatTemplate chat = named(json_string_value(json_object_get(row, "template")));
    Text expected = {json_string_value(json_object_get(row, "text")), json_string_length(json_object_get(row, "text"))};
    Bytes out = {0};
    assert_ok(template_prompt(&chat, &out, messages, count, prompt));
    assert_bytes(where, (Text){out.data, out.size}, expected);
    if (!prompt && messages[count - 1].role == ROLE_ASSISTANT && chat.kind != TEMPLATE_QWEN3_NOTHINK) {
        RenderedChat rendered = {0};
        assert_ok(template_chat(&chat, &rendered, messages, count));
        assert_bytes(where, (Text){rendered.text.data, rendered.text.size}, expected);
        bool opened = memcmp(rendered.text.data + rendered.answer - 8, "<think>\n", 8) == 0; // by the prompt
        assert_memory_equal(rendered.text.data + rendered.answer - (opened ? 30 : 22), "<|im_start|>assistant\n", 22);
        assert_memory_equal(rendered.text.data + rendered.end - 10, "<|im_end|>", 10);
        assert_int_equal(rendered.end + 1, rendered.text.size);
        rendered_free(&rendered);
    }
    bytes_free(&out);
}

static int each_row(const char *path, void (*check)(const json_t *row, const char *where))
{
    Bytes file = {0};
    assert_ok(file_read(&file, path, 1 << 26));
    int line = 0;
    for (char *at = file.data, *newline; (newline = strchr(at, '\n')) != NULL; at = newline + 1) {
        char where[64];
        snprintf(where, sizeof where, "%s:%d", path, ++line);
        json_t *row = json_parse(at, (size_t)(newline - at), where);
        assert_non_null(row);
        check(row, where);
        json_decref(row);
    }
    bytes_free(&file);
    return line;
}

static void every_chat_is_rendered_as_transformers_renders_it(void **state)
{
    assert_true(each_row(FIXTURES "chats.jsonl", check_row) > 900);
}

static void assert_parts(const char *name, const Message *messages, size_t count, const char *prompt,
                         const char *answer)
{
    ChatTemplate chat = named(name);
    RenderedChat r = {0};
    assert_ok(template_chat(&chat, &r, messages, count));
    assert_bytes(name, (Text){r.text.data, r.answer}, text(prompt));
    assert_bytes(name, (Text){r.text.data + r.answer, r.end - r.answer}, text(answer));
    assert_bytes(name, (Text){r.text.data + r.end, r.text.size - r.end}, text("\n"));
    rendered_free(&r);
}

static void what_is_trained_is_the_answer_and_its_end_token(void **state)
{
    const Message chat[] = {user("q"), assistant("a")};
    assert_parts("chatml", chat, 2, "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n", "a<|im_end|>");
    assert_parts("qwen3", chat, 2, "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n",
                 "<think>\n\n</think>\n\na<|im_end|>");
    assert_parts("qwen3-nothink", chat, 2,
                 "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", "a<|im_end|>");
    assert_parts("qwen2.5", chat, 2,
                 "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
                 "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n",
                 "a<|im_end|>");
}

static void a_thought_is_trained_with_qwen3_and_left_away_without_thinking(void **state)
{
    const Message inside[] = {user("q"), assistant("<think>\nwhy\n</think>\n\na")};
    Message beside[] = {user("q"), assistant("a")};
    beside[1].reasoning = text("\nwhy\n");
    const char *prompt = "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n";
    assert_parts("qwen3", inside, 2, prompt, "<think>\nwhy\n</think>\n\na<|im_end|>");
    assert_parts("qwen3", beside, 2, prompt, "<think>\nwhy\n</think>\n\na<|im_end|>");
    const char *closed = "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";
    assert_parts("qwen3-nothink", inside, 2, closed, "a<|im_end|>");
    assert_parts("qwen3-nothink", beside, 2, closed, "a<|im_end|>");
    assert_parts("chatml", beside, 2, prompt, "a<|im_end|>");
}

// Where the prompt opens the thought, the answer is what a model says behind it.
static void a_thought_that_the_prompt_opens_is_not_trained_twice(void **state)
{
    const char *prompt = "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n";
    const Message inside[] = {user("q"), assistant("<think>\nwhy\n</think>\n\na")},
                  plain[] = {user("q"), assistant("a")};
    assert_parts("qwen3-thinking", inside, 2, prompt, "why\n</think>\n\na<|im_end|>");
    assert_parts("qwen3-thinking", plain, 2, prompt, "\n</think>\n\na<|im_end|>");
    assert_parts("qwq", inside, 2, prompt, "why\n</think>\n\na<|im_end|>");
    assert_parts("qwq", plain, 2, "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n",
                 "a<|im_end|>"); // as transformers does
}

static bool leaves_out(const char *name, const char *content, const char *reasoning)
{
    ChatTemplate chat = named(name);
    Message messages[] = {user("q"), assistant("<think>\nearlier\n</think>\n\na"), user("r"), assistant(content)};
    if (reasoning != NULL)
        messages[3].reasoning = text(reasoning);
    RenderedChat rendered = {0};
    assert_ok(template_chat(&chat, &rendered, messages, 4));
    bool left_out = rendered.thought_left_out;
    rendered_free(&rendered);
    return left_out;
}

static void a_thought_that_is_left_out_is_told(void **state)
{
    const char *inside = "<think>\nwhy\n</think>\n\na";
    assert_true(leaves_out("qwen3-nothink", inside, NULL));
    assert_true(leaves_out("qwen3-nothink", "a", "why"));
    assert_true(leaves_out("chatml", "a", "why"));
    assert_true(leaves_out("qwq", "a", "why"));
    assert_false(leaves_out("qwq", inside, NULL));
    assert_false(leaves_out("chatml", inside, NULL));
    assert_false(leaves_out("chatml", "a", " \n"));
    assert_false(leaves_out("qwen3", inside, NULL));
    assert_false(leaves_out("qwen3-thinking", "a", "why"));
    assert_false(leaves_out("qwen3-training", inside, NULL));
    assert_false(leaves_out("qwen3-nothink", "<think>\n\n</think>\n\na", NULL));
    assert_false(leaves_out("qwen3-nothink", "a", NULL));
}

static void reasoning_content_means_that_content_is_not_searched_for_a_thought(void **state)
{
    Message chat[] = {user("q"), assistant("x</think>a")};
    chat[1].reasoning = text("");
    assert_parts("qwen3", chat, 2, "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n",
                 "<think>\n\n</think>\n\nx</think>a<|im_end|>");
}

static void only_the_last_answer_of_a_conversation_is_trained(void **state)
{
    const Message chat[] = {system_turn("s"), user("q"), assistant("<think>\nt\n</think>\n\na"), user("r"),
                            assistant("b")};
    assert_parts("qwen3", chat, 5,
                 "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"
                 "<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n",
                 "<think>\n\n</think>\n\nb<|im_end|>");
}

static void the_prompt_of_training_is_the_prompt_of_sampling(void **state)
{
    const Message chat[] = {user("q"), assistant("<think>t</think>a"), user("r"), assistant("\n\nb")};
    for (int kind = 0; kind < TEMPLATES; kind++) {
        if (kind == TEMPLATE_UNKNOWN || kind == TEMPLATE_QWQ) // qwq: only answers that begin with <think>, see above
            continue;
        ChatTemplate t = named(template_name((TemplateKind)kind));
        RenderedChat r = {0};
        Bytes prompt = {0};
        assert_ok(template_chat(&t, &r, chat, 4));
        assert_ok(template_prompt(&t, &prompt, chat, 3, true));
        assert_bytes(template_name(t.kind), (Text){r.text.data, r.answer}, (Text){prompt.data, prompt.size});
        rendered_free(&r);
        bytes_free(&prompt);
    }
}

static void a_chat_without_a_last_answer_is_refused(void **state)
{
    ChatTemplate chat = named("qwen3");
    const Message messages[] = {user("q"), assistant("a"), user("r")};
    RenderedChat rendered = {0};
    Bytes out = {0};
    assert_refused(template_chat(&chat, &rendered, messages, 3), "the last message must be the assistant's");
    assert_refused(template_chat(&chat, &rendered, messages, 0), "the last message must be the assistant's");
    assert_refused(template_prompt(&chat, &out, messages, 0, true), "no messages");
}

// ---- recognition

typedef struct Folder {
    char path[64];
} Folder;

static Folder folder_with(const char *name, const char *content) // name NULL: an empty folder
{
    Folder folder = {"/tmp/test_template_XXXXXX"};
    assert_non_null(mkdtemp(folder.path));
    if (name != NULL) {
        char *path = path_join(folder.path, name);
        assert_ok(file_write_atomic(path, content, strlen(content)));
        free(path);
    }
    return folder;
}

static void assert_kind(const char *file, const char *content, TemplateKind expected)
{
    Folder folder = folder_with(file, content);
    ChatTemplate chat;
    assert_ok(template_open(&chat, folder.path, NULL));
    if (chat.kind != expected)
        fail_msg("recognised as %s, not as %s: %.200s", template_name(chat.kind), template_name(expected), content);
    assert_ok(folder_remove(folder.path));
}

#define GENERIC                                                                                                        \
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "   \
    "'\\n'}}"                                                                                                          \
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

static void check_form(const json_t *row, const char *where)
{
    const json_t *source = json_object_get(row, "text"), *form = json_object_get(row, "form");
    Bytes out = {0};
    assert_ok(bytes_text(&out, ""));
    assert_ok(jinja_canonical(&out, json_string_value(source), json_string_length(source)));
    assert_bytes(where, (Text){out.data, out.size}, (Text){json_string_value(form), json_string_length(form)});
    bytes_free(&out);
}

static void a_text_has_the_form_that_jinjas_lexer_gives_it(void **state)
{
    assert_true(each_row(FIXTURES "forms.jsonl", check_form) > 60);
}

static void what_is_not_jinja_has_a_form_of_its_own(void **state)
{
    static const char *const broken[] = {"{",     "{{",      "{%",     "{#",     "{{-", "{#-",
                                         "{{ 'a", "{% if x", "{# a #", "{{ '\\", "a{"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        Bytes out = {0};
        assert_ok(bytes_text(&out, "") && jinja_canonical(&out, broken[i], strlen(broken[i])));
        assert_true(out.size > 0);
        bytes_free(&out);
    }
}

static void check_exported(const json_t *row, const char *where)
{
    const char *name = json_string_value(json_object_get(row, "template"));
    const char *own = template_jinja(named(name).kind);
    assert_bytes(where, text(own), text(json_string_value(json_object_get(row, "text"))));
}

// The fixture's texts were run by transformers: they render every chat as the published ones do.
static void what_is_exported_renders_as_what_was_trained(void **state)
{
    assert_int_equal(each_row(FIXTURES "exported.jsonl", check_exported), TEMPLATES - 1);
}

static void a_folder_without_a_template_is_chatml(void **state)
{
    assert_kind(NULL, NULL, TEMPLATE_CHATML);
    assert_kind("tokenizer_config.json", "{}", TEMPLATE_CHATML);
    assert_kind("tokenizer_config.json", "{\"chat_template\": null}", TEMPLATE_CHATML);
}

static void a_template_that_renders_otherwise_is_not_taken_for_another(void **state)
{
    static const char *const others[] = {
        "",
        "[INST] {{ messages[0].content }} [/INST]",
        "{# enable_thinking #}[INST] {{ messages[0].content }} [/INST]",
        "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}" GENERIC,
        "{{ content | trim }}" GENERIC,
        "{%- if enable_thinking is defined %}{% endif %}" GENERIC,
        GENERIC " ",
        "\n" GENERIC,
        GENERIC "{{ eos_token }}",
        "{#- chat template: qwen3 #}\n" GENERIC "{{ eos_token }}", // our own comment is no proof
        "{#- chat template: qwen3 #}\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_kind("chat_template.jinja", others[i], TEMPLATE_UNKNOWN);
}

static void a_text_that_differs_in_nothing_that_jinja_sees_is_the_same_template(void **state)
{
    static const char *const same[] = {
        GENERIC,
        GENERIC "\n",
        "{#- chat template: qwen3 #}\n" GENERIC, // the text counts, not what a comment calls it
        "{# by us\n #}" GENERIC "{#- the end -#}\n",
        "{% for message in messages %}\r\n{{- '<|im_start|>'  + message['role'] + '\n' + message['content'] + "
        "'<|im_end|>' + "
        "'\n' -}}\n"
        "  {%- endfor -%}\n\n{%  if add_generation_prompt  %}{{ '<|im_start|>assistant\n' }}{% endif %}\r\n",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_kind("chat_template.jinja", same[i], TEMPLATE_CHATML);
    assert_kind("tokenizer_config.json",
                "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"x\"},"
                "{\"name\": \"default\", \"template\": \"{# a #}{{ x }}\"}]}",
                TEMPLATE_UNKNOWN);
}

static void an_unknown_template_is_refused_only_when_something_is_rendered(void **state)
{
    Folder folder = folder_with("chat_template.jinja", "[INST]");
    ChatTemplate chat;
    assert_ok(template_open(&chat, folder.path, ""));
    const Message messages[] = {user("q"), assistant("a")};
    Bytes out = {0};
    RenderedChat rendered = {0};
    assert_refused(template_prompt(&chat, &out, messages, 1, true), "chat_template.jinja: an unknown chat template");
    assert_refused(template_chat(&chat, &rendered, messages, 2), "--template");
    assert_ok(template_open(&chat, folder.path, "qwen3-nothink"));
    assert_int_equal(chat.kind, TEMPLATE_QWEN3_NOTHINK);
    assert_refused(template_open(&chat, folder.path, "llama"), "--template llama: no such template");
    assert_ok(folder_remove(folder.path));
}

// A copy of the small tokenizer in which every `token` is called otherwise.
static void write_tokenizer_without(const Folder *folder, const char *token)
{
    Bytes file = {0};
    char *path = path_join(folder->path, "tokenizer.json");
    assert_ok(file_read(&file, "test/fixtures/tokenizer/tiny/tokenizer.json", (size_t)1 << 24));
    for (char *at = file.data; token != NULL && (at = strstr(at, token)) != NULL;)
        at[2] = '_';
    assert_ok(file_write_atomic(path, file.data, file.size));
    free(path);
    bytes_free(&file);
}

static void check_marks(const char *name, const Tokenizer *tokenizer, const char *folder, const char *missing)
{
    const Message messages[] = {user("q"), assistant("a")};
    ChatTemplate chat;
    Bytes out = {0};
    RenderedChat rendered = {0};
    assert_ok(template_open(&chat, folder, name));
    template_set_tokenizer(&chat, tokenizer, folder);
    if (missing == NULL) {
        assert_ok(template_usable(&chat) && template_prompt(&chat, &out, messages, 1, true));
    } else {
        assert_refused(template_prompt(&chat, &out, messages, 1, true), missing);
        assert_non_null(strstr(error_text(), folder));
        assert_refused(template_chat(&chat, &rendered, messages, 2), "its tokenizer has no token");
    }
    bytes_free(&out);
    rendered_free(&rendered);
}

static void a_tokenizer_without_a_templates_marks_renders_nothing(void **state)
{
    static const char *const marks[] = {"<|im_end|>", "<|im_start|>", NULL};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        Folder folder = folder_with(NULL, NULL);
        write_tokenizer_without(&folder, marks[i]);
        Tokenizer *tokenizer = tokenizer_open(folder.path);
        assert_ok(tokenizer != NULL);
        for (int kind = 0; kind < TEMPLATES; kind++)
            if (kind != TEMPLATE_UNKNOWN)
                check_marks(template_name((TemplateKind)kind), tokenizer, folder.path, marks[i]);
        tokenizer_close(tokenizer);
        assert_ok(folder_remove(folder.path));
    }
}

static void the_jinja_file_comes_before_the_tokenizers_configuration(void **state)
{
    Folder folder = folder_with("chat_template.jinja", GENERIC);
    char *config = path_join(folder.path, "tokenizer_config.json");
    const char *other = "{\"chat_template\": \"{{ enable_thinking }}\"}";
    assert_ok(file_write_atomic(config, other, strlen(other)));
    ChatTemplate chat;
    assert_ok(template_open(&chat, folder.path, NULL));
    assert_int_equal(chat.kind, TEMPLATE_CHATML);
    free(config);
    assert_ok(folder_remove(folder.path));
}

static void a_broken_configuration_is_refused_with_its_file(void **state)
{
    static const char *const broken[][2] = {
        {"{\"chat_template\": 5}", "must be a string"},
        {"[]", "not a JSON object"},
        {"{\"chat_template\": [{\"name\": \"rag\", \"template\": \"x\"}]}", "without one named \"default\""},
        {"{\"chat_template\": [7]}", "key \"name\" is missing"},
        {"{", "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        Folder folder = folder_with("tokenizer_config.json", broken[i][0]);
        ChatTemplate chat;
        assert_refused(template_open(&chat, folder.path, NULL), broken[i][1]);
        assert_non_null(strstr(error_text(), "tokenizer_config.json"));
        assert_ok(folder_remove(folder.path));
    }
}

static void an_exported_template_is_known_again(void **state)
{
    for (int kind = 0; kind < TEMPLATES; kind++)
        if (kind != TEMPLATE_UNKNOWN)
            assert_kind("chat_template.jinja", template_jinja((TemplateKind)kind), (TemplateKind)kind);
    assert_null(template_jinja(TEMPLATE_UNKNOWN));
}

// Every edit of the published text that changes what it says makes it another template; a tool of an editor (line ends,
// spaces at their ends, comments) does not.
static void the_published_template_is_known_whole(void **state)
{
    const char *path = "../shared/data/qwen3-tokenizer/chat_template.jinja";
    if (!file_exists(path)) {
        print_message("skipped: no ../shared/data\n");
        skip();
    }
    Bytes published = {0}, edited = {0};
    assert_ok(file_read(&published, path, 1 << 20));
    assert_kind("chat_template.jinja", published.data, TEMPLATE_QWEN3);
    for (size_t i = 0; i < published.size; i += 37) {
        if (strchr(" \n-", published.data[i]) != NULL)
            continue; // a sign of whitespace may have nothing to take
        bytes_clear(&edited);
        assert_ok(bytes_append(&edited, published.data, i) && bytes_text(&edited, published.data + i + 1));
        assert_kind("chat_template.jinja", edited.data, TEMPLATE_UNKNOWN);
    }
    bytes_clear(&edited);
    assert_ok(bytes_text(&edited, "{# edited #}\n"));
    for (size_t i = 0; i < published.size; i++)
        assert_ok(bytes_append(&edited, published.data[i] == '\n' ? " \r\n" : published.data + i,
                               published.data[i] == '\n' ? 3 : 1));
    assert_kind("chat_template.jinja", edited.data, TEMPLATE_QWEN3);
    bytes_free(&published);
    bytes_free(&edited);
}

static void every_choice_is_a_template_and_every_template_a_choice(void **state)
{
    char choices[] = TEMPLATE_CHOICES, *rest = choices;
    int count = 0;
    for (char *name; (name = strsep(&rest, "|")) != NULL; count++)
        assert_string_equal(template_name(named(name).kind), name);
    assert_int_equal(count, TEMPLATES - 1);
    ChatTemplate chat;
    assert_refused(template_open(&chat, ".", "unknown"), "no such template");
}

static void without_thoughts_a_prompt_has_room_for_one_digit(void **state)
{
    assert_int_equal(template_without_thoughts(TEMPLATE_CHATML), TEMPLATE_CHATML);
    assert_int_equal(template_without_thoughts(TEMPLATE_QWEN25_MATH), TEMPLATE_QWEN25_MATH);
    static const TemplateKind thinking[] = {TEMPLATE_QWEN3, TEMPLATE_QWQ, TEMPLATE_QWEN3_THINKING,
                                            TEMPLATE_QWEN3_TRAINING};
    for (int i = 0; i < 4; i++)
        assert_int_equal(template_without_thoughts(thinking[i]), TEMPLATE_QWEN3_NOTHINK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chat_is_rendered_as_transformers_renders_it),
        cmocka_unit_test(what_is_trained_is_the_answer_and_its_end_token),
        cmocka_unit_test(a_thought_is_trained_with_qwen3_and_left_away_without_thinking),
        cmocka_unit_test(a_thought_that_the_prompt_opens_is_not_trained_twice),
        cmocka_unit_test(a_thought_that_is_left_out_is_told),
        cmocka_unit_test(reasoning_content_means_that_content_is_not_searched_for_a_thought),
        cmocka_unit_test(only_the_last_answer_of_a_conversation_is_trained),
        cmocka_unit_test(the_prompt_of_training_is_the_prompt_of_sampling),
        cmocka_unit_test(a_chat_without_a_last_answer_is_refused),
        cmocka_unit_test(a_text_has_the_form_that_jinjas_lexer_gives_it),
        cmocka_unit_test(what_is_not_jinja_has_a_form_of_its_own),
        cmocka_unit_test(what_is_exported_renders_as_what_was_trained),
        cmocka_unit_test(a_folder_without_a_template_is_chatml),
        cmocka_unit_test(a_template_that_renders_otherwise_is_not_taken_for_another),
        cmocka_unit_test(a_text_that_differs_in_nothing_that_jinja_sees_is_the_same_template),
        cmocka_unit_test(an_unknown_template_is_refused_only_when_something_is_rendered),
        cmocka_unit_test(a_tokenizer_without_a_templates_marks_renders_nothing),
        cmocka_unit_test(the_jinja_file_comes_before_the_tokenizers_configuration),
        cmocka_unit_test(a_broken_configuration_is_refused_with_its_file),
        cmocka_unit_test(an_exported_template_is_known_again),
        cmocka_unit_test(the_published_template_is_known_whole),
        cmocka_unit_test(every_choice_is_a_template_and_every_template_a_choice),
        cmocka_unit_test(without_thoughts_a_prompt_has_room_for_one_digit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
