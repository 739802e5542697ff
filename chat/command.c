// See command.h.
#include "chat/command.h"
#include "base/text.h"
#include <ctype.h>
#include <string.h>

static const struct {
    const char *word, *takes; // takes: what may stand behind it; NULL: nothing
    bool needs;               // and has to
    CommandKind kind;
    const char *help;
} COMMANDS[] = {
    {"help", NULL, false, COMMAND_HELP, "this list"},
    {"new", NULL, false, COMMAND_NEW, "a new conversation, with the same system message"},
    {"system", "TEXT", false, COMMAND_SYSTEM,
     "set the system message (none: no system message); without TEXT, show it"},
    {"undo", NULL, false, COMMAND_UNDO, "take back the last question and its answer"},
    {"save", "FILE", true, COMMAND_SAVE, "write the conversation as a row for ./prepare and ./generate"},
    {"tokens", NULL, false, COMMAND_TOKENS, "show the tokens of the last answer and their log-probabilities"},
    {"exit", NULL, false, COMMAND_EXIT, "leave; so do Ctrl-D, and Ctrl-C twice"},
};
enum { COMMANDS_COUNT = sizeof COMMANDS / sizeof *COMMANDS };

// The word after the slash; of size 0: there is none, and the message is no command.
static Text word_of(Text message)
{
    size_t end = 1;
    while (end < message.size && isalpha((unsigned char)message.data[end]))
        end++;
    bool whole = end == message.size || (end < message.size && isspace((unsigned char)message.data[end]));
    return message.size > 1 && message.data[0] == '/' && whole ? (Text){message.data + 1, end - 1} : (Text){0};
}

static Command refused(const char *format, ...) PRINTF_LIKE(1, 2);
static Command refused(const char *format, ...)
{
    Command c = {.kind = COMMAND_REFUSED};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c.reason, sizeof c.reason, format, arguments);
    va_end(arguments);
    return c;
}

Command command_read(Text message)
{
    Text word = word_of(message);
    if (word.size == 0)
        return (Command){.kind = COMMAND_SAY, .rest = message};
    Text rest = text_trimmed(text_between(word.data + word.size, message.data + message.size));
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (!text_is(word, COMMANDS[i].word))
            continue;
        if (COMMANDS[i].needs && rest.size == 0)
            return refused("/%s: name a file, /%s %s", COMMANDS[i].word, COMMANDS[i].word, COMMANDS[i].takes);
        if (COMMANDS[i].takes == NULL && rest.size > 0)
            return refused("/%s: nothing may stand behind it", COMMANDS[i].word);
        return (Command){.kind = COMMANDS[i].kind, .rest = rest};
    }
    int shown = (int)smaller((int64_t)word.size, 24);
    return refused("/%.*s: no such command; /help lists them, and behind a space it is said to the model", shown,
                   word.data);
}

bool command_help(Bytes *out)
{
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        char usage[32];
        const char *takes = COMMANDS[i].takes;
        snprintf(usage, sizeof usage, "/%s%s%s", COMMANDS[i].word, takes == NULL ? "" : " ",
                 takes == NULL ? "" : takes);
        TRY(bytes_printf(out, "  %-13s %s\n", usage, COMMANDS[i].help));
    }
    return true;
}
