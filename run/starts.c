// What a run was made by: OUT/starts.jsonl gets a line whenever a process begins or resumes it, since a run may go on
// with another version or on another machine. Nothing reads it but people and the run's page (view/view.h).
#include "base/version.h"
#include "json/json.h"
#include "run/run_internal.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

// The table of --plan.
static json_t *memory_of(const Fit *fit)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool ok = out != NULL && fit_print(fit, out);
    if (out != NULL)
        fclose(out);
    json_t *value = ok ? json_stringn(text, size) : NULL;
    free(text);
    return value;
}

static json_t *start_of(const Run *run, const Fit *fit)
{
    const Kernels *k = run->model->kernels;
    char begun[32];
    time_t now = time(NULL);
    struct tm utc;
    strftime(begun, sizeof begun, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:o*}", "step", (json_int_t)run->step, "time",
                     begun, "version", program_version(), "backend", k->name, "arithmetic", k->arithmetic, "device",
                     k->device(), "parameters", (json_int_t)model_own(run->model)->elements, "learn",
                     (json_int_t)run->model->parameters.elements, "ranks", run->ranks == NULL ? 1 : run->ranks->size,
                     "memory", memory_of(fit));
}

static bool any_line(void *context, const FileLine *line) { return true; } // a half one is cut off

bool run_note_start(const Run *run, const Fit *fit)
{
    LineFile file;
    Bytes path = {0};
    json_t *start = start_of(run, fit);
    char *line = start == NULL ? NULL : json_dumps(start, JSON_COMPACT);
    bool ok = (line != NULL || fail("no memory for a line of starts.jsonl")) && path_in(&path, run, "starts.jsonl") &&
              line_file_open(&file, path.data, true, NULL); // the run's folder is locked
    if (ok) {
        bytes_clear(&path);
        ok = bytes_printf(&path, "%s\n", line) && line_file_read(&file, any_line, NULL) &&
             line_file_append(&file, path.data, path.size);
        ok = line_file_close(&file) && ok;
    }
    bytes_free(&path);
    free(line);
    json_decref(start);
    return ok;
}
