// What a program does before anything else. It may have been started with closed standard descriptors; the next file
// opened would then be number 1 or 2, and progress would be written into it.
#include "system/start.h"
#include "base/base.h"
#include "system/file_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *text)
{
    for (size_t size = strlen(text); size > 0;) {
        ssize_t n = write(STDERR_FILENO, text, size);
        if (n <= 0)
            break;
        text += n;
        size -= (size_t)n;
    }
}

static char process[40];

void process_is(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(process, sizeof process - 2, format, arguments);
    va_end(arguments);
    if (size > 0)
        strcat(process, ": ");
}

const char *process_text(void) { return process; }

static ProcessPlace place;

void process_place_set(int local_rank, bool wants_gpu) { place = (ProcessPlace){local_rank, wants_gpu}; }
const ProcessPlace *process_place(void) { return &place; }
static EndingListener *listener;

void process_listener(EndingListener *l) { listener = l; }

static Ending told;

void process_ends(Ending *ending)
{
    if (listener != NULL)
        listener(ending);
    told = *ending;
}

const Ending *process_ending(void) { return &told; }

void end_at_once(const char *what, const char *how)
{
    Ending ending = {what, 1, true};
    say(program_invocation_short_name);
    say(": ");
    say(process);
    say(what);
    say(how);
    say("\n");
    process_ends(&ending);
    _exit(1);
}

static const char NO_MEMORY[] =
    "no memory is left; free some, or give this process more, and start the same command again";

void *memory_or_end(size_t size)
{
    void *p = malloc(size > 0 ? size : 1);
    if (p == NULL)
        end_at_once(NO_MEMORY, "");
    return p;
}

void *memory_or_end_again(void *old, size_t size)
{
    void *p = realloc(old, size > 0 ? size : 1);
    if (p == NULL)
        end_at_once(NO_MEMORY, "");
    return p;
}

// Opened the wrong way round, so that reading a missing standard input and writing to a missing standard output stay
// errors.
static void open_standard_descriptors(void)
{
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++)
        if (fcntl(number, F_GETFD) < 0 && open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY) != number &&
            open("/", O_RDONLY | O_DIRECTORY) != number)
            _exit(1); // and nowhere to say why
}

void program_start(void)
{
    open_standard_descriptors();
    mappings_watch();
    json_set_alloc_funcs(memory_or_end, free); // jansson reports a failed allocation as an invalid or missing value
}
