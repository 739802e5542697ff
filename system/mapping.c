// Which file a mapped byte belongs to. When a mapped file is truncated or its disk fails, the next read raises a signal
// instead of returning an error: the handler here finds the file's name and ends the process with one line. Nothing is
// lost: a run's saved files are whole at any time.
#include "system/file_internal.h"
#include "system/start.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Mapping {
    struct Mapping *next;
    const uint8_t *data;
    size_t size; // of the mapping: whole pages
    char path[];
} Mapping;

// Read by a signal handler, which can reach nothing else. A thread that holds the lock touches no mapped file, so the
// handler never waits for its own thread.
static Mapping *mappings;
static atomic_flag lock = ATOMIC_FLAG_INIT;

static void take_lock(void)
{
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
        ;
}

static void give_lock(void) { atomic_flag_clear_explicit(&lock, memory_order_release); }

bool mapping_note(const char *path, const void *data, size_t size)
{
    size_t length = strlen(path) + 1, page = (size_t)sysconf(_SC_PAGESIZE);
    Mapping *m = malloc(sizeof *m + length);
    if (m == NULL)
        return fail("no memory for a mapping of %s", path);
    m->data = data;
    m->size = (size + page - 1) / page * page;
    memcpy(m->path, path, length);
    take_lock();
    m->next = mappings;
    mappings = m;
    give_lock();
    return true;
}

void mapping_forget(const void *data)
{
    take_lock();
    Mapping **at = &mappings;
    while (*at != NULL && (*at)->data != data)
        at = &(*at)->next;
    Mapping *m = *at;
    if (m != NULL)
        *at = m->next;
    give_lock();
    free(m);
}

static void on_bus_error(int number, siginfo_t *facts, void *context)
{
    const uint8_t *at = facts->si_addr;
    take_lock(); // and never released: only one of several threads writes the last line
    for (const Mapping *m = mappings; m != NULL; m = m->next)
        if (at >= m->data && at < m->data + m->size)
            end_at_once(
                m->path,
                ": was cut short while it was in use, or its disk fails; once it is whole again, start the same "
                "command again");
    give_lock();
    signal(number, SIG_DFL); // not about a mapping: raised again, it ends the process as usual
}

void mappings_watch(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
