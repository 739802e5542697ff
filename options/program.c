// From main's arguments to an exit code: see program.h.
#include "options/program.h"
#include "system/machine.h"
#include "system/signals.h"
#include "system/start.h"
#include <stdlib.h>

static bool run_or_stop(const Program *p, void *state, bool *stopped)
{
    if (p->run(state))
        return true;
    *stopped = error_kind() == ERROR_STOPPED && p->stop != NULL;
    return *stopped && p->stop(state);
}

int program_main(const Program *p, void *state, Options *options, void *values, int count, char **words)
{
    program_start();
    threads_wait_asleep(words);
    bool answered = false, stopped = false;
    bool understood = options_read(options, p->options(), values, count, words);
    bool ok = understood && options_answer(options, p->usage, stdout, &answered) &&
              (answered || run_or_stop(p, state, &stopped));
    char *error = ok ? NULL : copy_text(error_text());
    Ending ending = {ok ? NULL : error != NULL ? error : error_text(), error_status(), false};
    ending.status = !understood ? 2 : ok ? (stopped ? EXIT_STOPPED : 0) : ending.status;
    process_ends(&ending);
    static char shown[1 << 14]; // who told it may be closed next, and memory may be what is missing
    snprintf(shown, sizeof shown, "%s", ending.error == NULL ? "" : ending.error);
    p->close(state);
    if (ending.error != NULL)
        fprintf(stderr, "%s: %s%s\n", p->name, process_text(), shown);
    free(error);
    options_free(options);
    return ending.status;
}
