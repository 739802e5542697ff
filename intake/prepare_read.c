// The first stage: a block of lines at a time, each line tokenised by whichever thread is free, the results taken in
// the order of the lines. So the threads change only the time.
#include "answers/verify.h"
#include "base/text.h"
#include "intake/prepare_internal.h"
#include "json/json.h"
#include "rows/lines.h"
#include "system/signals.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_LINES = 1024, BLOCK_BYTES = 8 << 20 };

typedef struct Row {    // one line and its result
    size_t begin, size; // in the block; size 0: it could not be read at all
    int64_t line;
    bool bad;
    char *error; // why it failed
    RowFormat format;
    bool unfinished, replaced;
    bool stops; // the run must end, not only the row
    bool odd;   // NaN or an infinity in it
    uint32_t mapped, turns_left_out, thoughts_left_out;
    Unread unread_response, unread_answer;
    RowState state;
    RowFact fact;
    uint8_t key[FACT_KEY], order[SPOOL_KEY];
    Bytes spooled;
    char *source, *category; // of an unfinished row
} Row;

typedef struct Worker { // scratch memory of one thread
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
    const char *path, *shown; // the current file; its name for errors
    char *source;             // for its rows without a source
    RecordOptions options;
    int64_t bad;
    uint32_t mapped; // of the current input: bit i, some row had map[i].name
} Reader;

// ---- one row

static void put_big_endian(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

// The sort keys of a row: hashes for finding equals, and its place among rows of its difficulty.
static uint64_t make_keys(Row *row, const Tokenised *t, uint64_t seed, int64_t number)
{
    uint64_t prompt[2], whole[4];
    hash_bytes_128(t->tokens.ids, t->prompt * sizeof *t->tokens.ids, prompt);
    uint64_t answered[2] = {
        hash_bytes(t->tokens.ids + t->prompt, (t->tokens.count - t->prompt) * sizeof *t->tokens.ids),
        hash_bytes(t->spans, t->span_count * sizeof *t->spans)};
    uint64_t response = hash_bytes(answered, sizeof answered);
    put_big_endian(row->key, prompt[0]);
    put_big_endian(row->key + 8, prompt[1]);
    put_big_endian(row->key + 16, response);
    memcpy(whole, (uint64_t[]){seed, prompt[0], prompt[1], response}, sizeof whole);
    uint64_t key = hash_bytes(whole, sizeof whole);
    row->order[0] = row->state.level;
    put_big_endian(row->order + 1, key);
    put_big_endian(row->order + 9, (uint64_t)number);
    return key;
}

static Text text_of(const char *text) { return (Text){text, text == NULL ? 0 : strlen(text)}; }

static bool add_field(Bytes *out, const char *key)
{
    return bytes_printf(out, "%s\"%s\":", out->data[out->size - 1] == '{' ? "" : ",", key);
}

static bool add_text(Bytes *out, const char *key, Text text)
{
    return add_field(out, key) && json_append_string(out, text);
}

// Writes why a row was dropped, to show what a benchmark removes.
static bool add_match(Bytes *out, const NgramMatch *match)
{
    char where[1024];
    snprintf(where, sizeof where, "%s:%" PRId64, match->file, match->line);
    return add_field(out, "dropped") && bytes_text(out, "{") &&
           add_text(out, "reason",
                    text_of(match->whole ? "has a benchmark's question" : "shares 13 words with a benchmark")) &&
           add_text(out, "benchmark", text_of(where)) &&
           (match->id == NULL || add_text(out, "benchmark_id", text_of(match->id))) &&
           add_text(out, "words", match->words) && bytes_text(out, "}");
}

// The row as written to JSONL: as spelled, plus its id, source and difficulty where it had none.
static bool row_text(Bytes *out, const Record *record, Text source, const NgramMatch *match)
{
    const char *without[5] = {NULL};
    size_t count = 0;
    const json_t *id = json_object_get(record->row, "id");
    bool add_id = id == NULL || json_is_null(id), add_source = record->source.size == 0;
    Text level = json_field(&record->fields, "difficulty");
    bool add_difficulty = record->difficulty > 0 && !(level.size == 1 && level.data[0] == '0' + record->difficulty);
    if (add_id)
        without[count++] = "id";
    if (add_source)
        without[count++] = "source";
    if (add_difficulty)
        without[count++] = "difficulty";
    if (match->found)
        without[count++] = "dropped";
    TRY(record_append(out, record, without));
    if (add_id)
        TRY(add_text(out, "id", text_of(record->id)));
    if (add_source)
        TRY(add_text(out, "source", source));
    if (add_difficulty)
        TRY(add_field(out, "difficulty") && bytes_printf(out, "%d", record->difficulty));
    return (!match->found || add_match(out, match)) && bytes_text(out, "}");
}

// The hash of all that may differ between two rows of one prompt and one response.
static void hash_rest(RowFact *fact, const Record *record)
{
    static const char *const names[] = {"id", "source", "category"};
    const JsonFields *fields = &record->fields;
    fact->answer = record->answer == NULL ? 0 : hash_bytes(record->answer, strlen(record->answer));
    fact->rest = 0;
    for (size_t i = 0; i < fields->count; i++) {
        const JsonField *f = &fields->list[i];
        bool name = false;
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            name = name || text_is(f->name, names[n]);
        if (!name) { // in any order
            uint64_t both[2] = {hash_bytes(f->name.data, f->name.size), hash_bytes(f->value.data, f->value.size)};
            fact->rest += hash_bytes(both, sizeof both);
        }
    }
}

static bool spool_row(Row *row, const Record *record, const Tokenised *t, Text source, const Bytes *json,
                      SpoolHead head)
{
    size_t answer = record->answer == NULL ? 0 : strlen(record->answer);
    head.tokens = (uint32_t)t->tokens.count;
    head.prompt = t->prompt;
    head.trained = t->trained;
    head.spans = (uint32_t)t->span_count;
    head.id = (uint32_t)strlen(record->id);
    head.answer = (uint32_t)answer;
    head.row = (uint32_t)json->size;
    head.source = (uint32_t)source.size;
    head.category = (uint32_t)record->category.size;
    head.has_answer = record->answer != NULL;
    return bytes_append(&row->spooled, &head, sizeof head) &&
           bytes_append(&row->spooled, t->tokens.ids, t->tokens.count * sizeof *t->tokens.ids) &&
           bytes_append(&row->spooled, t->spans, t->span_count * sizeof *t->spans) &&
           bytes_append(&row->spooled, record->id, head.id) && bytes_append(&row->spooled, record->answer, answer) &&
           bytes_append(&row->spooled, json->data, json->size) &&
           bytes_append(&row->spooled, source.data, source.size) &&
           bytes_append(&row->spooled, record->category.data, record->category.size);
}

// For a row that train_sft can't train: which field may have been meant.
static bool no_response(const Record *record)
{
    const Unread *unread = &record->unread_response;
    Bytes remedy = {0};
    fail("the row has no response to train on");
    if (unread->name != NULL && unread_remedy(&remedy, unread))
        fail("%s; \"%s\" is not read%s%s", error_text(), unread->name, remedy.size > 0 ? "; it would be with " : "",
             remedy.size > 0 ? remedy.data : "");
    bytes_free(&remedy);
    return false;
}

static bool take_record(const Reader *reader, Row *row, Worker *worker, const Record *record, int64_t number)
{
    const PrepareOptions *options = reader->job->options;
    Text source = record->source.size > 0 ? record->source : (Text){reader->source, strlen(reader->source)};
    NgramMatch match = {0};
    if (!record->has_response && options->need_response && record->format != ROW_IDS)
        return no_response(record);
    TRY(record_tokenise(&worker->tokens, &worker->scratch, record, &options->rules));
    if (reader->job->ngrams != NULL)
        match = ngrams_find_row(reader->job->ngrams, record->row);
    bool answers = record->has_response || record->format == ROW_IDS;
    row->state.flags = (uint8_t)(ROW_SPOOLED | (answers ? ROW_HAS_RESPONSE : 0) |
                                 (record->answer != NULL ? ROW_HAS_ANSWER : 0) | (match.found ? ROW_CONTAMINATED : 0));
    SpoolHead head = {.number = (uint64_t)number};
    head.key = make_keys(row, &worker->tokens, options->seed, number);
    row->turns_left_out = worker->tokens.turns_left_out;
    row->thoughts_left_out = worker->tokens.thoughts_left_out;
    row->fact.number = (uint64_t)number;
    hash_rest(&row->fact, record);
    bool keep =
        options->tau > 0 || options->holdout > 0 || options->split != SPLIT_DIFFICULTY || !answers || match.found;
    Bytes json = {0};
    bool ok = !(keep || options->verify != VERIFY_NOT) || row_text(&json, record, source, &match);
    if (ok && options->verify != VERIFY_NOT)
        row->state.verified = (uint8_t)record_verify(record, (Text){json.data, json.size});
    if (ok && record->answer != NULL)
        head.kind = (uint32_t)answer_kind((Text){json.data, json.size}, text_of(record->answer));
    ok = ok && spool_row(row, record, &worker->tokens, source, &json, head);
    bytes_free(&json);
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

static void take_facts(Row *row, const Record *record)
{
    row->format = record->format;
    row->replaced = record->difficulty_replaced;
    row->state.level = (uint8_t)record->difficulty;
    row->unfinished = record->unfinished;
    row->odd = record->odd_numbers > 0;
    row->mapped = record->mapped;
    row->unread_response = record->unread_response;
    row->unread_answer = record->unread_answer;
}

static bool take_row(const Reader *reader, Row *row, Worker *worker, const Record *record, int64_t number)
{
    take_facts(row, record);
    const TokenRules *rules = &reader->job->options->rules;
    row->stops = record->format != ROW_IDS && !template_can_render(rules->chat, rules->tokenizer);
    TRY(!row->stops);
    if (!same_names(record) || !(record->unfinished || take_record(reader, row, worker, record, number)))
        return fail_in("%s:%" PRId64, reader->shown, row->line);
    if (!record->unfinished)
        return true;
    row->source = record->source.size > 0 ? copy_text(record->source.data) : NULL;
    row->category = record->category.size > 0 ? copy_text(record->category.data) : NULL;
    return (row->source != NULL || record->source.size == 0) && (row->category != NULL || record->category.size == 0);
}

static void read_row(const Reader *reader, Row *row, Worker *worker, int64_t number)
{
    Record record;
    bool ok =
        record_read(&record, reader->block.data + row->begin, row->size, reader->shown, row->line, &reader->options);
    if (ok) {
        ok = take_row(reader, row, worker, &record, number);
        record_free(&record);
    }
    row->bad = !ok;
    row->stops = row->stops || (!ok && error_kind() == ERROR_SYSTEM);
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
    if (row->stops)
        return fail("%s", row->error);
    if (reader->bad == allowed && allowed == 0)
        return fail("%s (--skip-bad-rows N would skip N such rows)", row->error);
    if (reader->bad == allowed)
        return fail("%s (--skip-bad-rows %" PRId64 " bad rows were skipped before it)", row->error, allowed);
    if (reader->bad < BAD_ROWS_NAMED) {
        report->bad_rows[reader->bad] = row->error;
        row->error = NULL;
    }
    reader->bad++;
    row->state = (RowState){.fate = FATE_BAD};
    return prepare_count(report, FATE_BAD, 0, text_of(reader->source), (Text){0}, (Text){0});
}

static bool count_unread(PrepareUnread *counted, const Unread *unread)
{
    size_t i = 0;
    if (unread->name == NULL)
        return true;
    while (i < counted->count &&
           (strcmp(counted->list[i].what.name, unread->name) != 0 || counted->list[i].what.before != unread->before))
        i++;
    TRY(grow(&counted->list, &counted->capacity, i + 1, sizeof *counted->list));
    if (i == counted->count)
        counted->list[counted->count++] = (struct PrepareUnreadField){*unread, 0};
    counted->list[i].rows++;
    return true;
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
        report->odd_rows += row->odd;
        report->turns_left_out += row->turns_left_out;
        report->thoughts_left_out += row->thoughts_left_out;
        reader->mapped |= row->mapped;
        TRY(count_unread(&report->unread_responses, &row->unread_response) &&
            count_unread(&report->unread_answers, &row->unread_answer));
    }
    if (row->unfinished && !row->bad) {
        row->state.fate = FATE_UNFINISHED;
        TRY(prepare_count(report, FATE_UNFINISHED, row->state.level,
                          text_of(row->source != NULL ? row->source : reader->source), text_of(row->category),
                          (Text){0}));
    }
    uint64_t number = (uint64_t)report->rows;
    TRY(grow(&job->rows, &job->row_capacity, (size_t)number + 1, sizeof *job->rows));
    job->rows[report->rows++] = row->state;
    if (row->bad || row->unfinished)
        return true;
    return sorter_add(job->facts, row->key, &row->fact, sizeof row->fact) &&
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
            return false; // the rest of the file can't be read
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

// "math/train" from ../data/math/train.jsonl: the source of rows without one.
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
                                      .format = input->format,
                                      .need_difficulty = options->tau > 0,
                                      .missing_difficulty = input->missing_difficulty};
    TRY(jsonl_files(&files, &count, &input->path, 1));
    bool ok = jsonl_passed_over(&reader->job->report->passed_over, input->path);
    reader->mapped = 0;
    for (size_t i = 0; ok && i < count; i++)
        ok = read_file(reader, files[i]);
    names_free(files, count);
    return ok;
}

static bool is_used(const PrepareOptions *options, const uint32_t *used, const FieldMap *map)
{
    for (size_t i = 0; i < options->input_count; i++) {
        const PrepareInput *input = &options->inputs[i];
        for (size_t m = 0; m < input->map_count; m++)
            if ((used[i] & 1u << m) && strcmp(input->map[m].name, map->name) == 0 &&
                strcmp(input->map[m].field, map->field) == 0)
                return true;
    }
    return false;
}

// A map that found its field in no row is a mistake: the user's field was not read.
static bool check_maps(const PrepareOptions *options, const uint32_t *used)
{
    for (size_t i = 0; i < options->input_count; i++) {
        const PrepareInput *input = &options->inputs[i];
        for (size_t m = 0; m < input->map_count; m++)
            if (!is_used(options, used, &input->map[m]))
                return fail("--map %s=%s: no row of the files after it has a field \"%s\"", input->map[m].field,
                            input->map[m].name, input->map[m].name);
    }
    return true;
}

static bool read_inputs(Reader *reader)
{
    const PrepareOptions *options = reader->job->options;
    const PrepareReport *report = reader->job->report;
    uint32_t *used = allocate(options->input_count + 1, sizeof *used);
    bool ok = used != NULL;
    for (size_t i = 0; ok && i < options->input_count; i++) {
        ok = read_input(reader, &options->inputs[i]);
        used[i] = reader->mapped;
    }
    ok = ok && (options->map_may_miss || report->rows == reader->bad || check_maps(options, used));
    free(used);
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
    bool ok = reader_open(&reader) && read_inputs(&reader);
    reader_close(&reader);
    return ok;
}
