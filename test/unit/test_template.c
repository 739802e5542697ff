// The four templates against what transformers renders (test/fixtures/templates/chats.jsonl), and how a folder's own is
// recognised.
#include "test/support/check.h"
#include "base/json.h"
#include "data/template.h"
#include <unistd.h>

#define FIXTURE "test/fixtures/templates/chats.jsonl"
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
        fail_msg("%s:\n got      '%.*s'\n expected '%.*s'", what, (int)got.size, got.data, (int)expected.size, expected.data);
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

// The rendering, and, where a chat ends with an answer, its parts: they are the same text, cut after a generation prompt.
static void check_row(const json_t *row, const char *where)
{
    Message messages[TURNS_MAX];
    size_t count = messages_of(messages, json_object_get(row, "messages"));
    bool prompt = json_is_true(json_object_get(row, "add_generation_prompt"));
    bool thinking = json_is_true(json_object_get(row, "enable_thinking"));
    const char *name = json_string_value(json_object_get(row, "template"));
    ChatTemplate chat = named(strcmp(name, "qwen3") == 0 && !thinking ? "qwen3-nothink" : name);
    Text expected = {json_string_value(json_object_get(row, "text")), json_string_length(json_object_get(row, "text"))};
    Bytes out = {0};
    assert_ok(template_prompt(&chat, &out, messages, count, prompt));
    assert_bytes(where, (Text){out.data, out.size}, expected);
    if (!prompt && messages[count - 1].role == ROLE_ASSISTANT && chat.kind != TEMPLATE_QWEN3_NOTHINK) {
        RenderedChat rendered = {0};
        assert_ok(template_chat(&chat, &rendered, messages, count));
        assert_bytes(where, (Text){rendered.text.data, rendered.text.size}, expected);
        assert_memory_equal(rendered.text.data + rendered.answer - 22, "<|im_start|>assistant\n", 22);
        assert_memory_equal(rendered.text.data + rendered.end - 10, "<|im_end|>", 10);
        assert_int_equal(rendered.end + 1, rendered.text.size);
        rendered_free(&rendered);
    }
    bytes_free(&out);
}

static void every_chat_is_rendered_as_transformers_renders_it(void **state)
{
    Bytes file = {0};
    assert_ok(file_read(&file, FIXTURE, 1 << 26));
    int line = 0;
    for (char *at = file.data, *newline; (newline = strchr(at, '\n')) != NULL; at = newline + 1) {
        char where[64];
        snprintf(where, sizeof where, FIXTURE ":%d", ++line);
        json_t *row = json_parse(at, (size_t)(newline - at), where);
        assert_non_null(row);
        check_row(row, where);
        json_decref(row);
    }
    assert_true(line > 100);
    bytes_free(&file);
}

static void assert_parts(const char *name, const Message *messages, size_t count, const char *prompt, const char *answer)
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
    assert_parts("qwen3-nothink", chat, 2, "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
                 "a<|im_end|>");
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

static void reasoning_content_means_that_content_is_not_searched_for_a_thought(void **state)
{
    Message chat[] = {user("q"), assistant("x</think>a")};
    chat[1].reasoning = text("");
    assert_parts("qwen3", chat, 2, "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n",
                 "<think>\n\n</think>\n\nx</think>a<|im_end|>");
}

static void only_the_last_answer_of_a_conversation_is_trained(void **state)
{
    const Message chat[] = {system_turn("s"), user("q"), assistant("<think>\nt\n</think>\n\na"), user("r"), assistant("b")};
    assert_parts("qwen3", chat, 5,
                 "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"
                 "<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n",
                 "<think>\n\n</think>\n\nb<|im_end|>");
}

static void the_prompt_of_training_is_the_prompt_of_sampling(void **state)
{
    static const char *const names[] = {"chatml", "qwen3", "qwen3-nothink", "qwen2.5"};
    const Message chat[] = {user("q"), assistant("<think>t</think>a"), user("r"), assistant("\n\nb")};
    for (int i = 0; i < 4; i++) {
        ChatTemplate t = named(names[i]);
        RenderedChat r = {0};
        Bytes prompt = {0};
        assert_ok(template_chat(&t, &r, chat, 4));
        assert_ok(template_prompt(&t, &prompt, chat, 3, true));
        assert_bytes(names[i], (Text){r.text.data, r.answer}, (Text){prompt.data, prompt.size});
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

#define QWEN25_SYSTEM "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
#define GENERIC                                                                                                                  \
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"      \
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

static void a_template_is_recognised_by_its_marks(void **state)
{
    const char *jinja = "chat_template.jinja";
    assert_kind(jinja, "{%- if enable_thinking is defined %}" GENERIC, TEMPLATE_QWEN3);
    assert_kind(jinja, "{{- '<|im_start|>system\\n" QWEN25_SYSTEM "<|im_end|>\\n' }}" GENERIC, TEMPLATE_QWEN25);
    assert_kind(jinja, GENERIC, TEMPLATE_CHATML);
    assert_kind(jinja, "{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}" GENERIC, TEMPLATE_CHATML);
    assert_kind("tokenizer_config.json", "{\"chat_template\": \"{{ enable_thinking }}\"}", TEMPLATE_QWEN3);
    assert_kind("tokenizer_config.json",
                "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"x\"},"
                "{\"name\": \"default\", \"template\": \"{{ enable_thinking }}\"}]}",
                TEMPLATE_QWEN3);
}

static void a_folder_without_a_template_is_chatml(void **state)
{
    assert_kind(NULL, NULL, TEMPLATE_CHATML);
    assert_kind("tokenizer_config.json", "{}", TEMPLATE_CHATML);
    assert_kind("tokenizer_config.json", "{\"chat_template\": null}", TEMPLATE_CHATML);
}

static void a_template_that_renders_otherwise_is_not_taken_for_chatml(void **state)
{
    const char *jinja = "chat_template.jinja";
    assert_kind(jinja, "[INST] {{ messages[0].content }} [/INST]", TEMPLATE_UNKNOWN);
    assert_kind(jinja, "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}" GENERIC, TEMPLATE_UNKNOWN);
    assert_kind(jinja, GENERIC "{{ '<think>\\n' }}", TEMPLATE_UNKNOWN);
    assert_kind(jinja, "{{ content | trim }}" GENERIC, TEMPLATE_UNKNOWN);
    assert_kind(jinja, "", TEMPLATE_UNKNOWN);
}

static void an_unknown_template_is_refused_only_when_something_is_rendered(void **state)
{
    Folder folder = folder_with("chat_template.jinja", "[INST]");
    ChatTemplate chat;
    assert_ok(template_open(&chat, folder.path, ""));
    const Message messages[] = {user("q"), assistant("a")};
    Bytes out = {0};
    RenderedChat rendered = {0};
    assert_refused(template_prompt(&chat, &out, messages, 1, true), "chat_template.jinja: a chat template that is none of");
    assert_refused(template_chat(&chat, &rendered, messages, 2), "--template");
    assert_ok(template_open(&chat, folder.path, "qwen3-nothink"));
    assert_int_equal(chat.kind, TEMPLATE_QWEN3_NOTHINK);
    assert_refused(template_open(&chat, folder.path, "llama"), "--template llama: no such template");
    assert_ok(folder_remove(folder.path));
}

static void the_jinja_file_comes_before_the_tokenizers_configuration(void **state)
{
    Folder folder = folder_with("chat_template.jinja", GENERIC);
    char *config = path_join(folder.path, "tokenizer_config.json");
    const char *thinking = "{\"chat_template\": \"{{ enable_thinking }}\"}";
    assert_ok(file_write_atomic(config, thinking, strlen(thinking)));
    ChatTemplate chat;
    assert_ok(template_open(&chat, folder.path, NULL));
    assert_int_equal(chat.kind, TEMPLATE_CHATML);
    free(config);
    assert_ok(folder_remove(folder.path));
}

static void a_broken_configuration_is_refused_with_its_file(void **state)
{
    static const char *const broken[][2] = {
        {"{\"chat_template\": 5}", "must be a text"},
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
    for (int kind = TEMPLATE_CHATML; kind < TEMPLATE_UNKNOWN; kind++)
        assert_kind("chat_template.jinja", template_jinja((TemplateKind)kind), (TemplateKind)kind);
    assert_null(template_jinja(TEMPLATE_UNKNOWN));
}

static void the_published_template_is_qwen3(void **state)
{
    const char *folder = "../shared/data/qwen3-tokenizer";
    if (!folder_exists(folder)) {
        print_message("skipped: no ../shared/data\n");
        skip();
    }
    ChatTemplate chat;
    assert_ok(template_open(&chat, folder, NULL));
    assert_int_equal(chat.kind, TEMPLATE_QWEN3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chat_is_rendered_as_transformers_renders_it),
        cmocka_unit_test(what_is_trained_is_the_answer_and_its_end_token),
        cmocka_unit_test(a_thought_is_trained_with_qwen3_and_left_away_without_thinking),
        cmocka_unit_test(reasoning_content_means_that_content_is_not_searched_for_a_thought),
        cmocka_unit_test(only_the_last_answer_of_a_conversation_is_trained),
        cmocka_unit_test(the_prompt_of_training_is_the_prompt_of_sampling),
        cmocka_unit_test(a_chat_without_a_last_answer_is_refused),
        cmocka_unit_test(a_template_is_recognised_by_its_marks),
        cmocka_unit_test(a_folder_without_a_template_is_chatml),
        cmocka_unit_test(a_template_that_renders_otherwise_is_not_taken_for_chatml),
        cmocka_unit_test(an_unknown_template_is_refused_only_when_something_is_rendered),
        cmocka_unit_test(the_jinja_file_comes_before_the_tokenizers_configuration),
        cmocka_unit_test(a_broken_configuration_is_refused_with_its_file),
        cmocka_unit_test(an_exported_template_is_known_again),
        cmocka_unit_test(the_published_template_is_qwen3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
