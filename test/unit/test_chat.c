// The chat without a model: what is a command and what is said, what is taken back and saved, what may reach a
// terminal, and the history of what was said. The rest needs a terminal: test/crash/chat.sh.
#include "chat/command.h"
#include "chat/conversation.h"
#include "chat/history.h"
#include "chat/shown.h"
#include "rows/records.h"
#include "system/files.h"
#include "test/support/check.h"
#include <sys/stat.h>
#include <unistd.h>

static char *folder;

static int make_folder(void **state) { return folder_temporary(&folder, "chat") ? 0 : -1; }

static int remove_folder(void **state)
{
    bool ok = folder_remove(folder);
    free(folder);
    return ok ? 0 : -1;
}

static Text text_of(const char *text) { return (Text){text, strlen(text)}; }

// ---- commands

static void asserts_kind(const char *message, CommandKind kind, const char *rest)
{
    Command c = command_read(text_of(message));
    if (c.kind != kind)
        fail_msg("'%s' is command %d instead of %d (%s)", message, (int)c.kind, (int)kind, c.reason);
    if (rest != NULL && (c.rest.size != strlen(rest) || memcmp(c.rest.data, rest, c.rest.size) != 0))
        fail_msg("'%s': the rest is '%.*s' instead of '%s'", message, (int)c.rest.size, c.rest.data, rest);
}

static void a_word_after_a_slash_is_a_command(void **state)
{
    asserts_kind("/help", COMMAND_HELP, NULL);
    asserts_kind("/new", COMMAND_NEW, NULL);
    asserts_kind("/undo  ", COMMAND_UNDO, NULL);
    asserts_kind("/tokens", COMMAND_TOKENS, NULL);
    asserts_kind("/exit", COMMAND_EXIT, NULL);
    asserts_kind("/system", COMMAND_SYSTEM, "");
    asserts_kind("/system  Be brief, ü. ", COMMAND_SYSTEM, "Be brief, ü.");
    asserts_kind("/system\nOne.\nTwo.", COMMAND_SYSTEM, "One.\nTwo.");
    asserts_kind("/save a file.jsonl", COMMAND_SAVE, "a file.jsonl");
}

static void everything_else_is_said(void **state)
{
    static const char *const said[] = {"1+1?", "/2",          "/etc/hosts", "/",     "/ new", " /new",
                                       "new",  "/no_think x", "//new",      "/new.", "ü",     "a /undo",
                                       "/x²",  "\\new",       "/-1 = ?",    "/help!"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        asserts_kind(said[i], COMMAND_SAY, said[i]);
}

static void unknown_commands_are_refused_in_one_line(void **state)
{
    static const char *const refused[] = {"/sytem Be brief.", "/New",    "/n",       "/new me", "/save",
                                          "/save  ",          "/exit 1", "/tokens 3"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        Command c = command_read(text_of(refused[i]));
        assert_int_equal(c.kind, COMMAND_REFUSED);
        assert_true(c.reason[0] == '/' && strchr(c.reason, '\n') == NULL);
    }
    assert_non_null(strstr(command_read(text_of("/sytem x")).reason, "/help"));
    assert_non_null(strstr(command_read(text_of("/save")).reason, "/save FILE"));
    char *longest = allocate(100001, 1);
    memset(longest, 'a', 100000);
    longest[0] = '/';
    assert_int_equal(command_read(text_of(longest)).kind, COMMAND_REFUSED);
    free(longest);
}

static void help_names_every_command(void **state)
{
    static const char *const words[] = {"/help", "/new", "/system TEXT", "/undo", "/save FILE", "/tokens", "/exit"};
    Bytes help = {0};
    assert_ok(command_help(&help));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_non_null(strstr(help.data, words[i]));
    bytes_free(&help);
}

// ---- a conversation

static void talk(Conversation *c, const char *question, const char *answer, uint64_t turn)
{
    assert_ok(conversation_ask(c, text_of(question)));
    assert_ok(conversation_answer(c, text_of(answer), (AnswerFacts){turn, false}));
}

static void what_is_taken_back_was_never_said(void **state)
{
    Conversation c = {0};
    assert_false(conversation_undo(&c));
    assert_ok(conversation_set_system(&c, text_of("Be brief.")));
    assert_false(conversation_undo(&c)); // a system message is no question
    talk(&c, "1?", "one", 1);
    talk(&c, "2?", "two", 2);
    assert_true(conversation_undo(&c));
    assert_int_equal(c.count, 3);
    assert_string_equal(c.messages[2].content.data, "one");
    assert_true(conversation_undo(&c));
    assert_false(conversation_undo(&c));
    assert_int_equal(c.count, 1);
    conversation_free(&c);
}

static void a_system_message_is_set_replaced_and_removed(void **state)
{
    Conversation c = {0};
    assert_null(conversation_system(&c).data);
    talk(&c, "1?", "one", 1);
    assert_ok(conversation_set_system(&c, text_of("A")));
    assert_int_equal(c.count, 3);
    assert_int_equal(c.messages[0].role, ROLE_SYSTEM);
    assert_int_equal(c.facts[2].turn, 1); // an answer's facts move with it
    assert_ok(conversation_set_system(&c, text_of("B")));
    assert_int_equal(c.count, 3);
    assert_string_equal(conversation_system(&c).data, "B");
    assert_ok(conversation_set_system(&c, (Text){0}));
    assert_int_equal(c.count, 2);
    assert_int_equal(c.facts[1].turn, 1);
    assert_ok(conversation_set_system(&c, (Text){0}));
    assert_int_equal(c.count, 2);
    conversation_free(&c);
}

static void a_saved_conversation_is_a_row(void **state)
{
    Conversation c = {0};
    Record record;
    RecordOptions reading = {.prompts = true, .any_difficulty = true};
    Bytes row = {0};
    char *path = path_join(folder, "saved.jsonl");
    assert_refused(conversation_save(&c, path, ""), "nothing has been answered yet");
    assert_ok(conversation_set_system(&c, text_of("Be \"brief\".")));
    assert_refused(conversation_save(&c, path, ""), "nothing has been answered yet");
    assert_false(file_exists(path));
    talk(&c, "1?\n2?", "<think>\nhm\n</think>\n\none \x1b[31m", 4);
    talk(&c, "ü?", "two", 7);
    c.facts[2].stopped = true;
    assert_ok(conversation_save(&c, path, ",\"model\":\"m\""));
    assert_ok(file_read(&row, path, 1 << 20));
    assert_int_equal(row.data[row.size - 1], '\n');
    assert_non_null(strstr(row.data, "\"stopped\":[2]"));
    assert_ok(record_read(&record, row.data, row.size - 1, path, 1, &reading));
    assert_int_equal(record.format, ROW_CHAT);
    assert_int_equal(record.count, 5);
    assert_true(record.has_response && !record.generated);
    assert_string_equal(record.id, "7");
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(record.messages[i].role, c.messages[i].role);
        assert_int_equal(record.messages[i].content.size, c.messages[i].content.size);
        assert_memory_equal(record.messages[i].content.data, c.messages[i].content.data, c.messages[i].content.size);
    }
    record_free(&record);
    bytes_free(&row);
    conversation_free(&c);
    free(path);
}

static void only_a_saved_conversation_is_replaced(void **state)
{
    static const char mine[] = "{\"messages\":[]}\n";
    Conversation c = {0};
    Bytes row = {0}, twice = {0};
    char *path = path_join(folder, "mine.jsonl");
    talk(&c, "1?", "one", 1);
    assert_ok(file_write_atomic(path, mine, sizeof mine - 1));
    assert_refused(conversation_save(&c, path, ""), "already exists");
    assert_refused(conversation_save(&c, folder, ""), folder);
    assert_ok(file_write_atomic(path, "", 0));
    assert_ok(conversation_save(&c, path, ""));
    talk(&c, "2?", "two", 2);
    assert_ok(conversation_save(&c, path, "")); // its own, with more in it
    assert_ok(file_read(&row, path, 1 << 20));
    assert_non_null(strstr(row.data, "two"));
    assert_ok(bytes_append(&twice, row.data, row.size) && bytes_append(&twice, row.data, row.size));
    assert_ok(file_write_atomic(path, twice.data, twice.size));
    assert_refused(conversation_save(&c, path, ""), "more than one conversation");
    bytes_free(&row);
    bytes_free(&twice);
    conversation_free(&c);
    free(path);
}

// ---- what is shown

typedef bool Showing(const Screen *screen);

static char *shown(Showing *show, bool terminal, bool coloured)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    Screen screen = {out, terminal, coloured};
    assert_ok(show(&screen));
    fclose(out);
    return text;
}

static const char HOSTILE[] = "a\tb\n\x1b[2J\x1b]0;title\x07\r\x08\x7f\xc2\x9b"
                              "31m \xe2\x80\xae \xe2\x80\x8b \xff \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb ü";

static bool show_hostile(const Screen *s) { return show_text(s, text_of(HOSTILE)); }
static bool note_hostile(const Screen *s) { return show_note(s, "%s", HOSTILE); }

static void nothing_that_acts_reaches_a_terminal(void **state)
{
    char *text = shown(show_hostile, true, true);
    assert_string_equal(text, "a\tb\n\\x1B[2J\\x1B]0;title\\x07\\x0D\\x08\\x7F\\u{009B}31m \\u{202E} \\u{200B} \\xFF "
                              "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb ü");
    free(text);
    text = shown(note_hostile, true, true);
    assert_true(strncmp(text, "(a\\tb\\n\\x1B[2J", 13) == 0);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); // a note is a line
    free(text);
    text = shown(show_hostile, false, false); // a file gets what the model said
    assert_string_equal(text, HOSTILE);
    free(text);
}

static Tokenizer *tokenizer;
static int32_t ids[8];
static size_t id_count;

static bool show_ids(const Screen *s)
{
    static const float logprobs[8] = {-0.01f, -0.25f, -2, -5, -0.5f, -0.125f, 0, -1};
    return show_tokens(s, tokenizer, ids, logprobs, id_count);
}

static void tokens_have_their_log_probabilities_and_colours(void **state)
{
    TokenList list = {0};
    tokenizer = tokenizer_open("dev/demo/tokenizer");
    assert_non_null(tokenizer);
    Encoder *encoder = encoder_open(tokenizer);
    assert_ok(encode(encoder, &list, "1\x1b[\n", 4));
    assert_in_range(list.count, 3, 8);
    memcpy(ids, list.ids, list.count * sizeof *ids);
    id_count = list.count;
    char *plain = shown(show_ids, true, false), *coloured = shown(show_ids, true, true);
    assert_true(strncmp(plain, "[1 -0.010][\\x1B -0.250]", 23) == 0);
    assert_null(strchr(plain, '\x1b'));
    assert_non_null(strstr(plain, " tokens, log-probability -"));
    assert_true(strncmp(coloured, "\x1b[2m[\x1b[0m\x1b[32m1\x1b[0m\x1b[2m -0.010]\x1b[0m", 34) == 0); // 99%: sure
    assert_non_null(strstr(coloured, "\x1b[36m\\x1B"));                                               // 78%
    free(plain);
    free(coloured);
    tokens_free(&list);
    encoder_close(encoder);
    tokenizer_close(tokenizer);
}

// ---- history

static Bytes remembered;
static size_t remembered_count;

static void take(void *context, const char *message)
{
    bytes_printf(&remembered, "%s|", message);
    remembered_count++;
}

static void reopen(LineFile *file, const char *path)
{
    bytes_clear(&remembered);
    remembered_count = 0;
    line_file_close(file);
    assert_ok(history_open(file, path, take, NULL));
}

static mode_t mode_of(const char *path)
{
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    return facts.st_mode & 0777;
}

static void what_was_said_is_there_the_next_time_for_its_user_alone(void **state)
{
    LineFile file = {.descriptor = -1};
    char *path = path_join(folder, "state/dereason/chat_history.jsonl");
    reopen(&file, path);
    assert_int_equal(remembered_count, 0);
    assert_ok(history_add(&file, "first") && history_add(&file, "of\ntwo \"lines\", ü\\"));
    assert_int_equal(mode_of(path), 0600);
    chmod(path, 0644);
    reopen(&file, path);
    assert_string_equal(remembered.data, "first|of\ntwo \"lines\", ü\\|");
    assert_int_equal(mode_of(path), 0600);
    for (int i = 0; i < 2 * HISTORY_MOST; i++)
        assert_ok(history_add(&file, "more"));
    reopen(&file, path); // it has grown long
    assert_int_equal(remembered_count, HISTORY_MOST);
    assert_int_equal(mode_of(path), 0600);
    reopen(&file, path);
    assert_int_equal(remembered_count, HISTORY_MOST);
    assert_ok(history_add(&file, "last"));
    line_file_close(&file);
    assert_ok(history_add(&file, "nowhere")); // none is kept
    free(path);
    bytes_free(&remembered);
}

static void a_file_that_is_no_history_stays_as_it_is(void **state)
{
    static const char *const others[] = {"{\"a\": 1}\n", "\"fine\"\n[]\n", "text", "\"fine\"\n\"\xff\"\n"};
    LineFile file;
    char *path = path_join(folder, "other.jsonl");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        Bytes after = {0};
        assert_ok(file_write_atomic(path, others[i], strlen(others[i])));
        assert_refused(history_open(&file, path, take, NULL), "not a history of chats");
        assert_null(file.path);
        assert_ok(file_read(&after, path, 1000));
        assert_string_equal(after.data, others[i]);
        bytes_free(&after);
    }
    assert_ok(file_write_atomic(path, "\"whole\"\n\"cut o", 14)); // a kill
    assert_ok(history_open(&file, path, take, NULL));
    assert_string_equal(remembered.data, "whole|");
    line_file_close(&file);
    unlink(path);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_refused(history_open(&file, path, take, NULL), "other.jsonl");
    assert_refused(history_open(&file, folder, take, NULL), folder);
    free(path);
    bytes_free(&remembered);
}

static void the_home_is_not_made(void **state)
{
    char *path = NULL, *wanted = path_join(folder, ".local/state/dereason/chat_history.jsonl");
    setenv("XDG_STATE_HOME", "/states", 1);
    assert_ok(history_path(&path));
    assert_string_equal(path, "/states/dereason/chat_history.jsonl");
    free(path);
    setenv("XDG_STATE_HOME", "relative", 1);
    setenv("HOME", folder, 1);
    assert_ok(history_path(&path));
    assert_string_equal(path, wanted);
    free(path);
    unsetenv("XDG_STATE_HOME");
    setenv("HOME", "/proc/nonexistent", 1);
    assert_ok(history_path(&path));
    assert_null(path);
    unsetenv("HOME");
    assert_ok(history_path(&path));
    assert_null(path);
    free(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_after_a_slash_is_a_command),
        cmocka_unit_test(everything_else_is_said),
        cmocka_unit_test(unknown_commands_are_refused_in_one_line),
        cmocka_unit_test(help_names_every_command),
        cmocka_unit_test(what_is_taken_back_was_never_said),
        cmocka_unit_test(a_system_message_is_set_replaced_and_removed),
        cmocka_unit_test(a_saved_conversation_is_a_row),
        cmocka_unit_test(only_a_saved_conversation_is_replaced),
        cmocka_unit_test(nothing_that_acts_reaches_a_terminal),
        cmocka_unit_test(tokens_have_their_log_probabilities_and_colours),
        cmocka_unit_test(what_was_said_is_there_the_next_time_for_its_user_alone),
        cmocka_unit_test(a_file_that_is_no_history_stays_as_it_is),
        cmocka_unit_test(the_home_is_not_made),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
