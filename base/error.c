// The chain of causes of the last failure, one per thread. fail() starts it, fail_in() puts an outer cause in front,
// and main prints it. It is text and not a code, because its reader is a person with a file to mend.
#include "base/base.h"
#include <errno.h>
#include <string.h>

enum { CHAIN = 4096 };
static _Thread_local char chain[CHAIN];
static _Thread_local ErrorKind kind_of_chain;

// Names from files end up here: characters that would move a terminal's cursor are shown as '?'.
static void make_printable(char *text)
{
    for (; *text != 0; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
}

static bool begin(ErrorKind kind, const char *format, va_list arguments)
{
    char text[CHAIN]; // an argument may be error_text() itself
    vsnprintf(text, sizeof text, format, arguments);
    make_printable(text);
    memcpy(chain, text, sizeof chain);
    kind_of_chain = kind;
    return false;
}

bool fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    begin(ERROR_OTHER, format, arguments);
    va_end(arguments);
    return false;
}

bool fail_as(ErrorKind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    begin(kind, format, arguments);
    va_end(arguments);
    return false;
}

bool fail_in(const char *format, ...)
{
    char outer[CHAIN], whole[2 * CHAIN + 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(outer, sizeof outer, format, arguments);
    va_end(arguments);
    make_printable(outer);
    snprintf(whole, sizeof whole, "%s: %s", outer, chain);
    whole[CHAIN - 1] = 0;
    memcpy(chain, whole, CHAIN);
    return false;
}

bool fail_errno(const char *format, ...)
{
    int number = errno;
    char what[CHAIN];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return fail_as(number == ENOENT || number == ENOTDIR ? ERROR_OTHER : ERROR_SYSTEM, "%s: %s", what,
                   strerror(number));
}

const char *error_text(void) { return chain; }

ErrorKind error_kind(void) { return kind_of_chain; }

int error_status(void) { return kind_of_chain == ERROR_USAGE ? 2 : 1; }

void error_clear(void)
{
    chain[0] = 0;
    kind_of_chain = ERROR_OTHER;
}
