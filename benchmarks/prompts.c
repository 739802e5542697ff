// Questions of the user's data become prompts: see prompts.h.
#include "benchmarks/prompts.h"
#include "tasks/python_random.h"
#include "benchmarks/question.h"
#include "benchmarks/source.h"
#include "rows/row_write.h"
#include <stdlib.h>
#include <string.h>

typedef struct Prompts {
    AtomicFile *out;
    Asking *asking;
    Encoder *encoder;
    Question *examples; // (count)
    size_t count, capacity;
    uint32_t (*orders)[LETTERS_MOST]; // (samples x rows) of shuffled options, or NULL
    NameTable ids;
    TokenList tokens;
    Bytes prompt, name, line;
} Prompts;

// ---- the examples

static bool read_examples(Prompts *p)
{
    const Task *task = &p->asking->task;
    Source source = {.lines.descriptor = -1};
    const char *row = NULL;
    char where[1024];
    size_t size;
    if (task->o.shots == 0)
        return p->asking->shots == NULL ||
               fail_as(ERROR_USAGE, "--%sshots: the task %s has no worked examples; drop the file", p->asking->option,
                       task->name);
    if (p->asking->shots == NULL)
        return fail_as(ERROR_USAGE, "the task %s needs worked examples (%s); give --%sshots %s=FILE", task->name,
                       task->o.data, p->asking->option, task->name);
    bool ok = source_open(&source, p->asking->shots);
    while (ok && (ok = source_next(&source, &row, &size)) && row != NULL) {
        snprintf(where, sizeof where, "%s:%" PRId64, source.path, source.line);
        ok = grow(&p->examples, &p->capacity, p->count + 1, sizeof *p->examples) &&
             question_read(&p->examples[p->count++], task, (Text){row, size}, where, true);
    }
    source_close(&source);
    return ok && (p->count > 0 || fail("%s: holds no worked examples", p->asking->shots));
}

static bool is_same(Text a, Text b) { return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0); }

static bool is_example(const Prompts *p, const Question *q)
{
    for (size_t i = 0; i < p->count; i++) {
        const Question *e = &p->examples[i];
        size_t same = 0;
        while (same < q->option_count && same < e->option_count && is_same(e->options[same], q->options[same]))
            same++;
        if (is_same(e->asked, q->asked) && same == q->option_count && same == e->option_count)
            return true;
    }
    return false;
}

// The first `wanted` examples of the question's category.
static size_t choose(const Prompts *p, const Question *q, size_t wanted, Question *chosen)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count && count < wanted; i++)
        if (is_same(p->examples[i].categories[0], q->categories[0]))
            chosen[count++] = p->examples[i];
    return count;
}

// ---- a prompt

static bool is_short_enough(Prompts *p, bool *fits)
{
    p->tokens.count = 0;
    TRY(encode(p->encoder, &p->tokens, p->prompt.data, p->prompt.size));
    *fits = (int64_t)p->tokens.count < p->asking->task.o.prompt_tokens;
    return true;
}

static bool make_prompt(Prompts *p, const Question *q)
{
    const TaskOptions *o = &p->asking->task.o;
    Question *chosen = allocate((size_t)o->shots + 1, sizeof *chosen);
    TRY(chosen != NULL);
    size_t found = choose(p, q, (size_t)o->shots, chosen), count = found;
    if (found < (size_t)o->shots) {
        free(chosen);
        return fail("%s: has %zu examples of the category %.*s, and the task %s puts %" PRId64 " before a question",
                    p->asking->shots, found, (int)q->categories[0].size, q->categories[0].data, p->asking->task.name,
                    o->shots);
    }
    bool ok, fits = p->encoder == NULL || o->prompt_tokens == 0;
    do {
        bytes_clear(&p->prompt);
        ok = question_prompt(&p->prompt, &p->asking->task, q, chosen, count) && (fits || is_short_enough(p, &fits));
    } while (ok && !fits && count-- > 0);
    p->asking->fewer_shots += count < (size_t)o->shots;
    free(chosen);
    return ok;
}

static bool put_turn(Bytes *line, const char *role, const Bytes *text)
{
    return bytes_printf(line, "{\"role\":\"%s\"", role) && row_text(line, "content", text->data, text->size) &&
           bytes_text(line, "}");
}

static bool put_prompt(Prompts *p)
{
    const Task *task = &p->asking->task;
    if (task->o.completion)
        return row_text(&p->line, "prompt", p->prompt.data, p->prompt.size);
    TRY(bytes_text(&p->line, ",\"messages\":["));
    if (task->system.size > 0)
        TRY(put_turn(&p->line, "system", &task->system) && bytes_text(&p->line, ","));
    return put_turn(&p->line, "user", &p->prompt) && bytes_text(&p->line, "]");
}

static bool put_list(Bytes *line, const char *name, const Text *texts, size_t count)
{
    TRY(bytes_printf(line, ",\"%s\":[", name));
    for (size_t i = 0; i < count; i++)
        TRY(bytes_text(line, i == 0 ? "" : ",") &&
            (texts[i].data == NULL ? bytes_text(line, "null") : json_append_string(line, texts[i])));
    return bytes_text(line, "]");
}

static bool put_facts(Prompts *p, const Question *q, int64_t number, int64_t sample, Text id)
{
    const Task *task = &p->asking->task;
    Bytes *line = &p->line;
    char letter = (char)('A' + q->right);
    Text reference = q->option_count > 0 ? (Text){&letter, 1} : q->answer;
    TRY(bytes_text(line, ",\"evaluate\":{") && row_text(line, "task", task->name, strlen(task->name)) &&
        row_integer(line, "question", number) && row_integer(line, "sample", sample) &&
        row_text(line, "id", id.data, id.size) && row_text(line, "asked", q->asked.data, q->asked.size));
    if (q->option_count > 0)
        TRY(put_list(line, "options", q->options, q->option_count));
    return put_list(line, "categories", q->categories, task->o.categories.count) &&
           row_text(line, "reference", reference.data, reference.size) &&
           bytes_text(line, task->o.completion ? ",\"completion\":true}" : "}");
}

static bool write_prompt(Prompts *p, const Question *q, int64_t number, int64_t sample, Text id)
{
    bytes_clear(&p->line);
    bytes_clear(&p->name);
    TRY(make_prompt(p, q) && bytes_printf(&p->name, "%s/", p->asking->task.name) &&
        bytes_append(&p->name, id.data, id.size) && (sample == 0 || bytes_printf(&p->name, "#%" PRId64, sample)) &&
        bytes_text(&p->line, "{") && row_text(&p->line, "id", p->name.data, p->name.size) && put_prompt(p) &&
        put_facts(p, q, number, sample, id) && bytes_text(&p->line, "}\n"));
    return atomic_write(p->out, p->line.data, p->line.size);
}

// ---- all questions

// Where options are shuffled, as scripts do it that repeat the whole list of rows for several samples.
static bool draw_orders(Prompts *p)
{
    const Asking *asking = p->asking;
    PythonRandom random;
    size_t count;
    uint32_t options = (uint32_t)asking->task.o.options.count;
    if (!asking->task.o.shuffle)
        return true;
    TRY(size_multiply(&count, (size_t)asking->rows, (size_t)asking->samples) &&
        (p->orders = allocate(count, sizeof *p->orders)) != NULL);
    python_random_seed(&random, 0);
    for (size_t i = 0; i < count; i++)
        python_random_sample(&random, p->orders[i], options);
    return true;
}

static Text id_of(const Question *q, int64_t number, char digits[24])
{
    if (q->id.data != NULL)
        return q->id;
    return (Text){digits, (size_t)snprintf(digits, 24, "%" PRId64, number)};
}

static bool ask(Prompts *p, Text row, int64_t number, const char *where)
{
    const Asking *asking = p->asking;
    char digits[24];
    size_t place;
    bool ok = true;
    for (int64_t sample = 0; ok && sample < asking->samples; sample++) {
        Question q;
        ok = question_read(&q, &asking->task, row, where, false);
        if (ok && p->orders != NULL)
            question_shuffle(&q, p->orders[sample * asking->rows + number]);
        if (ok && sample == 0 && is_example(p, &q))
            ok = fail("%s: is one of the worked examples in %s, which give its answer away; the task %s reads %s",
                      where, asking->shots, asking->task.name, asking->task.o.data);
        Text id = ok ? id_of(&q, number, digits) : (Text){0};
        if (ok && sample == 0 && (ok = memchr(id.data, 0, id.size) == NULL || fail("%s: its name holds a NUL", where)))
            ok = name_number(&p->ids, id.data, id.size, &place) &&
                 ((place + 1 == p->ids.count && (int64_t)place == number) ||
                  fail("%s: another row has its name, %.*s%s", where, (int)id.size, id.data,
                       q.id.data == NULL ? "; a row without an id is called by its number" : ""));
        ok = ok && write_prompt(p, &q, number, sample, id);
        question_free(&q);
    }
    return ok;
}

static bool each_row(Prompts *p, int64_t limit, bool counting)
{
    Asking *asking = p->asking;
    Source source = {.lines.descriptor = -1};
    const char *row = NULL;
    char where[1024];
    size_t size;
    int64_t number = 0;
    bool ok = source_open(&source, asking->data);
    while (ok && (counting || limit == 0 || number < limit) && (ok = source_next(&source, &row, &size)) &&
           row != NULL) {
        snprintf(where, sizeof where, "%s:%" PRId64, source.path, source.line);
        ok = counting || ask(p, (Text){row, size}, number, where);
        number++;
    }
    source_close(&source);
    *(counting ? &asking->rows : &asking->questions) = number;
    return ok && (number > 0 || fail("%s: holds no questions; the task %s reads %s", asking->data, asking->task.name,
                                     asking->task.o.data));
}

static bool hash_file(uint64_t *hash, const char *path)
{
    MappedFile file;
    uint64_t hashes[2] = {*hash};
    TRY(file_map(&file, path));
    bool ok = mapped_hash(&hashes[1], file.data, file.size);
    file_unmap(&file);
    *hash = hash_bytes(hashes, sizeof hashes);
    return ok;
}

bool asking_hash(const Asking *asking, uint64_t *hash)
{
    *hash = 0;
    return hash_file(hash, asking->data) && (asking->shots == NULL || hash_file(hash, asking->shots));
}

static void prompts_free(Prompts *p)
{
    for (size_t i = 0; i < p->count; i++)
        question_free(&p->examples[i]);
    free(p->examples);
    free(p->orders);
    name_table_free(&p->ids);
    tokens_free(&p->tokens);
    bytes_free(&p->prompt);
    bytes_free(&p->name);
    bytes_free(&p->line);
}

bool prompts_write(AtomicFile *out, Asking *asking, int64_t limit, Encoder *encoder)
{
    Prompts p = {.out = out, .asking = asking, .encoder = encoder};
    bool ok = asking_hash(asking, &asking->hash) && read_examples(&p) && each_row(&p, 0, true) && draw_orders(&p) &&
              each_row(&p, limit, false);
    prompts_free(&p);
    return ok;
}
