// build/logprobs FOLDER [--n-live N] [--temperature X] [--device auto|cpu|cuda] {"ids"} lines on stdin, {"logprobs",
// "entropy"} lines on stdout. For n ids n - 1 numbers each: ln p(ids[t+1] | ids[0..t]) and that distribution's entropy
// in nats. No tokenizer is needed. Lines are run together in ragged batches; a line's numbers do not depend on the
// others, to the bit.
#include "model/model.h"
#include "pretrained/config_json.h"
#include "pretrained/folder.h"
#include "pretrained/weights.h"
#include "system/machine.h"
#include "system/start.h"
#include <stdlib.h>
#include <string.h>

enum { BATCH_TOKENS = 4096, LINE_LIMIT = 1 << 26 };

// All lines of the input, end to end.
typedef struct Lines {
    int32_t *ids; // (tokens)
    size_t tokens, ids_capacity;
    size_t *starts; // (count + 1)
    size_t count, starts_capacity;
    size_t longest;
} Lines;

static bool add_line(Lines *lines, const char *text, size_t size)
{
    char where[48];
    snprintf(where, sizeof where, "line %zu", lines->count + 1);
    json_t *row = json_parse(text, size, where), *ids = json_object_get(row, "ids");
    TRY(row != NULL);
    size_t n = json_array_size(ids);
    bool ok = json_is_array(ids) && n > 0;
    if (!ok)
        fail("%s: needs \"ids\", a list of at least one token id", where);
    ok = ok && grow(&lines->ids, &lines->ids_capacity, lines->tokens + n, sizeof *lines->ids);
    for (size_t i = 0; ok && i < n; i++) {
        const json_t *id = json_array_get(ids, i);
        ok = json_is_integer(id) && json_integer_value(id) >= 0 && json_integer_value(id) <= INT32_MAX;
        if (!ok)
            fail("%s: ids[%zu] is not a token id", where, i);
        else
            lines->ids[lines->tokens++] = (int32_t)json_integer_value(id);
    }
    json_decref(row);
    TRY(ok && grow(&lines->starts, &lines->starts_capacity, lines->count + 2, sizeof *lines->starts));
    lines->starts[++lines->count] = lines->tokens;
    lines->longest = n > lines->longest ? n : lines->longest;
    return true;
}

static bool read_lines(Lines *lines, FILE *in)
{
    char *text = NULL;
    size_t capacity = 0;
    ssize_t size;
    bool ok = grow(&lines->starts, &lines->starts_capacity, 1, sizeof *lines->starts);
    if (ok)
        lines->starts[0] = 0;
    while (ok && (size = getline(&text, &capacity, in)) >= 0) {
        while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
            size--;
        if (size > LINE_LIMIT)
            ok = fail("line %zu: longer than %d bytes", lines->count + 1, LINE_LIMIT);
        else
            ok = size == 0 ? fail("line %zu: is empty", lines->count + 1) : add_line(lines, text, (size_t)size);
    }
    free(text);
    return ok;
}

typedef struct Scores {
    int32_t *positions, *starts, *contexts, *rows, *targets; // a batch's
    float *logprob, *entropy;
} Scores;

// Lines first .. last - 1 as one ragged batch.
static Ragged batch_of(Scores *s, const Lines *lines, size_t first, size_t last)
{
    Ragged r = {.ids = lines->ids + lines->starts[first], .positions = s->positions, .starts = s->starts};
    r.contexts = s->contexts;
    r.rows = s->rows;
    r.targets = s->targets;
    for (size_t line = first; line < last; line++) {
        size_t n = lines->starts[line + 1] - lines->starts[line];
        s->starts[r.sequences++] = (int32_t)r.tokens;
        for (size_t i = 0; i < n; i++, r.tokens++) {
            s->positions[r.tokens] = (int32_t)i;
            if (i + 1 < n) {
                s->rows[r.trained] = (int32_t)r.tokens;
                s->targets[r.trained++] = r.ids[r.tokens + 1];
            }
        }
    }
    s->starts[r.sequences] = (int32_t)r.tokens;
    return r;
}

static void print_list(const char *name, const float *x, size_t count)
{
    printf("\"%s\": [", name);
    for (size_t i = 0; i < count; i++)
        printf("%s%.9g", i == 0 ? "" : ", ", (double)x[i]);
    printf("]");
}

static bool score(Model *m, const Lines *lines, Scores *s, float temperature, int64_t n_live)
{
    for (size_t first = 0, last; first < lines->count; first = last) {
        last = first + 1;
        while (last < lines->count && lines->starts[last + 1] - lines->starts[first] <= BATCH_TOKENS)
            last++;
        Ragged batch = batch_of(s, lines, first, last);
        if (!model_forward(m, &batch) || !model_logprobs(m, &batch, temperature, n_live, s->logprob, s->entropy, NULL))
            return fail_in("lines %zu to %zu", first + 1, last);
        size_t at = 0;
        for (size_t line = first; line < last; line++) {
            size_t n = lines->starts[line + 1] - lines->starts[line] - 1;
            printf("{");
            print_list("logprobs", s->logprob + at, n);
            printf(", ");
            print_list("entropy", s->entropy + at, n);
            printf("}\n");
            at += n;
        }
    }
    return fflush(stdout) == 0 || fail_errno("writing the results");
}

static bool run(const char *given, double temperature, int64_t n_live, const char *device)
{
    Lines lines = {0};
    Bytes folder = {0}, path = {0};
    ModelConfig config;
    Model m;
    TRY(read_lines(&lines, stdin) && model_folder_find(&folder, given));
    TRY(bytes_printf(&path, "%s/config.json", folder.data) && config_read(&config, path.data));
    if (n_live < 0)
        n_live = config.vocabulary;
    if (n_live < 1 || n_live > config.vocabulary)
        return fail("--n-live %" PRId64 ": the model has %" PRId64 " vocabulary rows", n_live, config.vocabulary);
    if ((int64_t)lines.longest > config.max_positions)
        return fail("the longest line has %zu ids, but the model's max_position_embeddings is %" PRId64, lines.longest,
                    config.max_positions);
    int64_t T = lines.longest > BATCH_TOKENS ? (int64_t)lines.longest : BATCH_TOKENS;
    const Kernels *kernels = kernels_open(device, 0);
    TRY(kernels != NULL);
    ModelLimits limits = {
        .tokens = T, .rows = T, .sequences = T, .positions = lines.longest > 0 ? (int64_t)lines.longest : 1};
    TRY(model_open(&m, &config, &limits, kernels, false) && model_load(&m, folder.data));
    Scores s = {0};
    int32_t **integers[] = {&s.positions, &s.starts, &s.contexts, &s.rows, &s.targets};
    for (int i = 0; i < 5; i++)
        TRY((*integers[i] = allocate((size_t)T + 1, sizeof(int32_t))) != NULL);
    TRY((s.logprob = allocate((size_t)T, sizeof(float))) != NULL &&
        (s.entropy = allocate((size_t)T, sizeof(float))) != NULL);
    return score(&m, &lines, &s, (float)temperature, n_live); // the process ends here: its memory goes with it
}

int main(int count, char **arguments)
{
    program_start();
    threads_wait_asleep(arguments);
    const char *device = "auto";
    double temperature = 1;
    int64_t n_live = -1;
    bool usage = count < 2 || arguments[1][0] == '-';
    for (int i = 2; i < count && !usage; i += 2) {
        char *end = NULL;
        if (i + 1 < count && strcmp(arguments[i], "--n-live") == 0)
            n_live = strtoll(arguments[i + 1], &end, 10);
        else if (i + 1 < count && strcmp(arguments[i], "--temperature") == 0)
            temperature = strtod(arguments[i + 1], &end);
        else if (i + 1 < count && strcmp(arguments[i], "--device") == 0)
            device = end = arguments[i + 1];
        usage = end == NULL || (end != device && *end != 0) || !(temperature >= 1e-6) || n_live < -1;
    }
    if (usage) {
        fputs("usage: logprobs FOLDER [--n-live N] [--temperature X] [--device auto|cpu|cuda]   ({\"ids\"} lines on "
              "stdin)\n",
              stderr);
        return 2;
    }
    if (run(arguments[1], temperature, n_live, device))
        return 0;
    fprintf(stderr, "logprobs: %s\n", error_text());
    return 1;
}
