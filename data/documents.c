// Folders of shards as one list of documents: see documents.h. Nothing is copied but the list itself.
#include "data/documents.h"
#include "base/names.h"
#include "system/phase.h"
#include <stdlib.h>
#include <string.h>

enum { SEQ_LEN_MOST = 1 << 30 };

typedef struct Keyed { // a document with its sort keys
    Document document;
    uint64_t key;
} Keyed;

typedef struct Opening {
    Documents *documents;
    const DocumentOptions *options;
    Keyed *list; // (documents->count)
    size_t capacity, shard_capacity, path_capacity;
    bool sorted; // the list ascends so far
    NameTable sources;
} Opening;

// ---- which shards may be used together, and with this model

static const char *kind_name(ShardKind kind) { return kind == SHARD_RL ? "for RL" : "for SFT"; }

static bool check_against_options(const Shard *s, const DocumentOptions *o, const char *path)
{
    if (s->about.kind != o->kind && !o->prompts)
        return fail("%s: records %s, where records %s are wanted%s", path, kind_name(s->about.kind), kind_name(o->kind),
                    o->kind == SHARD_SFT ? "; train_sft takes the folder sft/" : "; train_rl takes the folder rl/");
    if (o->tokenizer != 0 && s->about.tokenizer != 0 && s->about.tokenizer != o->tokenizer)
        return fail("%s: made with another tokenizer (%016" PRIx64 ", and here it is %016" PRIx64
                    "); prepare the data with this one",
                    path, s->about.tokenizer, o->tokenizer);
    if (o->template != TEMPLATE_UNKNOWN && s->about.template != TEMPLATE_UNKNOWN && s->about.template != o->template)
        return fail(
            "%s: made with the template %s, but the model's is %s; give --template %s, or prepare the data again", path,
            template_name(s->about.template), template_name(o->template), template_name(s->about.template));
    return s->vocabulary <= o->vocabulary ||
           fail("%s: holds the token %" PRId32 ", but the model has %" PRId32 " tokens; was it made for another model?",
                path, s->vocabulary - 1, o->vocabulary);
}

static bool check_against_first(const Documents *d, const Shard *s, const char *path)
{
    const ShardAbout *a = &d->shards[0].about, *b = &s->about;
    const char *what = a->tokenizer != b->tokenizer                     ? "tokenizer"
                       : a->template != b->template                     ? "template"
                       : a->train_turn_newline != b->train_turn_newline ? "--train-turn-newline"
                       : a->train_all_turns != b->train_all_turns       ? "--train-turns"
                       : a->instruction != b->instruction               ? "--instruction"
                                                                        : NULL;
    return what == NULL || fail("%s and %s were made with another %s; prepare them alike", d->paths[0], path, what);
}

// ---- the list

// The length of a document cut to `most` tokens: up to its last trained one, since later tokens are useless.
static void cut(Document *doc, int32_t most)
{
    int32_t end = 0, trained = 0, spans = 0;
    for (; spans < doc->span_count && doc->spans[spans].begin < (uint32_t)most; spans++) {
        end = doc->spans[spans].end < (uint32_t)most ? (int32_t)doc->spans[spans].end : most;
        trained += end - (int32_t)doc->spans[spans].begin;
    }
    doc->length = end;
    doc->trained = trained;
    doc->span_count = spans;
}

static const char *length_name(const DocumentOptions *o)
{
    return o->seq_len_name == NULL ? "--seq-len" : o->seq_len_name;
}

static bool fit(Opening *o, Document *doc, const ShardEntry *entry, const char *path, bool *kept)
{
    Documents *d = o->documents;
    int32_t most = (int32_t)o->options->seq_len;
    *kept = true;
    if (doc->length <= most)
        return true;
    if (o->options->over_length == OVER_LENGTH_ERROR)
        return fail("%s: record %.*s has %" PRId32 " tokens, more than %s %" PRId32, path,
                    (int)(entry->id.size < 80 ? entry->id.size : 80), entry->id.data, doc->length,
                    length_name(o->options), most);
    if (o->options->over_length == OVER_LENGTH_CUT)
        cut(doc, most);
    *kept = o->options->over_length == OVER_LENGTH_CUT && doc->trained > 0;
    d->too_long += !*kept;
    d->cut += *kept;
    return true;
}

static bool add_document(Opening *o, const Shard *s, int64_t record, const char *path)
{
    Documents *d = o->documents;
    ShardEntry entry = shard_entry(s, record);
    bool prompt = o->options->prompts;
    if (prompt && entry.answer.data == NULL)
        return true;
    Document doc = {.ids = entry.ids,
                    .spans = entry.spans,
                    .length = (int32_t)(prompt ? entry.prompt : entry.tokens),
                    .trained = prompt ? 0 : (int32_t)entry.trained,
                    .span_count = prompt ? 0 : (int32_t)entry.span_count,
                    .difficulty = entry.difficulty,
                    .shard = (int32_t)d->shard_count - 1,
                    .record = (int32_t)record};
    bool kept;
    d->records++;
    TRY(fit(o, &doc, &entry, path, &kept));
    if (!kept)
        return true;
    size_t source;
    TRY(name_number(&o->sources, entry.source.data, entry.source.size, &source));
    doc.source = (int32_t)source;
    TRY(grow(&o->list, &o->capacity, (size_t)d->count + 1, sizeof *o->list));
    if (d->count > 0) {
        const Keyed *last = &o->list[d->count - 1];
        o->sorted = o->sorted && (last->document.difficulty < doc.difficulty ||
                                  (last->document.difficulty == doc.difficulty && last->key <= entry.key));
    }
    o->list[d->count++] = (Keyed){doc, entry.key};
    d->tokens += doc.length;
    d->trained_tokens += doc.trained;
    d->longest = doc.length > d->longest ? doc.length : d->longest;
    return true;
}

static bool add_shard(Opening *o, const char *path)
{
    Documents *d = o->documents;
    Shard shard;
    TRY(grow(&d->shards, &o->shard_capacity, d->shard_count + 1, sizeof *d->shards));
    TRY(grow(&d->paths, &o->path_capacity, d->shard_count + 1, sizeof *d->paths));
    TRY(shard_open(&shard, path));
    d->shards[d->shard_count] = shard;
    d->paths[d->shard_count++] = copy_text(path);
    TRY(d->paths[d->shard_count - 1] != NULL);
    TRY(check_against_options(&shard, o->options, path) && check_against_first(d, &shard, path));
    for (int64_t record = 0; record < shard.records; record++)
        TRY(add_document(o, &d->shards[d->shard_count - 1], record, path));
    return true;
}

// ---- folders

static bool there_is(const char *folder, const char *name, bool *there)
{
    char *path = path_join(folder, name);
    *there = path != NULL && (file_exists(path) || folder_exists(path));
    free(path);
    return path != NULL;
}

static bool no_shards(const char *folder)
{
    bool prompts, sft;
    TRY(there_is(folder, "prompts.jsonl", &prompts) && there_is(folder, "sft", &sft));
    if (prompts)
        return fail("%s: there are no shards here, only problems that still need a response: ./generate --prompts "
                    "%s/prompts.jsonl, "
                    "then ./prepare",
                    folder, folder);
    if (sft)
        return fail("%s: there are no shards here; use %s/sft or %s/rl", folder, folder, folder);
    return fail("%s: there are no shards here; ./prepare makes them from JSONL", folder);
}

static bool add_path(Opening *o, const char *path)
{
    char **files;
    size_t count;
    if (!folder_exists(path))
        return add_shard(o, path);
    TRY(shard_files(&files, &count, path));
    bool ok = count > 0 || no_shards(path);
    for (size_t i = 0; ok && i < count; i++)
        ok = add_shard(o, files[i]);
    names_free(files, count);
    return ok;
}

// ---- sorting

static int compare(const void *a, const void *b) // folders that were named first come first
{
    const Keyed *x = a, *y = b;
    if (x->document.difficulty != y->document.difficulty)
        return x->document.difficulty - y->document.difficulty;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->document.shard != y->document.shard)
        return x->document.shard - y->document.shard;
    return x->document.record - y->document.record;
}

static bool take_list(Opening *o)
{
    Documents *d = o->documents;
    if (!o->sorted)
        qsort(o->list, (size_t)d->count, sizeof *o->list, compare);
    d->list = allocate((size_t)d->count + 1, sizeof *d->list);
    TRY(d->list != NULL);
    for (int64_t i = 0; i < d->count; i++)
        d->list[i] = o->list[i].document;
    documents_find_levels(d);
    return true;
}

void documents_find_levels(Documents *d)
{
    int64_t at = 0;
    for (int level = 0; level <= LEVELS; level++) {
        while (at < d->count && d->list[at].difficulty < level)
            at++;
        d->level_first[level] = at;
    }
}

void documents_keep(Documents *d, const bool *kept)
{
    int64_t count = 0;
    d->tokens = d->trained_tokens = d->longest = 0;
    for (int64_t i = 0; i < d->count; i++) {
        if (!kept[i])
            continue;
        const Document *doc = &d->list[i];
        d->tokens += doc->length;
        d->trained_tokens += doc->trained;
        d->longest = doc->length > d->longest ? doc->length : d->longest;
        d->list[count++] = *doc;
    }
    d->records -= d->count - count;
    d->count = count;
    documents_find_levels(d);
}

static bool open_all(Opening *o, const char *const *paths, size_t count)
{
    Documents *d = o->documents;
    const DocumentOptions *options = o->options;
    if (options->seq_len < 2 || options->seq_len > SEQ_LEN_MOST)
        return fail("%s %" PRId64 ": must be from 2 to %d", length_name(options), options->seq_len, SEQ_LEN_MOST);
    if (options->kind == SHARD_RL && options->over_length == OVER_LENGTH_CUT)
        return fail("--over-length cut: a prompt cut short asks another question; use drop or error");
    size_t none;
    TRY(name_number(&o->sources, "", 0, &none));
    for (size_t i = 0; i < count; i++)
        TRY(add_path(o, paths[i]));
    if (d->records == 0 && options->prompts)
        return fail("%s%s: no row has a reference answer", paths[0], count > 1 ? " and others" : "");
    if (d->count == 0)
        return fail("%s%s: nothing to train on: of %" PRId64 " records, %" PRId64 " are longer than %s %" PRId64,
                    count > 0 ? paths[0] : "no folder", count > 1 ? " and others" : "", d->records, d->too_long,
                    length_name(options), options->seq_len);
    return take_list(o);
}

bool documents_open(Documents *documents, const DocumentOptions *options, const char *const *paths, size_t count)
{
    *documents = (Documents){0};
    Opening opening = {.documents = documents, .options = options, .sorted = true};
    bool ok = open_all(&opening, paths, count);
    free(opening.list);
    free(opening.sources.slots); // its names now belong to the documents
    documents->sources = opening.sources.names;
    documents->source_count = opening.sources.count;
    if (!ok)
        documents_close(documents);
    return ok;
}

void documents_close(Documents *d)
{
    for (size_t i = 0; i < d->shard_count; i++) {
        shard_close(&d->shards[i]);
        free(d->paths[i]);
    }
    for (size_t i = 0; i < d->source_count; i++)
        free(d->sources[i]);
    free(d->shards);
    free(d->paths);
    free(d->sources);
    free(d->list);
    *d = (Documents){0};
}

// Rewards need what is stored beside the prompt: its reference, and in its row options and other fields for a grader.
static uint64_t hash_rewarded(uint64_t hash, const ShardEntry *e)
{
    uint64_t next[3] = {hash, hash_bytes(e->answer.data, e->answer.size), hash_bytes(e->row.data, e->row.size)};
    return hash_bytes(next, sizeof next);
}

uint64_t documents_hash(const Documents *d)
{
    uint64_t hash = 0;
    for (int64_t i = 0; i < d->count; i++) {
        const Document *doc = &d->list[i];
        phase_progress();
        uint64_t next[7] = {hash,
                            hash_bytes(doc->ids, (size_t)doc->length * sizeof *doc->ids),
                            hash_bytes(doc->spans, (size_t)doc->span_count * sizeof *doc->spans),
                            (uint64_t)doc->length,
                            (uint64_t)doc->trained,
                            (uint64_t)doc->difficulty,
                            (uint64_t)doc->source};
        hash = hash_bytes(next, sizeof next);
        if (d->shards[doc->shard].about.kind == SHARD_RL) {
            ShardEntry e = document_entry(d, i);
            hash = hash_rewarded(hash, &e);
        }
    }
    return hash;
}

ShardEntry document_entry(const Documents *d, int64_t number)
{
    return shard_entry(&d->shards[d->list[number].shard], d->list[number].record);
}

const ShardAbout *documents_about(const Documents *d) { return &d->shards[0].about; }
