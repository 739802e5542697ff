// The step that --profile-step names: what kernels/profile.h has timed of it, as a table on the terminal and as
// OUT/profile.json (docs/formats.md). Rank 0's alone; what it sends, and waits for others, is in no kernel.
#include "json/json.h"
#include "kernels/profile.h"
#include "run/run_internal.h"
#include <string.h>

static bool is_profiled(const Run *run, int64_t step) { return run_is_first(run) && step == run->o.profile_step; }

bool run_profile_begins(Run *run) { return !is_profiled(run, run->step + 1) || profile_begin(); }

static const char *shape_text(const ProfileRow *r, char text[64])
{
    if (r->n > 0)
        snprintf(text, 64, "%" PRId64 " x %" PRId64 "%s", r->n, r->k, r->adds ? ", adds" : "");
    return r->n > 0 ? text : "in pages";
}

// ---- on the terminal

static void show_row(Run *run, const char *name, int64_t calls, double seconds, double all, double flops)
{
    char rate[32] = "";
    if (flops > 0 && seconds > 0)
        snprintf(rate, sizeof rate, "%10.3g", flops / seconds / 1e12);
    log_note(&run->log, "  %-28s %8" PRId64 " %12.3f %6.1f%%%s", name, calls, 1e3 * seconds, 100 * seconds / all, rate);
}

static void show_operation(Run *run, const Profile *p, size_t first)
{
    ProfileRow all = p->rows[first];
    char shape[64], indented[80];
    size_t end = first + 1;
    for (; end < p->count && p->rows[end].operation == all.operation; end++) {
        all.calls += p->rows[end].calls;
        all.flops = all.flops > 0 && p->rows[end].flops > 0 ? all.flops + p->rows[end].flops : 0;
    }
    bool has_shapes = end > first + 1 || all.n > 0;
    show_row(run, all.operation, all.calls, all.of_operation, p->seconds, all.flops);
    for (size_t i = first; has_shapes && i < end; i++) {
        const ProfileRow *r = &p->rows[i];
        snprintf(indented, sizeof indented, "  %s", shape_text(r, shape));
        show_row(run, indented, r->calls, r->seconds, p->seconds, r->flops);
    }
}

static void show(Run *run, const Profile *p)
{
    double rest = p->seconds - p->kernels;
    log_note(&run->log, "step %" PRId64 " by its kernels:", run->step);
    log_note(&run->log, "  %-28s %8s %12s %7s%10s", "operation", "calls", "ms", "share", "TFLOP/s");
    for (size_t i = 0; i < p->count; i++)
        if (i == 0 || p->rows[i].operation != p->rows[i - 1].operation)
            show_operation(run, p, i);
    log_note(&run->log,
             "  sum of the kernels %.3f ms, the step by the clock %.3f ms, not in any kernel %.3f ms = %.1f%%",
             1e3 * p->kernels, 1e3 * p->seconds, 1e3 * rest, 100 * rest / p->seconds);
}

// ---- OUT/profile.json

static json_t *row_json(const ProfileRow *r)
{
    char shape[64];
    json_t *row =
        json_pack("{s:s, s:I, s:f}", "operation", r->operation, "calls", (json_int_t)r->calls, "seconds", r->seconds);
    if (r->n > 0)
        json_object_set_new(row, "shape", json_string(shape_text(r, shape)));
    if (r->flops > 0)
        json_object_set_new(row, "flops", json_real(r->flops));
    return row;
}

static bool write(const Run *run, const Profile *p)
{
    Bytes path = {0};
    json_t *rows = json_array();
    for (size_t i = 0; i < p->count; i++)
        json_array_append_new(rows, row_json(&p->rows[i]));
    json_t *all = json_pack("{s:I, s:f, s:f, s:o}", "step", (json_int_t)run->step, "seconds", p->seconds,
                            "kernel_seconds", p->kernels, "operations", rows);
    bool ok = (json_array_size(rows) == p->count && all != NULL) || fail("no memory for the profile of a step");
    ok = ok && path_in(&path, run, "profile.json") && json_write_atomic(path.data, all);
    json_decref(all);
    bytes_free(&path);
    return ok;
}

bool run_profile_ends(Run *run)
{
    Profile p;
    if (!is_profiled(run, run->step))
        return true;
    bool ok = profile_end(&p);
    if (ok)
        show(run, &p);
    ok = ok && run_holds_out(run) && write(run, &p);
    profile_free(&p);
    return ok;
}
