// Atomics without an order among them: a reader that sees a new name with an old number is wrong by one step of one
// line of text.
#include "system/phase.h"
#include <stdatomic.h>

static _Thread_local bool watched, held;
static _Atomic(const char *) phase = "its start";
static atomic_int_fast64_t place = -1;
static atomic_uint_fast64_t progress;

void phase_watch(void) { watched = true; }

void phase_hold(bool hold) { held = hold; }

void phase_progress(void)
{
    if (watched && !held)
        atomic_fetch_add_explicit(&progress, 1, memory_order_relaxed);
}

void phase_is(const char *what, int64_t number)
{
    if (!watched)
        return;
    atomic_store_explicit(&phase, what, memory_order_relaxed);
    atomic_store_explicit(&place, number, memory_order_relaxed);
    phase_progress();
}

Phase phase_now(void)
{
    return (Phase){atomic_load_explicit(&phase, memory_order_relaxed),
                   atomic_load_explicit(&place, memory_order_relaxed),
                   atomic_load_explicit(&progress, memory_order_relaxed)};
}
