// The third stage: sends each sorted record where its fate says: to shards, or to JSONL files for later programs. One
// thread writes; every file has a temporary name until it is complete.
#include "answers/verify.h"
#include "intake/prepare_internal.h"
#include "system/signals.h"
#include <stdlib.h>
#include <string.h>

enum { LINES_BUFFER = 1 << 20, SIGNAL_EVERY = 4096 };

typedef struct LinesWriter {
    AtomicFile file;
    Bytes buffer;
    bool open;
} LinesWriter;

typedef struct Writer {
    PrepareJob *job;
    ShardWriter *shards[FATES]; // NULL: none yet
    LinesWriter lines[FATES];
} Writer;

static bool is_shard(Fate fate) { return fate == FATE_SFT || fate == FATE_RL || fate == FATE_HARD_SFT; }

static const char *const PLACES[FATES] = {[FATE_SFT] = "sft",
                                          [FATE_PROMPT] = "sft/prompts.jsonl",
                                          [FATE_RL] = "rl",
                                          [FATE_HARD_SFT] = "sft_hard",
                                          [FATE_HARD_PROMPT] = "sft_hard/prompts.jsonl",
                                          [FATE_HOLDOUT] = "holdout.jsonl",
                                          [FATE_CONTAMINATED] = "dropped.jsonl"};

// ---- a spooled record

typedef struct Spooled {
    SpoolHead head;
    const int32_t *ids;
    const Span *spans;
    Text id, answer, row, source, category;
} Spooled;

static Text take_text(const uint8_t **at, size_t size)
{
    Text text = {(const char *)*at, size};
    *at += size;
    return text;
}

static Spooled spooled_of(const uint8_t *data)
{
    Spooled s;
    memcpy(&s.head, data, sizeof s.head);
    data += sizeof s.head;
    s.ids = (const int32_t *)(const void *)data; // the type that ShardEntry has; the writer copies bytes
    data += s.head.tokens * sizeof *s.ids;
    s.spans = (const Span *)(const void *)data;
    data += s.head.spans * sizeof *s.spans;
    s.id = take_text(&data, s.head.id);
    s.answer = take_text(&data, s.head.answer);
    s.row = take_text(&data, s.head.row);
    s.source = take_text(&data, s.head.source);
    s.category = take_text(&data, s.head.category);
    return s;
}

// ---- shards

static ShardAbout about_of(const PrepareOptions *options, ShardKind kind)
{
    const char *instruction = options->instruction;
    bool none = instruction == NULL || instruction[0] == 0 || strcmp(instruction, "none") == 0,
         text = options->rules.tokenizer != NULL;
    return (ShardAbout){.kind = kind,
                        .tokenizer = text ? tokenizer_hash(options->rules.tokenizer) : 0,
                        .template = text ? options->rules.chat->kind : TEMPLATE_UNKNOWN,
                        .train_turn_newline = options->rules.train_turn_newline,
                        .train_all_turns = options->rules.train_all_turns,
                        .instruction = none ? 0 : hash_bytes(instruction, strlen(instruction)),
                        .seed = options->seed};
}

static bool open_shards(Writer *w, Fate fate)
{
    ShardAbout about = about_of(w->job->options, fate == FATE_RL ? SHARD_RL : SHARD_SFT);
    char *folder = path_join(w->job->folder, PLACES[fate]);
    w->shards[fate] = folder == NULL ? NULL : shard_writer_open(folder, &about);
    free(folder);
    return w->shards[fate] != NULL;
}

static bool write_shard(Writer *w, Fate fate, const Spooled *s, int level)
{
    bool rl = fate == FATE_RL;
    PrepareReport *report = w->job->report;
    uint32_t tokens = s->head.prompt, prompt = tokens;
    if (!rl) { // tokens after the last trained one would be computed for nothing
        const Span last = s->spans[s->head.spans - 1];
        tokens = last.end;
        prompt = prompt < last.begin ? prompt : last.begin;
    }
    ShardEntry entry = {.ids = s->ids,
                        .spans = rl ? NULL : s->spans,
                        .tokens = tokens,
                        .prompt = prompt,
                        .trained = rl ? 0 : s->head.trained,
                        .span_count = rl ? 0 : s->head.spans,
                        .difficulty = level,
                        .key = s->head.key,
                        .id = s->id,
                        .answer = s->head.has_answer ? s->answer : (Text){0},
                        .row = rl ? s->row : (Text){0},
                        .source = s->source,
                        .category = s->category};
    if (w->shards[fate] == NULL)
        TRY(open_shards(w, fate));
    report->tokens[fate] += tokens;
    report->trained[fate] += entry.trained;
    return shard_writer_add(w->shards[fate], &entry);
}

// ---- lines

static bool flush_lines(LinesWriter *lines)
{
    TRY(atomic_write(&lines->file, lines->buffer.data, lines->buffer.size));
    bytes_clear(&lines->buffer);
    return true;
}

static bool open_lines(Writer *w, Fate fate)
{
    char *path = path_join(w->job->folder, PLACES[fate]);
    TRY(path != NULL);
    char *slash = strrchr(path, '/');
    *slash = 0;
    bool ok = folder_make(path);
    *slash = '/';
    w->lines[fate].open = ok && atomic_open(&w->lines[fate].file, path);
    free(path);
    return w->lines[fate].open;
}

static bool write_line(Writer *w, Fate fate, Text row)
{
    LinesWriter *lines = &w->lines[fate];
    if (!lines->open)
        TRY(open_lines(w, fate));
    TRY(bytes_append(&lines->buffer, row.data, row.size) && bytes_text(&lines->buffer, "\n"));
    return lines->buffer.size < LINES_BUFFER || flush_lines(lines);
}

// ---- all records

static Text kind_name(const SpoolHead *head)
{
    const char *name = ANSWER_KIND_NAMES[head->kind];
    return head->has_answer ? (Text){name, strlen(name)} : (Text){NULL, 0};
}

static bool send(Writer *w, Fate place, const Spooled *s, int level)
{
    return is_shard(place) ? write_shard(w, place, s, level) : write_line(w, place, s->row);
}

static bool write_record(Writer *w, const uint8_t *key, const uint8_t *data)
{
    Spooled s = spooled_of(data);
    Fate fate = (Fate)w->job->rows[s.head.number].fate;
    int level = key[0];
    TRY(prepare_count(w->job->report, fate, level, s.source, s.category, kind_name(&s.head)) &&
        prepare_count_verified(w->job->report, &w->job->rows[s.head.number], s.source, s.id, s.answer));
    if (fate == FATE_BOTH || fate == FATE_PROMPT_BOTH)
        return send(w, fate == FATE_BOTH ? FATE_SFT : FATE_PROMPT, &s, level) && send(w, FATE_RL, &s, level);
    return PLACES[fate] == NULL || send(w, fate, &s, level);
}

static bool write_all(Writer *w)
{
    const uint8_t *key, *data;
    size_t size;
    TRY(sorter_sort(w->job->spool));
    TRY(sorter_next(w->job->spool, &key, &data, &size));
    for (int64_t n = 0; key != NULL; n++) {
        TRY(n % SIGNAL_EVERY != 0 || signal_checked("; nothing was written"));
        TRY(write_record(w, key, data));
        TRY(sorter_next(w->job->spool, &key, &data, &size));
    }
    return true;
}

static bool finish_all(Writer *w)
{
    for (int fate = 0; fate < FATES; fate++) {
        if (w->shards[fate] != NULL)
            TRY(shard_writer_finish(w->shards[fate], &w->job->report->shards[fate]));
        if (!w->lines[fate].open)
            continue;
        TRY(flush_lines(&w->lines[fate]));
        w->lines[fate].open = false; // commit closes it, even on failure
        TRY(atomic_commit(&w->lines[fate].file));
    }
    return true;
}

// A split always has both its parts, even if one is empty: readers then explain that better than "no such folder".
static bool make_folders(const PrepareJob *job)
{
    SplitKind split = job->options->split;
    const char *const parts[] = {"sft", split == SPLIT_HARD_SFT ? "sft_hard" : "rl"};
    bool ok = true;
    for (int i = 0; ok && i < (job->options->tau > 0 || split == SPLIT_BOTH ? 2 : 1); i++) {
        char *folder = path_join(job->folder, parts[i]);
        ok = folder != NULL && folder_make(folder);
        free(folder);
    }
    return ok;
}

bool prepare_write(PrepareJob *job)
{
    Writer w = {.job = job};
    bool ok = make_folders(job) && write_all(&w) && finish_all(&w);
    for (int fate = 0; fate < FATES; fate++) {
        if (w.shards[fate] != NULL)
            shard_writer_close(w.shards[fate]);
        if (w.lines[fate].open)
            atomic_abort(&w.lines[fate].file);
        bytes_free(&w.lines[fate].buffer);
    }
    return ok;
}
