// Reading a data set: a block of lines at a time, each line made into a document by whichever thread is free, the results
// appended in the order of the lines. So the threads change the time and nothing else.
#include "data/documents.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_LINES = 1024, BLOCK_BYTES = 64 << 20, SEQ_LEN_MOST = 1 << 30 };

typedef enum Outcome { KEPT, BAD, UNFINISHED, TOO_LONG } Outcome;

typedef struct Row { // one line and what it became
    const char *text;
    size_t size;
    int64_t line;
    Outcome outcome;
    char *error; // of a BAD row
    TokenList tokens;
    uint8_t *trained; // (tokens.count)
    int64_t trained_tokens;
    bool cut;
    int difficulty;
    char *id;
} Row;

typedef struct Worker { // what one thread scribbles on
    Encoder *encoder;
    RenderedChat rendered;
} Worker;

typedef struct Reader {
    Documents *documents;
    const DocumentOptions *options;
    Worker *workers; // (threads)
    int threads;
    Row *rows;    // (BLOCK_LINES)
    size_t count; // rows in the block at hand
    int32_t file;
} Reader;

// ---- one row

// The prompt and the answer are tokenised apart, so that the first trained token begins where the answer does: a sampler starts
// after exactly these prompt tokens, and no merge across the edge may make training see others.
static bool tokenise(Row *row, Worker *worker, const Record *record, const DocumentOptions *options)
{
    if (options->tokenizer == NULL || options->chat == NULL)
        return fail("the row is text, but there is no tokenizer; name one with --tokenizer");
    if (!record->has_response)
        return fail("the row has no response to train on");
    RenderedChat *chat = &worker->rendered;
    TRY(template_chat(options->chat, chat, record->messages, record->count));
    TRY(encode(worker->encoder, &row->tokens, chat->text.data, chat->answer));
    size_t prompt = row->tokens.count, end = options->train_turn_newline ? chat->text.size : chat->end;
    TRY(encode(worker->encoder, &row->tokens, chat->text.data + chat->answer, end - chat->answer));
    row->trained = allocate(row->tokens.count, sizeof *row->trained);
    TRY(row->trained != NULL);
    memset(row->trained + prompt, 1, row->tokens.count - prompt);
    return true;
}

static bool take_ids(Row *row, Record *record)
{
    row->tokens = (TokenList){.ids = record->ids, .count = record->tokens, .capacity = record->tokens};
    row->trained = record->trained;
    record->ids = NULL;
    record->trained = NULL;
    return true;
}

static void end_at_last_trained(Row *row)
{
    while (row->tokens.count > 0 && !row->trained[row->tokens.count - 1])
        row->tokens.count--;
}

static bool fit(Row *row, const DocumentOptions *options)
{
    for (size_t i = 0; i < row->tokens.count; i++)
        if (row->tokens.ids[i] >= options->vocabulary)
            return fail("token %zu is %" PRId32 ", but the model has %" PRId32 " tokens; is it the right tokenizer?", i,
                        row->tokens.ids[i], options->vocabulary);
    end_at_last_trained(row);
    if (row->tokens.count == 0)
        return fail("none of its tokens is trained");
    size_t most = (size_t)options->seq_len;
    if (row->tokens.count > most) {
        if (options->over_length == OVER_LENGTH_ERROR)
            return fail("%zu tokens, more than --seq-len %zu", row->tokens.count, most);
        row->cut = options->over_length == OVER_LENGTH_CUT;
        row->tokens.count = row->cut ? most : 0;
        end_at_last_trained(row);
        if (row->tokens.count == 0)
            row->outcome = TOO_LONG;
    }
    for (size_t i = 0; i < row->tokens.count; i++)
        row->trained_tokens += row->trained[i];
    return true;
}

static bool make_document(Row *row, Worker *worker, Record *record, const DocumentOptions *options)
{
    row->outcome = record->unfinished ? UNFINISHED : KEPT;
    if (record->unfinished)
        return true;
    TRY(record->format == ROW_IDS ? take_ids(row, record) : tokenise(row, worker, record, options));
    TRY(fit(row, options));
    row->difficulty = record->difficulty;
    row->id = record->id;
    record->id = NULL;
    return true;
}

static void read_row(Row *row, Worker *worker, const Reader *reader)
{
    Record record;
    const char *path = reader->documents->paths[reader->file];
    const RecordOptions options = {.instruction = reader->options->instruction};
    bool ok = record_read(&record, row->text, row->size, path, row->line, &options);
    if (ok) {
        ok = make_document(row, worker, &record, reader->options) || fail_in("%s:%" PRId64, path, row->line);
        record_free(&record);
    }
    if (!ok) {
        row->outcome = BAD;
        row->error = copy_text(error_text());
    }
}

static void row_free(Row *row)
{
    free(row->error);
    free(row->trained);
    free(row->id);
    tokens_free(&row->tokens);
    *row = (Row){0};
}

// ---- a block of rows, in order

static bool note_bad(Documents *d, Row *row, int64_t allowed)
{
    if (row->error == NULL)
        return fail("no memory for the error of line %" PRId64, row->line);
    if (d->bad == allowed && allowed == 0)
        return fail("%s (--skip-bad-rows N would pass over N such rows)", row->error);
    if (d->bad == allowed)
        return fail("%s (--skip-bad-rows %" PRId64 " bad rows have been passed over before it)", row->error, allowed);
    if (d->bad < BAD_ROWS_NAMED) {
        d->bad_rows[d->bad] = row->error;
        row->error = NULL;
    }
    d->bad++;
    return true;
}

static bool keep(Documents *d, const Row *row, int32_t file)
{
    size_t length = row->tokens.count, at = (size_t)d->tokens, end;
    TRY(size_add(&end, at, length));
    TRY(grow(&d->ids, &d->ids_capacity, end, sizeof *d->ids));
    TRY(grow(&d->trained, &d->trained_capacity, end, sizeof *d->trained));
    TRY(grow(&d->list, &d->list_capacity, (size_t)d->count + 1, sizeof *d->list));
    memcpy(d->ids + at, row->tokens.ids, length * sizeof *d->ids);
    memcpy(d->trained + at, row->trained, length);
    d->list[d->count++] = (Document){.start = d->tokens,
                                     .length = (int32_t)length,
                                     .trained = (int32_t)row->trained_tokens,
                                     .difficulty = row->difficulty,
                                     .file = file,
                                     .line = row->line,
                                     .id = d->names.size};
    d->tokens += (int64_t)length;
    d->trained_tokens += row->trained_tokens;
    d->longest = d->longest > (int32_t)length ? d->longest : (int32_t)length;
    d->cut += row->cut;
    return bytes_append(&d->names, row->id, strlen(row->id) + 1);
}

static bool settle(const Reader *reader, Row *row)
{
    Documents *d = reader->documents;
    d->rows++;
    d->unfinished += row->outcome == UNFINISHED;
    d->too_long += row->outcome == TOO_LONG;
    if (row->outcome == BAD)
        return note_bad(d, row, reader->options->skip_bad_rows);
    return row->outcome != KEPT || keep(d, row, reader->file);
}

static bool read_block(Reader *reader)
{
    bool ok = true;
#pragma omp parallel for schedule(dynamic, 4) num_threads(reader->threads)
    for (size_t i = 0; i < reader->count; i++)
        if (reader->rows[i].text != NULL)
            read_row(&reader->rows[i], &reader->workers[omp_get_thread_num()], reader);
    for (size_t i = 0; i < reader->count; i++) {
        ok = ok && settle(reader, &reader->rows[i]);
        row_free(&reader->rows[i]);
    }
    reader->count = 0;
    return ok;
}

static bool read_lines(Reader *reader, LineReader *lines)
{
    size_t bytes = 0;
    for (bool more = true; more;) {
        Row *row = &reader->rows[reader->count];
        bool ok = lines_next(lines, &row->text, &row->size);
        more = !ok || row->text != NULL;
        row->line = lines->line;
        if (!ok) {
            row->outcome = BAD;
            row->error = copy_text(error_text());
        }
        reader->count += more;
        bytes += row->size;
        if (reader->count == BLOCK_LINES || bytes >= BLOCK_BYTES || !more) {
            TRY(read_block(reader));
            bytes = 0;
        }
    }
    return true;
}

static bool read_file(Reader *reader)
{
    LineReader lines;
    TRY(lines_open(&lines, reader->documents->paths[reader->file]));
    bool ok = read_lines(reader, &lines);
    lines_close(&lines);
    return ok;
}

// ---- the files

static bool add_path(Documents *d, size_t *capacity, char *path) // takes path
{
    if (path == NULL || d->files == INT32_MAX || !grow(&d->paths, capacity, d->files + 1, sizeof *d->paths)) {
        free(path);
        return false;
    }
    d->paths[d->files++] = path;
    return true;
}

static bool add_folder(Documents *d, size_t *capacity, const char *folder)
{
    char **names;
    size_t count, before = d->files;
    TRY(folder_list(&names, &count, folder));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        size_t length = strlen(names[i]);
        if (length > 6 && strcmp(names[i] + length - 6, ".jsonl") == 0)
            ok = add_path(d, capacity, path_join(folder, names[i]));
    }
    names_free(names, count);
    return ok && (d->files > before || fail("%s: there is no *.jsonl in this folder", folder));
}

static bool find_files(Documents *d, const char *const *paths, size_t count)
{
    size_t capacity = 0;
    for (size_t i = 0; i < count; i++)
        TRY(folder_exists(paths[i]) ? add_folder(d, &capacity, paths[i]) : add_path(d, &capacity, copy_text(paths[i])));
    return true;
}

static bool reader_open(Reader *reader)
{
    reader->threads = omp_get_max_threads();
    reader->rows = allocate(BLOCK_LINES, sizeof *reader->rows);
    reader->workers = allocate((size_t)reader->threads, sizeof *reader->workers);
    TRY(reader->rows != NULL && reader->workers != NULL);
    for (int i = 0; reader->options->tokenizer != NULL && i < reader->threads; i++) {
        reader->workers[i].encoder = encoder_open(reader->options->tokenizer);
        TRY(reader->workers[i].encoder != NULL);
    }
    return true;
}

static void reader_close(Reader *reader)
{
    for (int i = 0; reader->workers != NULL && i < reader->threads; i++) {
        encoder_close(reader->workers[i].encoder);
        rendered_free(&reader->workers[i].rendered);
    }
    free(reader->workers);
    free(reader->rows);
}

static bool read_all(Reader *reader, const char *const *paths, size_t count)
{
    Documents *d = reader->documents;
    const DocumentOptions *options = reader->options;
    if (options->seq_len < 2 || options->seq_len > SEQ_LEN_MOST)
        return fail("--seq-len %" PRId64 ": must be from 2 to %d", options->seq_len, SEQ_LEN_MOST);
    TRY(find_files(d, paths, count));
    TRY(reader_open(reader));
    for (size_t i = 0; i < d->files; i++) {
        reader->file = (int32_t)i;
        TRY(read_file(reader));
    }
    if (d->count > 0)
        return true;
    return fail("%s%s: nothing to train on: of %" PRId64 " rows, %" PRId64 " are unfinished (finish_reason length), %" PRId64
                " are longer than --seq-len %" PRId64 ", %" PRId64 " are bad%s%s",
                d->files > 0 ? d->paths[0] : "no files", d->files > 1 ? " and others" : "", d->rows, d->unfinished, d->too_long,
                options->seq_len, d->bad, d->bad > 0 ? ", the first: " : "", d->bad > 0 ? d->bad_rows[0] : "");
}

bool documents_read(Documents *documents, const DocumentOptions *options, const char *const *paths, size_t count)
{
    *documents = (Documents){0};
    Reader reader = {.documents = documents, .options = options};
    bool ok = read_all(&reader, paths, count);
    reader_close(&reader);
    if (!ok)
        documents_free(documents);
    return ok;
}

void documents_free(Documents *documents)
{
    for (size_t i = 0; i < documents->files; i++)
        free(documents->paths[i]);
    for (int i = 0; i < BAD_ROWS_NAMED; i++)
        free(documents->bad_rows[i]);
    free(documents->paths);
    free(documents->list);
    free(documents->ids);
    free(documents->trained);
    bytes_free(&documents->names);
    *documents = (Documents){0};
}

uint64_t documents_hash(const Documents *documents)
{
    uint64_t parts[2] = {hash_bytes(documents->ids, (size_t)documents->tokens * sizeof *documents->ids),
                         hash_bytes(documents->trained, (size_t)documents->tokens)};
    uint64_t hash = hash_bytes(parts, sizeof parts);
    for (int64_t i = 0; i < documents->count; i++) {
        uint64_t next[2] = {hash, (uint64_t)documents->list[i].length};
        hash = hash_bytes(next, sizeof next);
    }
    return hash;
}

const char *document_id(const Documents *documents, int64_t number) { return documents->names.data + documents->list[number].id; }
