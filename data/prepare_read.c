// The first stage: a block of lines at a time, each line made into tokens by whichever thread is free, the results taken in the
// order of the lines. So the threads change the time and nothing else.
#include "answers/verify.h"
#include "base/json.h"
#include "base/signals.h"
#include "data/lines.h"
#include "data/prepare_inside.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_LINES = 1024, BLOCK_BYTES = 8 << 20 };

typedef struct Row {    // one line and what it became
    size_t begin, size; // in the block; size 0: it could not be read at all
    int64_t line;
    bool bad;
    char *error; // why
    RowFormat format;
    bool unfinished, replaced, thought_left_out;
    RowState state;
    uint8_t fact[FACT_KEY], order[SPOOL_KEY];
    Bytes spooled;
    char *source, *category; // of an unfinished row
} Row;

typedef struct Worker { // what one thread scribbles on
    TokenScratch scratch;
    Tokenised tokens;
} Worker;

typedef struct Reader {
    PrepareJob *job;
    Worker *workers; // (threads)
    int threads;
    Row *rows; // (BLOCK_LINES)
    size_t count;
    Bytes block;
    const char *path, *shown; // the file at hand; as errors name it
    char *source;             // of its rows that have none
    RecordOptions options;
    int64_t bad;
} Reader;

// ---- one row

// Any text of the row, however deep, but for names.
static bool shares_words(const Ngrams *ngrams, const json_t *value, bool top, bool *shared)
{
    const char *key;
    const json_t *inside;
    size_t i;
    if (*shared)
        return true;
    if (json_is_string(value))
        return ngrams_find(ngrams, json_string_value(value), json_string_length(value), shared);
    json_array_foreach (value, i, inside)
        TRY(shares_words(ngrams, inside, false, shared));
    json_object_foreach ((json_t *)(uintptr_t)value, key, inside) {
        if (!top || !ngrams_is_name(key))
            TRY(shares_words(ngrams, inside, false, shared));
    }
    return true;
}

static void put_big_endian(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

// What equal rows have in common, and where the row stands among those of its difficulty.
static uint64_t make_keys(Row *row, const Tokenised *t, uint64_t seed, int64_t number)
{
    uint64_t prompt[2], whole[4];
    hash_bytes_128(t->tokens.ids, t->prompt * sizeof *t->tokens.ids, prompt);
    uint64_t answered[2] = {hash_bytes(t->tokens.ids + t->prompt, (t->tokens.count - t->prompt) * sizeof *t->tokens.ids),
                            hash_bytes(t->spans, t->span_count * sizeof *t->spans)};
    uint64_t response = hash_bytes(answered, sizeof answered);
    put_big_endian(row->fact, prompt[0]);
    put_big_endian(row->fact + 8, prompt[1]);
    put_big_endian(row->fact + 16, response);
    memcpy(whole, (uint64_t[]){seed, prompt[0], prompt[1], response}, sizeof whole);
    uint64_t key = hash_bytes(whole, sizeof whole);
    row->order[0] = row->state.level;
    put_big_endian(row->order + 1, key);
    put_big_endian(row->order + 9, (uint64_t)number);
    return key;
}

static bool set(json_t *row, const char *key, json_t *value)
{
    return json_object_set_new(row, key, value) == 0 || fail("no memory for a row");
}

static Text text_of(const char *text) { return (Text){text, text == NULL ? 0 : strlen(text)}; }

// The row as it goes on to others: with the id, source and difficulty that it has here, where it had none itself. The record's texts
// point into the row, so nothing that is there is replaced but the difficulty, which is a number.
static char *row_text(const Record *record, Text source)
{
    const json_t *id = json_object_get(record->row, "id");
    bool ok = (id != NULL && !json_is_null(id)) || set(record->row, "id", json_string(record->id));
    ok = ok && (record->source.size > 0 || set(record->row, "source", json_stringn(source.data, source.size)));
    ok = ok && (record->difficulty == 0 || set(record->row, "difficulty", json_integer(record->difficulty)));
    char *text = ok ? json_dumps(record->row, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    if (ok && text == NULL)
        fail("no memory for a row");
    return text;
}

static bool spool_row(Row *row, const Record *record, const Tokenised *t, Text source, const char *json, SpoolHead head)
{
    size_t answer = record->answer == NULL ? 0 : strlen(record->answer), json_size = json == NULL ? 0 : strlen(json);
    head.tokens = (uint32_t)t->tokens.count;
    head.prompt = t->prompt;
    head.trained = t->trained;
    head.spans = (uint32_t)t->span_count;
    head.id = (uint32_t)strlen(record->id);
    head.answer = (uint32_t)answer;
    head.row = (uint32_t)json_size;
    head.source = (uint32_t)source.size;
    head.category = (uint32_t)record->category.size;
    head.has_answer = record->answer != NULL;
    return bytes_append(&row->spooled, &head, sizeof head) &&
           bytes_append(&row->spooled, t->tokens.ids, t->tokens.count * sizeof *t->tokens.ids) &&
           bytes_append(&row->spooled, t->spans, t->span_count * sizeof *t->spans) &&
           bytes_append(&row->spooled, record->id, head.id) && bytes_append(&row->spooled, record->answer, answer) &&
           bytes_append(&row->spooled, json, json_size) && bytes_append(&row->spooled, source.data, source.size) &&
           bytes_append(&row->spooled, record->category.data, record->category.size);
}

static bool take_record(const Reader *reader, Row *row, Worker *worker, const Record *record, int64_t number)
{
    const PrepareOptions *options = reader->job->options;
    Text source = record->source.size > 0 ? record->source : (Text){reader->source, strlen(reader->source)};
    bool shared = false;
    if (!record->has_response && options->need_response && record->format != ROW_IDS)
        return fail("the row has no response to train on");
    TRY(record_tokenise(&worker->tokens, &worker->scratch, record, &options->rules));
    row->thought_left_out = worker->tokens.thought_left_out;
    if (reader->job->ngrams != NULL)
        TRY(shares_words(reader->job->ngrams, record->row, true, &shared));
    bool answers = record->has_response || record->format == ROW_IDS;
    row->state.flags = (uint8_t)(ROW_SPOOLED | (answers ? ROW_HAS_RESPONSE : 0) | (record->answer != NULL ? ROW_HAS_ANSWER : 0) |
                                 (shared ? ROW_CONTAMINATED : 0));
    SpoolHead head = {.number = (uint64_t)number};
    head.key = make_keys(row, &worker->tokens, options->seed, number);
    bool keep = options->tau > 0 || options->holdout > 0 || options->split != SPLIT_DIFFICULTY || !answers;
    char *json = keep || options->verify != VERIFY_NOT ? row_text(record, source) : NULL;
    if (options->verify != VERIFY_NOT && json != NULL)
        row->state.verified = (uint8_t)record_verify(record, text_of(json));
    if (record->answer != NULL)
        head.kind = (uint32_t)answer_kind(text_of(json), text_of(record->answer));
    bool ok = (!keep || json != NULL) && spool_row(row, record, &worker->tokens, source, json, head);
    free(json);
    return ok;
}

static bool same_names(const Record *record)
{
    Text names[] = {record->source, record->category};
    for (int i = 0; i < 2; i++)
        if (names[i].size > 0 && memchr(names[i].data, 0, names[i].size) != NULL)
            return fail("key \"%s\" holds a NUL character", i == 0 ? "source" : "category");
    return true;
}

static void read_row(const Reader *reader, Row *row, Worker *worker, int64_t number)
{
    Record record;
    bool ok = record_read(&record, reader->block.data + row->begin, row->size, reader->shown, row->line, &reader->options);
    if (ok) {
        row->format = record.format;
        row->replaced = record.difficulty_replaced;
        row->state.level = (uint8_t)record.difficulty;
        row->unfinished = record.unfinished;
        ok = (same_names(&record) && (record.unfinished || take_record(reader, row, worker, &record, number))) ||
             fail_in("%s:%" PRId64, reader->shown, row->line);
        if (ok && record.unfinished && record.source.size > 0)
            row->source = copy_text(record.source.data);
        if (ok && record.unfinished && record.category.size > 0)
            row->category = copy_text(record.category.data);
        record_free(&record);
    }
    row->bad = !ok;
    row->error = ok ? NULL : copy_text(error_text());
}

static void row_free(Row *row)
{
    free(row->error);
    free(row->source);
    free(row->category);
    bytes_free(&row->spooled);
    *row = (Row){0};
}

// ---- a block of rows, in order

static bool note_bad(Reader *reader, Row *row)
{
    PrepareReport *report = reader->job->report;
    int64_t allowed = reader->job->options->skip_bad_rows;
    if (row->error == NULL)
        return fail("no memory for the error of line %" PRId64, row->line);
    if (reader->bad == allowed && allowed == 0)
        return fail("%s (--skip-bad-rows N would pass over N such rows)", row->error);
    if (reader->bad == allowed)
        return fail("%s (--skip-bad-rows %" PRId64 " bad rows have been passed over before it)", row->error, allowed);
    if (reader->bad < BAD_ROWS_NAMED) {
        report->bad_rows[reader->bad] = row->error;
        row->error = NULL;
    }
    reader->bad++;
    row->state = (RowState){.fate = FATE_BAD};
    return prepare_count(report, FATE_BAD, 0, text_of(reader->source), (Text){0}, (Text){0});
}

static bool settle(Reader *reader, Row *row)
{
    PrepareJob *job = reader->job;
    PrepareReport *report = job->report;
    PrepareFile *file = &report->files[report->file_count - 1];
    file->rows++;
    if (row->bad) {
        TRY(note_bad(reader, row));
    } else {
        file->formats[row->format]++;
        report->replaced_difficulties += row->replaced;
        report->thoughts_left_out += row->thought_left_out;
    }
    if (row->unfinished && !row->bad) {
        row->state.fate = FATE_UNFINISHED;
        TRY(prepare_count(report, FATE_UNFINISHED, row->state.level, text_of(row->source != NULL ? row->source : reader->source),
                          text_of(row->category), (Text){0}));
    }
    uint64_t number = (uint64_t)report->rows;
    TRY(grow(&job->rows, &job->row_capacity, (size_t)number + 1, sizeof *job->rows));
    job->rows[report->rows++] = row->state;
    if (row->bad || row->unfinished)
        return true;
    return sorter_add(job->facts, row->fact, &number, sizeof number) &&
           sorter_add(job->spool, row->order, row->spooled.data, row->spooled.size);
}

static bool read_block(Reader *reader)
{
    bool ok = signal_checked("; nothing was written");
    int64_t first = reader->job->report->rows;
#pragma omp parallel for schedule(dynamic, 4) num_threads(reader->threads)
    for (size_t i = 0; i < reader->count; i++)
        if (reader->rows[i].size > 0)
            read_row(reader, &reader->rows[i], &reader->workers[omp_get_thread_num()], first + (int64_t)i);
    for (size_t i = 0; i < reader->count; i++) {
        Row *row = &reader->rows[i];
        ok = ok && settle(reader, row);
        row_free(row);
    }
    reader->count = 0;
    bytes_clear(&reader->block);
    return ok;
}

static bool read_lines(Reader *reader, LineReader *lines)
{
    for (bool more = true; more;) {
        Row *row = &reader->rows[reader->count];
        const char *text;
        bool ok = lines_next(lines, &text, &row->size);
        more = ok ? text != NULL : !lines->ended;
        row->line = lines->line;
        row->begin = reader->block.size;
        if (!ok && !more)
            return false; // the file can't be read on
        if (!ok) {
            row->size = 0;
            row->bad = true;
            row->error = copy_text(error_text());
        } else if (text != NULL) {
            TRY(bytes_append(&reader->block, text, row->size));
        }
        reader->count += more;
        if (reader->count == BLOCK_LINES || reader->block.size >= BLOCK_BYTES || !more)
            TRY(read_block(reader));
    }
    return true;
}

// ---- the files

// "math/train" of ../data/math/train.jsonl: rows that don't name their source are told apart by file.
static char *source_of(const char *path)
{
    const char *name = strrchr(path, '/'), *folder = name;
    while (folder != NULL && folder > path && folder[-1] != '/')
        folder--;
    char *source = copy_text(strcmp(path, "-") == 0 ? "stdin" : folder != NULL && folder < name ? folder : path);
    if (source == NULL)
        return NULL;
    name = strrchr(source, '/');
    char *dot = strrchr(source, '.');
    if (dot != NULL && dot > source && (name == NULL || dot > name + 1))
        *dot = 0;
    return source;
}

static bool add_file(PrepareReport *report, const char *path)
{
    PrepareFile *files = realloc(report->files, (report->file_count + 1) * sizeof *files);
    if (files == NULL)
        return fail("no memory for the list of files");
    report->files = files;
    files[report->file_count] = (PrepareFile){.path = copy_text(path)};
    return files[report->file_count++].path != NULL;
}

static bool read_file(Reader *reader, const char *path)
{
    LineReader lines;
    TRY(add_file(reader->job->report, path));
    TRY((reader->source = source_of(path)) != NULL);
    bool ok = lines_open(&lines, path);
    if (ok) {
        reader->shown = lines.path;
        ok = read_lines(reader, &lines);
        reader->job->report->bytes += lines.consumed;
        lines_close(&lines);
    }
    free(reader->source);
    reader->source = NULL;
    return ok;
}

static bool read_input(Reader *reader, const PrepareInput *input)
{
    const PrepareOptions *options = reader->job->options;
    char **files;
    size_t count;
    reader->options = (RecordOptions){.instruction = options->instruction,
                                      .map = input->map,
                                      .map_count = input->map_count,
                                      .need_difficulty = options->tau > 0,
                                      .missing_difficulty = input->missing_difficulty};
    TRY(jsonl_files(&files, &count, &input->path, 1));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = read_file(reader, files[i]);
    names_free(files, count);
    return ok;
}

static bool reader_open(Reader *reader)
{
    reader->threads = omp_get_max_threads();
    reader->rows = allocate(BLOCK_LINES, sizeof *reader->rows);
    reader->workers = allocate((size_t)reader->threads, sizeof *reader->workers);
    TRY(reader->rows != NULL && reader->workers != NULL);
    for (int i = 0; i < reader->threads; i++)
        TRY(scratch_open(&reader->workers[i].scratch, reader->job->options->rules.tokenizer));
    return true;
}

static void reader_close(Reader *reader)
{
    for (int i = 0; reader->workers != NULL && i < reader->threads; i++) {
        scratch_close(&reader->workers[i].scratch);
        tokenised_free(&reader->workers[i].tokens);
    }
    for (size_t i = 0; reader->rows != NULL && i < BLOCK_LINES; i++)
        row_free(&reader->rows[i]);
    free(reader->workers);
    free(reader->rows);
    bytes_free(&reader->block);
}

bool prepare_read(PrepareJob *job)
{
    Reader reader = {.job = job};
    bool ok = reader_open(&reader);
    for (size_t i = 0; ok && i < job->options->input_count; i++)
        ok = read_input(&reader, &job->options->inputs[i]);
    reader_close(&reader);
    return ok;
}
